"""A server's ear on ZeroMQ. Made by the bus, polled by the server's threads, fed by the receiving thread.

It takes no more than its threads can begin of what others could take as well, and tells a sender whom it
has sent back when it has room again.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any

from celaje.common import clock
from celaje.common.messaging.driver import Delivery, Listener
from celaje.common.messaging.envelope import FANOUT
from celaje.common.messaging.target import Target
from celaje.common.messaging.zmq import wire

LOG = logging.getLogger(__name__)

# Copies of fanouts that may wait for a server that is busy; beyond them the newest are lost.
_MOST_COPIES = 10_000


class Answer(Enum):
    TAKEN = 0
    BUSY = 1
    GONE = 2


class ZmqDelivery(Delivery):
    """`frame` is unpacked by the thread that takes it."""

    __slots__ = ("arrived", "ear", "frame", "id", "kind", "sender", "settled")

    def __init__(self, frame: list[Any], ear: "ZmqListener"):
        self.arrived = clock.now()
        self.frame = frame
        self.ear = ear
        self.sender: str = frame[2]
        self.id: str = frame[4]
        self.kind: str = frame[5]
        self.settled = False


class ZmqListener(Listener):
    """`settle(delivery)`: its sender may forget it. `ready(senders)`: they may send again. `leave(self,
    left)`: it is closed, and what it had not begun goes back."""

    def __init__(
        self,
        number: int,
        target: Target,
        threads: int,
        *,
        settle: Callable[[ZmqDelivery], None],
        ready: Callable[["ZmqListener", list[str]], None],
        leave: Callable[["ZmqListener", list[ZmqDelivery]], None],
    ):
        self.number = number
        self.target = target
        self.threads = threads
        self._settle = settle
        self._ready = ready
        self._leave = leave
        self._condition = threading.Condition()
        self._buffer: deque[ZmqDelivery] = deque()
        self._in_hand: dict[int, ZmqDelivery] = {}
        # Whom it has sent back. When it has called them it owes one of them a place, even if messages for
        # this server alone have filled it meanwhile: else those could keep the topic's out for ever.
        self._refused: list[str] = []
        self._owed = False
        self._copies = 0
        self._closed = False

    def take(self, frame: list[Any]) -> Answer:
        """By the receiving thread."""
        delivery = ZmqDelivery(frame, self)
        shared = frame[6]
        with self._condition:
            if self._closed:
                return Answer.GONE
            if delivery.kind == FANOUT:
                if self._copies >= _MOST_COPIES:
                    LOG.warning("%s: a fanout is lost, %d wait already", self.target, self._copies)
                    return Answer.TAKEN
                self._copies += 1
            elif shared and not self._has_room():
                if delivery.sender not in self._refused:
                    self._refused.append(delivery.sender)
                return Answer.BUSY
            self._buffer.append(delivery)
            self._condition.notify()
            return Answer.TAKEN

    def _has_room(self) -> bool:
        if len(self._buffer) - self._copies + len(self._in_hand) < self.threads:
            self._owed = False
            return True
        owed, self._owed = self._owed, False
        return owed

    def poll(self, timeout: float | None = None) -> Delivery | None:
        me = threading.get_ident()
        before = self._in_hand.get(me)
        if before is not None:
            self.done(before)
        end = None if timeout is None else clock.monotonic() + timeout
        while True:
            with self._condition:
                clock.wait_until(self._condition, lambda: bool(self._buffer) or self._closed, end)
                if self._closed or not self._buffer:
                    return None
                delivery = self._buffer.popleft()
                self._copies -= delivery.kind == FANOUT
                self._in_hand[me] = delivery
            try:
                delivery.envelope = wire.envelope(delivery.frame, delivery.arrived)
            except (ValueError, TypeError, OverflowError) as error:
                LOG.error("%s: a message of %s is thrown away: %s", self.target, delivery.sender, error)
                self.done(delivery)
                continue
            return delivery

    def done(self, delivery: ZmqDelivery) -> None:
        """Worked on: its sender is told, unless a reply has told it."""
        if self.release(delivery) and delivery.kind != FANOUT:
            self._settle(delivery)

    def release(self, delivery: ZmqDelivery) -> bool:
        """No thread has it any more. False when that was known. Whoever was sent back may come again."""
        with self._condition:
            if delivery.settled:
                return False
            delivery.settled = True
            for thread, other in self._in_hand.items():
                if other is delivery:
                    del self._in_hand[thread]
                    break
            called: list[str] = []
            if self._refused and not self._closed:
                called, self._refused = self._refused, []
                self._owed = True
        if called:
            self._ready(self, called)
        return True

    def close(self) -> None:
        with self._condition:
            if self._closed:
                return
            self._closed = True
            left = [delivery for delivery in self._buffer if delivery.kind != FANOUT]
            self._buffer.clear()
            self._condition.notify_all()
        self._leave(self, left)
