"""MariaDB from Debian's package `mariadb-server`: for a test run, or for one test that restarts it."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.servers.shared import Running, ServerMissing, Shared, alive, end, run, spare_port

# Without fsync: what is committed survives the server's death, not the machine's.
_SETTINGS = (
    "--bind-address=127.0.0.1",
    "--skip-log-bin",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-flush-method=nosync",
    "--innodb-doublewrite=0",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=64M",
    "--sync-frm=0",
    "--max-connections=400",
    "--table-open-cache=4000",
    "--performance-schema=0",
)


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
    if found is None:
        raise ServerMissing("MariaDB is not installed: run tests/install.sh")
    return found


def _user() -> str:
    return "mysql" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


def _environment(folder: Path) -> dict[str, str]:
    """Its temporary files below `folder`: the machine's own place for them may be closed to its user."""
    return {**os.environ, "TMPDIR": str(folder)}


def make(folder: Path, port: int | None = None, settings: Sequence[str] = ()) -> Running:
    """A new server below `folder`, running. The superuser is `root`, without a password (loopback)."""
    if os.geteuid() == 0:
        shutil.chown(folder, "mysql", "mysql")
    install = [
        _program("mariadb-install-db"),
        "--no-defaults",
        f"--user={_user()}",
        f"--datadir={folder}/data",
    ]
    options = ["--auth-root-authentication-method=normal", "--skip-test-db"]
    run([*install, *options], env=_environment(folder))
    return start(folder, port, settings)


def start(folder: Path, port: int | None = None, settings: Sequence[str] = ()) -> Running:
    """Start the server that `make` made; `settings` beside those of all."""
    port = port or spare_port()
    command = [_program("mariadbd"), "--no-defaults", f"--user={_user()}", f"--datadir={folder}/data"]
    command += [
        f"--socket={folder}/socket",
        f"--pid-file={folder}/pid",
        f"--port={port}",
        *_SETTINGS,
        *settings,
    ]
    with open(folder / "log", "ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", env=_environment(folder))
    until = time.monotonic() + 30
    while not _greets(port):
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"MariaDB does not start: {(folder / 'log').read_text()[-2000:]}")
        time.sleep(0.02)
    return Running(process.pid, port, str(folder))


def _greets(port: int) -> bool:
    """MariaDB speaks first; without a login it would count this as an aborted connection, nothing more."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        return bool(connection.recv(1))
    return False


def stop(running: Running) -> None:
    if alive(running.pid):
        end(running.pid)


def kill(running: Running) -> None:
    """As a crash: no session is told."""
    end(running.pid, signal.SIGKILL)


def url(running: Running, database: str = "mysql") -> str:
    return f"mysql+pymysql://root@127.0.0.1:{running.port}/{database}"


SERVER = Shared("mariadb", make, stop)
