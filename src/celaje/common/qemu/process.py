"""One QEMU process: starting it so that it outlives us, finding it again, ending it and nothing else.

Drivers call it. A process is known by pid, start time and a `mark` on its command line (a server's uuid, a
folder); all three are checked before a signal is sent, since pids are used again.
"""

import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from celaje.common import clock
from celaje.common.errors import DriverError

PROC = Path("/proc")


def start(
    command: Sequence[str],
    folder: Path,
    log: Path,
    descriptors: Sequence[int] = (),
    environment: Mapping[str, str] | None = None,
) -> "subprocess.Popen[bytes]":
    """In a session of its own, with `folder` as its current one (sockets are named relative to it)."""
    with log.open("ab") as output:
        output.write(f"{clock.iso(clock.now())} start: {' '.join(command)}\n".encode())
        output.flush()
        try:
            return subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                start_new_session=True,
                pass_fds=tuple(descriptors),
                env={
                    "PATH": os.environ.get("PATH", os.defpath),
                    "LC_ALL": "C",
                    **(environment or {}),
                },
            )
        except OSError as error:
            raise DriverError(f"{command[0]} cannot be started: {error}") from error


def identify(pid: int) -> dict[str, Any] | None:
    """{"pid", "start_time"} of a live process; None when it is gone or a zombie."""
    try:
        # The second field is the name in brackets and may hold anything; split behind it.
        fields = (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else {"pid": pid, "start_time": int(fields[19])}


def is_alive(known: dict[str, Any] | None, mark: str) -> bool:
    """Whether the process that was written down still runs, and has that mark."""
    if not known:
        return False
    found = identify(int(known["pid"]))
    return (
        found is not None and found["start_time"] == known["start_time"] and _serves(int(known["pid"]), mark)
    )


def find(pidfile: Path, mark: str) -> dict[str, Any] | None:
    """The process that QEMU's own pidfile names, for the case that we died before we wrote it down."""
    try:
        pid = int(pidfile.read_text())
    except (OSError, ValueError):
        return None
    return identify(pid) if _serves(pid, mark) else None


def find_marked(mark: str) -> dict[str, Any] | None:
    """The process with that mark, whoever wrote down what: of a program without a pidfile, whose starter died
    before it wrote one."""
    for entry in PROC.iterdir():
        if entry.name.isdigit() and _serves(int(entry.name), mark):
            return identify(int(entry.name))
    return None


def _serves(pid: int, mark: str) -> bool:
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return mark.encode() in words


def wait_gone(known: dict[str, Any], mark: str, timeout: float) -> bool:
    """True when the process ended within `timeout` seconds (real time: it is a real process)."""
    try:
        descriptor = os.pidfd_open(int(known["pid"]))
    except ProcessLookupError:
        return True
    try:
        if not is_alive(known, mark):
            return True
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(max(0.0, timeout) * 1000))
    finally:
        os.close(descriptor)


def end(known: dict[str, Any] | None, mark: str, grace: float = 5.0) -> None:
    """SIGTERM (QEMU flushes its disks and leaves), after `grace` seconds SIGKILL. Nothing when it is not
    ours."""
    if known is None or not is_alive(known, mark):
        return
    try:
        descriptor = os.pidfd_open(int(known["pid"]))
    except ProcessLookupError:
        return
    try:
        # Checked again with the descriptor held: from here on the pid cannot mean another process.
        if not is_alive(known, mark):
            return
        for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 10.0)):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            if poll.poll(patience * 1000):
                return
    finally:
        os.close(descriptor)
    raise DriverError(f"QEMU process {known['pid']} of {mark} does not end.")
