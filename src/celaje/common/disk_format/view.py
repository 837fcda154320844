"""Windows onto an image: of a stream that flows by, or of a file. The format modules read through them.

A format asks for `exactly(offset, length)`. From a file that is a seek; from a stream the bytes were
kept (its head), or will be kept when they come by (the format is asked again then), or are gone.
"""

import struct
from typing import Any, BinaryIO

#: Kept of every stream: all signatures, qcow2's header in the default cluster size, ISO's descriptor.
HEAD = 64 * 1024
#: Kept of every stream's end: VHD's footer (512 bytes), VMDK's (3 sectors).
TAIL = 3 * 512
#: The most that one image's further windows may hold together.
BUDGET = 1024 * 1024


class Malformed(Exception):
    """The header contradicts itself or the file: what the user is told stands in the message."""


class NeedMore(Exception):
    """The stream has not come to the bytes asked for; they will be kept."""


class View:
    """What format modules see. `size` is the whole length in bytes, None while it is not known."""

    size: int | None = None

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes; fewer at the end of the image."""
        raise NotImplementedError

    def tail(self) -> bytes:
        """The last bytes (at most TAIL); empty while the end is not known."""
        raise NotImplementedError

    def exactly(self, offset: int, length: int) -> bytes:
        data = self.read(offset, length)
        if len(data) < length:
            raise Malformed(f"it ends before byte {offset + length}, which its header needs")
        return data

    def unpack(self, form: str, offset: int) -> tuple[Any, ...]:
        return struct.unpack(form, self.exactly(offset, struct.calcsize(form)))

    def number(self, form: str, offset: int) -> int:
        return int(self.unpack(form, offset)[0])


class FileView(View):
    def __init__(self, file: BinaryIO):
        self._file = file
        self.size = file.seek(0, 2)

    def read(self, offset: int, length: int) -> bytes:
        _refuse_huge(length)
        if offset >= (self.size or 0):
            return b""
        self._file.seek(offset)
        return self._file.read(length)

    def tail(self) -> bytes:
        return self.read(max(0, (self.size or 0) - TAIL), TAIL)


class StreamView(View):
    """Absorbs chunks in order; holds the head, the tail and the windows that formats asked for."""

    def __init__(self) -> None:
        self.position = 0
        #: The head or a window has just been filled.
        self.at_boundary = False
        self._head = bytearray()
        self._tail = b""
        self._windows: dict[tuple[int, int], bytearray] = {}
        self._held = 0

    def absorb(self, data: memoryview) -> int:
        """Take bytes up to the next boundary (end of the head or of a window); returns how many."""
        boundary = self._next_boundary()
        taken = min(len(data), boundary - self.position)
        piece = data[:taken]
        if len(self._head) < HEAD:
            self._head += piece
        for (offset, length), window in self._windows.items():
            start = offset + len(window) - self.position
            if len(window) < length and 0 <= start < taken:
                window.extend(piece[start : start + length - len(window)])
        self._tail = (self._tail + bytes(piece[-TAIL:]))[-TAIL:]
        self.position += taken
        self.at_boundary = self.position == boundary
        return taken

    def finish(self) -> None:
        self.size = self.position

    def _next_boundary(self) -> int:
        ends = [HEAD, *(offset + length for offset, length in self._windows)]
        return min((end for end in ends if end > self.position), default=1 << 63)

    def read(self, offset: int, length: int) -> bytes:
        _refuse_huge(length)
        if offset + length <= len(self._head) or len(self._head) == self.size:
            return bytes(self._head[offset : offset + length])
        if self.size is not None and offset >= self.size:
            return b""
        window = self._windows.get((offset, length))
        if window is not None:
            if len(window) < length and self.size is None:
                raise NeedMore
            return bytes(window)
        if self.size is not None or offset < self.position > len(self._head):
            raise Malformed(f"its header points back to byte {offset}, out of the usual order")
        self._keep(offset, length)
        raise NeedMore

    def _keep(self, offset: int, length: int) -> None:
        self._held += length
        if self._held > BUDGET:
            raise Malformed("its header spreads over more than is reasonable")
        window = self._windows[(offset, length)] = bytearray()
        # The part of the window that lies within the head came by already.
        window += self._head[offset : offset + length]

    def tail(self) -> bytes:
        return self._tail if self.size is not None else b""


def _refuse_huge(length: int) -> None:
    if length > BUDGET:
        raise Malformed("its header claims a part that is larger than is reasonable")
