"""One server's guest: its process, its power, its memory. The driver makes one per operation and holds the
lock.

Calls process.py for the process, qmp.py for what runs in it, domain.py for the record.
"""

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from celaje.common import clock
from celaje.common.errors import DriverError
from celaje.common.qemu import process
from celaje.common.qemu.qmp import COMMAND_TIMEOUT, QmpClient, QmpTimeout
from celaje.compute.drivers.base import PowerState, PowerStateRefused
from celaje.compute.drivers.qemu import domain as domains

MEMORY = "memory.saved"
LOG = "qemu.log"
BUTTON_INTERVAL = 10.0  # a guest that is still booting misses the first press
UNLIMITED = 1 << 40

STATES = {
    "running": PowerState.RUNNING,
    "paused": PowerState.PAUSED,
    "prelaunch": PowerState.PAUSED,
    "inmigrate": PowerState.PAUSED,
    "postmigrate": PowerState.PAUSED,
    "finish-migrate": PowerState.PAUSED,
    "save-vm": PowerState.PAUSED,
    "restore-vm": PowerState.PAUSED,
    "suspended": PowerState.RUNNING,  # the guest sleeps by itself (ACPI S3); QEMU goes on
    "debug": PowerState.PAUSED,
    "watchdog": PowerState.RUNNING,
    "shutdown": PowerState.SHUTDOWN,
    "io-error": PowerState.CRASHED,
    "internal-error": PowerState.CRASHED,
    "guest-panicked": PowerState.CRASHED,
    "colo": PowerState.PAUSED,
}


@dataclass
class Host:
    """What all guests of a driver share. `children`: processes that this life of the driver started."""

    program: str = ""
    accelerator: str = "tcg"
    max_tcg_vcpus: int = 1
    start_timeout: float = 30.0
    memory_timeout: float = 300.0
    children: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def adopt(self, child: "subprocess.Popen[bytes]") -> None:
        with self.guard:
            self.children.append(child)

    def reap(self) -> None:
        """Collect children that ended, or they stay as zombies."""
        with self.guard:
            self.children = [child for child in self.children if child.poll() is None]


