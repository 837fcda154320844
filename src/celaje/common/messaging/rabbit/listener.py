"""A server's ear on RabbitMQ: the queues of its topic, of itself, and of copies of fanouts.

Made by the bus; threads of a server poll it, the consuming link feeds it. A message is acknowledged when the
thread that took it comes back for the next: what a process that died had in hand is delivered again.
"""

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from amqp.exceptions import ChannelError

from celaje.common import clock
from celaje.common.errors import CelajeError
from celaje.common.messaging.driver import Delivery, Listener
from celaje.common.messaging.envelope import CALL, Envelope
from celaje.common.messaging.errors import MessagingError
from celaje.common.messaging.rabbit import wire
from celaje.common.messaging.rabbit.link import Link
from celaje.common.messaging.rabbit.retry import Backoff
from celaje.common.messaging.rabbit.topology import Queue, Topology
from celaje.common.messaging.target import Target

LOG = logging.getLogger(__name__)

_REMEMBERED = 10000
_CLOSING = 5.0


class RabbitDelivery(Delivery):
    """`session` numbers the channel that `tag` holds on; a delivery of an earlier one cannot be settled any
    more, the broker has taken it back."""

    __slots__ = ("ear", "monitor", "reply_to", "session", "settled", "tag", "unique")

    def __init__(self, request: wire.Request, ear: "RabbitListener", tag: int, session: int):
        super().__init__(request.envelope)
        self.reply_to = request.reply_to
        self.monitor = request.monitor
        self.ear = ear
        self.unique = request.unique
        self.tag = tag
        self.session = session
        self.settled = False


