"""`rabbit://`: the message layer's contract on RabbitMQ.

Made by `messaging/bus.py`. Two links: what is published (with confirmation) goes out on one, what is
consumed comes in on the other, so that a broker that holds publishers back does not hold replies back.
"""

import logging
from functools import partial
from typing import Any

from celaje.common import clock
from celaje.common.errors import CelajeError
from celaje.common.messaging import work
from celaje.common.messaging.driver import Bus, Delivery, Listener
from celaje.common.messaging.envelope import CALL, FANOUT, Envelope, Outcome
from celaje.common.messaging.errors import MessagingError, MessagingTimeout, NoSuchServer, WorkerLost
from celaje.common.messaging.pending import Ending, Pending
from celaje.common.messaging.rabbit import wire
from celaje.common.messaging.rabbit.address import settings
from celaje.common.messaging.rabbit.link import BrokerUnreachable, Link, Rider
from celaje.common.messaging.rabbit.listener import RabbitDelivery, RabbitListener, waits
from celaje.common.messaging.rabbit.publisher import End, Publication, Publisher
from celaje.common.messaging.rabbit.replies import Replies
from celaje.common.messaging.rabbit.retry import Backoff
from celaje.common.messaging.rabbit.topology import Topology
from celaje.common.messaging.target import Target

# Seconds that a question to the broker may take before it counts as unanswered.
_ASK = 10.0
# A reply whose caller's queue is missing is tried again: the caller may be connecting anew. Callers that do
# not say how long they wait get this many seconds (oslo.messaging's kombu_missing_consumer_retry_timeout).
_REPLY_RETRY = 0.25
_REPLY_PATIENCE = 60.0
# Notifications and hints are handed in without waiting: this many may pile up while there is no broker.
_MOST_WAITING = 10000
# A hint that has waited this many seconds for a broker tells nothing that was not found otherwise.
_HINT_AGE = 60.0

LOG = logging.getLogger(__name__)


