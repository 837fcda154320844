"""A pool of a Ceph cluster and the block images in it, by the programs `rbd` and `ceph`.

Called by the volume driver and the image store. Ceph's own Python library exists for the distribution's
Python only. Keys are read from a keyring by those programs themselves and never pass through here.
"""

import contextlib
import errno
import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from celaje.common import clock, errors, processes

#: Seconds for what only touches headers; what moves data says its own.
QUICK = 120.0
# Ceph's own names of the waits that rados_connect_timeout sets, as Cinder and glance_store do it.
_WAITS = ("rados_mon_op_timeout", "rados_osd_op_timeout", "client_mount_timeout")
_CHUNK = 1 << 20


class RbdFailed(errors.DriverError):
    text = "{command} failed ({reason})."


class ImageMissing(errors.NotFound):
    text = "The pool {pool} has no {name}."


class ImageBusy(errors.Conflict):
    """A client has it open, or something depends on it."""

    text = "{name} in the pool {pool} is in use."


class PoolFull(errors.DriverError):
    text = "The pool {pool} has no room for {name}."


@dataclass(frozen=True)
class Connection:
    """`user` without `client.`; empty texts take Ceph's defaults. `connect_timeout`: seconds, negative for
    Ceph's own. `attempts` of `interval` seconds when the cluster does not answer."""

    conf: str = ""
    user: str = ""
    cluster: str = ""
    connect_timeout: int = -1
    attempts: int = 1
    interval: float = 5.0

    @property
    def words(self) -> list[str]:
        found = []
        for option, value in (("--conf", self.conf), ("--id", self.user), ("--cluster", self.cluster)):
            found += [option, value] if value else []
        if self.connect_timeout >= 0:
            found += [f"--{name}={self.connect_timeout}" for name in _WAITS]
        return found


