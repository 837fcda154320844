"""A client of QEMU's control protocol (QMP) on a unix socket.

A driver opens one for an operation and closes it after: what QEMU knows can be asked again, so nothing is
lost in between. Every wait has a deadline, because QEMU lets a second client of one socket wait without a
word. Source: QEMU's qmp-spec.
"""

import contextlib
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from celaje.common import clock, unix_socket
from celaje.common.errors import DriverError

# Seconds that QEMU has for an answer where nothing else is said.
COMMAND_TIMEOUT = 10.0


class QmpError(DriverError):
    """QEMU refused a command; `details['error_class']` is QEMU's class, such as DeviceNotFound."""


class QmpTimeout(DriverError):
    """QEMU did not answer in time, or closed the connection."""


class QmpClient:
    """One connection. `events` holds what QEMU reported meanwhile: {"event", "data", "timestamp"}."""

    def __init__(self, path: Path, timeout: float = COMMAND_TIMEOUT):
        self.path = path
        self.timeout = timeout
        self.events: list[dict[str, Any]] = []
        self._buffer = b""
        self._socket = _connect(path, timeout)
        try:
            deadline = clock.monotonic() + timeout
            greeting = self._read(deadline)
            while "event" in greeting:
                # It happened after the client before us had left: QEMU kept it for the next.
                self.events.append(greeting)
                greeting = self._read(deadline)
            if "QMP" not in greeting:
                raise QmpTimeout(f"{path} does not greet as QEMU does.")
            self.execute("qmp_capabilities")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "QmpClient":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()

    def execute(
        self,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        file: int | None = None,
    ) -> Any:
        """The command's answer. `file`: a descriptor to hand over with it."""
        deadline = clock.monotonic() + (timeout or self.timeout)
        line = json.dumps({"execute": command, "arguments": dict(arguments or {})}).encode() + b"\n"
        try:
            if file is None:
                self._socket.sendall(line)
            else:
                socket.send_fds(self._socket, [line], [file])
        except OSError as error:
            raise QmpTimeout(f"{command}: the connection to QEMU broke: {error}") from error
        while True:
            message = self._read(deadline)
            if "event" in message:
                self.events.append(message)
            elif "error" in message:
                told = message["error"]
                raise QmpError(f"{command}: {told['desc']}", error_class=told["class"])
            elif "return" in message:
                return message["return"]

    def wait_event(self, name: str, timeout: float, **data: Any) -> dict[str, Any] | None:
        """The first event of that name and data, old ones included; None when `timeout` seconds pass."""
        deadline = clock.monotonic() + timeout
        while True:
            for event in self.events:
                told = event.get("data", {})
                if event["event"] == name and all(told.get(key) == value for key, value in data.items()):
                    self.events.remove(event)
                    return event
            try:
                message = self._read(deadline)
            except _DeadlinePassed:
                return None
            if "event" in message:
                self.events.append(message)

    def _read(self, deadline: float) -> dict[str, Any]:
        while b"\n" not in self._buffer:
            left = deadline - clock.monotonic()
            if left <= 0:
                raise _DeadlinePassed(f"{self.path}: no answer from QEMU in time")
            self._socket.settimeout(left)
            try:
                chunk = self._socket.recv(65536)
            except TimeoutError:
                continue
            except OSError as error:
                raise QmpTimeout(f"{self.path}: the connection to QEMU broke: {error}") from error
            if not chunk:
                raise QmpTimeout(f"{self.path}: QEMU closed the connection")
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        message = json.loads(line)
        if not isinstance(message, dict):
            raise QmpTimeout(f"{self.path}: QEMU sent something that is no QMP message")
        return message


class _DeadlinePassed(QmpTimeout):
    pass


def _connect(path: Path, timeout: float) -> socket.socket:
    try:
        return unix_socket.connect(path, timeout)
    except OSError as error:
        raise QmpTimeout(f"{path}: cannot be reached: {error}") from error
