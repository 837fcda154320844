"""What processes say to each other: msgpack arrays in one frame each, `[what, to, from, ...]`.

Used by bus, listeners and neighbours. Arguments and results are packed by the codec that all of Celaje's own
messages pass, and travel as bytes within, so that only the thread that needs them unpacks them.
"""

import datetime
from typing import Any

import msgspec

from celaje.common import clock
from celaje.common.messaging import codec
from celaje.common.messaging.envelope import Envelope, Outcome
from celaje.common.messaging.target import Target

# A process that speaks another version is not taken for a peer.
PROTOCOL = 1

# [REQUEST, to, from, ear, id, kind, shared, target, method, arguments, context, left]. `left`: for how many
# seconds its caller goes on waiting, as the request leaves; a moment would be by another machine's clock.
REQUEST = 1
# [REPLY, to, from, id, outcome, cause of the loss]
REPLY = 2
# [DONE, to, from, id]: a cast was worked on, or a call that nobody waits for.
DONE = 3
# [BACK, to, from, id, gone]: not begun; gone: that listener has left, else it has no idle thread.
BACK = 4
# [READY, to, from, ear]: it has an idle thread again for whoever was sent back.
READY = 5
# [BEAT, to, from, id]: the work on a call goes on.
BEAT = 6
# [HELLO, "", from, record, others]: who I am, where I am reached, who listens here, whom else I know.
HELLO = 7
# [BYE, "", from]: I end.
BYE = 8
# [STOP, to, from]: to itself, so that the receiving thread wakes up and ends.
STOP = 9

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(list[Any]).decode


def arguments(envelope: Envelope) -> tuple[Any, ...]:
    """The parts of a request that do not depend on who gets it. TypeError names what cannot travel."""
    target = envelope.target
    return (
        (target.topic, target.server, target.fanout, target.exchange, target.version, target.namespace),
        envelope.method,
        codec.encode(envelope.arguments, envelope.method),
        codec.encode(envelope.context, "context"),
    )


def left(envelope: Envelope) -> float | None:
    """The part that depends on when it leaves."""
    return None if envelope.expires is None else (envelope.expires - clock.now()).total_seconds()


def envelope(frame: list[Any], arrived: datetime.datetime) -> Envelope:
    """The request that a REQUEST frame carries. ValueError, TypeError or OverflowError when it is none."""
    _, _, _, _, id, kind, _, target, method, packed, context, left = frame
    return Envelope(
        id,
        kind,
        Target(*target),
        method,
        codec.decode(packed),
        codec.decode(context),
        None if left is None else arrived + datetime.timedelta(seconds=left),
    )


def pack_outcome(outcome: Outcome, name: str) -> bytes:
    """TypeError names the part of the result that cannot travel."""
    if outcome.error is not None:
        return codec.encode([None, outcome.error], name)
    return encode([codec.encode(outcome.result, name)])


def unpack_outcome(packed: bytes) -> Outcome:
    parts = codec.decode(packed)
    if len(parts) == 2:
        return Outcome(error=parts[1])
    return Outcome(codec.decode(parts[0]))
