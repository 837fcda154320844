"""Sending: to whom, at once or later, and what becomes of it when the other side answers or goes.

Used by the bus, by its receiving thread and by its neighbours' care, all under `lock`.
"""

import datetime
import itertools
import logging
import threading
from typing import Any

from celaje.common import clock
from celaje.common.messaging import work
from celaje.common.messaging.envelope import CALL, FANOUT, Envelope
from celaje.common.messaging.errors import MessagingError, NoSuchServer
from celaje.common.messaging.pending import Ending, Pending
from celaje.common.messaging.zmq import wire
from celaje.common.messaging.zmq.address import Settings
from celaje.common.messaging.zmq.connection import Connection
from celaje.common.messaging.zmq.directory import Directory, Ear, Peer
from celaje.common.messaging.zmq.outbox import Outbox, Post, Queue

LOG = logging.getLogger(__name__)

# Seconds that a sender without a deadline of its own waits for room, while somebody takes messages.
_PATIENCE = 60.0


class BacklogFull(MessagingError):
    """`rpc_zmq_topic_backlog` messages wait at this sender already."""

    text = "{waiting} messages wait for {target} here, and {why}; {method} was not sent."


class Dispatch:
    """`me` is this process's identifier. `looking_until` (monotonic): the others are still being found."""

    def __init__(self, me: str, settings: Settings):
        self.me = me
        self.lock = threading.Condition(threading.RLock())
        self.directory = Directory()
        self.outbox = Outbox()
        self.looking_until = clock.monotonic() + settings.poll_timeout
        self.stalled: set[Peer] = set()
        self.left: list[Connection] = []
        self.closed = False
        self._settings = settings
        self._numbers = itertools.count()

    def send(self, envelope: Envelope, pending: Pending | None, *, waits: bool = True) -> None:
        """NoSuchServer for a call that nobody can receive, BacklogFull for a cast too many; both at once
        unless `waits`. TypeError when an argument cannot travel."""
        self.dispatch(self.post(envelope, pending), waits=waits)

    def post(self, envelope: Envelope, pending: Pending | None) -> Post:
        return Post(envelope, pending, next(self._numbers), self._settings.cast_timeout)

    def dispatch(self, post: Post, *, waits: bool = True) -> None:
        exchange, topic, server = post.queue
        key = (exchange, topic)
        with self.lock:
            if self.closed:
                raise NoSuchServer("The bus is closed.")
            if post.envelope.kind == FANOUT:
                for peer in self.directory.audience(key):
                    self._write(peer, self._frame(post, peer.bus, None, False))
                return
            heard, ear, shared = self.directory.choose(key, server)
            if post.is_call and not heard:
                heard, ear, shared = self._look_for(post)
            if ear is not None and not self.outbox.waiting(post.queue):
                self._deliver(post, ear, shared)
                return
            if not post.is_call:
                self._make_room(post, waits)
            self.outbox.add(post)
            # While a place was waited for, one of the servers may have become idle.
            self.flush(post.queue)

    def _look_for(self, post: Post) -> tuple[bool, Ear | None, bool]:
        """A process that has just started does not know the others yet."""
        exchange, topic, server = post.queue
        end = min(self.looking_until, clock.monotonic() + self._left(post.envelope.expires))
        clock.wait_until(
            self.lock, lambda: self.closed or bool(self.directory.hearing((exchange, topic), server)), end
        )
        found = self.directory.choose((exchange, topic), server)
        if not found[0]:
            raise NoSuchServer(target=str(post.envelope.target), method=post.envelope.method)
        return found

    @staticmethod
    def _left(expires: datetime.datetime | None) -> float:
        return _PATIENCE if expires is None else (expires - clock.now()).total_seconds()

    def _make_room(self, post: Post, waits: bool) -> None:
        exchange, topic, server = post.queue

        def full() -> bool:
            return len(self.outbox.waiting(post.queue) or ()) >= self._settings.backlog

        def hopeless() -> bool:
            return self.closed or not self.directory.hearing((exchange, topic), server)

        if not full():
            return
        why = "nobody takes them"
        if waits and not hopeless():
            seconds = self._left(work.expires())
            why = f"none was taken for {seconds:g} s"
            clock.wait_for(self.lock, lambda: not full() or hopeless(), seconds)
        if full():
            envelope = post.envelope
            raise BacklogFull(
                waiting=self._settings.backlog, target=str(envelope.target), method=envelope.method, why=why
            )

    def _deliver(self, post: Post, ear: Ear, shared: bool) -> None:
        ear.held += 1
        ear.peer.sent[post.envelope.id] = (post, ear)
        self._write(ear.peer, self._frame(post, ear.peer.bus, ear.number, shared))

    def _frame(self, post: Post, bus: str, number: int | None, shared: bool) -> bytes:
        envelope = post.envelope
        return wire.encode(
            (
                wire.REQUEST,
                bus,
                self.me,
                number,
                envelope.id,
                envelope.kind,
                shared,
                *post.parts,
                wire.left(envelope),
            )
        )

    def write(self, bus: str, *frame: Any) -> bool:
        """`[what, to, from, *frame]` to a process; False when it is not there."""
        with self.lock:
            peer = self.directory.peers.get(bus)
            if peer is None or self.closed:
                return False
            what, *rest = frame
            return self._write(peer, wire.encode((what, bus, self.me, *rest)))

    def _write(self, peer: Peer, frame: bytes) -> bool:
        if peer.connection.send(frame):
            return True
        self.stalled.add(peer)
        return False

    # What the others say.

    def settled(self, bus: str, id: str) -> Post | None:
        """The message is done with, there; others that wait may follow."""
        with self.lock:
            peer = self.directory.peers.get(bus)
            found = peer.sent.pop(id, None) if peer else None
            if found is None:
                return None
            post, ear = found
            ear.held -= 1
            self._flush_for(ear)
            return post

    def sent(self, bus: str, id: str) -> Post | None:
        peer = self.directory.peers.get(bus)
        found = peer.sent.get(id) if peer else None
        return None if found is None else found[0]

    def sent_back(self, bus: str, id: str, gone: bool) -> None:
        """Not begun there: another one, or the same one later."""
        with self.lock:
            peer = self.directory.peers.get(bus)
            found = peer.sent.pop(id, None) if peer else None
            if found is None:
                return
            post, ear = found
            ear.held -= 1
            # Until it calls for more, or says anew who listens there.
            ear.busy = True
            exchange, topic, server = post.queue
            others = self.directory.hearing((exchange, topic), server)
            if post.is_call and gone and not [other for other in others if other is not ear]:
                self._fail(post, Ending.NOBODY)
                return
            self.outbox.put_back([post])
            self.flush(post.queue)

    def ready(self, bus: str, number: int) -> None:
        with self.lock:
            peer = self.directory.peers.get(bus)
            ear = peer.ears.get(number) if peer else None
            if ear is not None:
                ear.busy = False
                self._flush_for(ear)

    def listens(self, peer: Peer, listeners: list[list[Any]]) -> None:
        """What the peer listens to now."""
        with self.lock:
            before = {(*ear.key, ear.server) for ear in peer.ears.values()}
            for ear in self.directory.listen(peer, listeners):
                self._flush_for(ear)
            self._withdraw(before)
            self.lock.notify_all()

    def lose(self, peer: Peer, why: str) -> None:
        """It is gone, or cannot be reached: its calls have failed, its casts wait for others."""
        with self.lock:
            if self.directory.peers.get(peer.bus) is not peer:
                return
            self.directory.remove(peer)
            self.stalled.discard(peer)
            self.left.append(peer.connection)
            self.take_back(peer, why)
            self._withdraw({(*ear.key, ear.server) for ear in peer.ears.values()})

    def take_back(self, peer: Peer, why: str) -> None:
        """What the peer had of ours will not be answered by it."""
        with self.lock:
            posts = [post for post, _ in peer.sent.values()]
            for _, ear in peer.sent.values():
                ear.held -= 1
            peer.sent.clear()
            for post in posts:
                if post.is_call:
                    self._fail(post, Ending.LOST, why)
            for queue in self.outbox.put_back(post for post in posts if not post.is_call):
                self.flush(queue)
            self.lock.notify_all()

    def _withdraw(self, queues: set[Queue]) -> None:
        for exchange, topic, server in {*queues, *((exchange, topic, None) for exchange, topic, _ in queues)}:
            if not self.directory.hearing((exchange, topic), server):
                for post in self.outbox.withdraw_calls((exchange, topic, server)):
                    self._fail(post, Ending.NOBODY)

    @staticmethod
    def _fail(post: Post, ending: Ending, cause: str = "") -> None:
        if post.pending is not None:
            post.pending.fail(ending, cause)

    def _flush_for(self, ear: Ear) -> None:
        if len(self.outbox):
            self.flush((*ear.key, ear.server))
            self.flush((*ear.key, None))

    def flush(self, queue: Queue) -> None:
        """Send what waits, as far as somebody takes it."""
        waiting = self.outbox.waiting(queue)
        if waiting is None:
            return
        exchange, topic, server = queue
        while waiting:
            _, ear, shared = self.directory.choose((exchange, topic), server)
            if ear is None:
                break
            post = waiting.popleft()
            if post.over():
                self.drop(post)
                continue
            self._deliver(post, ear, shared)
        self.outbox.forget_if_empty(queue)
        self.lock.notify_all()

    @staticmethod
    def drop(post: Post) -> None:
        """A call's sender has left by itself; of a cast that is given up somebody should know."""
        if post.envelope.kind != CALL:
            LOG.warning(
                "%s to %s is given up: no server came within rpc_cast_timeout",
                post.envelope.method,
                post.envelope.target,
            )

    def close(self) -> None:
        """Nothing is sent any more; who waits for a reply is told."""
        with self.lock:
            if self.closed:
                return
            if len(self.outbox):
                LOG.warning("%d messages that no server has taken are lost", len(self.outbox))
            for peer in list(self.directory.peers.values()):
                self._write(peer, wire.encode((wire.BYE, peer.bus, self.me)))
                for post, _ in peer.sent.values():
                    self._fail(post, Ending.LOST, "the bus was closed")
            for queue in self.outbox.queues():
                for post in self.outbox.withdraw_calls(queue):
                    self._fail(post, Ending.LOST, "the bus was closed")
            self.closed = True
            self.lock.notify_all()
