"""The sending side of a message table: `client.to("host@backend").create_volume(volume=...)`.

Used by APIs, conductors and flows; hands envelopes to the bus and waits for replies of calls.
"""

import datetime
import logging
from dataclasses import replace
from functools import reduce
from typing import Any

from celaje.common import clock, context, trail
from celaje.common.errors import CelajeError, RemoteError
from celaje.common.messaging import work
from celaje.common.messaging.driver import Bus
from celaje.common.messaging.envelope import CALL, FANOUT, Envelope
from celaje.common.messaging.errors import (
    MessagingError,
    MessagingTimeout,
    NoSuchServer,
    NotTakenUp,
    NotUnderstoodYet,
    WorkerLost,
)
from celaje.common.messaging.pending import Ending, Pending
from celaje.common.messaging.receivers import Receivers
from celaje.common.messaging.table import Message, Messages
from celaje.common.messaging.target import Target, accepts

LOG = logging.getLogger(__name__)


class Sender:
    """One message to one target, ready to be sent by calling it with the message's arguments."""

    __slots__ = ("_bus", "_has_grown", "_receivers", "_span", "message", "target", "timeout")

    def __init__(
        self,
        bus: Bus,
        message: Message,
        target: Target,
        timeout: float | None,
        receivers: Receivers | None = None,
    ):
        self._bus = bus
        self._receivers = receivers
        # What every receiver has always known needs no look at them.
        self._has_grown = message.has_grown
        self.message = message
        self.target = target
        self.timeout = timeout
        self._span = datetime.timedelta(seconds=timeout or 0.0)

    def __repr__(self) -> str:
        return f"<{self.message.kind} {self.message.name} to {self.target}>"

    def with_timeout(self, seconds: float) -> "Sender":
        """The same call with another timeout. TypeError for casts and fanouts, which wait for nothing."""
        if self.message.kind != CALL:
            raise TypeError(f"{self.message.name} is a {self.message.kind}; only a call has a timeout")
        return Sender(self._bus, self.message, self.target, float(seconds), self._receivers)

    def is_understood(self) -> bool:
        """Whether every receiver knows the message by now. A flow asks by `run.step(sender.is_understood)`,
        so that a replay gets the same answer."""
        return accepts(self._spoken() or self.message.since, self.message.since)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Send; a call returns its reply, cast and fanout None.

        Raises TypeError for wrong arguments; calls also MessagingTimeout, WorkerLost, NoSuchServer,
        UnsupportedVersion, whatever domain error the work raised, and RemoteError for any other. Raises
        NotUnderstoodYet when a receiver is too old for what is said.
        """
        work.ensure_alive()
        message = self.message
        arguments = message.arguments(args, kwargs)
        target = self.target
        if self._has_grown:
            try:
                arguments, target = self._fitted(arguments)
            except NotUnderstoodYet as error:
                if not message.may_be_lost:
                    raise
                LOG.info("%s", error.message)
                return None
        asker = context.current().to_dict()
        began = clock.monotonic()
        if message.kind != CALL:
            envelope = Envelope(self._bus.new_id(), message.kind, target, message.name, arguments, asker)
            if message.may_be_lost:
                self._hint(envelope)
            else:
                self._bus.publish(envelope)
            trail.note(message.kind, message.name, began, to=self.where)
            return None
        seconds, expires = self._deadline()
        pending = Pending()
        self._bus.publish(
            Envelope(self._bus.new_id(), CALL, target, message.name, arguments, asker, expires), pending
        )
        ending = pending.wait(seconds, self._bus.monitor_timeout)
        self._note(began, pending, seconds, ending)
        # A thread whose server was killed meanwhile must not act on the answer.
        work.ensure_alive()
        if ending is not Ending.REPLY or pending.outcome is None:
            raise self._failure(ending, pending, seconds)
        if pending.outcome.error is not None:
            raise _remote_error(pending.outcome.error)
        return pending.outcome.result

    def _fitted(self, arguments: dict[str, Any]) -> tuple[dict[str, Any], Target]:
        """Arguments and target in the version that the receivers speak."""
        spoken = self._spoken()
        kept, needed = self.message.fitted(arguments, spoken)
        if spoken is not None and not accepts(spoken, needed):
            spoken = self._spoken(anew=True)
            kept, needed = self.message.fitted(arguments, spoken)
            if spoken is not None and not accepts(spoken, needed):
                method = self.message.name
                raise NotUnderstoodYet(target=str(self.target), method=method, spoken=spoken, needed=needed)
        return kept, replace(self.target, version=needed)

    def _spoken(self, anew: bool = False) -> str | None:
        if self._receivers is None:
            return None
        return self._receivers.spoken(self.target.topic, self.target.server, anew=anew)

    def _hint(self, envelope: Envelope) -> None:
        """What it tells is written down elsewhere, so whoever sends it must not fail for it."""
        try:
            self._bus.hint(envelope)
        except MessagingError as error:
            LOG.info("%s to %s was not sent: %s", envelope.method, envelope.target, error.message)

    @property
    def where(self) -> str:
        """`topic.server`, or the topic: the name under which flows wait for it."""
        return f"{self.target.topic}.{self.target.server}" if self.target.server else self.target.topic

    def _note(self, began: float, pending: Pending, seconds: float, ending: Ending) -> None:
        outcome = pending.outcome
        told = outcome.told if outcome is not None else None
        waited = None if pending.begun_at is None else round(pending.begun_at - began, 6)
        error = None if ending is Ending.REPLY else ending.value
        if outcome is not None and outcome.error is not None:
            error = str(outcome.error.get("class", "")).rpartition(".")[2] or "error"
        trail.note(
            "call",
            self.message.name,
            began,
            to=self.where,
            timeout=round(seconds, 3),
            waited=waited,
            error=error,
            **{key: told[key] for key in ("by", "worked", "hops") if key in told} if told else {},
        )

    def _deadline(self) -> tuple[float, datetime.datetime]:
        """Seconds to wait and the moment when they are over; an enclosing deadline comes first."""
        seconds = self.timeout or 0.0
        now = clock.now()
        expires = now + self._span
        enclosing = work.expires()
        if enclosing is not None and enclosing < expires:
            expires = enclosing
            seconds = (expires - now).total_seconds()
            if seconds <= 0:
                raise MessagingTimeout(
                    f"{self.message.name} was not sent to {self.target}: "
                    "the time of the operation that it belongs to is over.",
                    target=str(self.target),
                    method=self.message.name,
                    seconds=0.0,
                )
        return seconds, expires

    def _failure(self, ending: Ending, pending: Pending, seconds: float) -> CelajeError:
        details = {"target": str(self.target), "method": self.message.name}
        if ending is Ending.TIMEOUT:
            if pending.begun:
                return MessagingTimeout(seconds=seconds, begun="The work there goes on.", **details)
            # Shorter than the time in which a callee at work is heard, silence tells nothing.
            silent = seconds >= 2 * self._bus.monitor_interval
            begun = "It was not seen to begin; if it has begun, the work there goes on."
            return (NotTakenUp if silent else MessagingTimeout)(seconds=seconds, begun=begun, **details)
        if ending is Ending.LOST:
            return WorkerLost(cause=pending.cause, **details)
        return NoSuchServer(**details)


class Proxy:
    """A table's messages as attributes, each a `Sender` to one server, or to any of the topic."""

    def __init__(
        self,
        table: type[Messages],
        bus: Bus,
        timeouts: Any,
        server: str | None = None,
        receivers: Receivers | None = None,
    ):
        self._table = table
        self._bus = bus
        self._timeouts = timeouts
        self._server = server
        self._receivers = receivers

    def __getattr__(self, name: str) -> Sender:
        message = None if name.startswith("_") else self._table.message(name)
        if message is None:
            raise AttributeError(f"{self._table.__name__} has no message {name!r}")
        sender = self._sender(message)
        # Found directly the next time.
        self.__dict__[name] = sender
        return sender

    def _sender(self, message: Message) -> Sender:
        if message.kind == FANOUT and self._server is not None:
            raise TypeError(f"{message.name} is a fanout: it goes to all of {self._table.topic}, not to one")
        target = Target(
            self._table.topic,
            self._server,
            fanout=message.kind == FANOUT,
            exchange=self._table.exchange,
            # What the receiver must speak at least: newer senders can talk to older servers.
            version=message.since,
            namespace=self._table.namespace,
        )
        seconds = _seconds(message.timeout, self._timeouts)
        return Sender(self._bus, message, target, seconds, self._receivers)


class Client(Proxy):
    """Sends a table's messages; as it stands to any server of the topic, with `to` to one.

    `timeouts` is a function from an option's name to seconds, or a configuration whose attributes
    (`rpc_response_timeout`, `volume.create_timeout`) are read once for every message. `receivers` tells what
    may be sent during a rolling upgrade; without them everything is.
    """

    def to(self, server: str) -> Proxy:
        if not server:
            raise ValueError("a server's name is needed")
        return Proxy(self._table, self._bus, self._timeouts, server, self._receivers)


def _seconds(timeout: str | float | None, timeouts: Any) -> float | None:
    if timeout is None or not isinstance(timeout, str):
        return timeout
    # An oslo.config object is callable too, but calling it parses a command line.
    if callable(timeouts) and not hasattr(timeouts, "register_opt"):
        return float(timeouts(timeout))
    return float(reduce(getattr, timeout.split("."), timeouts))


def _remote_error(data: dict[str, Any]) -> CelajeError:
    error = CelajeError.from_dict(data)
    if type(error) is RemoteError and "error_class" not in error.details:
        error.details["error_class"] = data.get("class")
    if isinstance(error, MessagingError):
        error.remote = True
    return error