class RabbitBus(Bus):
    """ConfigurationError for a URL that cannot be read; brokers are looked for in the background."""

    def __init__(self, transport_url: str, conf: Any = None):
        super().__init__(conf)
        self._settings = settings(transport_url, conf)
        self._topology = Topology(self._settings)
        self._publisher = Publisher(self._topology)
        self._replies = Replies(self._topology.replies(self._name.replace("-", "")), self._publisher)
        self._publisher.unheard = self._replies.unheard
        self._consumers: list[Rider] = [self._replies]
        self._ears: set[RabbitListener] = set()
        self._closed = False
        short = self._name[:8]
        # The riders first, since a link begins at once.
        self._consuming = Link(f"celaje {short} consumer", self._settings, self._consumers, self.outage)
        self._publisher.link = self._publishing = Link(
            f"celaje {short} publisher", self._settings, [self._publisher]
        )

    def publish(self, envelope: Envelope, pending: Pending | None = None) -> None:
        """A cast or fanout returns when the broker has it; MessagingTimeout when the operation that it
        belongs to is over first, BrokerUnreachable after `rabbit_max_retries`."""
        if self._closed:
            raise NoSuchServer("The bus is closed.")
        publication = self._publication(envelope, pending)
        if self.faults.active and not self.faults.passes(
            envelope.kind, envelope, partial(self._send, envelope, pending, publication)
        ):
            return
        self._send(envelope, pending, publication)
        if pending is None:
            self._wait(envelope, publication)

    def hint(self, envelope: Envelope) -> None:
        """The broker's confirmation is not waited for; what finds no broker for a minute is dropped."""
        if self._closed:
            raise NoSuchServer("The bus is closed.")
        publication = self._publication(envelope, None)
        publication.stale_at = clock.monotonic() + _HINT_AGE
        send = partial(self._publisher.send, publication)
        if self.faults.active and not self.faults.passes(envelope.kind, envelope, send):
            return
        if self._publisher.backlog > _MOST_WAITING:
            LOG.info("%s to %s is dropped, too many messages wait", envelope.method, envelope.target)
            return
        send()

    def _publication(self, envelope: Envelope, pending: Pending | None) -> Publication:
        target = envelope.target
        call = envelope.kind == CALL
        body = wire.request(envelope, self._replies.queue.name if call else None, self.monitor_timeout)
        exchange, key = self._topology.exchange(target), self._topology.key(target)
        if call and pending is not None:
            asked = Publication(
                envelope.id,
                exchange,
                key,
                body,
                mandatory=True,
                heard=Target(target.topic, target.server, exchange=target.exchange),
                expires=envelope.expires,
                done=lambda end, error: self._call_sent(asked, end, error),
            )
            return asked
        if envelope.kind == FANOUT:
            return Publication(envelope.id, exchange, "", body, lasting=False)
        return Publication(envelope.id, exchange, key, body, queue=self._topology.queue(target))

    def _send(self, envelope: Envelope, pending: Pending | None, publication: Publication) -> None:
        if pending is not None and envelope.kind == CALL:
            self._replies.expect(publication, pending, envelope.target, envelope.expires)
        self._publisher.send(publication)

    def _call_sent(self, call: Publication, end: End, error: CelajeError | None) -> None:
        if end in (End.CONFIRMED, End.EXPIRED):
            # The caller's own clock ends it.
            return
        pending = self._replies.forget(call.id)
        if pending is None:
            return
        if end in (End.NOBODY, End.UNROUTABLE):
            if call.repeated:
                # Somebody may have had it the first time.
                pending.fail(Ending.LOST, "the broker went away with it")
            else:
                pending.fail(Ending.NOBODY)
        elif error is not None:
            pending.resolve(Outcome(error=error.to_dict()))

    def _wait(self, envelope: Envelope, publication: Publication) -> None:
        until = work.expires()
        seconds = None if until is None else max(0.0, (until - clock.now()).total_seconds())
        end = publication.wait(seconds)
        if end is End.FAILED and publication.error is not None:
            raise publication.error
        if end is None:
            raise MessagingTimeout(
                f"The broker did not confirm {envelope.method} to {envelope.target} before the time of the "
                f"operation was over ({self._publishing.cause}). It may be delivered all the same.",
                target=str(envelope.target),
                method=envelope.method,
                seconds=seconds,
            )

    def notify(self, exchange: str, key: str, body: dict[str, Any], context: dict[str, Any]) -> None:
        """A notification into the queue `key`; returns at once, the broker's confirmation is waited for
        behind the scenes and what is not confirmed is sent again. TypeError when it cannot travel."""
        if self._closed:
            return
        if self._publisher.backlog > _MOST_WAITING:
            LOG.warning("%s: a notification is dropped, too many messages wait", key)
            return
        declared = self._topology.named(exchange)
        self._publisher.send(
            Publication(
                self.new_id(),
                declared,
                key,
                wire.notification({**body, "_unique_id": self.new_id()}, context),
                queue=self._topology.kept(declared, key),
                done=lambda end, error: None,
            )
        )

    def listen(self, target: Target, threads: int = 1) -> Listener:
        """ConfigurationError when a queue exists with other properties, BrokerUnreachable when there is no
        broker: a server that cannot listen should say so at start."""
        if self._closed:
            raise NoSuchServer("The bus is closed.")
        ear = RabbitListener(
            target,
            threads,
            topology=self._topology,
            link=self._consuming,
            backoff=Backoff(self._settings),
            forget=self._forget,
        )

        def begin(connection: Any) -> None:
            ear.consume(connection)
            self._consumers.append(ear)
            self._ears.add(ear)

        tries = Backoff(self._settings)
        while True:
            try:
                self._consuming.call(begin, _ASK)
                return ear
            except BrokerUnreachable:
                tries.failed()
                if self._closed or tries.exhausted:
                    raise

    def _forget(self, ear: RabbitListener) -> None:
        self._ears.discard(ear)
        if ear in self._consumers:
            self._consumers.remove(ear)

    def has_consumer(self, target: Target) -> bool:
        try:
            return bool(self._publishing.call(lambda _: self._publisher.consumers(target), _ASK))
        except MessagingError:
            return True

    def begun(self, delivery: Delivery) -> None:
        """A message of its own only where the caller's patience is long: a worker that dies before its first
        heartbeat would be noticed late."""
        assert isinstance(delivery, RabbitDelivery)
        if delivery.envelope.kind != CALL or not delivery.monitor:
            return
        left = waits(delivery.envelope)
        if left is None or left > 3 * self.monitor_timeout:
            self.heartbeat(delivery)
        if delivery.monitor / 2 < self.monitor_interval:
            self._publishing.do(partial(self._beat_often, delivery))

    def _beat_often(self, delivery: RabbitDelivery) -> None:
        """For a stock caller with less patience than our interval."""
        if not delivery.settled and not self._closed:
            self.heartbeat(delivery)
            self._publishing.later(delivery.monitor / 2, partial(self._beat_often, delivery))

    def heartbeat(self, delivery: Delivery) -> None:
        assert isinstance(delivery, RabbitDelivery)
        if delivery.reply_to is None or not delivery.monitor:
            # A stock caller without call monitoring would take it for the reply.
            return
        envelope = delivery.envelope
        body = wire.heartbeat(envelope.id, self.new_id())
        beat = Publication(
            self.new_id(), None, delivery.reply_to, body, once=True, lasting=False, done=lambda *_: None
        )
        if not self.faults.active or self.faults.passes(
            "heartbeat", envelope, partial(self._publisher.send, beat)
        ):
            self._publisher.send(beat)

    def reply(self, delivery: Delivery, outcome: Outcome) -> bool:
        assert isinstance(delivery, RabbitDelivery)
        return self._reply(delivery, outcome, None)

    def _reply(self, delivery: RabbitDelivery, outcome: Outcome, lost: str | None) -> bool:
        envelope = delivery.envelope
        unique = self.new_id()
        body = wire.reply(envelope.id, unique, outcome, lost)
        left = waits(envelope)
        if delivery.reply_to is None or (left is not None and left <= 0):
            return False
        patience = clock.monotonic() + (_REPLY_PATIENCE if left is None else left)
        reply = Publication(
            unique,
            None,
            delivery.reply_to,
            body,
            mandatory=True,
            lasting=False,
            done=lambda end, error: self._reply_sent(reply, patience, end),
        )
        if self.faults.active and not self.faults.passes(
            "reply", envelope, partial(self._publisher.send, reply)
        ):
            return True
        self._publisher.send(reply)
        return True

    def _reply_sent(self, reply: Publication, patience: float, end: End) -> None:
        if end is End.CONFIRMED:
            self._publisher.retain(reply)
        elif end is End.UNROUTABLE and clock.monotonic() < patience and not self._closed:
            self._publishing.later(_REPLY_RETRY, partial(self._publisher.send, reply))

    def lost(self, delivery: Delivery, cause: str) -> None:
        """The caller of a call is told; a cast is delivered to the next server."""
        assert isinstance(delivery, RabbitDelivery)
        envelope = delivery.envelope
        delivery.ear.drop(delivery)
        if envelope.kind == CALL:
            error = WorkerLost(target=str(envelope.target), method=envelope.method, cause=cause)
            self._reply(delivery, Outcome(error=error.to_dict()), cause)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.faults.close()
        for ear in list(self._ears):
            ear.close()
        self._publisher.close()
        self._publishing.close()
        self._consuming.close()
        self._replies.close()
