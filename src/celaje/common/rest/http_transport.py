"""Requests to a service in another process, over kept-alive HTTP connections.

Imported when first asked for: an all-in-one cloud speaks no HTTP to itself; its start need not pay for it.
"""

import http.client
import select
import ssl
import threading
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from celaje.common.errors import Unavailable
from celaje.common.rest.transport import Headers, Transport

# By HTTP's own definition harmless when they come twice (RFC 9110, 9.2.2).
_REPEATABLE = frozenset(("GET", "HEAD", "PUT", "DELETE", "OPTIONS"))


class HttpTransport(Transport):
    """A few kept-alive connections to one endpoint. `timeout` seconds bound the wait for each answer.
    `certificate`: files of this client's own certificate and its key, where the endpoint asks for one."""

    def __init__(
        self,
        endpoint: str,
        timeout: float = 60.0,
        ca_file: str | None = None,
        certificate: tuple[str, str | None] | None = None,
    ):
        self._parts = urlsplit(endpoint)
        if self._parts.scheme not in ("http", "https") or not self._parts.hostname:
            raise ValueError(f"{endpoint} is no http(s) URL")
        self.timeout = timeout
        self._tls = ssl.create_default_context(cafile=ca_file) if self._parts.scheme == "https" else None
        if self._tls is not None and certificate is not None:
            self._tls.load_cert_chain(*certificate)
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def send(
        self, method: str, path: str, headers: Headers, body: bytes | Iterable[bytes] | None
    ) -> tuple[int, dict[str, str], Iterable[bytes]]:
        url = f"{self._parts.path.rstrip('/')}{path}"
        connection = self._kept()
        fresh = connection is None
        connection = connection or self._connect()
        try:
            return self._exchange(connection, method, url, headers, body)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            # What may have been done already is not sent again blindly: whoever asked looks first.
            if fresh or method not in _REPEATABLE or not (body is None or isinstance(body, bytes)):
                raise Unavailable(f"{self._parts.netloc} does not answer: {error}") from error
        connection = self._connect()
        try:
            return self._exchange(connection, method, url, headers, body)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unavailable(f"{self._parts.netloc} does not answer: {error}") from error

    def _kept(self) -> http.client.HTTPConnection | None:
        """An idle connection that the other side has not closed meanwhile."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if connection.sock is not None and not select.select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._tls:
            return http.client.HTTPSConnection(host, port, timeout=self.timeout, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=self.timeout)

    def _exchange(
        self, connection: http.client.HTTPConnection, method: str, url: str, headers: Headers, body: Any
    ) -> tuple[int, dict[str, str], Iterable[bytes]]:
        chunked = body is not None and not isinstance(body, bytes)
        connection.request(method, url, body=body, headers=dict(headers), encode_chunked=chunked)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return response.status, found, self._chunks(connection, response)

    def _chunks(
        self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> Iterator[bytes]:
        try:
            while chunk := response.read(1 << 20):
                yield chunk
            if response.length:
                # Read in pieces, http.client takes a connection that broke off for the end.
                raise Unavailable(f"{self._parts.netloc} broke off, {response.length} bytes before the end")
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{self._parts.netloc} broke off: {error}") from error
        finally:
            if response.isclosed() and not response.will_close:
                with self._lock:
                    self._idle.append(connection)
            else:
                connection.close()
