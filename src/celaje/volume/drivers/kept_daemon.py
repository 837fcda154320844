"""A daemon that offers a folder's volumes to hosts and outlives the worker, so that guests write on.

exported_files.py calls it; storage_daemon.py (NBD) and iscsi_target.py (iSCSI) are the two there are. What it
must offer stands in a record, so that a daemon that died comes back with the same offers at the same port.
Several workers of one machine may share it: a file lock is held around everything.
"""

import contextlib
import fcntl
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from celaje.common import clock, errors, processes
from celaje.common.qemu import process
from celaje.common.vault import write_secret

PIDFILE, LOG, RECORD, LOCK, OWNER = "daemon.pid", "daemon.log", "offers.json", "lock", "owner"
START_TIMEOUT, COMMAND_TIMEOUT = 20.0, 30.0


class FolderTaken(errors.DriverError):
    text = (
        "{folder} belongs to {owner}, whose daemon exports its volumes, and one machine only may. If it is "
        "gone for good, remove {file}."
    )


@dataclass
class Login:
    """What one host opens a volume with, new for every connection: one that was cut off cannot come back as
    another."""

    user: str
    secret: str


@dataclass
class Offer:
    """What is offered of one volume: its file and format, the daemon's own name and number for it, and a
    login for each host."""

    path: str
    format: str
    name: str
    number: int
    logins: dict[str, Login] = field(default_factory=dict)


@dataclass
class Record:
    port: int = 0
    offers: dict[str, Offer] = field(default_factory=dict)

    def free_number(self) -> int:
        taken = {offer.number for offer in self.offers.values()}
        return next(each for each in range(1, len(taken) + 2) if each not in taken)