class Guest:
    def __init__(self, host: Host, folder: Path, domain: domains.Domain):
        self.host = host
        self.folder = folder
        self.domain = domain

    def save(self) -> None:
        domains.save(self.domain, self.folder)

    def is_running(self) -> bool:
        """Looks only, and writes nothing: callers need not hold the server's lock."""
        self.host.reap()
        if not process.is_alive(self.domain.process, self.domain.uuid):
            self.domain.process = process.find(self.folder / domains.PIDFILE, self.domain.uuid)
        return self.domain.process is not None

    @contextmanager
    def qmp(self, *, aside: bool = False, timeout: float = COMMAND_TIMEOUT) -> Iterator[QmpClient]:
        """A connection to the guest's first socket, or to the second when somebody sits on the first.
        aside: the other way round, for questions that must not wait for a long operation."""
        sockets = (domains.RESCUE, domains.AGENT) if aside else (domains.AGENT, domains.RESCUE)
        try:
            client = QmpClient(self.folder / sockets[0], timeout)
        except QmpTimeout:
            client = QmpClient(self.folder / sockets[1], timeout)
        with client:
            yield client

    def state(self) -> PowerState:
        if not self.is_running():
            return PowerState.SUSPENDED if self.domain.saved else PowerState.SHUTDOWN
        with self.qmp(aside=True) as qmp:
            return STATES.get(qmp.execute("query-status")["status"], PowerState.NOSTATE)

    def require(self, operation: str, *accepted: PowerState) -> PowerState:
        state = self.state()
        if state not in accepted:
            raise PowerStateRefused(server=self.domain.uuid, operation=operation, state=state.name.lower())
        return state

    def start(self, incoming: int | None = None) -> None:
        """Returns when QEMU answers; runs already: nothing."""
        if self.is_running():
            return
        self.domain.settle_swaps()
        for name in (domains.AGENT, domains.RESCUE, "serial.sock", domains.PIDFILE):
            (self.folder / name).unlink(missing_ok=True)
        host = self.host
        words = domains.command_line(
            self.domain,
            self.folder,
            program=host.program,
            accelerator=host.accelerator,
            max_tcg_vcpus=host.max_tcg_vcpus,
            incoming=incoming,
        )
        log = self.folder / LOG
        child = process.start(words, self.folder, log, () if incoming is None else (incoming,))
        host.adopt(child)
        self.domain.process = process.identify(child.pid)
        self.save()
        deadline = clock.monotonic() + host.start_timeout
        while True:
            with contextlib.suppress(QmpTimeout), QmpClient(self.folder / domains.AGENT, 5.0):
                return
            if child.poll() is not None:
                raise DriverError(f"QEMU ended with {child.returncode} at start: {_last_words(log)}")
            if clock.monotonic() > deadline:
                self.cut_power()
                raise DriverError(f"QEMU did not answer within {host.start_timeout:g} s of its start.")
            clock.sleep(0.05)

    def cut_power(self) -> None:
        if self.is_running():
            process.end(self.domain.process, self.domain.uuid)
        self.host.reap()
        self.domain.process = None
        self.save()

    def shut_down(self, timeout: float) -> bool:
        """Press the power button and wait; True when the guest went by itself."""
        deadline = clock.monotonic() + timeout
        while (left := deadline - clock.monotonic()) > 0 and self.is_running():
            with contextlib.suppress(QmpTimeout), self.qmp() as qmp:
                qmp.execute("system_powerdown")
            if self.domain.process is not None:
                process.wait_gone(self.domain.process, self.domain.uuid, min(left, BUTTON_INTERVAL))
        return not self.is_running()

    def forget_memory(self) -> None:
        if self.domain.saved:
            self.domain.saved = False
            self.save()
        (self.folder / MEMORY).unlink(missing_ok=True)

    def suspend(self) -> None:
        """QEMU's own migration, into a file. The order survives a crash at any point: memory, record,
        process."""
        saved = self.folder / MEMORY
        if not self.domain.saved:
            with self.qmp() as qmp:
                status = qmp.execute("query-status")["status"]
                if status != "postmigrate" or not saved.exists():
                    if status == "postmigrate":
                        qmp.execute("cont")  # we died after QEMU had written, before the file had its name
                    self._write_memory(qmp, saved)
            self.domain.saved = True
            self.save()
        self.cut_power()

    def _write_memory(self, qmp: QmpClient, saved: Path) -> None:
        fresh = saved.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            qmp.execute("stop")
            qmp.execute("migrate-set-parameters", {"max-bandwidth": UNLIMITED})
            qmp.execute("getfd", {"fdname": "memory"}, file=descriptor)
            qmp.execute("migrate", {"uri": "fd:memory"})
            deadline = clock.monotonic() + self.host.memory_timeout
            while (told := qmp.execute("query-migrate").get("status")) != "completed":
                if told in ("failed", "cancelled") or clock.monotonic() > deadline:
                    with contextlib.suppress(DriverError):
                        qmp.execute("migrate_cancel")
                        qmp.execute("cont")
                    fresh.unlink(missing_ok=True)
                    raise DriverError(f"The memory of server {self.domain.uuid} cannot be written: {told}")
                clock.sleep(0.05)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        fresh.replace(saved)

    def resume(self) -> None:
        if not self.is_running():
            descriptor = os.open(self.folder / MEMORY, os.O_RDONLY)
            try:
                self.start(incoming=descriptor)
            finally:
                os.close(descriptor)
        deadline = clock.monotonic() + self.host.memory_timeout
        with self.qmp() as qmp:
            while qmp.execute("query-status")["status"] == "inmigrate":
                if clock.monotonic() > deadline:
                    raise DriverError(f"The memory of server {self.domain.uuid} is not read in time.")
                clock.sleep(0.05)
            qmp.execute("cont")
        self.forget_memory()


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    told = [line for line in lines[-5:] if " start: " not in line]
    return " ".join(told)[-500:] or "without a word"
