"""Images as files in one folder, one a file, under their ids. Called through base.Store.

A file is written under a temporary name, flushed to disk and renamed: a crash leaves no half image.
"""

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, unquote, urlsplit

from oslo_config import cfg

from celaje.common import clock
from celaje.image.stores import base

#: Names, meanings and defaults as glance_store's filesystem driver has them.
OPTIONS = [
    cfg.StrOpt("filesystem_store_datadir", help="Folder in which the images lie."),
    cfg.IntOpt(
        "filesystem_store_file_perm",
        default=0,
        help="File mode of stored images, decimal as oslo.config reads it; 0: 0640.",
    ),
    cfg.IntOpt("filesystem_store_chunk_size", default=base.CHUNK, min=1, help="Bytes read at a time."),
    cfg.BoolOpt(
        "filesystem_thin_provisioning",
        default=False,
        help="Leave holes instead of writing chunks that are all zeros.",
    ),
]

PARTIAL = ".part"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class FileStore(base.Store):
    kind = "file"

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        name: str = "file",
        chunk: int = base.CHUNK,
        mode: int = 0o640,
        thin: bool = False,
        hash_algo: str = base.HASH_ALGORITHM,
    ):
        self.name = name
        self._folder = Path(folder).absolute()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._chunk = chunk
        self._mode = mode
        self._thin = thin
        self._hash_algo = hash_algo

    @classmethod
    def from_options(cls, options: Any, *, name: str = "file", folder: str | None = None) -> "FileStore":
        """options: the configuration group in which OPTIONS are registered."""
        return cls(
            folder or options.filesystem_store_datadir,
            name=name,
            chunk=options.filesystem_store_chunk_size,
            mode=options.filesystem_store_file_perm or 0o640,
            thin=options.filesystem_thin_provisioning,
        )

    def write(
        self, image_id: str, chunks: Iterable[bytes], limit: int | None = None, *, size: int | None = None
    ) -> base.Stored:
        target = self._folder / base.checked_id(image_id)
        if size is not None and limit is not None and size > limit:
            raise base.ImageTooLarge(limit=limit)
        if size is not None and size > self.capacity().free:
            raise base.StorageFull
        partial = self._folder / f".{image_id}.{clock.new_uuid()}{PARTIAL}"
        try:
            digests = self._write_partial(partial, chunks, limit)
            with _told_as_full():
                partial.rename(target)
                _flush_folder(self._folder)
        finally:
            partial.unlink(missing_ok=True)
        return digests.stored(self._location(target))

    def produce(self, image_id: str, write: Callable[[Path], Any]) -> str:
        """Have `write` fill a file by its path, then make it visible; returns its location. For programs that
        want a file and no stream."""
        target = self._folder / base.checked_id(image_id)
        partial = self._folder / f".{image_id}.{clock.new_uuid()}{PARTIAL}"
        try:
            with _told_as_full(), self._open_partial(partial) as file:
                write(partial)
                os.fsync(file.fileno())
                partial.rename(target)
                _flush_folder(self._folder)
        finally:
            partial.unlink(missing_ok=True)
        return self._location(target)

    def _write_partial(self, partial: Path, chunks: Iterable[bytes], limit: int | None) -> base.Digests:
        digests = base.Digests(self._hash_algo)
        with _told_as_full():
            file = self._open_partial(partial)
        with file:
            for chunk in chunks:
                digests.update(chunk)
                if limit is not None and digests.size > limit:
                    raise base.ImageTooLarge(limit=limit)
                if self._thin and chunk.count(0) == len(chunk):
                    file.seek(len(chunk), os.SEEK_CUR)
                else:
                    with _told_as_full():
                        _write_all(file, chunk)
            with _told_as_full():
                file.truncate(digests.size)
                os.fsync(file.fileno())
        return digests

    def _open_partial(self, partial: Path) -> BinaryIO:
        while True:
            file = open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, self._mode), "wb", buffering=0)  # noqa: SIM115
            # Held while we write, so that `sweep` tells a dead writer's file from a living one's. If it
            # came between our opening and our locking, the name is gone: take it again.
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:
                return file
            file.close()

    def read(self, location: str, offset: int = 0, length: int | None = None) -> base.Reading:
        path = self.path(location)
        try:
            file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed by the reading
        except FileNotFoundError as error:
            raise base.DataNotFound(location=location) from error
        size = os.fstat(file.fileno()).st_size
        if offset < 0 or offset > size or (length is not None and length < 0):
            file.close()
            raise base.BadRange(offset=offset, size=size)
        left = size - offset if length is None else min(length, size - offset)
        return base.Reading(size, left, _Chunks(file, offset, left, self._chunk))

    def delete(self, location: str) -> None:
        self.path(location).unlink(missing_ok=True)

    def location(self, image_id: str) -> str:
        return self._location(self._folder / base.checked_id(image_id))

    def path(self, location: str) -> Path:
        parts = urlsplit(location)
        path = Path(unquote(parts.path))
        inside = path.parent in (self._folder, self._before(path)) and base.UUID.fullmatch(path.name)
        if parts.scheme != "file" or parts.netloc or parts.query or parts.fragment or not inside:
            raise base.BadLocation(location=location, store=self.name)
        path = self._folder / path.name
        if path.is_symlink():
            # Somebody put it there: following it would leave the folder.
            raise base.BadLocation(location=location, store=self.name)
        return path

    def _before(self, path: Path) -> Path | None:
        """The folder that `path` is in, if it can be ours before the state directory was moved: its last two
        names are the same."""
        return path.parent if path.parent.parts[-2:] == self._folder.parts[-2:] else None

    def properties(self) -> dict[str, Any]:
        return {
            "data_dir": str(self._folder),
            "chunk_size": self._chunk,
            "thin_provisioning": self._thin,
        }

    def size(self, location: str) -> int | None:
        try:
            return self.path(location).stat().st_size
        except FileNotFoundError as error:
            raise base.DataNotFound(location=location) from error

    def list(self) -> Iterator[tuple[str, str]]:
        for path in sorted(self._folder.iterdir()):
            if base.UUID.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                yield path.name, self._location(path)

    def capacity(self) -> base.Capacity:
        numbers = os.statvfs(self._folder)
        return base.Capacity(numbers.f_blocks * numbers.f_frsize, numbers.f_bavail * numbers.f_frsize)

    def sweep(self) -> int:
        """Remove what writers that died left behind; returns how many. Safe beside living writers."""
        removed = 0
        for path in self._folder.glob(f".*{PARTIAL}"):
            with contextlib.suppress(FileNotFoundError, BlockingIOError), open(path, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
                removed += 1
        return removed

    def _location(self, path: Path) -> str:
        return "file://" + quote(str(path))


class _Chunks(Iterator[bytes]):
    """Chunks of an open file, which is closed at the end or by `close`, even before the first chunk."""

    def __init__(self, file: Any, offset: int, left: int, chunk: int):
        self._file, self._left, self._chunk = file, left, chunk
        file.seek(offset)

    def __next__(self) -> bytes:
        data = self._file.read(min(self._chunk, self._left)) if self._left else b""
        if not data:
            self._file.close()
            self._left = 0
            raise StopIteration
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._left = 0
        self._file.close()

    def __del__(self) -> None:
        self._file.close()


@contextlib.contextmanager
def _told_as_full() -> Iterator[None]:
    """Around our own writing only: `chunks` may raise an OSError of its own, about another disk."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise base.StorageFull from error
        raise


def _write_all(file: Any, chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:
        left = left[file.write(left) :]


def _flush_folder(folder: Path) -> None:
    """A rename is on disk only when the folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
