"""Messages between the components of a service, with oslo.messaging's contract.

A service lists its messages in `rpc.py` (a `Messages` table), sends them through a `Client` and serves them
with a `Server`; a `Bus` carries them, and its driver (`inproc`, later `rabbit`, `zmq`) fits below unseen.
"""

from celaje.common.messaging.bus import connect
from celaje.common.messaging.client import Client, Proxy, Sender
from celaje.common.messaging.driver import Bus
from celaje.common.messaging.envelope import Envelope, Outcome
from celaje.common.messaging.errors import (
    MessagingTimeout,
    NoSuchMethod,
    NoSuchServer,
    UnsupportedVersion,
    WorkerLost,
)
from celaje.common.messaging.server import Server
from celaje.common.messaging.table import Message, Messages, call, cast, check, fanout
from celaje.common.messaging.target import Target

__all__ = [
    "Bus",
    "Client",
    "Envelope",
    "Message",
    "Messages",
    "MessagingTimeout",
    "NoSuchMethod",
    "NoSuchServer",
    "Outcome",
    "Proxy",
    "Sender",
    "Server",
    "Target",
    "UnsupportedVersion",
    "WorkerLost",
    "call",
    "cast",
    "check",
    "connect",
    "fanout",
]
