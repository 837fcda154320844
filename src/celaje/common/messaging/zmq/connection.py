"""One connection to another process, for sending only: what comes back comes in by our own bound socket.

Made and used under the bus's lock (which is what lets many threads use one ZeroMQ socket); what the
connection itself tells (broken, refused) is read by the caring thread.
"""

import logging
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

from celaje.common.messaging.zmq.curve import Keys

LOG = logging.getLogger(__name__)

_REFUSED = {
    zmq.EVENT_HANDSHAKE_FAILED_AUTH,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
}
_EVENTS = zmq.EVENT_DISCONNECTED | sum(_REFUSED)
# What one process holds for another that does not read: beyond it the other counts as lost.
_MOST_HELD = 100_000
# Milliseconds between attempts of libzmq to connect, growing up to the second.
_RECONNECT, _RECONNECT_MOST = 50, 2000


class Connection:
    """`held` bounds the messages that wait while nobody is connected there."""

    def __init__(self, context: Any, address: str, keys: Keys | None, held: int = _MOST_HELD):
        self.address = address
        self._told = False
        self.socket = context.socket(zmq.PUSH)
        self.socket.linger = 0
        self.socket.sndhwm = held
        self.socket.ipv6 = True
        self.socket.reconnect_ivl = _RECONNECT
        self.socket.reconnect_ivl_max = _RECONNECT_MOST
        if keys is not None:
            keys.introduce(self.socket)
        self.monitor = self.socket.get_monitor_socket(_EVENTS)
        self.socket.connect(address)

    def send(self, frame: bytes) -> bool:
        """False when the other side takes nothing any more."""
        try:
            self.socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def broke(self) -> bool:
        """Read what happened; whether the connection stood and is gone. By the caring thread."""
        broken = False
        while self.monitor.poll(0):
            event = recv_monitor_message(self.monitor, zmq.NOBLOCK)["event"]
            broken |= event == zmq.EVENT_DISCONNECTED
            if event in _REFUSED and not self._told:
                self._told = True
                LOG.error("%s does not let us in: it has another CURVE key, or none", self.address)
        return broken

    def close(self, linger: int = 0) -> None:
        """By the caring thread, or when that has ended. `linger`: milliseconds for what is not sent yet."""
        self.socket.disable_monitor()
        self.monitor.close(0)
        self.socket.close(linger)