class Pool:
    def __init__(self, name: str, connection: Connection):
        self.name = name
        self.connection = connection

    # Images.

    def info(self, image: str, snapshot: str | None = None) -> dict[str, Any] | None:
        """As `rbd info` tells it (size, parent ...); None: there is none."""
        with contextlib.suppress(ImageMissing):
            return self._told("info", self.spec(image, snapshot))
        return None

    def rows(self) -> list[dict[str, Any]]:
        """Images, and after each its snapshots (those have `snapshot`), with sizes in bytes."""
        found: list[dict[str, Any]] = self._told("ls", "-l", self.name)
        return found

    def create(self, image: str, size: int, object_size: int) -> None:
        """Nothing happens when it is there."""
        self.run(
            "create", "--size", f"{size}B", "--object-size", f"{object_size}B", self.spec(image),
            accept=(0, errno.EEXIST),
        )  # fmt: skip

    def remove(self, image: str, timeout: float) -> None:
        """Nothing happens when it is gone. ImageBusy."""
        with contextlib.suppress(ImageMissing):
            self.run("rm", "--no-progress", self.spec(image), timeout=timeout)

    def resize(self, image: str, size: int) -> None:
        self.run("resize", "--no-progress", "--size", f"{size}B", self.spec(image))

    def rename(self, image: str, name: str) -> None:
        self.run("mv", self.spec(image), self.spec(name))

    def flatten(self, image: str, timeout: float) -> None:
        """Copy what it shares with its parent; nothing happens when it has none."""
        self.run("flatten", "--no-progress", self.spec(image), timeout=timeout, accept=(0, errno.EINVAL))

    def is_open(self, image: str) -> bool:
        """Whether a client watches it. One that died without a word does so for another half minute."""
        return bool(self._told("status", self.spec(image))["watchers"])

    # Snapshots.

    def snapshots(self, image: str) -> dict[str, dict[str, Any]]:
        return {each["name"]: each for each in self._told("snap", "ls", self.spec(image))}

    def snap(self, image: str, name: str) -> None:
        """A protected snapshot; nothing happens when it is there."""
        spec = self.spec(image, name)
        self.run("snap", "create", "--no-progress", spec, accept=(0, errno.EEXIST))
        self.run("snap", "protect", spec, accept=(0, errno.EBUSY))

    def unsnap(self, image: str, name: str) -> None:
        """Nothing happens when it is gone. ImageBusy when a clone depends on it."""
        spec = self.spec(image, name)
        with contextlib.suppress(ImageMissing):
            self.run("snap", "unprotect", spec, accept=(0, errno.EINVAL))
            self.run("snap", "rm", "--no-progress", spec)

    def rollback(self, image: str, name: str, timeout: float) -> None:
        self.run("snap", "rollback", "--no-progress", self.spec(image, name), timeout=timeout)

    def children(self, image: str, name: str) -> list[tuple[str, str]]:
        """(pool, image) of the clones."""
        found = self._told("children", self.spec(image, name))
        return [(each["pool"], each["image"]) for each in found]

    def clone(self, pool: str, image: str, snapshot: str, target: str) -> None:
        """Copy on write; nothing happens when the target is there. It has objects of its parent's size:
        `rbd` refuses smaller ones."""
        self.run("clone", f"{pool}/{image}@{snapshot}", self.spec(target), accept=(0, errno.EEXIST))

    # The trash: what is still needed there by clones, and not by name any more.

    def discard(self, image: str) -> None:
        with contextlib.suppress(ImageMissing):
            self.run("trash", "mv", self.spec(image))

    def trash(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._told("trash", "ls", self.name)
        return found

    def purge(self, image_id: str, snapshot: str) -> bool:
        """Remove what lies in the trash under this id of Ceph's, with the one snapshot that it has; False:
        it is still needed."""
        place = ["--pool", self.name, "--image-id", image_id]
        try:
            self.run("snap", "unprotect", *place, "--snap", snapshot, accept=(0, errno.EINVAL, errno.ENOENT))
            self.run("snap", "rm", "--no-progress", *place, "--snap", snapshot, accept=(0, errno.ENOENT))
            self.run("trash", "rm", "--no-progress", f"{self.name}/{image_id}")
        except (ImageBusy, ImageMissing):
            return False
        return True

    # Contents.

    @contextlib.contextmanager
    def reading(self, image: str, snapshot: str | None = None) -> Iterator[IO[bytes]]:
        """A pipe that the content comes out of, from its first byte on."""
        words = ["rbd", *self.connection.words, "export", "--no-progress", self.spec(image, snapshot), "-"]
        with _piped(words, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            yield child.stdout

    def take(self, image: str, chunks: Iterable[bytes], object_size: int, timeout: float) -> None:
        """A new image of the chunks. When they raise, what has come so far is left to be removed."""
        words = [
            "rbd", *self.connection.words, "import", "--no-progress", "--object-size", f"{object_size}B", "-",
            self.spec(image),
        ]  # fmt: skip
        with _piped(words, stdin=subprocess.PIPE) as child:
            assert child.stdin is not None
            try:
                for chunk in chunks:
                    child.stdin.write(chunk)
                child.stdin.close()
            except BrokenPipeError:
                """It ended: its own words tell why."""
            code = child.wait(timeout)
            if code:
                raise self._problem(self.spec(image), code, _words(child))

    def qemu(self, image: str, snapshot: str | None = None) -> str:
        """For `--image-opts` and `--target-image-opts` of qemu-img."""
        found = {"driver": "rbd", "pool": self.name, "image": image}
        for name, value in (
            ("snapshot", snapshot), ("conf", self.connection.conf), ("user", self.connection.user)
        ):  # fmt: skip
            if value:
                found[name] = value
        return ",".join(f"{name}={value.replace(',', ',,')}" for name, value in found.items())

    # The cluster.

    def room(self) -> tuple[int, int]:
        """Bytes (stored in the pool, still to be stored)."""
        told = self._ceph("df")
        for pool in told["pools"]:
            if pool["name"] == self.name:
                return int(pool["stats"]["stored"]), int(pool["stats"]["max_avail"])
        # A new pool comes into these numbers after some seconds.
        return 0, int(told["stats"]["total_avail_bytes"])

    def monitors(self) -> tuple[list[str], list[str]]:
        """Hosts and ports at which clients find the cluster."""
        hosts, ports = [], []
        for monitor in self._ceph("mon", "dump")["mons"]:
            host, _, port = monitor["addr"].partition("/")[0].rpartition(":")
            hosts.append(host.strip("[]"))
            ports.append(port)
        return hosts, ports

    def fsid(self) -> str:
        return str(self._ceph("fsid")["fsid"])

    # Running.

    def spec(self, image: str, snapshot: str | None = None) -> str:
        return f"{self.name}/{image}@{snapshot}" if snapshot else f"{self.name}/{image}"

    def run(self, *words: str, timeout: float = QUICK, accept: tuple[int, ...] = (0,)) -> bytes:
        """One `rbd` command; its exit code is an errno. ImageMissing, ImageBusy, RbdFailed."""
        return self._run(["rbd", *self.connection.words, *words], words[-1], timeout, accept)

    def _told(self, *words: str) -> Any:
        return json.loads(self.run("--format", "json", *words))

    def _ceph(self, *words: str) -> Any:
        command = ["ceph", *self.connection.words, "--format", "json", *words]
        return json.loads(self._run(command, words[0], QUICK, (0,)))

    def _run(self, command: list[str], subject: str, timeout: float, accept: tuple[int, ...]) -> bytes:
        attempts = self.connection.attempts
        while True:
            done = processes.run(command, timeout=timeout, accept=range(256))
            if done.exit_code in accept:
                return done.stdout
            attempts -= 1
            if done.exit_code not in (errno.ETIMEDOUT, errno.ENOTCONN, errno.ECONNREFUSED) or attempts <= 0:
                raise self._problem(subject, done.exit_code, done.stderr)
            clock.sleep(self.connection.interval)

    def _problem(self, subject: str, code: int, said: bytes) -> errors.CelajeError:
        if code == errno.ENOENT:
            return ImageMissing(pool=self.name, name=subject)
        if code in (errno.EBUSY, errno.ENOTEMPTY):
            return ImageBusy(pool=self.name, name=subject)
        if code in (errno.ENOSPC, errno.EDQUOT):
            return PoolFull(pool=self.name, name=subject)
        lines = said.decode("utf-8", "replace").strip().splitlines()
        reason = errno.errorcode.get(code, f"code {code}")
        return RbdFailed(command=f"rbd on {subject}", reason=f"{reason}: {lines[-1][:300] if lines else ''}")


@contextlib.contextmanager
def _piped(words: list[str], **pipes: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The program while it runs; killed if it is still there at the end."""
    with tempfile.TemporaryFile() as said:
        try:
            child = subprocess.Popen(words, stderr=said, start_new_session=True, bufsize=_CHUNK, **pipes)
        except FileNotFoundError as error:
            raise processes.ProgramMissing(program=words[0]) from error
        child.said = said  # type: ignore[attr-defined]
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
            child.wait()


def _words(child: Any) -> bytes:
    child.said.seek(0)
    data: bytes = child.said.read(processes.TAIL)
    return data
