"""The bound socket by which everything comes in, and the thread that reads it.

Made by the bus. Beside its own address it listens at whatever meeting point of this machine is free, so the
first process there answers newcomers, and another takes over when it ends.
"""

import logging
import socket as sockets
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import zmq

from celaje.common import clock
from celaje.common.errors import ConfigurationError
from celaje.common.messaging.zmq import wire
from celaje.common.messaging.zmq.address import Settings, endpoint
from celaje.common.messaging.zmq.curve import Keys

LOG = logging.getLogger(__name__)

# Milliseconds after which the thread looks up although nothing came.
_LOOK_UP = 500
_MOST_HELD = 100_000


class Door:
    """`address` is what others connect to; `meeting_points` maps those of the settings to their addresses."""

    def __init__(self, name: str, context: Any, settings: Settings, keys: Keys | None):
        self._closing = False
        self._socket = context.socket(zmq.PULL)
        self._socket.linger = 0
        self._socket.rcvhwm = _MOST_HELD
        self._socket.rcvtimeo = _LOOK_UP
        self._socket.ipv6 = True
        if keys is not None:
            keys.guard(self._socket)
        self.address = endpoint(settings.host, self._bind(settings))
        self.meeting_points = {endpoint(host, port): (host, port) for host, port in settings.meeting_points}
        self.holds: set[str] = set()
        self._next_try = 0.0
        self._update = settings.update
        self._try_to_hold()
        self._name = name
        self._thread: threading.Thread | None = None

    def _bind(self, settings: Settings) -> int:
        first, last = settings.ports
        if not first:
            self._bind_to(settings.bind_address, "*")
            return int(self._socket.last_endpoint.decode().rpartition(":")[2])
        ports = list(range(first, last + 1))
        start = int(clock.random_fraction() * len(ports))
        for port in ports[start:] + ports[:start]:
            try:
                self._bind_to(settings.bind_address, port)
                return port
            except zmq.ZMQError as error:
                if error.errno != zmq.EADDRINUSE:
                    raise
        raise ConfigurationError(
            f"[oslo_messaging_zmq]: no port of {first} to {last} is free on this machine"
        )

    def _bind_to(self, host: str, port: int | str) -> None:
        try:
            self._socket.bind(endpoint(host, port))
        except zmq.ZMQError as error:
            if error.errno == zmq.EADDRINUSE:
                raise
            raise ConfigurationError(f"[oslo_messaging_zmq] rpc_zmq_bind_address: {host}: {error}") from None

    def _try_to_hold(self) -> None:
        """Take what meeting points are ours and free. On the reading thread, whose the socket is."""
        self._next_try = clock.monotonic() + self._update
        for name, (host, port) in self.meeting_points.items():
            if name in self.holds:
                continue
            try:
                found = sockets.getaddrinfo(host, port, type=sockets.SOCK_STREAM)
                self._socket.bind(endpoint(str(found[0][4][0]), port))
            except (OSError, zmq.ZMQError) as error:
                # Another process has it, or it is on another machine.
                LOG.debug("the meeting point %s is not held here: %s", name, error)
                continue
            self.holds.add(name)
            LOG.info("newcomers are met at %s", name)

    def open(self, receive: Callable[[list[Any]], None]) -> None:
        """Begin to read; `receive` is called with every message."""
        self._thread = threading.Thread(
            target=self._run, args=(receive,), name=f"zmq {self._name} door", daemon=True
        )
        self._thread.start()

    def _run(self, receive: Callable[[list[Any]], None]) -> None:
        while not self._closing:
            try:
                data = self._socket.recv()
            except zmq.Again:
                data = None
            if data is not None:
                try:
                    frame = wire.decode(data)
                    if frame[0] == wire.STOP:
                        continue
                    receive(frame)
                except (msgspec.DecodeError, ValueError, TypeError, LookupError):
                    LOG.warning("a message that cannot be read is thrown away", exc_info=True)
                except Exception:
                    LOG.exception("a message could not be taken")
            if len(self.holds) < len(self.meeting_points) and clock.monotonic() >= self._next_try:
                self._try_to_hold()
        self._socket.close(0)

    def close(self, wake: Callable[[], object]) -> None:
        """`wake` sends STOP here."""
        self._closing = True
        wake()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(5)
