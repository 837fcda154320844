"""Sends with the broker's confirmation: many threads hand in, one link writes, and a confirmation that covers
a batch lets all its senders go.

Used by the bus. What was not confirmed when a link breaks is sent again on the next one, under the same
identifier, by which receivers know what they have had.
"""

import datetime
import enum
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import amqp
from amqp import spec
from amqp.exceptions import ChannelError

from celaje.common import clock
from celaje.common.errors import CelajeError
from celaje.common.messaging.errors import MessagingError
from celaje.common.messaging.rabbit.link import BrokerUnreachable, Link
from celaje.common.messaging.rabbit.topology import Exchange, Queue, Topology
from celaje.common.messaging.target import Target

LOG = logging.getLogger(__name__)

# A message that breaks its channel this often is at fault itself.
_MOST_ATTEMPTS = 3
_RETRY = 0.25
# How long a queue that had a consumer is taken to have one still. Asking costs a round trip; a consumer
# that left meanwhile is noticed by the call's timeout.
_CONSUMER_KNOWN = 1.0
# Replies that the broker took shortly before it died may be lost with it: they are sent again.
_REPLIES_KEPT = 256
_REPLY_AGE = 30.0


class End(enum.Enum):
    CONFIRMED = "confirmed"
    UNROUTABLE = "unroutable"
    NOBODY = "nobody"
    EXPIRED = "expired"
    FAILED = "failed"


class Publication:
    """One message on its way. `queue`: made when the message reaches none. `heard`: only sent when somebody
    listens there. `expires` (naive UTC): not sent after it; `stale_at` (monotonic): not worth sending after
    it. `once`: not sent again. `repeated`: a broker had it once already. `done(end, error)` is called on the
    link's thread; without it `wait` waits for the end."""

    __slots__ = (
        "_condition",
        "attempts",
        "body",
        "done",
        "end",
        "error",
        "exchange",
        "expires",
        "heard",
        "id",
        "key",
        "lasting",
        "mandatory",
        "once",
        "queue",
        "repeated",
        "returned",
        "sent",
        "stale_at",
    )

    def __init__(
        self,
        id: str,
        exchange: Exchange | None,
        key: str,
        body: bytes,
        *,
        mandatory: bool = False,
        queue: Queue | None = None,
        heard: Target | None = None,
        expires: datetime.datetime | None = None,
        once: bool = False,
        lasting: bool = True,
        done: Callable[[End, CelajeError | None], None] | None = None,
    ):
        self.id = id
        self.exchange = exchange
        self.key = key
        self.body = body
        self.mandatory = mandatory or queue is not None
        self.queue = queue
        self.heard = heard
        self.expires = expires
        self.once = once
        self.lasting = lasting
        self.done = done
        self.attempts = 0
        self.repeated = False
        self.returned = False
        self.sent = 0.0
        self.stale_at: float | None = None
        self.end: End | None = None
        self.error: CelajeError | None = None
        self._condition = threading.Condition() if done is None else None

    def finish(self, end: End, error: CelajeError | None = None) -> None:
        self.error = error
        if self._condition is None:
            self.end = end
            if self.done is not None:
                self.done(end, error)
            return
        with self._condition:
            self.end = end
            self._condition.notify_all()

    def wait(self, seconds: float | None) -> End | None:
        """How it ended; None when the time is over first."""
        assert self._condition is not None
        with self._condition:
            clock.wait_for(self._condition, lambda: self.end is not None, seconds)
        return self.end


