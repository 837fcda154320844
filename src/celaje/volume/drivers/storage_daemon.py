"""One qemu-storage-daemon for a folder of volumes: starting it, finding it again, what it exports over NBD.

The NBD driver calls it. The daemon outlives the worker, so that guests write on while a worker restarts; what
it must export stands in `exports.json`, so that a daemon that died comes back with the same exports at the
same port. Several workers of this machine may share it: a file lock is held around everything.
"""

import contextlib
import fcntl
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from celaje.common import clock, errors, processes
from celaje.common.qemu import process
from celaje.common.qemu.qmp import QmpClient, QmpError, QmpTimeout
from celaje.common.vault import write_secret

PROGRAM = "qemu-storage-daemon"
AGENT, PIDFILE, LOG = "agent.qmp", "daemon.pid", "daemon.log"
RECORD, KEYS, OWNER = "exports.json", "keys.psk", "owner"
TLS = "tls"
START_TIMEOUT = 20.0
COMMAND_TIMEOUT = 30.0


class FolderTaken(errors.DriverError):
    text = (
        "{folder} belongs to {owner}, whose daemon exports its volumes, and one machine only may. If it is "
        "gone for good, remove {file}."
    )


@dataclass
class Export:
    """One volume opened to one host. `name` is new for every connection: a host that was cut off cannot come
    back by a name that another one has got. `key` is the connection's own, in hexadecimal."""

    name: str
    key: str


@dataclass
class Volume:
    """What is exported of one volume: its file and format, and an export for each host."""

    path: str
    format: str
    exports: dict[str, Export] = field(default_factory=dict)


@dataclass
class Record:
    port: int = 0
    volumes: dict[str, Volume] = field(default_factory=dict)


