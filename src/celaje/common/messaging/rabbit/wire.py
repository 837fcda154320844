"""Requests and replies as oslo.messaging writes them: JSON in its envelope 2.0.

Used by publisher, listeners and the reply queue. What JSON has no form for (datetimes, bytes, numbers as
keys) travels as text with a list of marks beside it, which a stock peer ignores and ours reads.
"""

import base64
import datetime
from typing import Any, NamedTuple

import msgspec

from celaje.common import clock
from celaje.common.messaging import codec
from celaje.common.messaging.envelope import CALL, CAST, FANOUT, Envelope, Outcome
from celaje.common.messaging.target import Target

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_MARKS = "_celaje_marks"
_LOST = "_celaje_lost"
_TOLD = "_celaje_told"
_SCALARS = frozenset((type(None), bool, int, float, str))

# What a stock server says where ours has an error of its own for it.
_KNOWN_ERRORS = {
    "oslo_messaging.rpc.dispatcher.NoSuchMethod": "celaje.common.messaging.errors.NoSuchMethod",
    "oslo_messaging.rpc.dispatcher.UnsupportedVersion": "celaje.common.messaging.errors.UnsupportedVersion",
}


class Unreadable(ValueError):
    """A body that is not in oslo.messaging's form."""


class Request(NamedTuple):
    """An envelope and where its reply goes; `monitor` is the caller's patience between heartbeats, or 0;
    `unique` is the same when the message is delivered, or was sent, twice."""

    envelope: Envelope
    unique: str
    reply_to: str | None
    monitor: float


class Reply(NamedTuple):
    """`outcome` None: a heartbeat. `lost` tells why the server gave the call up."""

    id: str
    outcome: Outcome | None
    lost: str | None


def request(envelope: Envelope, reply_to: str | None, monitor: float) -> bytes:
    """TypeError names the argument that cannot travel."""
    arguments = envelope.arguments
    body: dict[str, Any] = {
        "method": envelope.method,
        "args": arguments,
        "version": envelope.target.version,
        "_unique_id": envelope.id,
    }
    if envelope.target.namespace is not None:
        body["namespace"] = envelope.target.namespace
    if reply_to is not None:
        # Whole seconds are what a stock server understands; it beats twice in them.
        body |= {"_msg_id": envelope.id, "_reply_q": reply_to, "_timeout": max(2, int(monitor))}
    for key, value in envelope.context.items():
        body[f"_context_{key}"] = value
    return _wrapped(body, arguments, envelope.method)


def notification(body: dict[str, Any], context: dict[str, Any]) -> bytes:
    """TypeError names the part of the payload that cannot travel."""
    codec.encode(body["payload"], "payload")
    body = {**body, **{f"_context_{key}": value for key, value in context.items()}}
    return _encode({"oslo.version": "2.0", "oslo.message": _encode(body).decode()})


def reply(request_id: str, unique_id: str, outcome: Outcome, lost: str | None = None) -> bytes:
    """TypeError when the result cannot travel."""
    body: dict[str, Any] = {
        "result": None,
        "failure": None,
        "ending": True,
        "_msg_id": request_id,
        "_unique_id": unique_id,
    }
    if lost is not None:
        body[_LOST] = lost
    if outcome.told is not None:
        body[_TOLD] = outcome.told
    if outcome.error is not None:
        body["failure"] = _failure(outcome.error)
        return _wrapped(body, None, "error")
    body["result"] = outcome.result
    return _wrapped(body, outcome.result, "result")


def heartbeat(request_id: str, unique_id: str) -> bytes:
    body = {"result": None, "failure": None, "ending": False, "_msg_id": request_id, "_unique_id": unique_id}
    return _wrapped(body, None, "heartbeat")


def read_request(
    body: bytes | str, target: Target, headers: dict[str, Any], expiration: str | None
) -> Request:
    """`target` is the queue that it came by. Unreadable for what is no request."""
    message = _unwrapped(body)
    method, arguments = message.get("method"), message.get("args", {})
    if not isinstance(method, str) or not isinstance(arguments, dict):
        raise Unreadable("it has no method, or arguments that are no object")
    request_id = message.get("_msg_id")
    reply_to = message.get("_reply_q")
    for path, mark in message.get(_MARKS) or ():
        arguments = _restore(arguments, path, mark)
    kind = FANOUT if target.fanout else CALL if request_id and reply_to else CAST
    envelope = Envelope(
        id=str(request_id or message.get("_unique_id") or clock.new_uuid()),
        kind=kind,
        target=Target(
            target.topic,
            target.server,
            target.fanout,
            target.exchange,
            str(message.get("version") or "1.0"),
            message.get("namespace"),
        ),
        method=method,
        arguments=arguments,
        context={key[9:]: value for key, value in message.items() if key.startswith("_context_")},
        expires=_expires(headers, expiration) if kind == CALL else None,
    )
    unique = str(message.get("_unique_id") or envelope.id)
    return Request(envelope, unique, reply_to if kind == CALL else None, _seconds(message.get("_timeout")))


