"""The receiving side of a message table: threads that take messages and run an object's methods.

Used by workers, schedulers and conductors; the bus below, the component's own object above.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any

from celaje.common import clock, context, metrics, trail
from celaje.common.errors import CelajeError, Invalid, RemoteError
from celaje.common.messaging import codec, work
from celaje.common.messaging.driver import Bus, Delivery
from celaje.common.messaging.envelope import CALL, Envelope, Outcome
from celaje.common.messaging.errors import Killed, NoSuchMethod, UnsupportedVersion
from celaje.common.messaging.table import Message, Messages
from celaje.common.messaging.target import Target, accepts

LOG = logging.getLogger(__name__)

OrphanHook = Callable[[Envelope, Outcome, float], None]


class Server:
    """Serves `table` at `target` with `endpoint`'s methods, on at most `threads` threads.

    `conf` (default: the bus's settings) may give `call_monitor_interval`. `on_orphan_reply(envelope,
    outcome, seconds)` is told of work that ended after its caller had left. One thread means that messages
    of one queue are worked on strictly in order.
    """

    def __init__(
        self,
        bus: Bus,
        target: Target,
        endpoint: Any,
        table: type[Messages],
        *,
        threads: int = 8,
        conf: Any = None,
        on_orphan_reply: OrphanHook | None = None,
    ):
        if threads < 1:
            raise ValueError("a server needs at least one thread")
        missing = [m.name for m in table.messages() if not callable(getattr(endpoint, m.name, None))]
        if missing:
            raise TypeError(f"{type(endpoint).__name__} lacks {', '.join(missing)} of {table.__name__}")
        self.target = target
        # As the log and the journals call it; the compute worker's topic is Nova's, which lacks the word.
        self._component = target.topic if "-" in target.topic else f"{target.topic}-worker"
        self._bus = bus
        self._endpoint = endpoint
        self._table = table
        self._interval = float(getattr(conf, "call_monitor_interval", bus.monitor_interval))
        self._on_orphan_reply = on_orphan_reply
        self._limit = threads
        self._lock = threading.Lock()
        self._beating = threading.Condition(self._lock)
        self._ended = threading.Condition(self._lock)
        self._threads = 0
        self._idle = 0
        self._running: set[Delivery] = set()
        self._stopping = False
        self._killed = False
        self._listener: Any = None

    def start(self) -> None:
        """Listen. Messages that have waited are taken at once."""
        with self._lock:
            if self._listener is not None:
                raise RuntimeError(f"the server of {self.target} was started before")
            self._listener = self._bus.listen(self.target, self._limit)
            self._spawn()
        threading.Thread(target=self._beat, name=f"{self.target} heartbeat", daemon=True).start()

    def stop(self, grace: float = 60.0) -> bool:
        """Take nothing new and let what runs end within `grace` seconds; what does not is given up as by
        `kill`. True when everything ended."""
        if self._listener is None:
            return True
        with self._lock:
            self._stopping = True
        self._listener.close()
        with self._lock:
            ended = clock.wait_for(self._ended, lambda: self._threads == 0, grace)
        if not ended:
            self._give_up(f"the server stopped and did not finish it within {grace:g} s")
        return ended

    def kill(self) -> None:
        """As kill -9 would: no reply, nothing sent any more, results thrown away. For tests."""
        self._give_up("the server was killed")

    def _give_up(self, cause: str) -> None:
        with self._lock:
            self._stopping = self._killed = True
            running = list(self._running)
            self._beating.notify()
        if self._listener is not None:
            self._listener.close()
        for delivery in running:
            self._bus.lost(delivery, cause)

    def _spawn(self) -> None:
        """One more thread; called with the lock. Threads come as work comes, up to the limit."""
        self._threads += 1
        self._idle += 1
        threading.Thread(target=self._serve, name=f"{self.target} {self._threads}", daemon=True).start()

    def _serve(self) -> None:
        try:
            while (delivery := self._listener.poll()) is not None:
                with self._lock:
                    self._running.add(delivery)
                    self._idle -= 1
                    if not self._idle and self._threads < self._limit and not self._stopping:
                        self._spawn()
                try:
                    self._handle(delivery)
                finally:
                    with self._lock:
                        self._running.discard(delivery)
                        self._idle += 1
        except Killed:
            LOG.debug("%s: a thread of a killed server ends", self.target)
        finally:
            with self._lock:
                self._threads -= 1
                self._idle -= 1
                self._ended.notify_all()
                self._beating.notify()

    def _handle(self, delivery: Delivery) -> None:
        envelope = delivery.envelope
        if self._killed:
            self._bus.lost(delivery, "the server was killed")
            return
        if envelope.expires is not None and clock.now() >= envelope.expires:
            LOG.info("%s: %s dropped, its caller has left (%s)", self.target, envelope.method, envelope.id)
            return
        self._bus.begun(delivery)
        started = clock.monotonic()
        mark = work.enter(envelope.expires, self._is_killed)
        try:
            outcome = self._perform(envelope)
        finally:
            work.leave(mark)
        if self._killed or envelope.kind != CALL:
            return
        if not self._reply(delivery, outcome):
            self._orphaned(envelope, outcome, clock.monotonic() - started)

    def _is_killed(self) -> bool:
        return self._killed

    def _perform(self, envelope: Envelope) -> Outcome:
        try:
            asker = context.RequestContext.from_dict(envelope.context)
        except (TypeError, ValueError) as error:
            return Outcome(error=self._foreign(envelope, error))
        with context.using(asker, self._component), trail.kept() as kept:
            try:
                self._message(envelope)
                result = getattr(self._endpoint, envelope.method)(**envelope.arguments)
                # Steps of flows are the story; reports and nudges are for those who look closer.
                level = logging.INFO if asker.step and envelope.kind == CALL else logging.DEBUG
                if LOG.isEnabledFor(level):
                    LOG.log(level, f"{envelope.method} done in {kept.seconds * 1000:.1f} ms")
                self._count(envelope, kept, "ok")
                return Outcome(result, told=self._told(kept))
            except CelajeError as error:
                self._count(envelope, kept, type(error).__name__)
                if envelope.kind != CALL:
                    LOG.warning(
                        "%s: %s failed: %s", self.target, envelope.method, error.message, exc_info=True
                    )
                else:
                    LOG.info("%s failed: %s: %s", envelope.method, type(error).__name__, error.message)
                return Outcome(error=_travelling(error), told=self._told(kept))
            except (Exception, SystemExit) as error:
                self._count(envelope, kept, "unexpected")
                LOG.exception("%s: %s failed (%s)", self.target, envelope.method, envelope.id)
                return Outcome(error=self._foreign(envelope, error), told=self._told(kept))

    def _count(self, envelope: Envelope, kept: trail.Trail, outcome: str) -> None:
        # A foreign sender may ask for anything: only what the table has gets a row.
        known = self._table.message(envelope.method)
        name = known.name if known is not None else "unknown"
        metrics.MESSAGES.observe((self._table.topic, name, outcome), kept.seconds)

    def _told(self, kept: trail.Trail) -> dict[str, Any]:
        """What the caller's journal keeps of the work here."""
        told: dict[str, Any] = {"by": self.target.server, "worked": round(kept.seconds, 6)}
        hops = kept.whole()
        if hops:
            told["hops"] = hops
        return told

    def _message(self, envelope: Envelope) -> Message:
        """The row of the table for the request, whose arguments fit it."""
        needed = envelope.target
        message = self._table.message(envelope.method)
        name = {"target": str(self.target), "method": envelope.method}
        try:
            spoken = accepts(self._table.version, needed.version)
        except ValueError:
            spoken = False
        if not spoken:
            raise UnsupportedVersion(spoken=self._table.version, needed=needed.version, **name)
        if message is None or message.kind != envelope.kind or needed.namespace != self._table.namespace:
            raise NoSuchMethod(**name)
        if not message.required <= envelope.arguments.keys() <= message.accepted:
            given = ", ".join(sorted(envelope.arguments))
            raise Invalid(f"{message.name}{message.signature} was sent with ({given})")
        return message

    def _reply(self, delivery: Delivery, outcome: Outcome) -> bool:
        try:
            return self._bus.reply(delivery, outcome)
        except TypeError as error:
            envelope = delivery.envelope
            LOG.error("%s: the result of %s cannot travel: %s", self.target, envelope.method, error)
            return self._bus.reply(delivery, Outcome(error=self._foreign(envelope, error)))

    def _foreign(self, envelope: Envelope, error: BaseException) -> dict[str, Any]:
        """An error that is none of ours. Its words stay in this server's log: they may hold secrets."""
        kind = f"{type(error).__module__}.{type(error).__qualname__}"
        return RemoteError(
            f"{envelope.method} failed on {self.target} with {type(error).__name__}; "
            f"the log there tells more (message {envelope.id}).",
            error_class=kind,
        ).to_dict()

    def _orphaned(self, envelope: Envelope, outcome: Outcome, took: float) -> None:
        LOG.warning(
            "%s: %s finished after %.3f s, when its caller had left", self.target, envelope.method, took
        )
        if self._on_orphan_reply is not None:
            try:
                with context.using(context.RequestContext.from_dict(envelope.context)):
                    self._on_orphan_reply(envelope, outcome, took)
            except Exception:
                LOG.exception("%s: journalling %s failed", self.target, envelope.id)

    def _beat(self) -> None:
        while True:
            with self._lock:
                due = clock.monotonic() + self._interval
                while (left := due - clock.monotonic()) > 0 and not self._over():
                    clock.wait(self._beating, left)
                if self._over():
                    return
                running = [delivery for delivery in self._running if delivery.envelope.kind == CALL]
            for delivery in running:
                self._bus.heartbeat(delivery)

    def _over(self) -> bool:
        return self._killed or (self._stopping and self._threads == 0)


def _travelling(error: CelajeError) -> dict[str, Any]:
    """`to_dict` with details that can travel."""
    data = error.to_dict()
    details = {}
    for key, value in data["details"].items():
        try:
            codec.encode(value, key)
            details[key] = value
        except TypeError:
            details[key] = str(value)
    return {**data, "details": details}
