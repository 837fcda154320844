"""Disks as local files: reflinks, sparse copies, locks, flushing. Called by the file driver.

Linux only, as are the calls (ioctl_ficlonerange(2), lseek(2) SEEK_DATA, fcntl(2) F_OFD_GETLK).
"""

import contextlib
import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from celaje.common import clock

FICLONE = 0x40049409
NO_REFLINK = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS}

#: QEMU marks what it does with an image by locks on single bytes (its block/file-posix.c): 100 + the bit
#: number of the permission; bit 1 is writing.
QEMU_PERMISSIONS = (100, 4)
QEMU_WRITING = (101, 1)
FLOCK = "hhqqi4x"


def reflink(source: Path, target: Path) -> bool:
    """Make `target` share the blocks of `source`; False when the file system cannot."""
    with open(source, "rb") as reading, open(target, "wb") as writing:
        try:
            fcntl.ioctl(writing.fileno(), FICLONE, reading.fileno())
        except OSError as error:
            if error.errno in NO_REFLINK:
                return False
            raise
    return True


def can_reflink(folder: Path) -> bool:
    """Tried, not guessed from the file system's name: xfs can be made without."""
    name = clock.new_uuid()
    source, target = folder / f".{name}.source.part", folder / f".{name}.target.part"
    try:
        source.write_bytes(b"x" * 4096)
        return reflink(source, target)
    finally:
        source.unlink(missing_ok=True)
        target.unlink(missing_ok=True)


def copy(source: Path, target: Path, *, reflinks: bool) -> None:
    """A full, independent copy: shared blocks where the file system can, else data without the holes."""
    if not (reflinks and reflink(source, target)):
        _copy_sparse(source, target)


def _copy_sparse(source: Path, target: Path) -> None:
    with open(source, "rb", buffering=0) as reading, open(target, "wb", buffering=0) as writing:
        size = os.fstat(reading.fileno()).st_size
        writing.truncate(size)
        position = 0
        while position < size:
            try:
                start = os.lseek(reading.fileno(), position, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # only a hole is left
                    return
                raise
            position = os.lseek(reading.fileno(), start, os.SEEK_HOLE)
            _send(reading.fileno(), writing.fileno(), start, position)


def _send(reading: int, writing: int, start: int, end: int) -> None:
    os.lseek(writing, start, os.SEEK_SET)
    while start < end:
        sent = os.sendfile(writing, reading, start, min(end - start, 1 << 24))
        if not sent:
            raise OSError(errno.EIO, "The file became shorter while it was copied")
        start += sent


def is_open_by_qemu(path: Path, *, writing: bool = False) -> bool:
    """Whether a QEMU (or qemu-img) on this machine holds the image, or writes to it."""
    start, length = QEMU_WRITING if writing else QEMU_PERMISSIONS
    question = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
    with open(path, "rb+") as file:
        answer = fcntl.fcntl(file.fileno(), fcntl.F_OFD_GETLK, question)
    return bool(struct.unpack(FLOCK, answer)[0] != fcntl.F_UNLCK)


PARTIAL = ".part"


@contextlib.contextmanager
def partial(folder: Path, name: str) -> Iterator[Path]:
    """A file to be written under a name of its own, and removed afterwards unless it was published. It is
    locked meanwhile, which tells it from one that a dead worker left."""
    path = folder / f".{name}.{clock.new_uuid()}{PARTIAL}"
    with open(path, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what dead workers left half made; live ones, on this machine or another, hold their locks."""
    for path in folder.glob(f".*{PARTIAL}"):
        with contextlib.suppress(FileNotFoundError, BlockingIOError), open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)


def publish(partial: Path, target: Path) -> None:
    """Flush `partial` and give it its real name, unless the name is taken: the first one to come wins.

    A link, since a rename would replace: an attempt that was believed dead must not put its late copy in
    the place of a volume that is in use.
    """
    flush(partial)
    try:
        os.link(partial, target)
    except FileExistsError:
        return
    finally:
        partial.unlink(missing_ok=True)
    flush(target.parent)


def flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