class Publisher:
    """A rider of the publishing link."""

    def __init__(self, topology: Topology):
        self._topology = topology
        self._waiting: deque[Publication] = deque()
        self._unconfirmed: dict[int, Publication] = {}
        self._returned: set[str] = set()
        self._replies: deque[Publication] = deque(maxlen=_REPLIES_KEPT)
        self._declared: set[Exchange] = set()
        self._heard: dict[tuple[str, str], float] = {}
        self._channel: Any = None
        self._asking: Any = None
        self._tag = 0
        self._closed = False
        self.link: Link | None = None
        # What a broker that was away may have lost, to be sent once more on a new connection.
        self.unheard: Callable[[], Iterable[Publication]] = tuple

    def send(self, publication: Publication) -> None:
        """Hand in; any thread."""
        self._waiting.append(publication)
        if self._closed:
            self.gave_up(BrokerUnreachable(cause="the bus is closed"))
            return
        assert self.link is not None
        self.link.ring()

    @property
    def backlog(self) -> int:
        """How many wait to be written."""
        return len(self._waiting)

    def heard_from(self, target: Target) -> None:
        """A reply has come from there: somebody listens."""
        self._heard[target.exchange, Topology.key(target)] = clock.monotonic()

    def consumers(self, target: Target) -> int:
        """Ask the broker. On the link's thread."""
        count = Topology.consumers(self._asking, target)
        key = (target.exchange, Topology.key(target))
        if count:
            self._heard[key] = clock.monotonic()
        else:
            self._heard.pop(key, None)
        return count

    # As a rider.

    def opened(self, connection: Any) -> None:
        channel = connection.channel()
        channel.confirm_select()
        channel.events["basic_ack"].add(self._acknowledged)
        channel.events["basic_nack"].add(self._refused)
        channel.events["basic_return"].add(self._unroutable)
        # Declarations on a channel of their own: one that is refused ends its channel.
        self._asking = connection.channel()
        self._tag = 0
        self._channel = channel
        oldest = clock.monotonic() - _REPLY_AGE
        self._waiting.extendleft(reply for reply in reversed(self._replies) if reply.sent > oldest)
        self._replies.clear()
        for call in self.unheard():
            call.repeated, call.end = True, None
            # Who takes calls may be connecting anew as well.
            call.heard = None
            self._waiting.append(call)

    def work(self) -> None:
        now = None
        while self._waiting:
            publication = self._waiting.popleft()
            if publication.expires is not None:
                now = now or clock.now()
                if now >= publication.expires:
                    publication.finish(End.EXPIRED)
                    continue
            if publication.stale_at is not None and clock.monotonic() >= publication.stale_at:
                publication.finish(End.EXPIRED)
                continue
            try:
                ready = self._prepare(publication)
            except CelajeError as error:
                publication.finish(End.FAILED, error)
                continue
            except ChannelError as error:
                publication.finish(End.FAILED, _refusal(error))
                continue
            except BaseException:
                # The link is broken; this one goes on the next.
                self._waiting.appendleft(publication)
                raise
            if ready:
                self._write(publication)
            else:
                publication.finish(End.NOBODY)

    def _prepare(self, publication: Publication) -> bool:
        exchange = publication.exchange
        if exchange is not None and exchange not in self._declared:
            exchange.declare(self._asking)
            # One that goes with its last queue is declared each time.
            if not exchange.auto_delete:
                self._declared.add(exchange)
        heard = publication.heard
        if heard is None:
            return True
        known = self._heard.get((heard.exchange, publication.key))
        if known is not None and clock.monotonic() - known < _CONSUMER_KNOWN:
            return True
        return self.consumers(heard) > 0

    def _write(self, publication: Publication) -> None:
        properties: dict[str, Any] = {
            "content_type": "application/json",
            "content_encoding": "utf-8",
            "delivery_mode": 2 if publication.lasting else 1,
            "message_id": publication.id,
        }
        if publication.expires is not None:
            left = (publication.expires - clock.now()).total_seconds()
            properties["expiration"] = str(max(1, int(left * 1000)))
            properties["application_headers"] = {"celaje_expires": publication.expires.isoformat()}
        self._tag += 1
        self._unconfirmed[self._tag] = publication
        name = publication.exchange.name if publication.exchange is not None else ""
        # Not basic_publish: that looks for events before every message.
        self._channel.send_method(
            spec.Basic.Publish,
            "Bssbb",
            (0, name, publication.key, publication.mandatory, False),
            amqp.Message(publication.body, **properties),
        )

    def lost(self, error: BaseException | None) -> None:
        again = [self._unconfirmed[tag] for tag in sorted(self._unconfirmed)]
        self._unconfirmed.clear()
        self._returned.clear()
        self._declared.clear()
        self._heard.clear()
        self._channel = self._asking = None
        kept = []
        for publication in again:
            # A refused channel does not say which message was at fault.
            publication.attempts += isinstance(error, ChannelError)
            if publication.once:
                publication.finish(End.FAILED)
            elif publication.attempts >= _MOST_ATTEMPTS and isinstance(error, ChannelError):
                publication.finish(End.FAILED, _refusal(error))
            else:
                kept.append(publication)
        self._waiting.extendleft(reversed(kept))

    def gave_up(self, error: MessagingError) -> None:
        while self._waiting:
            try:
                publication = self._waiting.popleft()
            except IndexError:
                return
            publication.finish(End.FAILED, error)

    def close(self) -> None:
        self._closed = True

    # What the broker says.

    def _acknowledged(self, tag: int, multiple: bool) -> None:
        for publication in self._covered(tag, multiple):
            if publication.id in self._returned:
                self._returned.discard(publication.id)
                self._reached_none(publication)
            else:
                publication.finish(End.CONFIRMED)

    def _reached_none(self, publication: Publication) -> None:
        if publication.queue is None:
            publication.finish(End.UNROUTABLE)
            return
        assert self.link is not None
        # Not from within what the broker says: declaring waits for its answer.
        self.link.do(lambda: self._make_queue(publication))

    def _make_queue(self, publication: Publication) -> None:
        assert publication.queue is not None
        try:
            publication.queue.declare(self._asking)
        except CelajeError as error:
            publication.finish(End.FAILED, error)
        except ChannelError as error:
            publication.finish(End.FAILED, _refusal(error))
        except BaseException:
            self._waiting.appendleft(publication)
            raise
        else:
            self._waiting.append(publication)

    def _refused(self, tag: int, multiple: bool) -> None:
        assert self.link is not None
        for publication in self._covered(tag, multiple):
            # The queue cannot take it now, e.g. while its replicas elect a leader.
            self._returned.discard(publication.id)
            self.link.later(_RETRY, lambda publication=publication: self._waiting.append(publication))  # type: ignore[misc]

    def _covered(self, tag: int, multiple: bool) -> list[Publication]:
        if not multiple:
            found = self._unconfirmed.pop(tag, None)
            return [] if found is None else [found]
        tags = []
        for other in self._unconfirmed:
            if other > tag:
                break
            tags.append(other)
        return [self._unconfirmed.pop(other) for other in tags]

    def _unroutable(self, error: Any, exchange: str, key: str, message: Any) -> None:
        # The confirmation follows it.
        self._returned.add(str(message.properties.get("message_id")))

    def retain(self, reply: Publication) -> None:
        """A reply that was confirmed: kept a while, see `_REPLIES_KEPT`."""
        reply.sent = clock.monotonic()
        reply.done = _ignored
        self._replies.append(reply)


def _ignored(end: End, error: CelajeError | None) -> None:
    """Of a reply that is sent once more nobody needs to know how it went."""


def _refusal(error: ChannelError) -> MessagingError:
    return MessagingError(f"RabbitMQ refuses the message: {error.reply_text or error}")
