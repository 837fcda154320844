"""The driver for components in one process: queues, condition variables and a msgpack copy.

A message costs one thread hop; a waiting thread is handed its message directly, in the order in which the
threads came, so competing servers share the work evenly.
"""

import itertools
import threading
from _thread import allocate_lock
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from celaje.common import clock
from celaje.common.messaging import codec
from celaje.common.messaging.driver import Bus, Delivery, Listener
from celaje.common.messaging.envelope import Envelope, Outcome
from celaje.common.messaging.errors import NoSuchServer
from celaje.common.messaging.pending import Ending, Pending
from celaje.common.messaging.target import Target


class _Parcel(Delivery):
    __slots__ = ("number", "pending")

    def __init__(self, envelope: Envelope, pending: Pending | None, number: int = 0):
        self.envelope = envelope
        self.pending = pending
        self.number = number


class _Waiter:
    """A thread in `poll`; `parcel` is put in by whoever hands it one and then opens its gate."""

    __slots__ = ("gate", "listener", "parcel")

    def __init__(self, listener: "_Ear"):
        self.listener = listener
        self.gate = allocate_lock()
        self.gate.acquire()
        self.parcel: _Parcel | None = None


def _belongs_to(listener: "_Ear", waiter: _Waiter) -> bool:
    return waiter.listener is listener


