"""One tgtd for a folder of volumes: starting it, finding it again, what it offers by iSCSI and to whom.

The iSCSI driver calls it. The daemon outlives the worker; what it must offer stands in `targets.json`, so
that one that died comes back with the same targets at the same port. A file lock is held around everything.
"""

import contextlib
import fcntl
import json
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from celaje.common import clock, errors, processes
from celaje.common.qemu import process
from celaje.common.vault import write_secret
from celaje.volume.drivers.storage_daemon import free_port
from celaje.volume.drivers.tgt import LUN, Tgt, TgtSilent

PROGRAM = "tgtd"
# tgtd adds the number of its control port.
SOCKET, PIDFILE, LOG, RECORD = "agent", "tgtd.pid", "tgtd.log", "targets.json"
START_TIMEOUT, COMMAND_TIMEOUT = 20.0, 30.0
# It heeds SIGTERM only when it offers nothing; what was written is in the kernel already.
GRACE = 1.0
# CHAP: RFC 7143 wants 96 bits; libiscsi takes no more than 255 characters.
PASSWORD_BYTES = 16


@dataclass
class Account:
    user: str
    password: str


@dataclass
class Target:
    """What is offered of one volume: its file, the target's number and name, an account for each host."""

    number: int
    name: str
    path: str
    accounts: dict[str, Account] = field(default_factory=dict)


@dataclass
class Record:
    port: int = 0
    targets: dict[str, Target] = field(default_factory=dict)


class TargetDaemon:
    """folder: socket and record; address: where it listens; port: 0 takes a free one, once; prefix: of
    names."""

    def __init__(self, folder: Path, address: str, port: int, prefix: str):
        self.folder = folder.absolute()
        self.address = address
        self._port = port
        self._prefix = prefix
        self._children: list[Any] = []
        # flock is per open file: threads of one worker need a lock of their own.
        self._threads = threading.RLock()

    @property
    def mark(self) -> str:
        return str(self.folder / PIDFILE)

    def prepare(self) -> None:
        """ProgramMissing."""
        if processes.find(PROGRAM) is None:
            raise processes.ProgramMissing(program=PROGRAM)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)

    def is_alive(self) -> bool:
        self._children = [child for child in self._children if child.poll() is None]
        return process.find(self.folder / PIDFILE, self.mark) is not None

    def restore(self) -> None:
        """Have it run with all its targets, if there is anything to offer."""
        with self._held() as record:
            if record.targets:
                self._client(record)

    def end(self) -> None:
        """Stop it, unless somebody still uses what it offers."""
        with self._held() as record:
            if not record.targets:
                self._stop()

    def kill(self) -> None:
        """Stop it, whatever it offers."""
        with self._held():
            self._stop()

    def _stop(self) -> None:
        process.end(process.find(self.folder / PIDFILE, self.mark), self.mark, GRACE)
        self.is_alive()

    def exported(self, volume_id: str) -> bool:
        with self._held() as record:
            return volume_id in record.targets

    def export(self, volume_id: str, path: Path, host: str) -> dict[str, Any]:
        """{"portal", "target", "lun", "user", "password"} for the host; made if it is not there."""
        with self._held() as record:
            target = record.targets.get(volume_id)
            if target is None:
                taken = {each.number for each in record.targets.values()}
                number = next(each for each in range(1, len(taken) + 2) if each not in taken)
                target = Target(number, f"{self._prefix}volume-{volume_id}", str(path))
            fresh = target.accounts.get(host) is None
            if fresh:
                password = clock.random_bytes(PASSWORD_BYTES).hex()
                target.accounts[host] = Account(clock.new_token(15), password)
                record.targets[volume_id] = target
                self._choose_port(record)
                self._save(record)
            account = target.accounts[host]
            try:
                _open(self._client(record), target)
            except errors.DriverError:
                if fresh:
                    self._forget(record, volume_id, host)
                raise
            return {
                "portal": self._portal(record),
                "target": target.name,
                "lun": LUN,
                "user": account.user,
                "password": account.password,
            }

    def withdraw(self, volume_id: str, host: str | None) -> None:
        """No new connection of the host (None: of any); with the last host the target goes, and with it what
        is open."""
        with self._held() as record:
            target = record.targets.get(volume_id)
            if target is None:
                return
            gone = [each for each in target.accounts if host in (None, each)]
            if self.is_alive():
                client = self._client(record)
                if len(gone) == len(target.accounts):
                    client.remove_target(target.number)
                for each in gone:
                    client.remove_account(target.accounts[each].user)
            for each in gone:
                self._forget(record, volume_id, each)

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
        for volume_id, one in data["targets"].items():
            accounts = {host: Account(**account) for host, account in one["accounts"].items()}
            record.targets[volume_id] = Target(one["number"], one["name"], one["path"], accounts)
        return record

    def _save(self, record: Record) -> None:
        write_secret(self.folder / RECORD, json.dumps(asdict(record)).encode())

    def _forget(self, record: Record, volume_id: str, host: str) -> None:
        target = record.targets[volume_id]
        target.accounts.pop(host, None)
        if not target.accounts:
            del record.targets[volume_id]
        self._save(record)

    def _choose_port(self, record: Record) -> None:
        if record.port == 0 or (self._port and record.port != self._port):
            record.port = self._port or free_port(self.address)

    def _portal(self, record: Record) -> str:
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{record.port}"

    def _client(self, record: Record) -> Tgt:
        """The daemon, which is started with all its targets if it does not run."""
        client = Tgt(self.folder / f"{SOCKET}.0", COMMAND_TIMEOUT)
        if not self.is_alive():
            self._start(record, client)
        return client

    def _start(self, record: Record, client: Tgt) -> None:
        # In the foreground it writes no pidfile; we do, and may have died before that.
        process.end(process.find_marked(self.mark), self.mark)
        for name in (f"{SOCKET}.0", f"{SOCKET}.0.lock", PIDFILE):
            (self.folder / name).unlink(missing_ok=True)
        words = [
            *(PROGRAM, "--foreground", "--pid-file", self.mark),
            *("--iscsi", f"portal={self._portal(record)}"),
        ]
        # Relative to the folder, its current one: the path of a socket may not be long.
        environment = {"TGT_IPC_SOCKET": SOCKET}
        child = process.start(words, self.folder, self.folder / LOG, environment=environment)
        (self.folder / PIDFILE).write_text(str(child.pid))
        self._children.append(child)
        deadline = clock.monotonic() + START_TIMEOUT
        while True:
            with contextlib.suppress(TgtSilent):
                client.alive()
                break
            if child.poll() is not None:
                raise errors.DriverError(f"{PROGRAM} ended at its start: {self._last_words()}")
            if clock.monotonic() > deadline:
                child.kill()
                raise errors.DriverError(f"{PROGRAM} did not answer within {START_TIMEOUT:g} s.")
            clock.sleep(0.02)
        for target in record.targets.values():
            if Path(target.path).exists():
                _open(client, target)

    def _last_words(self) -> str:
        lines = (self.folder / LOG).read_text(errors="replace").strip().splitlines()
        return " ".join(line for line in lines[-3:] if " start: " not in line)[-500:] or "without a word"


def _open(client: Tgt, target: Target) -> None:
    client.add_target(target.number, target.name, Path(target.path))
    for account in target.accounts.values():
        client.add_account(target.number, account.user, account.password)