class StorageDaemon:
    """folder: sockets, keys and the record; address: where it listens; port: 0 takes a free one, once."""

    def __init__(self, folder: Path, address: str, port: int):
        self.folder = folder.absolute()
        self.address = address
        self._port = port
        self._children: list[Any] = []
        # flock is per open file: threads of one worker need a lock of their own.
        self._threads = threading.RLock()

    @property
    def mark(self) -> str:
        return str(self.folder / PIDFILE)

    def prepare(self, owner: str) -> None:
        """The folder, for one machine only: QEMU's locks on images hold on one, and daemons of two machines
        on one shared folder would each believe to be the only writer. ProgramMissing, FolderTaken."""
        if processes.find(PROGRAM) is None:
            raise processes.ProgramMissing(program=PROGRAM)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        with self._held():
            name = self.folder / OWNER
            if not name.exists():
                write_secret(name, owner.encode())
            known = name.read_text()
        if known != owner:
            raise FolderTaken(folder=self.folder.parent, owner=known, file=name)

    def is_alive(self) -> bool:
        self._children = [child for child in self._children if child.poll() is None]
        return process.find(self.folder / PIDFILE, self.mark) is not None

    def restore(self) -> None:
        """Have it run with all its exports, if there is anything to export."""
        with self._held() as record:
            if record.volumes:
                with self._client(record):
                    pass

    def end(self) -> None:
        """Stop it, unless somebody still uses what it exports."""
        with self._held() as record:
            if not record.volumes:
                self._stop()

    def kill(self) -> None:
        """Stop it, whatever it exports."""
        with self._held():
            self._stop()

    def _stop(self) -> None:
        process.end(process.find(self.folder / PIDFILE, self.mark), self.mark)
        self.is_alive()

    def exported(self, volume_id: str) -> bool:
        with self._held() as record:
            return volume_id in record.volumes

    def export(self, volume_id: str, path: Path, form: str, host: str) -> dict[str, Any]:
        """{"port", "name", "user", "key"} of the volume's export for the host; made if it is not there."""
        with self._held() as record:
            volume = record.volumes.setdefault(volume_id, Volume(str(path), form))
            fresh = volume.exports.get(host) is None
            if fresh:
                name = f"volume-{volume_id}.{clock.new_token(8)}"
                volume.exports[host] = Export(name, clock.random_bytes(32).hex())
            export = volume.exports[host]
            self._choose_port(record)
            if fresh:
                self._save(record)
            try:
                with self._client(record) as qmp:
                    _open(qmp, volume_id, volume)
            except errors.DriverError:
                if fresh:
                    self._forget(record, volume_id, host)
                raise
            return {"port": record.port, "name": export.name, "user": export.name, "key": export.key}

    def withdraw(self, volume_id: str, host: str | None) -> None:
        """Cut the host off (None: all hosts). Its guest's reads and writes fail from here on."""
        with self._held() as record:
            volume = record.volumes.get(volume_id)
            if volume is None:
                return
            gone = [volume.exports[each].name for each in list(volume.exports) if host in (None, each)]
            if self.is_alive():
                with self._client(record) as qmp:
                    for name in gone:
                        _close(qmp, name)
                    if len(gone) == len(volume.exports):
                        _forget_node(qmp, volume_id)
            for each in list(volume.exports):
                if host in (None, each):
                    self._forget(record, volume_id, each)

    def resize(self, volume_id: str, size: int) -> None:
        """Grow an exported volume to `size` bytes. QEMU resizes no node that is exported, so the exports go
        and come back under their names; clients hold their requests meanwhile and connect again."""
        with self._held() as record:
            volume = record.volumes[volume_id]
            with self._client(record) as qmp:
                for export in volume.exports.values():
                    _close(qmp, export.name)
                try:
                    if _nodes(qmp)[_node(volume_id)]["image"]["virtual-size"] < size:
                        qmp.execute(
                            "block_resize",
                            {"node-name": _node(volume_id), "size": size},
                            timeout=COMMAND_TIMEOUT,
                        )
                finally:
                    _open(qmp, volume_id, volume)

    def copy(self, volume_id: str, target: Path, form: str, timeout: float) -> None:
        """The volume's content at this moment, while guests write on, into the image file `target`, which
        must be there, of the volume's size. Raises BackendFull's cause as QmpError."""
        job = f"copy-{clock.new_token(8)}"
        node = f"t{job[5:]}"
        with self._held() as record, self._client(record) as qmp:
            qmp.execute("blockdev-add", _blockdev(node, str(target), form))
            try:
                backup = {"job-id": job, "device": _node(volume_id), "target": node, "sync": "full"}
                qmp.execute("blockdev-backup", {**backup, "auto-dismiss": False})
            except QmpError:
                qmp.execute("blockdev-del", {"node-name": node})
                raise
        self._await(job, node, timeout)

    def _await(self, job: str, node: str, timeout: float) -> None:
        deadline = clock.monotonic() + timeout
        while True:
            with self._held() as record, self._client(record) as qmp:
                (found,) = [each for each in qmp.execute("query-jobs") if each["id"] == job] or [None]
                late = clock.monotonic() > deadline
                if found is None:
                    raise errors.DriverError("The storage daemon was restarted while it copied a volume.")
                if found["status"] == "concluded":
                    qmp.execute("job-dismiss", {"id": job})
                    qmp.execute("blockdev-del", {"node-name": node})
                    if found.get("error"):
                        raise errors.DriverError(f"Copying the volume failed: {found['error']}")
                    return
                if late and found["status"] not in ("aborting", "standby"):
                    with contextlib.suppress(QmpError):
                        qmp.execute("job-cancel", {"id": job})
                    deadline += COMMAND_TIMEOUT
            clock.sleep(0.05)

    # The record, the lock, the process.

    @contextlib.contextmanager
    def _held(self) -> Iterator[Record]:
        with self._threads, open(self.folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self._load()

    def _load(self) -> Record:
        try:
            data = json.loads((self.folder / RECORD).read_text())
        except FileNotFoundError:
            return Record()
        record = Record(data["port"])
        for volume_id, volume in data["volumes"].items():
            exports = {host: Export(**export) for host, export in volume["exports"].items()}
            record.volumes[volume_id] = Volume(volume["path"], volume["format"], exports)
        return record

    def _save(self, record: Record) -> None:
        """The keys are a file that the daemon reads at each handshake: a connection is open to its host from
        the moment its key stands there, and to nobody once it is gone."""
        write_secret(self.folder / RECORD, json.dumps(asdict(record)).encode())
        exports = [export for volume in record.volumes.values() for export in volume.exports.values()]
        # Without any key GnuTLS refuses the file.
        lines = [f"{export.name}:{export.key}\n" for export in exports] or [_nobody()]
        write_secret(self.folder / KEYS, "".join(lines).encode())

    def _forget(self, record: Record, volume_id: str, host: str) -> None:
        volume = record.volumes[volume_id]
        volume.exports.pop(host, None)
        if not volume.exports:
            del record.volumes[volume_id]
        self._save(record)

    def _choose_port(self, record: Record) -> None:
        if record.port == 0 or (self._port and record.port != self._port):
            record.port = self._port or free_port(self.address)
            self._save(record)

    @contextlib.contextmanager
    def _client(self, record: Record) -> Iterator[QmpClient]:
        """A connection to the daemon, which is started with all its exports if it does not run."""
        if not self.is_alive():
            self._start(record)
        with QmpClient(self.folder / AGENT, COMMAND_TIMEOUT) as qmp:
            yield qmp

    def _start(self, record: Record) -> None:
        for name in (AGENT, PIDFILE):
            (self.folder / name).unlink(missing_ok=True)
        self._save(record)
        words = [
            PROGRAM, "--pidfile", self.mark,
            "--chardev", f"socket,id=agent,path={AGENT},server=on,wait=off", "--monitor", "chardev=agent",
            "--object", f"tls-creds-psk,id={TLS},endpoint=server,dir={self.folder}",
            "--nbd-server", f"addr.type=inet,addr.host={self.address},addr.port={record.port},"
            f"tls-creds={TLS},max-connections=0",
        ]  # fmt: skip
        child = process.start(words, self.folder, self.folder / LOG)
        self._children.append(child)
        deadline = clock.monotonic() + START_TIMEOUT
        while True:
            with contextlib.suppress(QmpTimeout), QmpClient(self.folder / AGENT, 5.0) as qmp:
                for volume_id, volume in record.volumes.items():
                    if Path(volume.path).exists():
                        _open(qmp, volume_id, volume)
                return
            if child.poll() is not None:
                raise errors.DriverError(f"{PROGRAM} ended at its start: {self._last_words()}")
            if clock.monotonic() > deadline:
                child.kill()
                raise errors.DriverError(f"{PROGRAM} did not answer within {START_TIMEOUT:g} s.")
            clock.sleep(0.02)

    def _last_words(self) -> str:
        lines = (self.folder / LOG).read_text(errors="replace").strip().splitlines()
        return " ".join(line for line in lines[-3:] if " start: " not in line)[-500:] or "without a word"


def _open(qmp: QmpClient, volume_id: str, volume: Volume) -> None:
    """The volume's node and its exports, as far as they are not there."""
    if _node(volume_id) not in _nodes(qmp):
        qmp.execute("blockdev-add", _blockdev(_node(volume_id), volume.path, volume.format))
    there = _exports(qmp)
    for export in volume.exports.values():
        if export.name not in there:
            name = {"id": export.name, "name": export.name, "node-name": _node(volume_id)}
            qmp.execute("block-export-add", {**name, "type": "nbd", "writable": True})


def _close(qmp: QmpClient, name: str) -> None:
    if name in _exports(qmp):
        qmp.execute("block-export-del", {"id": name, "mode": "hard"})
        if qmp.wait_event("BLOCK_EXPORT_DELETED", COMMAND_TIMEOUT, id=name) is None:
            raise errors.DriverError(f"The storage daemon does not end its export {name}.")


def _forget_node(qmp: QmpClient, volume_id: str) -> None:
    if _node(volume_id) in _nodes(qmp):
        qmp.execute("blockdev-del", {"node-name": _node(volume_id)})


def _node(volume_id: str) -> str:
    return f"v{volume_id.replace('-', '')[:30]}"


def _nodes(qmp: QmpClient) -> dict[str, Any]:
    return {node["node-name"]: node for node in qmp.execute("query-named-block-nodes", {"flat": True})}


def _exports(qmp: QmpClient) -> set[str]:
    return {export["id"] for export in qmp.execute("query-block-exports")}


def _blockdev(node: str, path: str, form: str) -> dict[str, Any]:
    file = {"driver": "file", "filename": path, "discard": "unmap"}
    return {"driver": form, "node-name": node, "discard": "unmap", "file": file}


def _nobody() -> str:
    return f"nobody.{clock.new_token(8)}:{clock.random_bytes(32).hex()}\n"


def free_port(address: str) -> int:
    """A port that nobody listens on now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
    return port