class _Topic:
    """The queues of one topic and who listens to them.

    A waiter is in `waiters` only while all queues that it may take from are empty, so handing a message to
    a waiter never overtakes another message.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.shared: deque[_Parcel] = deque()
        self.servers: dict[str, deque[_Parcel]] = {}
        self.listeners: list[_Ear] = []
        self.waiters: deque[_Waiter] = deque()

    def put(self, envelope: Envelope, pending: Pending | None) -> bool:
        """False for a call that nobody can receive."""
        target = envelope.target
        with self.lock:
            if target.fanout:
                for listener in self.listeners:
                    # A copy for each: receivers must not share objects either.
                    parcel = _Parcel(_isolated(envelope), None, next(self.numbers))
                    if not self._hand_over(parcel, partial(_belongs_to, listener)):
                        listener.fanouts.append(parcel)
                return True
            if pending is not None and not self.heard(target.server):
                return False
            self._put(_Parcel(envelope, pending, next(self.numbers)))
            return True

    def _put(self, parcel: _Parcel) -> None:
        server = parcel.envelope.target.server
        if server is None:
            if self.waiters:
                self._give(self.waiters.popleft(), parcel)
            else:
                self.shared.append(parcel)
        elif not self._hand_over(parcel, lambda waiter: waiter.listener.server == server):
            self.servers.setdefault(server, deque()).append(parcel)

    def _hand_over(self, parcel: _Parcel, wanted: Callable[[_Waiter], bool]) -> bool:
        for waiter in self.waiters:
            if wanted(waiter):
                self.waiters.remove(waiter)
                self._give(waiter, parcel)
                return True
        return False

    @staticmethod
    def _give(waiter: _Waiter, parcel: _Parcel) -> None:
        waiter.parcel = parcel
        waiter.gate.release()

    def heard(self, server: str | None) -> bool:
        if server is None:
            return bool(self.listeners)
        return any(listener.server == server for listener in self.listeners)

    def queue(self, server: str | None) -> deque[_Parcel]:
        return self.shared if server is None else self.servers.setdefault(server, deque())

    def take(self, listener: "_Ear") -> _Parcel | None:
        """The oldest of what the listener may have."""
        own = self.servers.get(listener.server) if listener.server is not None else None
        queues = [queue for queue in (own, self.shared, listener.fanouts) if queue]
        if not queues:
            return None
        oldest = min(queues, key=lambda queue: queue[0].number)
        parcel = oldest.popleft()
        if oldest is own and not own:
            del self.servers[parcel.envelope.target.server or ""]
        return parcel

    def put_back(self, parcel: _Parcel) -> None:
        """What was handed to a thread whose listener closed before the thread woke."""
        target = parcel.envelope.target
        if target.fanout:
            return
        if parcel.pending is not None and not self.heard(target.server):
            parcel.pending.fail(Ending.NOBODY)
            return
        self._put(parcel)
        queue = self.queue(target.server)
        if queue:
            ordered = sorted(queue, key=lambda other: other.number)
            queue.clear()
            queue.extend(ordered)

    def leave(self, listener: "_Ear") -> None:
        self.listeners.remove(listener)
        for waiter in [waiter for waiter in self.waiters if waiter.listener is listener]:
            self.waiters.remove(waiter)
            waiter.gate.release()
        listener.fanouts.clear()
        for server in {listener.server, None}:
            if not self.heard(server):
                self._withdraw_calls(server)

    def _withdraw_calls(self, server: str | None) -> None:
        """Calls do not wait for a server to come up: not begun, their callers may go elsewhere."""
        queue = self.shared if server is None else self.servers.get(server, deque())
        for parcel in [parcel for parcel in queue if parcel.pending is not None]:
            queue.remove(parcel)
            if parcel.pending is not None:
                parcel.pending.fail(Ending.NOBODY)


class _Ear(Listener):
    def __init__(self, topic: _Topic, server: str | None, forget: Callable[["_Ear"], None]):
        self.server = server
        self.fanouts: deque[_Parcel] = deque()
        self._topic = topic
        self._spare: list[_Waiter] = []
        self._closed = False
        self._forget = forget

    def poll(self, timeout: float | None = None) -> Delivery | None:
        topic = self._topic
        with topic.lock:
            if self._closed:
                return None
            parcel = topic.take(self)
            if parcel is not None:
                return parcel
            waiter = self._spare.pop() if self._spare else _Waiter(self)
            topic.waiters.append(waiter)
        if not clock.acquire(waiter.gate, timeout):
            with topic.lock:
                if waiter in topic.waiters:
                    topic.waiters.remove(waiter)
                    self._spare.append(waiter)
                    return None
            # It was given one at this moment.
            waiter.gate.acquire()
        parcel, waiter.parcel = waiter.parcel, None
        if self._closed:
            if parcel is not None:
                with topic.lock:
                    topic.put_back(parcel)
            return None
        self._spare.append(waiter)
        return parcel

    def close(self) -> None:
        with self._topic.lock:
            if self._closed:
                return
            self._closed = True
            self._topic.leave(self)
        self._forget(self)


class InprocBus(Bus):
    """`inproc://`: every bus is a world of its own."""

    private = True

    def __init__(self, conf: Any = None):
        super().__init__(conf)
        self._lock = threading.Lock()
        self._topics: dict[tuple[str, str], _Topic] = {}
        self._ears: set[_Ear] = set()
        self._closed = False

    def _topic(self, target: Target) -> _Topic:
        key = (target.exchange, target.topic)
        topic = self._topics.get(key)
        if topic is None:
            with self._lock:
                topic = self._topics.setdefault(key, _Topic())
        return topic

    def publish(self, envelope: Envelope, pending: Pending | None = None) -> None:
        envelope = _isolated(envelope)
        if self.faults.active and not self.faults.passes(
            envelope.kind, envelope, partial(self._deliver_late, envelope, pending)
        ):
            return
        if self._closed or not self._topic(envelope.target).put(envelope, pending):
            raise NoSuchServer(target=str(envelope.target), method=envelope.method)

    def _deliver_late(self, envelope: Envelope, pending: Pending | None) -> None:
        if not self._topic(envelope.target).put(envelope, pending) and pending is not None:
            pending.fail(Ending.NOBODY)

    def listen(self, target: Target, threads: int = 1) -> Listener:
        if self._closed:
            raise NoSuchServer("The bus is closed.")
        topic = self._topic(target)
        ear = _Ear(topic, target.server, self._ears.discard)
        with topic.lock:
            topic.listeners.append(ear)
        self._ears.add(ear)
        return ear

    def has_consumer(self, target: Target) -> bool:
        topic = self._topic(target)
        with topic.lock:
            return topic.heard(target.server)

    def begun(self, delivery: Delivery) -> None:
        pending = delivery.pending  # type: ignore[attr-defined]
        if pending is not None:
            pending.beat()

    def heartbeat(self, delivery: Delivery) -> None:
        pending = delivery.pending  # type: ignore[attr-defined]
        if pending is None:
            return
        if not self.faults.active or self.faults.passes("heartbeat", delivery.envelope, pending.beat):
            pending.beat()

    def reply(self, delivery: Delivery, outcome: Outcome) -> bool:
        pending: Pending = delivery.pending  # type: ignore[attr-defined]
        # An error's dictionary holds strings and details: it passes through the same copy.
        name = delivery.envelope.method
        if outcome.error is not None:
            copied = Outcome(error=codec.copy(outcome.error, name), told=outcome.told)
        else:
            copied = Outcome(codec.copy(outcome.result, name), told=outcome.told)
        if self.faults.active and not self.faults.passes(
            "reply", delivery.envelope, partial(pending.resolve, copied)
        ):
            return True
        return pending.resolve(copied)

    def lost(self, delivery: Delivery, cause: str) -> None:
        pending = delivery.pending  # type: ignore[attr-defined]
        if pending is not None:
            pending.fail(Ending.LOST, cause)

    def close(self) -> None:
        self._closed = True
        self.faults.close()
        for ear in list(self._ears):
            ear.close()


def _isolated(envelope: Envelope) -> Envelope:
    # The context's dictionary was made for this message and is only read: no copy is needed.
    arguments = codec.copy(envelope.arguments, envelope.method)
    return Envelope(
        envelope.id,
        envelope.kind,
        envelope.target,
        envelope.method,
        arguments,
        envelope.context,
        envelope.expires,
    )
