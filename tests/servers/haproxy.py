"""HAProxy from Debian's package `haproxy`, in front of the APIs of a test cluster."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from tests.servers.shared import Running, ServerMissing, alive, end, run


def _program() -> str:
    found = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
    if found is None:
        raise ServerMissing("HAProxy is not installed: run tests/install.sh cluster")
    return found


def start(folder: Path, settings: str, port: int) -> Running:
    """`settings` is the configuration; `port` one of those that it listens on."""
    file = folder / "haproxy.cfg"
    file.write_text(settings)
    run([_program(), "-c", "-f", str(file)])
    with open(folder / "log", "ab") as log:
        process = subprocess.Popen(
            [_program(), "-db", "-f", str(file)], stdout=log, stderr=log, cwd="/", stdin=subprocess.DEVNULL
        )
    until = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return Running(process.pid, port, str(folder))
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(
                    f"HAProxy does not start: {(folder / 'log').read_text()[-2000:]}"
                ) from None
            time.sleep(0.02)


def stop(running: Running) -> None:
    if alive(running.pid):
        end(running.pid)
