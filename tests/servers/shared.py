"""One server for all processes of a test run: started by the first that needs it, ended by the last.

The run's folder (below the system's temporary folder) holds a lock file and a record of the server and of
the processes that use it. A run that was killed leaves its servers behind; the next run ends those.
"""

import atexit
import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

_PREFIX = "celaje-servers-"


class ServerMissing(RuntimeError):
    """Debian's package is not there; tests/install.sh brings it."""


@dataclass
class Running:
    """A started server: where it listens and which process it is."""

    pid: int
    port: int
    folder: str
    users: list[int] = field(default_factory=list)


def run_folder() -> Path:
    """Shared by the xdist workers of one run; of this process alone without xdist."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(os.getpid())
    folder = Path(tempfile.gettempdir()) / f"{_PREFIX}{run}"
    folder.mkdir(exist_ok=True)
    # Servers run as users of their own and must reach their folders below it.
    folder.chmod(0o755)
    return folder


def spare_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def account(name: str) -> dict[str, object]:
    """Arguments of subprocess for a server that refuses to run as root."""
    return {"user": name, "group": name, "extra_groups": []} if os.geteuid() == 0 else {}


def run(command: list[str], seconds: float = 60, **options: object) -> None:
    """A command of the server's set-up; what it said is in the error."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, **options)  # type: ignore[call-overload]
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # A zombie that nobody waits for has ended.
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def end(pid: int, how: signal.Signals = signal.SIGTERM, seconds: float = 20) -> None:
    """End a server by its pid and wait for it; SIGKILL when it does not go."""
    for sign, patience in ((how, seconds), (signal.SIGKILL, 10.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sign)
        until = time.monotonic() + patience
        while time.monotonic() < until:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            if not alive(pid):
                return
            time.sleep(0.02)
    raise RuntimeError(f"process {pid} does not end")


class Shared:
    """`name` of the server, `start(folder)` -> Running, `stop(running)`."""

    def __init__(self, name: str, start: Callable[[Path], Running], stop: Callable[[Running], None]):
        self.name = name
        self._start = start
        self._stop = stop
        self._mine: Running | None = None

    def get(self) -> Running:
        """The server, started if need be; this process counts as a user of it until it ends."""
        if self._mine is None:
            sweep()
            with self._record() as path:
                running = _read(path)
                if running is None or not alive(running.pid):
                    folder = run_folder() / self.name
                    folder.mkdir(exist_ok=True)
                    running = self._start(folder)
                running.users.append(os.getpid())
                path.write_text(json.dumps(asdict(running)))
            self._mine = running
            atexit.register(self.release)
        return self._mine

    def release(self) -> None:
        if self._mine is None:
            return
        with self._record() as path:
            running = _read(path)
            if running is not None:
                running.users = [pid for pid in running.users if pid != os.getpid() and alive(pid)]
                if running.users:
                    path.write_text(json.dumps(asdict(running)))
                else:
                    self._stop(running)
                    path.unlink()
                    shutil.rmtree(running.folder, ignore_errors=True)
        self._mine = None
        atexit.unregister(self.release)

    @contextmanager
    def _record(self) -> Iterator[Path]:
        folder = run_folder()
        with open(folder / f"{self.name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder / f"{self.name}.json"


def sweep() -> None:
    """End what runs left behind whose processes have all gone."""
    for record in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/*.json"):
        with contextlib.suppress(OSError):
            running = _read(record)
            if running is None or any(alive(pid) for pid in running.users):
                continue
            with open(f"/proc/{running.pid}/cmdline") as command:
                # The number may be another process's by now.
                mine = str(record.parent) in command.read()
            if mine:
                end(running.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            if running is not None and not alive(running.pid):
                shutil.rmtree(record.parent, ignore_errors=True)


def _read(path: Path) -> Running | None:
    try:
        return Running(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError):
        return None
