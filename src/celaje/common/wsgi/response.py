"""What a handler may return when a plain value with the route's status does not say it all."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Response:
    """`body` is a JSON value (None: no body); `stream` bytes in chunks instead, sent as they come;
    `text` bytes sent as they are with `content_type`."""

    body: Any = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    stream: Iterable[bytes] | None = None
    text: bytes | None = None
    content_type: str = "application/json"
