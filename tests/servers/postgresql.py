"""PostgreSQL from Debian's package `postgresql`: started for a test run, or for one test that restarts it."""

import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tests.servers.shared import Running, ServerMissing, Shared, account, alive, end, run, spare_port

# Without fsync: what is committed survives the server's death, not the machine's.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "400",
    "shared_buffers": "64MB",
    "log_min_messages": "fatal",
}


def programs() -> Path:
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    raise ServerMissing("PostgreSQL is not installed: run tests/install.sh")


def make(folder: Path, port: int | None = None, settings: Mapping[str, str] | None = None) -> Running:
    """A new cluster below `folder`, running. The superuser is `postgres`, without a password (loopback)."""
    own = account("postgres")
    if own:
        shutil.chown(folder, "postgres", "postgres")
    initdb = [str(programs() / "initdb"), "-D", f"{folder}/data", "-A", "trust", "-E", "UTF8"]
    run([*initdb, "-U", "postgres", "--locale=C.UTF-8", "--no-sync"], **own, cwd="/")
    return start(folder, port, settings)


def start(folder: Path, port: int | None = None, settings: Mapping[str, str] | None = None) -> Running:
    """Start the cluster that `make` made; `settings` beside those of all."""
    port = port or spare_port()
    command = [str(programs() / "postgres"), "-D", f"{folder}/data", "-p", str(port)]
    for name, value in {**_SETTINGS, "unix_socket_directories": str(folder), **(settings or {})}.items():
        command += ["-c", f"{name}={value}"]
    with open(folder / "log", "ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **account("postgres"))  # type: ignore[call-overload]
    ready = [str(programs() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    until = time.monotonic() + 30
    while subprocess.run(ready, timeout=10, check=False).returncode:
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"PostgreSQL does not start: {(folder / 'log').read_text()[-2000:]}")
        time.sleep(0.02)
    return Running(process.pid, port, str(folder))


def stop(running: Running) -> None:
    """Fast shutdown: sessions are cut off, transactions rolled back."""
    if alive(running.pid):
        end(running.pid, signal.SIGINT)


def kill(running: Running) -> None:
    """As a crash: no session is told."""
    end(running.pid, signal.SIGQUIT)


def url(running: Running, database: str = "postgres") -> str:
    return f"postgresql+psycopg://postgres@127.0.0.1:{running.port}/{database}"


SERVER = Shared("postgresql", make, stop)
