"""The names and properties of exchanges and queues, which are oslo.messaging's.

Publisher and listeners declare by it. RabbitMQ refuses a declaration that differs from what exists; that
becomes an error which names both.
"""

from dataclasses import dataclass
from typing import Any

from amqp.exceptions import ChannelError, NotFound

from celaje.common.errors import ConfigurationError
from celaje.common.messaging.rabbit.address import Settings
from celaje.common.messaging.target import Target


@dataclass(frozen=True, slots=True)
class Exchange:
    name: str
    kind: str
    durable: bool
    auto_delete: bool

    def declare(self, channel: Any) -> None:
        _clearly(
            f"exchange {self.name}",
            lambda: channel.exchange_declare(
                self.name, self.kind, durable=self.durable, auto_delete=self.auto_delete
            ),
        )


@dataclass(frozen=True, slots=True)
class Queue:
    """`exchange` None: reached by its name alone (reply queues)."""

    name: str
    exchange: Exchange | None
    key: str
    durable: bool
    arguments: tuple[tuple[str, Any], ...]

    def declare(self, channel: Any) -> None:
        """Declare and bind. ConfigurationError when it exists otherwise."""
        _clearly(
            f"queue {self.name}",
            lambda: channel.queue_declare(
                self.name, durable=self.durable, auto_delete=False, arguments=dict(self.arguments)
            ),
        )
        if self.exchange is not None:
            self.exchange.declare(channel)
            channel.queue_bind(self.name, self.exchange.name, self.key)


def _clearly(what: str, declare: Any) -> None:
    try:
        declare()
    except ChannelError as error:
        if error.reply_code != 406:
            raise
        raise ConfigurationError(
            f"RabbitMQ has the {what} with other properties than are configured here ({error.reply_text}). "
            "Set rabbit_quorum_queue and amqp_durable_queues of [oslo_messaging_rabbit] as they are where it "
            f"was declared, or delete the {what}."
        ) from None


class Topology:
    def __init__(self, settings: Settings):
        self._durable = settings.durable
        self._kept = (("x-queue-type", "quorum"),) if settings.quorum else ()
        self._transient = (("x-expires", settings.transient_ttl * 1000),)

    def exchange(self, target: Target) -> Exchange:
        if target.fanout:
            return Exchange(f"{target.topic}_fanout", "fanout", durable=False, auto_delete=True)
        return self.named(target.exchange)

    def named(self, exchange: str) -> Exchange:
        return Exchange(exchange, "topic", durable=self._durable, auto_delete=False)

    @staticmethod
    def key(target: Target) -> str:
        return f"{target.topic}.{target.server}" if target.server else target.topic

    def queue(self, target: Target) -> Queue:
        """The queue of a server, or of a topic."""
        return self.kept(self.named(target.exchange), self.key(target))

    def kept(self, exchange: Exchange, key: str) -> Queue:
        return Queue(key, exchange, key, self._durable, self._kept)

    def fanout(self, target: Target, unique: str) -> Queue:
        """A listener's own, for the copies that it gets of what goes to all."""
        exchange = Exchange(f"{target.topic}_fanout", "fanout", durable=False, auto_delete=True)
        return Queue(f"{target.topic}_fanout_{unique}", exchange, target.topic, False, self._transient)

    def replies(self, unique: str) -> Queue:
        return Queue(f"reply_{unique}", None, "", False, self._transient)

    @staticmethod
    def consumers(channel: Any, target: Target) -> int:
        """How many listen on the target's queue; 0 when there is no such queue or exchange."""
        try:
            channel.exchange_declare(target.exchange, "topic", passive=True)
            return int(channel.queue_declare(Topology.key(target), passive=True).consumer_count)
        except NotFound:
            return 0