class KeptDaemon:
    """folder: sockets, secrets and the record; address: where it listens; port: 0 takes a free one, once."""

    program: ClassVar[str]
    #: Seconds between SIGTERM and SIGKILL.
    grace: ClassVar[float] = 5.0
    #: What `_connected` raises while the daemon does not listen yet.
    silence: ClassVar[type[Exception]]
    #: Files that a daemon leaves when it dies, in the way of the next.
    leftovers: ClassVar[tuple[str, ...]] = ()

    def __init__(self, folder: Path, address: str, port: int):
        self.folder = folder.absolute()
        self.address = address
        self._port = port
        self._children: list[Any] = []
        # flock is per open file: threads of one worker need a lock of their own.
        self._threads = threading.RLock()

    # Of each daemon.

    def _command(self, record: Record) -> tuple[list[str], Mapping[str, str]]:
        """Its arguments and its environment. The current folder is `folder`; `mark` must be a word of it."""
        raise NotImplementedError

    def _connected(self) -> AbstractContextManager[Any]:
        """A client of the daemon that runs. Raises `silence`."""
        raise NotImplementedError

    def _name(self, identifier: str) -> str:
        """What the daemon calls its offer of a volume."""
        raise NotImplementedError

    def _new_login(self, identifier: str) -> Login:
        raise NotImplementedError

    def _open(self, client: Any, identifier: str, offer: Offer) -> None:
        """Have it offer that, as far as it does not yet."""
        raise NotImplementedError

    def _close(self, client: Any, record: Record, identifier: str, hosts: list[str]) -> None:
        """Cut these hosts off, and with the last one end the offer."""
        raise NotImplementedError

    # Its life.

    @property
    def mark(self) -> str:
        return str(self.folder / PIDFILE)

    def prepare(self, owner: str) -> None:
        """The folder, for one machine only: locks on files hold on one, and daemons of two machines on one
        shared folder would each believe to be the only writer. ProgramMissing, FolderTaken."""
        if processes.find(self.program) is None:
            raise processes.ProgramMissing(program=self.program)
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
        """Have it run and offer all that it must, if there is anything to offer."""
        with self._held() as record:
            if record.offers:
                with self._client(record) as client:
                    self._open_all(client, record)

    def end(self) -> None:
        """Stop it, unless somebody still uses what it offers."""
        with self._held() as record:
            if not record.offers:
                self._stop()

    def kill(self) -> None:
        """Stop it, whatever it offers."""
        with self._held():
            self._stop()

    def _stop(self) -> None:
        process.end(process.find(self.folder / PIDFILE, self.mark), self.mark, self.grace)
        self.is_alive()

    # What it offers.

    def offered(self, identifier: str) -> bool:
        with self._held() as record:
            return identifier in record.offers

    def offer(self, identifier: str, path: Path, form: str, host: str) -> tuple[int, Offer, Login]:
        """The port, what is offered there, and the host's login; made if it is not there."""
        with self._held() as record:
            offer = record.offers.get(identifier)
            if offer is None:
                offer = Offer(str(path), form, self._name(identifier), record.free_number())
            fresh = host not in offer.logins
            if fresh:
                offer.logins[host] = self._new_login(identifier)
                record.offers[identifier] = offer
                self._save(record)
            try:
                with self._client(record) as client:
                    self._open(client, identifier, offer)
            except errors.DriverError:
                if fresh:
                    self._forget(record, identifier, [host])
                raise
            return record.port, offer, offer.logins[host]

    def withdraw(self, identifier: str, host: str | None) -> None:
        """Cut the host off (None: all hosts). Its guest's writes do not reach the volume from here on."""
        with self._held() as record:
            offer = record.offers.get(identifier)
            if offer is None:
                return
            gone = [each for each in offer.logins if host in (None, each)]
            if self.is_alive():
                with self._client(record) as client:
                    self._close(client, record, identifier, gone)
            self._forget(record, identifier, gone)

    def _forget(self, record: Record, identifier: str, hosts: list[str]) -> None:
        offer = record.offers[identifier]
        for host in hosts:
            offer.logins.pop(host, None)
        if not offer.logins:
            del record.offers[identifier]
        self._save(record)

    def _open_all(self, client: Any, record: Record) -> None:
        for identifier, offer in record.offers.items():
            if Path(offer.path).exists():
                self._open(client, identifier, offer)

    # The record, the lock, the process.

    @contextlib.contextmanager
    def _held(self) -> Iterator[Record]:
        with self._threads, open(self.folder / LOCK, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self._load()

    def _load(self) -> Record:
        try:
            data = json.loads((self.folder / RECORD).read_text())
        except FileNotFoundError:
            return Record()
        record = Record(data["port"])
        for identifier, one in data["offers"].items():
            logins = {host: Login(**login) for host, login in one.pop("logins").items()}
            record.offers[identifier] = Offer(**one, logins=logins)
        return record

    def _save(self, record: Record) -> None:
        write_secret(self.folder / RECORD, json.dumps(asdict(record)).encode())

    @contextlib.contextmanager
    def _client(self, record: Record) -> Iterator[Any]:
        """A connection to the daemon, which is started with all its offers if it does not run."""
        if not self.is_alive():
            self._start(record)
        with self._connected() as client:
            yield client

    def _start(self, record: Record) -> None:
        # It, or we, may have died before its pidfile was written.
        process.end(process.find_marked(self.mark), self.mark)
        for name in (*self.leftovers, PIDFILE):
            (self.folder / name).unlink(missing_ok=True)
        if record.port == 0 or self._port:
            record.port = self._port or free_port(self.address)
        self._save(record)
        words, environment = self._command(record)
        child = process.start(words, self.folder, self.folder / LOG, environment=environment)
        (self.folder / PIDFILE).write_text(str(child.pid))
        self._children.append(child)
        deadline = clock.monotonic() + START_TIMEOUT
        while True:
            with contextlib.suppress(self.silence), self._connected() as client:
                self._open_all(client, record)
                return
            if child.poll() is not None:
                raise errors.DriverError(f"{self.program} ended at its start: {self._last_words()}")
            if clock.monotonic() > deadline:
                child.kill()
                raise errors.DriverError(f"{self.program} did not answer within {START_TIMEOUT:g} s.")
            clock.sleep(0.02)

    def _last_words(self) -> str:
        lines = (self.folder / LOG).read_text(errors="replace").strip().splitlines()
        return " ".join(line for line in lines[-3:] if " start: " not in line)[-500:] or "without a word"


def free_port(address: str) -> int:
    """A port that nobody listens on now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
    return port
