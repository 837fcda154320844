"""Images on a worker's disk: fetched once, verified, shared by all who need them.

Called by compute and volume workers with the image service's client; knows no database. A file is named by
the image's id and digest, appears whole or not at all, and must not be written to: it may share its blocks,
or even its inode, with the image store of the same host.
"""

import contextlib
import datetime
import errno
import fcntl
import hashlib
import logging
import os
import re
import shutil
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from celaje.common import clock
from celaje.common.clients.image import ImageClient
from celaje.common.errors import CelajeError, Invalid

log = logging.getLogger(__name__)

_CHUNK = 1 << 20
_FICLONE = 0x40049409  # linux/fs.h: share the blocks of another file
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HEX = re.compile(r"[0-9a-f]{32,128}")
_ALGORITHMS = ("sha256", "sha384", "sha512", "md5")


class ImageCorrupt(CelajeError):
    """What came is not what the image service said it would be."""

    text = "The data of image {image_id} does not have the digest or size that the image service states."


class ImageCache:
    """`largest` bytes are kept (None: no limit); `in_use(path)` says that a file must stay whatever its
    age, e.g. because a disk is backed by it."""

    def __init__(
        self,
        folder: Path,
        *,
        largest: int | None = None,
        in_use: Callable[[Path], bool] = lambda path: False,
    ):
        self.folder = folder
        self._largest = largest
        self._in_use = in_use
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)

    def fetch(self, client: ImageClient, image: Mapping[str, Any]) -> Path:
        """The local file with the image's data. `image` is as the API shows it: id, size, os_hash_algo,
        os_hash_value (or checksum). Several callers of one image wait for one transfer.
        Raises Invalid for an image without data, ImageCorrupt, and what the client raises."""
        algorithm, digest = _digest_of(image)
        path = self.folder / f"{image['id'].lower()}-{digest[:32]}"
        with self._alone(path):
            if not path.is_file():
                self._bring(client, image, path, algorithm, digest)
            self._touch(path)
        self.clean(keep=path)
        return path

    def clean(self, keep: Path | None = None) -> int:
        """Remove the files not used for longest until `largest` is held; returns how many."""
        if self._largest is None:
            return 0
        files = sorted(self._files(), key=_last_use)
        held = sum(path.stat().st_size for path in files)
        removed = 0
        for path in files:
            if held <= self._largest:
                break
            if path == keep or self._in_use(path):
                continue
            held -= path.stat().st_size
            path.unlink(missing_ok=True)
            _mark(path).unlink(missing_ok=True)
            removed += 1
        return removed

    def _files(self) -> list[Path]:
        return [path for path in self.folder.iterdir() if not path.name.startswith(".") and path.is_file()]

    def _touch(self, path: Path) -> None:
        """The file's own times may be the store's: the last use is a mark's."""
        mark = _mark(path)
        mark.touch()
        moment = clock.now().replace(tzinfo=datetime.UTC).timestamp()
        os.utime(mark, (moment, moment))

    @contextlib.contextmanager
    def _alone(self, path: Path) -> Iterator[None]:
        """One at a time for this file: threads by a lock of ours, other processes by a lock on the disk."""
        with self._guard:
            lock, users = self._locks.get(path.name, (threading.Lock(), 0))
            self._locks[path.name] = (lock, users + 1)
        try:
            with lock, open(self.folder / f".{path.name}.lock", "w") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield
        finally:
            with self._guard:
                lock, users = self._locks[path.name]
                if users == 1:
                    del self._locks[path.name]
                else:
                    self._locks[path.name] = (lock, users - 1)

    def _bring(
        self, client: ImageClient, image: Mapping[str, Any], path: Path, algorithm: str, digest: str
    ) -> None:
        partial = self.folder / f".{path.name}.part"
        # Whoever wrote this one is dead: we hold the lock.
        partial.unlink(missing_ok=True)
        try:
            if not self._take_local(client, image, partial, algorithm, digest):
                self._download(client, image, partial, algorithm, digest)
            partial.rename(path)
        finally:
            partial.unlink(missing_ok=True)

    def _take_local(
        self, client: ImageClient, image: Mapping[str, Any], partial: Path, algorithm: str, digest: str
    ) -> bool:
        """From the store's file, if it is on this host: without copying where the disk can."""
        for location in client.as_service().locations(image["id"]):
            parts = urlsplit(location["url"])
            if parts.scheme != "file" or parts.netloc:
                continue
            try:
                _share(Path(unquote(parts.path)), partial)
            except OSError as error:
                log.info("image %s cannot be taken from %s: %s", image["id"], location["url"], error)
                partial.unlink(missing_ok=True)
                continue
            if _matches(partial, image.get("size"), algorithm, digest):
                return True
            log.warning("%s does not hold image %s; it is downloaded", location["url"], image["id"])
            partial.unlink(missing_ok=True)
        return False

    @staticmethod
    def _download(
        client: ImageClient, image: Mapping[str, Any], partial: Path, algorithm: str, digest: str
    ) -> None:
        with open(partial, "xb") as file:
            found, size = _write(client.read(image["id"]), file, algorithm)
            file.flush()
            os.fsync(file.fileno())
        if found != digest or image.get("size") not in (None, size):
            raise ImageCorrupt(image_id=image["id"])


def _write(chunks: Iterable[bytes], file: Any, algorithm: str) -> tuple[str, int]:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    size = 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
        file.write(chunk)
    return digest.hexdigest(), size


def _digest_of(image: Mapping[str, Any]) -> tuple[str, str]:
    if not _ID.fullmatch(str(image["id"])):
        raise Invalid(f"{image['id']} is not an image id.")
    algorithm, digest = image.get("os_hash_algo"), image.get("os_hash_value")
    if algorithm not in _ALGORITHMS or not digest:
        algorithm, digest = "md5", image.get("checksum")
    if not digest or not _HEX.fullmatch(digest):
        raise Invalid(f"Image {image['id']} has no data.")
    return algorithm, digest


def _share(source: Path, target: Path) -> None:
    """Shared blocks, else a further name of the file, else a copy. OSError when there is no such file."""
    with open(os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(source))
        with open(target, "xb") as copy, contextlib.suppress(OSError):
            fcntl.ioctl(copy, _FICLONE, file.fileno())
            return
        target.unlink()
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError:
            with open(target, "xb") as copy:
                shutil.copyfileobj(file, copy, _CHUNK)
                copy.flush()
                os.fsync(copy.fileno())


def _matches(path: Path, size: int | None, algorithm: str, digest: str) -> bool:
    if size is not None and path.stat().st_size != size:
        return False
    with open(path, "rb") as file:
        return (
            hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
            == digest
        )


def _mark(path: Path) -> Path:
    return path.with_name(f".{path.name}.used")


def _last_use(path: Path) -> float:
    try:
        return _mark(path).stat().st_mtime
    except FileNotFoundError:
        return 0.0
