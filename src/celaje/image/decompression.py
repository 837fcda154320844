"""What a compressed file holds: a gzip stream, or the one file of a ZIP archive, in constant memory.

Called by the step of an import that unpacks staged data; the caller bounds how much comes out.
"""

import gzip
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, cast

from celaje.common.errors import Invalid

CHUNK = 1 << 20
_GZIP = b"\x1f\x8b\x08"
_ZIP = b"PK\x03\x04"
_LHA = b"-lh"
# APPNOTE.TXT, 4.3.16 and 4.3.14: the end of the central directory, and its larger form.
_END, _END_SIZE = b"PK\x05\x06", 22
_LOCATOR, _LOCATOR_SIZE = b"PK\x06\x07", 20
_END64, _END64_SIZE = b"PK\x06\x06", 56
# One entry with a name and a comment of 64 KiB each; zipfile takes the directory into memory.
_LARGEST_DIRECTORY = 3 * 65536
_ENCRYPTED = 1


class CannotDecompress(Invalid):
    text = "The image's data cannot be decompressed: {reason}."


def opened(path: Path) -> Iterator[bytes] | None:
    """The unpacked data in chunks; None for a file that is not compressed. What is broken raises
    CannotDecompress, at once or between the chunks."""
    with open(path, "rb") as file:
        head = file.read(5)
    if head.startswith(_GZIP):
        return _chunks(path, _gzip)
    if head.startswith(_ZIP):
        return _chunks(path, _zip)
    if head[2:5] == _LHA:
        raise CannotDecompress(reason="LHA archives are not supported")
    return None


def _chunks(path: Path, unpack: Callable[[Path, ExitStack], IO[bytes]]) -> Iterator[bytes]:
    with ExitStack() as stack:
        try:
            stream = unpack(path, stack)
            while chunk := stream.read(CHUNK):
                yield chunk
        except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile, NotImplementedError) as error:
            raise CannotDecompress(reason=str(error)) from error


def _gzip(path: Path, stack: ExitStack) -> IO[bytes]:
    return cast(IO[bytes], stack.enter_context(gzip.GzipFile(path, "rb")))


def _zip(path: Path, stack: ExitStack) -> IO[bytes]:
    _refuse_directory(path)
    archive = stack.enter_context(zipfile.ZipFile(path))
    entries = archive.infolist()
    if len(entries) != 1 or entries[0].is_dir():
        raise CannotDecompress(reason="an archive must hold exactly one file")
    if entries[0].flag_bits & _ENCRYPTED:
        raise CannotDecompress(reason="it is encrypted")
    return stack.enter_context(archive.open(entries[0]))


def _refuse_directory(path: Path) -> None:
    """zipfile reads the whole central directory before it says how many files there are."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        start = max(0, size - _END_SIZE - 65536 - _LOCATOR_SIZE)
        file.seek(start)
        tail = file.read()
        at = tail.rfind(_END)
        if at < 0 or at + _END_SIZE > len(tail):
            raise CannotDecompress(reason="its directory is missing")
        length = struct.unpack_from("<I", tail, at + 12)[0]
        if tail[max(0, at - _LOCATOR_SIZE) :].startswith(_LOCATOR):
            file.seek(struct.unpack_from("<Q", tail, at - _LOCATOR_SIZE + 8)[0])
            end = file.read(_END64_SIZE)
            if len(end) < _END64_SIZE or not end.startswith(_END64):
                raise CannotDecompress(reason="its directory is damaged")
            length = max(length if length != (1 << 32) - 1 else 0, struct.unpack_from("<Q", end, 40)[0])
    if length > _LARGEST_DIRECTORY:
        raise CannotDecompress(reason="an archive must hold exactly one file")
