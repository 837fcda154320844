"""What a message driver must do: the interface below clients and servers.

`inproc.py` implements it; drivers for brokers do the same without a change above.
"""

import abc
import itertools
from collections.abc import Callable
from typing import Any, ClassVar

from celaje.common import clock
from celaje.common.messaging.envelope import Envelope, Outcome
from celaje.common.messaging.faults import Event, Faults, Predicate
from celaje.common.messaging.pending import Pending
from celaje.common.messaging.target import Target
from celaje.common.outage import Outage

MONITOR_INTERVAL = 5.0
MONITOR_TIMEOUT = 20.0


class Delivery:
    """One request in a server's hands. Drivers add what they need to reply."""

    __slots__ = ("envelope",)

    def __init__(self, envelope: Envelope):
        self.envelope = envelope


class Listener(abc.ABC):
    """A server's ear: its own queue, its topic's queue and fanouts, oldest message first."""

    @abc.abstractmethod
    def poll(self, timeout: float | None = None) -> Delivery | None:
        """The next request, for this thread alone; None when closed or after `timeout` seconds."""

    @abc.abstractmethod
    def close(self) -> None:
        """Take nothing more; what was not handed out goes back to its queue. May be called twice."""


class Bus(abc.ABC):
    """A connection to the messages of one cloud. `private`: it ends within this process, so that all
    receivers are of the same code as the senders."""

    private: ClassVar[bool] = False

    def __init__(self, conf: Any = None):
        self.monitor_interval = float(getattr(conf, "call_monitor_interval", MONITOR_INTERVAL))
        self.monitor_timeout = float(getattr(conf, "call_monitor_timeout", MONITOR_TIMEOUT))
        self.faults = Faults()
        # When nothing could be heard, if the driver can tell.
        self.outage = Outage()
        self._name = clock.new_uuid()
        self._numbers = itertools.count(1)

    def new_id(self) -> str:
        """An identifier for a message, unique among all buses; cheaper than a UUID for each."""
        return f"{self._name}.{next(self._numbers)}"

    @abc.abstractmethod
    def publish(self, envelope: Envelope, pending: Pending | None = None) -> None:
        """Send. A call brings `pending`, which the driver resolves or fails.

        TypeError when an argument cannot travel. NoSuchServer for a call that nobody can receive, if the
        driver can tell; a cast waits in its queue without end.
        """

    def hint(self, envelope: Envelope) -> None:
        """Send a cast or fanout without waiting for anything: it may be lost. A driver whose `publish` waits
        for a broker hands it to the background, where it is dropped when it has become too old to tell
        anything. TypeError when an argument cannot travel."""
        self.publish(envelope)

    @abc.abstractmethod
    def listen(self, target: Target, threads: int = 1) -> Listener:
        """Receive what is sent to the target's topic, to its server on that topic, and to all of them.

        `threads` is how many will poll: a driver takes no more at once, so that other servers share the work.
        """

    @abc.abstractmethod
    def has_consumer(self, target: Target) -> bool:
        """Whether somebody listens; a driver that cannot tell says True."""

    def notify(  # noqa: B027 - a driver without outside consumers has nothing to do
        self, exchange: str, key: str, body: dict[str, Any], context: dict[str, Any]
    ) -> None:
        """A notification (see `notifications.py`) for whoever consumes the queue `key`; a driver without
        consumers outside of this process drops it."""

    @abc.abstractmethod
    def begun(self, delivery: Delivery) -> None:
        """Work begins now. A driver for which telling the caller costs a message may leave it to the first
        heartbeat."""

    @abc.abstractmethod
    def heartbeat(self, delivery: Delivery) -> None:
        """The work on a call goes on."""

    @abc.abstractmethod
    def reply(self, delivery: Delivery, outcome: Outcome) -> bool:
        """Answer a call; False when the caller is known to have left.

        A driver that cannot tell goes by `envelope.expires`. TypeError when the result cannot travel.
        """

    @abc.abstractmethod
    def lost(self, delivery: Delivery, cause: str) -> None:
        """The server dies with this call in its hands; a driver that cannot tell the caller does nothing."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close all listeners and fail the calls that wait. May be called twice."""

    def drop(self, predicate: Predicate) -> Callable[[], None]:
        """Lose what matches (see `faults.Passing`) until the returned function is called. For tests."""
        return self.faults.add(predicate, None)

    def delay(self, predicate: Predicate, event: Event) -> Callable[[], None]:
        """Hold back what matches until `event` is set. For tests."""
        return self.faults.add(predicate, event)
