"""Where the replies to this process's calls arrive: one queue, and who waits for which.

A rider of the consuming link, used by the bus. The queue keeps its name when the broker was away, so that
servers find it again.
"""

import datetime
import logging
import threading
from typing import Any, NamedTuple

from celaje.common import clock
from celaje.common.messaging.errors import MessagingError
from celaje.common.messaging.pending import Ending, Pending
from celaje.common.messaging.rabbit import wire
from celaje.common.messaging.rabbit.publisher import End, Publication, Publisher
from celaje.common.messaging.rabbit.topology import Queue
from celaje.common.messaging.target import Target

LOG = logging.getLogger(__name__)
_SWEEP = 5.0


class Expected(NamedTuple):
    pending: Pending
    publication: Publication
    target: Target
    expires: datetime.datetime | None


class Replies:
    def __init__(self, queue: Queue, publisher: Publisher):
        self.queue = queue
        self._publisher = publisher
        self._expected: dict[str, Expected] = {}
        self._next_sweep = 0.0
        self._closed = False
        # Until the queue is there a reply has nowhere to go.
        self.ready = threading.Event()

    def expect(
        self,
        publication: Publication,
        pending: Pending,
        target: Target,
        expires: datetime.datetime | None,
    ) -> None:
        self._expected[publication.id] = Expected(pending, publication, target, expires)
        if self._closed:
            self.close()

    def unheard(self) -> list[Publication]:
        """Calls that a broker has taken and nobody was heard to begin: if the broker went they may be gone
        with it. Receivers know by the identifier what they have had already."""
        return [
            expected.publication
            for expected in list(self._expected.values())
            if expected.publication.end is End.CONFIRMED and not expected.pending.begun
        ]

    def forget(self, id: str) -> Pending | None:
        expected = self._expected.pop(id, None)
        return None if expected is None else expected.pending

    def close(self) -> None:
        self._closed = True
        for id in list(self._expected):
            pending = self.forget(id)
            if pending is not None:
                pending.fail(Ending.LOST, "the bus was closed")

    def opened(self, connection: Any) -> None:
        channel = connection.channel()
        self.queue.declare(channel)
        channel.basic_consume(self.queue.name, no_ack=True, callback=self._received, on_cancel=_cancelled)
        self.ready.set()

    def _received(self, message: Any) -> None:
        try:
            reply = wire.read_reply(message.body)
        except wire.Unreadable as error:
            LOG.error("a reply is thrown away: %s", error)
            return
        expected = self._expected.get(reply.id)
        if expected is None:
            LOG.debug("a reply to %s comes when nobody waits for it", reply.id)
            return
        self._publisher.heard_from(expected.target)
        if reply.outcome is None:
            expected.pending.beat()
            return
        self._expected.pop(reply.id, None)
        if reply.lost is not None:
            expected.pending.fail(Ending.LOST, reply.lost)
        else:
            expected.pending.resolve(reply.outcome)

    def work(self) -> None:
        """Callers whose time is over have left without a word."""
        now = clock.monotonic()
        if now < self._next_sweep:
            return
        self._next_sweep = now + _SWEEP
        moment = clock.now()
        for id, expected in list(self._expected.items()):
            if expected.expires is not None and expected.expires < moment:
                self._expected.pop(id, None)

    def lost(self, error: BaseException | None) -> None:
        self.ready.clear()

    def gave_up(self, error: MessagingError) -> None:
        """Callers wait for their timeout."""


def _cancelled(tag: str) -> None:
    raise ConnectionResetError("RabbitMQ took the reply queue away")
