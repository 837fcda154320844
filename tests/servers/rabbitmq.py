"""RabbitMQ from Debian's package `rabbitmq-server`: one for a test run, or one of its own for a test that
kills it. A node has its own home, cookie, data, port mapper (epmd) and ports; all listen on loopback."""

import base64
import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.servers.shared import Running, ServerMissing, Shared, account, alive, end, spare_port

PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")

_SETTINGS = """\
listeners.tcp.local = 127.0.0.1:{port}
loopback_users = none
total_memory_available_override_value = 1GB
vm_memory_high_watermark.absolute = 800MB
disk_free_limit.absolute = 10MB
log.file.level = warning
load_definitions = {folder}/definitions.json
queue_index_embed_msgs_below = 4096
"""

VIRTUAL_HOSTS = ["/", "main", *(f"gw{number}" for number in range(8))]

_ERLANG = "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none"

_TLS = """\
listeners.ssl.local = 127.0.0.1:{tls_port}
ssl_options.cacertfile = {folder}/ca.pem
ssl_options.certfile = {folder}/server.pem
ssl_options.keyfile = {folder}/server.key
ssl_options.verify = verify_none
"""


def make(folder: Path, port: int | None = None, *, tls_port: int | None = None) -> Running:
    """A new node below `folder`, running. User `guest`, password `guest` (loopback). With `tls_port` the
    folder holds ca.pem, server.pem and server.key."""
    if not PROGRAM.exists():
        raise ServerMissing("RabbitMQ is not installed: run tests/install.sh")
    port = port or spare_port()
    settings = _SETTINGS.format(port=port, folder=folder)
    if tls_port:
        settings += _TLS.format(tls_port=tls_port, folder=folder)
    (folder / "rabbitmq.conf").write_text(settings)
    (folder / "definitions.json").write_text(json.dumps(_definitions()))
    (folder / "plugins").write_text("[].\n")
    (folder / "advanced.config").write_text("[{ra, [{wal_max_size_bytes, 8000000}]}].\n")
    (folder / "ports").write_text(f"{spare_port()} {spare_port()}")
    return start(folder, port)


def start(folder: Path, port: int) -> Running:
    """Start the node that `make` made, on the same port, with what its folder holds."""
    own = account("rabbitmq")
    if own:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, "rabbitmq", "rabbitmq")
    epmd_port, dist_port = (folder / "ports").read_text().split()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        # The script then becomes the Erlang machine, whose pid is the one that we know.
        "RUNNING_UNDER_SYSTEMD": "1",
        "RABBITMQ_NODENAME": f"celaje{port}@localhost",
        "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
        "RABBITMQ_LOG_BASE": f"{folder}/log",
        "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
        "RABBITMQ_ADVANCED_CONFIG_FILE": f"{folder}/advanced.config",
        "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
        "RABBITMQ_DIST_PORT": dist_port,
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _ERLANG,
        "ERL_EPMD_PORT": epmd_port,
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    _start_mapper(folder, epmd_port, environment)
    with open(folder / "output", "ab") as output:
        process = subprocess.Popen(
            [str(PROGRAM)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=environment,
            **own,
        )  # type: ignore[call-overload]
    until = time.monotonic() + 90
    while not _greets(port):
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"RabbitMQ does not start: {(folder / 'output').read_text()[-3000:]}")
        time.sleep(0.05)
    return Running(process.pid, port, str(folder))


def _definitions() -> dict[str, object]:
    """User guest, and virtual hosts of which each process of a test run has one."""
    salt = os.urandom(4)
    digest = base64.b64encode(salt + hashlib.sha256(salt + b"guest").digest()).decode()
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    return {
        "users": [
            {
                "name": "guest",
                "password_hash": digest,
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": "administrator",
            }
        ],
        "vhosts": [{"name": name} for name in VIRTUAL_HOSTS],
        "permissions": [{"user": "guest", "vhost": name, **everything} for name in VIRTUAL_HOSTS],
    }


def virtual_host() -> str:
    """This process's own."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


def _start_mapper(folder: Path, port: str, environment: dict[str, str]) -> None:
    """epmd in the foreground: the one that Erlang would start by itself has a pid that nobody knows."""
    record = folder / "epmd.pid"
    with contextlib.suppress(FileNotFoundError):
        if alive(int(record.read_text())):
            return
    mapper = subprocess.Popen(
        ["epmd", "-port", port, "-address", "127.0.0.1"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=environment,
        **account("rabbitmq"),
    )  # type: ignore[call-overload]
    record.write_text(str(mapper.pid))


def _greets(port: int) -> bool:
    """Whether the broker speaks AMQP yet: it listens a moment before it answers."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 2) as probe:
        probe.sendall(b"AMQP\x00\x00\x09\x01")
        probe.settimeout(5)
        return bool(probe.recv(7))
    return False


def stop(running: Running) -> None:
    """Orderly; for a test run's last user speed matters more than order."""
    kill(running)
    with contextlib.suppress(FileNotFoundError):
        end(int(Path(running.folder, "epmd.pid").read_text()), signal.SIGKILL)


def kill(running: Running) -> None:
    """kill -9: what is not on disk is gone."""
    if alive(running.pid):
        end(running.pid, signal.SIGKILL)


def wipe(running: Running) -> None:
    """Throw the data of a killed node away: queues, exchanges, messages."""
    shutil.rmtree(Path(running.folder, "mnesia"))


def url(running: Running, vhost: str | None = None) -> str:
    return f"rabbit://guest:guest@127.0.0.1:{running.port}/{vhost or virtual_host()}"


SERVER = Shared("rabbitmq", make, stop)
