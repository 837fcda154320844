"""One connection to a broker and the thread that owns it: everything that is read and written on it is read
and written there, since neither py-amqp nor TLS lets two threads at one connection.

Publisher and listeners hang on links as `Rider`s. A link that breaks is made again, by the retry options.
"""

import heapq
import itertools
import logging
import os
import select
import struct
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import amqp
from amqp.exceptions import AMQPError, ChannelError

from celaje.common import clock
from celaje.common.messaging.errors import MessagingError
from celaje.common.messaging.rabbit.address import Broker, Settings
from celaje.common.messaging.rabbit.retry import Backoff
from celaje.common.outage import Outage

LOG = logging.getLogger(__name__)

# What a single operation on a live broker may take; a link that takes longer counts as broken.
_OPERATION = 15.0
_CONNECT = 10.0
_READ = 32768
# A connection that broke sooner did not stand.
_SHORT = 5.0
# Anything the connection, the codec of the protocol or the socket says about a link that is over.
_BROKEN = (OSError, AMQPError, struct.error, StopIteration)


class BrokerUnreachable(MessagingError):
    """No broker of `transport_url` could be reached in `rabbit_max_retries` attempts, or in the time."""

    text = "No message broker can be reached: {cause}."


class Rider(Protocol):
    """What a link carries. All is called on the link's thread and must not wait for it."""

    def opened(self, connection: Any) -> None:
        """The connection stands: declare, consume. May raise what the broker says."""

    def work(self) -> None:
        """Write what there is to be written."""

    def lost(self, error: BaseException | None) -> None:
        """The connection is gone, with all channels of it."""

    def gave_up(self, error: MessagingError) -> None:
        """`rabbit_max_retries` attempts have failed."""