def read_reply(body: bytes | str) -> Reply:
    message = _unwrapped(body)
    request_id = str(message.get("_msg_id"))
    failure = message.get("failure")
    told = message.get(_TOLD)
    if failure:
        return Reply(request_id, Outcome(error=_error(failure), told=told), message.get(_LOST))
    result = message.get("result")
    if not message.get("ending", False) and result is None:
        return Reply(request_id, None, None)
    for path, mark in message.get(_MARKS) or ():
        result = _restore(result, path, mark)
    return Reply(request_id, Outcome(result, told=told), None)


def _wrapped(body: dict[str, Any], value: Any, name: str) -> bytes:
    codec.encode(value, name)
    marks: list[tuple[list[Any], str]] = []
    _mark(value, [], marks)
    if marks:
        body[_MARKS] = marks
    return _encode({"oslo.version": "2.0", "oslo.message": _encode(body).decode()})


def _unwrapped(body: bytes | str) -> dict[str, Any]:
    try:
        message = _decode(body)
        if isinstance(message, dict) and "oslo.message" in message:
            if not str(message.get("oslo.version", "")).startswith("2."):
                raise Unreadable(f"envelope version {message.get('oslo.version')!r}")
            message = _decode(message["oslo.message"])
    except (msgspec.DecodeError, TypeError, UnicodeDecodeError) as error:
        raise Unreadable(f"it is no JSON in an envelope: {error}") from None
    if not isinstance(message, dict):
        raise Unreadable("it is no object")
    return message


def _mark(value: Any, path: list[Any], marks: list[tuple[list[Any], str]]) -> None:
    """Where something is that JSON turns into text: d datetime, b bytes, k numbers as keys."""
    if type(value) in _SCALARS:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if type(item) not in _SCALARS:
                _mark(item, [*path, str(key)], marks)
        # After its values: they are found by the keys that JSON makes.
        if any(type(key) is int for key in value):
            marks.append((path, "k"))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            if type(item) not in _SCALARS:
                _mark(item, [*path, index], marks)
    elif isinstance(value, datetime.datetime):
        marks.append((path, "d"))
    elif isinstance(value, bytes):
        marks.append((path, "b"))


def _restore(value: Any, path: list[Any], mark: str) -> Any:
    """`value` with the part at `path` as it was; a path that leads nowhere changes nothing."""
    try:
        if path:
            value[path[0]] = _restore(value[path[0]], path[1:], mark)
            return value
        if mark == "d":
            return datetime.datetime.fromisoformat(value)
        if mark == "b":
            return base64.b64decode(value)
        return {int(key) if key.lstrip("-").isdecimal() else key: item for key, item in value.items()}
    except (LookupError, TypeError, ValueError, AttributeError):
        return value


def _expires(headers: dict[str, Any], expiration: str | None) -> datetime.datetime | None:
    """Ours send the moment; a stock caller only how long the message may wait. A moment that is over, or
    further away than that, is of another clock: the broker delivers nothing that is over."""
    try:
        if not expiration:
            return None
        longest = datetime.timedelta(milliseconds=int(expiration))
        now = clock.now()
        if "celaje_expires" in headers:
            moment = datetime.datetime.fromisoformat(str(headers["celaje_expires"]))
            if now < moment <= now + longest:
                return moment
        return now + longest
    except ValueError:
        return None


def _seconds(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and value > 0 else 0.0


def _failure(error: dict[str, Any]) -> str:
    """`CelajeError.to_dict` in the form of oslo.messaging's remote exceptions, without a traceback."""
    module, _, name = str(error.get("class", "")).rpartition(".")
    details = error.get("details") or {}
    codec.encode(details, "details")
    marks: list[tuple[list[Any], str]] = []
    _mark(details, [], marks)
    failure = {
        "class": name,
        "module": module,
        "message": error.get("message"),
        "tb": [],
        "args": [error.get("message")],
        "kwargs": details,
    }
    if marks:
        failure[_MARKS] = marks
    return _encode(failure).decode()


def _error(failure: Any) -> dict[str, Any]:
    try:
        data = _decode(failure) if isinstance(failure, str | bytes) else failure
        details = data.get("kwargs") or {}
        for path, mark in data.get(_MARKS) or ():
            details = _restore(details, path, mark)
        name = f"{data.get('module')}.{data.get('class')}"
        return {"class": _KNOWN_ERRORS.get(name, name), "message": data.get("message"), "details": details}
    except (msgspec.DecodeError, AttributeError):
        return {"class": "", "message": str(failure), "details": {}}