class RabbitListener(Listener):
    """Also a rider of the consuming link."""

    def __init__(
        self,
        target: Target,
        threads: int,
        *,
        topology: Topology,
        link: Link,
        backoff: Backoff,
        forget: Callable[["RabbitListener"], None],
    ):
        self.target = target
        self._threads = threads
        self._link = link
        self._backoff = backoff
        self._forget = forget
        self._condition = threading.Condition()
        self._buffer: deque[RabbitDelivery] = deque()
        self._in_hand: dict[int, RabbitDelivery] = {}
        self._settled: deque[tuple[RabbitDelivery, bool]] = deque()
        # By identifier: None when done with, the delivery while it waits or is in hand.
        self._seen: OrderedDict[str, RabbitDelivery | None] = OrderedDict()
        self._closed = False
        self._leaving = False
        self._channel: Any = None
        self._session = 0
        shared = Target(target.topic, None, exchange=target.exchange)
        self._queues: list[tuple[Queue, Target]] = [(topology.queue(shared), shared)]
        if target.server is not None:
            own = Target(target.topic, target.server, exchange=target.exchange)
            self._queues.append((topology.queue(own), own))
        everyone = Target(target.topic, target.server, True, target.exchange)
        self._copies = topology.fanout(target, clock.new_uuid().replace("-", ""))
        self._queues.append((self._copies, everyone))
        self._tags: list[str] = []

    # For the server's threads.

    def poll(self, timeout: float | None = None) -> Delivery | None:
        me = threading.get_ident()
        with self._condition:
            before = self._in_hand.pop(me, None)
            if before is not None:
                self.settle(before, True)
            end = None if timeout is None else clock.monotonic() + timeout
            clock.wait_until(self._condition, lambda: bool(self._buffer) or self._closed, end)
            if self._closed or not self._buffer:
                return None
            delivery = self._buffer.popleft()
            self._in_hand[me] = delivery
            return delivery

    def settle(self, delivery: RabbitDelivery, done: bool) -> None:
        """Done with it, or (False) somebody else shall have it. Any thread."""
        with self._condition:
            if delivery.settled:
                return
            delivery.settled = True
            if done:
                self._seen[delivery.unique] = None
            else:
                self._seen.pop(delivery.unique, None)
        self._settled.append((delivery, done))
        self._link.ring()

    def close(self) -> None:
        with self._condition:
            if self._closed:
                return
            self._closed = True
            left = list(self._buffer)
            self._buffer.clear()
            self._condition.notify_all()
        for delivery in left:
            self.settle(delivery, False)
        try:
            self._link.call(self._leave, _CLOSING)
        except (CelajeError, ChannelError) as error:
            # Without a connection the broker has taken everything back already.
            LOG.debug("%s: closed without the broker: %s", self.target, error)

    # For the link's thread.

    def opened(self, connection: Any) -> None:
        """On a new connection. What is refused for good is told and tried again later: the other listeners
        of the process must not suffer from it."""
        if self._leaving:
            self._forget(self)
            return
        try:
            self.consume(connection)
            self._backoff.succeeded()
        except (CelajeError, ChannelError) as error:
            wait = self._backoff.failed()
            LOG.error("%s cannot listen, next try in %g s: %s", self.target, wait, error)
            session = self._session
            self._link.later(wait, lambda: None if self._session != session else self.opened(connection))

    def consume(self, connection: Any) -> None:
        """Declare and consume everything. ConfigurationError when a queue exists otherwise."""
        self._session += 1
        self._channel = None
        channel = connection.channel()
        try:
            for queue, _ in self._queues:
                queue.declare(channel)
            # For each queue as many as there are threads: the rest is for other servers.
            channel.basic_qos(0, self._threads, False)
            self._tags = []
            for queue, target in self._queues:
                take = self._taker(target, self._session)
                cancelled = self._cancelled(self._session)
                self._tags.append(channel.basic_consume(queue.name, callback=take, on_cancel=cancelled))
        except BaseException:
            if connection.connected and channel.is_open:
                channel.close()
            raise
        self._channel = channel

    def _cancelled(self, session: int) -> Callable[[str], None]:
        def cancelled(tag: str) -> None:
            # The queue was deleted, or its node went: everything is declared anew.
            if session == self._session and not self._closed:
                raise ConnectionResetError(f"RabbitMQ took a queue of {self.target} away")

        return cancelled

    def _taker(self, target: Target, session: int) -> Callable[[Any], None]:
        def take(message: Any) -> None:
            self._received(message, target, session)

        return take

    def _received(self, message: Any, target: Target, session: int) -> None:
        tag = message.delivery_info["delivery_tag"]
        properties = message.properties
        try:
            headers, expiration = properties.get("application_headers"), properties.get("expiration")
            request = wire.read_request(message.body, target, headers or {}, expiration)
        except wire.Unreadable as error:
            LOG.error("%s: a message is thrown away: %s", target, error)
            message.channel.basic_ack(tag)
            return
        unique = request.unique
        with self._condition:
            if unique in self._seen:
                known = self._seen[unique]
                if known is None or known.settled:
                    message.channel.basic_ack(tag)
                else:
                    # In hand, or waiting here, from before the connection broke.
                    known.tag, known.session = tag, session
                return
            delivery = RabbitDelivery(request, self, tag, session)
            if self._closed:
                message.channel.basic_reject(tag, requeue=True)
                return
            self._seen[unique] = delivery
            while len(self._seen) > _REMEMBERED:
                oldest, held = self._seen.popitem(last=False)
                if held is not None:
                    self._seen[oldest] = held
                    break
            self._buffer.append(delivery)
            self._condition.notify()

    def work(self) -> None:
        while self._settled:
            delivery, done = self._settled.popleft()
            channel = self._channel
            if channel is None or delivery.session != self._session:
                continue
            if done:
                channel.basic_ack(delivery.tag)
            else:
                channel.basic_reject(delivery.tag, requeue=True)
        if self._leaving and not self._in_hand:
            self._forget(self)
            channel, self._channel = self._channel, None
            if channel is not None and channel.is_open:
                channel.close()

    def _leave(self, connection: Any) -> None:
        """Take nothing more. The channel stays until what is in hand is settled."""
        self._leaving = True
        channel = self._channel
        if channel is not None:
            for tag in self._tags:
                channel.basic_cancel(tag)
            channel.queue_delete(self._copies.name)
        self.work()

    def lost(self, error: BaseException | None) -> None:
        self._channel = None

    def gave_up(self, error: MessagingError) -> None:
        """A server goes on trying."""

    def drop(self, delivery: RabbitDelivery) -> None:
        """The thread that has it will not come back: its server was killed."""
        with self._condition:
            for thread, other in list(self._in_hand.items()):
                if other is delivery:
                    del self._in_hand[thread]
        # The caller is told, so a call is over. A cast is for the server's successor.
        self.settle(delivery, delivery.envelope.kind == CALL)


def waits(envelope: Envelope) -> float | None:
    """Seconds that the caller still waits; None when it does not say."""
    return None if envelope.expires is None else (envelope.expires - clock.now()).total_seconds()
