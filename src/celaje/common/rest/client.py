"""One service's REST API as another service calls it.

Conductors and handlers call typed operations (`common/clients/`), those call `RestClient.request`. Ids and
tokens of the current context travel along, so the other service's journal joins ours.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from celaje.common import clock, context, errors, trail
from celaje.common.rest.credentials import ServiceCredentials
from celaje.common.rest.transport import Transport

F = TypeVar("F", bound=Callable[..., Any])

_ERRORS: dict[int, type[errors.CelajeError]] = {
    400: errors.Invalid,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    406: errors.NotAcceptable,
    409: errors.Conflict,
    412: errors.PreconditionFailed,
    413: errors.OverQuota,
    415: errors.UnsupportedMediaType,
    501: errors.NotImplementedHere,
    502: errors.Unavailable,
    503: errors.Unavailable,
    504: errors.Unavailable,
}


class ServiceFailed(errors.CelajeError):
    """The other service answered 500: its log has the cause under the request id given."""

    text = "{service} failed: {words} (its request id: {request_id})"


@dataclass(slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


def operation(function: F) -> F:
    """Mark a client's method as an operation that flows may use as a step: the journal shows its name and
    the service that it goes to."""
    service, _, name = function.__qualname__.partition(".")
    function.step_name = f"{service.removesuffix('Client').lower()}.{name}"  # type: ignore[attr-defined]
    function.step_target = service.removesuffix("Client").lower()  # type: ignore[attr-defined]
    return function


class RestClient:
    """`own` True: act as this service itself; False: as the user of the current context, with this
    service's token beside it."""

    service_type = ""
    version: str | None = None

    def __init__(self, transport: Transport, credentials: ServiceCredentials | None, *, own: bool = False):
        self._transport = transport
        self._credentials = credentials
        self._own = own

    def as_service(self):
        """The same client acting as this service itself."""
        return type(self)(self._transport, self._credentials, own=True)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        version: str | None = None,
        stream: Iterable[bytes] | None = None,
    ) -> Answer:
        """Send and decode. Raises the domain error that fits a refusal, with the other service's words;
        Unavailable when it does not answer."""
        status, found, chunks = self._send(method, path, body, query, headers, version, stream)
        if status == 401 and self._credentials:
            self._credentials.forget()
            if stream is None:
                status, found, chunks = self._send(method, path, body, query, headers, version, None)
        raw = b"".join(chunks)
        decoded = _decode(raw)
        if status >= 400:
            raise self._error(status, found, decoded)
        return Answer(status, found, decoded)

    def download(
        self, path: str, headers: Mapping[str, str] | None = None
    ) -> tuple[dict[str, str], Iterable[bytes]]:
        """Headers and the body in chunks as they come."""
        status, found, chunks = self._send("GET", path, None, None, headers, None, None)
        if status >= 400:
            raise self._error(status, found, _decode(b"".join(chunks)))
        return found, chunks

    def _send(  # noqa: PLR0917
        self,
        method: str,
        path: str,
        body: Any,
        query: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
        version: str | None,
        stream: Iterable[bytes] | None,
    ) -> tuple[int, dict[str, str], Iterable[bytes]]:
        sent = {"Accept": "application/json", **self._identification()}
        content: bytes | Iterable[bytes] | None = stream
        if body is not None:
            sent["Content-Type"] = "application/json"
            content = msgspec.json.encode(body)
        if version or self.version:
            sent["OpenStack-API-Version"] = f"{self.service_type} {version or self.version}"
        sent.update(headers or {})
        whole = path
        if query:
            whole = f"{path}?{urlencode([(k, v) for k, v in query.items() if v is not None], doseq=True)}"
        began = clock.monotonic()
        status, request_id, error = None, None, None
        try:
            answer = self._transport.send(method, whole, sent, content)
            status, request_id = answer[0], answer[1].get("x-openstack-request-id")
        except errors.CelajeError as problem:
            error = type(problem).__name__
            raise
        finally:
            trail.note(
                "rest",
                f"{method} {path}",
                began,
                to=self.service_type,
                status=status,
                request_id=request_id,
                error=error,
                timeout=self._transport.timeout,
            )
        return answer

    def _identification(self) -> dict[str, str]:
        asker = context.current()
        sent = {"X-Openstack-Request-Id": asker.global_request_id or asker.request_id}
        if self._credentials is None:
            return sent
        own = self._credentials.token()
        if self._own or not asker.token:
            sent["X-Auth-Token"] = own
        else:
            sent["X-Auth-Token"] = asker.token
            sent["X-Service-Token"] = own
        return sent

    def _error(self, status: int, headers: Mapping[str, str], body: Any) -> errors.CelajeError:
        words = find_message(body) or f"status {status}"
        request_id = headers.get("x-openstack-request-id", "unknown")
        cls = _ERRORS.get(status)
        if cls is None:
            return ServiceFailed(service=self.service_type, words=words, request_id=request_id)
        return cls(words, service=self.service_type, status=status, request_id=request_id)


def find_message(body: Any) -> str | None:
    """The words of an error body, whatever the service's dialect."""
    if isinstance(body, dict):
        for key in ("message", "detail"):
            if isinstance(body.get(key), str):
                return body[key]
        for value in body.values():
            found = find_message(value)
            if found:
                return found
    elif isinstance(body, list):
        for value in body:
            found = find_message(value)
            if found:
                return found
    return None


def part(value: str) -> str:
    """An id or a name as one part of a path."""
    return quote(value, safe="")


def _decode(raw: bytes) -> Any:
    if not raw:
        return None
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return None