class Link:
    def __init__(self, name: str, settings: Settings, riders: list[Rider], outage: Outage | None = None):
        self.name = name
        self._outage = outage or Outage()
        self._heard = 0.0
        self._settings = settings
        self._riders = riders
        self._backoff = Backoff(settings)
        self._lock = threading.Condition()
        self._tasks: deque[Callable[[], None]] = deque()
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._first = int(clock.random_fraction() * len(settings.brokers))
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._rung = False
        self._closing = False
        self._connection: Any = None
        self.cause = "not tried yet"
        self._thread = threading.Thread(target=self._run, name=f"rabbit {name}", daemon=True)
        self._thread.start()

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def ring(self) -> None:
        """Wake the thread: there is work. Cheap when it is awake."""
        if not self._rung:
            self._rung = True
            if not self._closing:
                os.eventfd_write(self._bell, 1)

    def do(self, task: Callable[[], None]) -> None:
        """Run on the link's thread once the connection stands."""
        self._tasks.append(task)
        self.ring()

    def later(self, seconds: float, task: Callable[[], None]) -> None:
        """As `do`, after `seconds`. From the link's thread only."""
        heapq.heappush(self._later, (clock.monotonic() + seconds, next(self._numbers), task))

    def call(self, function: Callable[[Any], Any], seconds: float) -> Any:
        """The result of `function(connection)`, run on the link's thread. BrokerUnreachable when the
        connection does not stand within `seconds`, or breaks meanwhile."""
        answer = _Answer()

        def task() -> None:
            if not answer.abandoned:
                answer.run(function, self._connection)

        if self._closing:
            raise BrokerUnreachable(cause="the bus is closed")
        self.do(task)
        with answer.done:
            if not clock.wait_for(answer.done, lambda: answer.ready or self._closing, seconds):
                answer.abandoned = True
        if not answer.ready:
            raise BrokerUnreachable(cause=self.cause)
        if answer.error is not None:
            raise answer.error
        return answer.result

    def close(self, seconds: float = 5.0) -> None:
        """Write what is waiting, if the broker is there, and end."""
        if self._closing:
            return
        self._closing = True
        os.eventfd_write(self._bell, 1)
        with self._lock:
            self._lock.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(seconds)

    # The thread.

    def _run(self) -> None:
        try:
            while not self._closing:
                connection = self._connect()
                if connection is None:
                    break
                begun = clock.monotonic()
                broken: BaseException | None = None
                try:
                    self._session(connection)
                except _BROKEN as error:
                    broken = error
                except Exception as error:
                    broken = error
                    LOG.exception("%s: the connection to RabbitMQ is given up", self.name)
                self._connection = None
                if self._heard:
                    # Before the first connection nothing was known that silence could make doubtful.
                    self._outage.begin(self._heard)
                _abandon(connection)
                for rider in list(self._riders):
                    rider.lost(broken)
                if broken is not None and not self._closing:
                    self.cause = _words(broken)
                    LOG.warning("%s: the connection to RabbitMQ broke: %s", self.name, self.cause)
                    if clock.monotonic() - begun < _SHORT:
                        # It answers but cannot be used: as unreachable as one that does not answer.
                        self._failed()
        finally:
            closed = BrokerUnreachable(cause="the bus is closed")
            for rider in list(self._riders):
                rider.gave_up(closed)
            os.close(self._bell)

    def _connect(self) -> Any:
        """A connection to one of the brokers, after as many attempts as the options allow; None: closing."""
        while not self._closing:
            brokers = self._settings.brokers
            for number in range(len(brokers)):
                broker = brokers[(self._first + number) % len(brokers)]
                try:
                    connection = self._open(broker)
                except _BROKEN as error:
                    self.cause = f"{broker}: {_words(error)}"
                    LOG.info("%s: %s", self.name, self.cause)
                    continue
                self._first = (self._first + number) % len(brokers)
                return connection
            self._failed()
        return None

    def _failed(self) -> None:
        wait = self._backoff.failed()
        LOG.warning("%s: RabbitMQ cannot be used, next try in %g s: %s", self.name, wait, self.cause)
        if self._backoff.exhausted:
            error = BrokerUnreachable(cause=f"{self._backoff.attempts} attempts failed, {self.cause}")
            for rider in list(self._riders):
                rider.gave_up(error)
        with self._lock:
            clock.wait_for(self._lock, lambda: self._closing, wait)

    def _open(self, broker: Broker) -> Any:
        tls: Any = self._settings.tls
        if tls is not None:
            tls = {**tls, "server_hostname": broker.host}
        connection = amqp.Connection(
            host=f"[{broker.host}]:{broker.port}" if ":" in broker.host else str(broker),
            userid=broker.user,
            password=broker.password,
            login_method="PLAIN",
            virtual_host=self._settings.virtual_host,
            ssl=tls or False,
            connect_timeout=_CONNECT,
            heartbeat=self._settings.heartbeat,
            client_properties={"product": "celaje", "connection_name": self.name},
        )
        try:
            connection.connect()
            connection.transport.sock.settimeout(_OPERATION)
        except BaseException:
            _abandon(connection)
            raise
        return connection

    def _session(self, connection: Any) -> None:
        for rider in list(self._riders):
            rider.opened(connection)
        self._connection = connection
        self._heard = clock.monotonic()
        self._outage.end()
        LOG.info("%s: connected to RabbitMQ at %s", self.name, connection.host)
        sock = connection.transport.sock
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLIN)
        poll.register(self._bell, select.POLLIN)
        pending = getattr(sock, "pending", int)
        beat = min(_SHORT, self._settings.heartbeat / 4) if self._settings.heartbeat else _SHORT
        next_beat = clock.monotonic() + beat
        while True:
            self._rung = False
            self._do_tasks()
            for rider in list(self._riders):
                rider.work()
            if self._closing:
                connection.close()
                return
            now = clock.monotonic()
            if now >= next_beat:
                connection.heartbeat_tick()
                next_beat = now + beat
                self._backoff.succeeded()
            due = min(next_beat, self._later[0][0]) if self._later else next_beat
            quick = self._rung or pending()
            ready = poll.poll(0 if quick else max(0.0, due - now) * 1000)
            if clock.monotonic() - max(now, due) > _SHORT:
                # The process stood still: what it has not heard meanwhile may be waiting now.
                self._outage.begin(now)
                self._outage.end()
            for descriptor, _ in ready:
                if descriptor == self._bell:
                    os.eventfd_read(self._bell)
            if pending() or any(descriptor != self._bell for descriptor, _ in ready):
                self._read(connection, sock)

    def _read(self, connection: Any, sock: Any) -> None:
        """Take what has come in one go and let py-amqp act on every whole frame of it."""
        transport = connection.transport
        data = sock.recv(_READ)
        if not data:
            raise ConnectionResetError("the broker closed the connection")
        self._heard = clock.monotonic()
        transport._read_buffer += data
        while _whole_frame(transport._read_buffer):
            connection.blocking_read()

    def _do_tasks(self) -> None:
        now = clock.monotonic()
        while self._later and self._later[0][0] <= now:
            self._tasks.append(heapq.heappop(self._later)[2])
        for _ in range(len(self._tasks)):
            self._tasks.popleft()()


class _Answer:
    """What a thread waits for that asked for a `call`."""

    def __init__(self) -> None:
        self.done = threading.Condition()
        self.ready = False
        self.abandoned = False
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self, function: Callable[[Any], Any], connection: Any) -> None:
        broken: BaseException | None = None
        try:
            self.result = function(connection)
        except ChannelError as error:
            self.error = error
        except _BROKEN as error:
            self.error, broken = BrokerUnreachable(cause=_words(error)), error
        except Exception as error:
            self.error = error
        with self.done:
            self.ready = True
            self.done.notify_all()
        if broken is not None:
            raise broken


def _whole_frame(buffer: bytes) -> bool:
    # Type, channel, size, payload, end mark (AMQP 0-9-1, 2.3.5).
    return len(buffer) >= 8 and len(buffer) >= struct.unpack_from(">I", buffer, 3)[0] + 8


def _abandon(connection: Any) -> None:
    """Without a word: the other side may not be there to hear it."""
    try:
        transport = connection._transport
        if transport is not None and transport.sock is not None:
            transport.sock.close()
        connection.collect()
    except _BROKEN:
        LOG.debug("closing a broken connection", exc_info=True)


def _words(error: BaseException) -> str:
    if getattr(error, "reply_code", None) == 403:
        return f"RabbitMQ refuses the user, the password or the virtual host of transport_url ({error})"
    return f"{type(error).__name__}: {error}"
