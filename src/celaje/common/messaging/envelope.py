"""What travels: a request and its outcome.

Made by clients and servers, carried by the drivers, which put it into their own wire form.
"""

import datetime
from typing import Any

import msgspec

from celaje.common.messaging.target import Target

CALL = "call"
CAST = "cast"
FANOUT = "fanout"


class Envelope(msgspec.Struct, frozen=True):
    """One request.

    `kind` is call, cast or fanout; `context` is `RequestContext.to_dict()`; `expires` (naive UTC, calls only)
    is when the caller stops waiting, so that nobody begins a call that nobody waits for.
    """

    id: str
    kind: str
    target: Target
    method: str
    arguments: dict[str, Any]
    context: dict[str, Any]
    expires: datetime.datetime | None = None


class Outcome(msgspec.Struct, frozen=True):
    """How a call ended: a result, or the dictionary form of an error (`CelajeError.to_dict`). `told` is what
    the callee says of its work: {"by", "worked", "hops"} (`common/trail.py`)."""

    result: Any = None
    error: dict[str, Any] | None = None
    told: dict[str, Any] | None = None
