"""Writes an initramfs archive (cpio, "newc" form) without the cpio command. Called by build.py.

Format: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst: a 110-byte ASCII header,
the name with its NUL, the content, each padded to 4 bytes; the archive ends with the entry TRAILER!!!.
"""

import stat
from pathlib import Path


def newc(folder: Path) -> bytes:
    """The archive of everything below `folder`, owned by root."""
    out = bytearray()
    paths = sorted(folder.rglob("*"))
    for number, path in enumerate(paths, start=1):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            content = str(path.readlink()).encode()
        elif stat.S_ISREG(status.st_mode):
            content = path.read_bytes()
        else:
            content = b""
        _entry(out, number, path.relative_to(folder).as_posix(), status.st_mode, content)
    _entry(out, 0, "TRAILER!!!", 0, b"")
    return bytes(out)


def _entry(out: bytearray, number: int, name: str, mode: int, content: bytes) -> None:
    encoded = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (number, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
    out += b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    out += bytes(-len(out) % 4)
    out += content
    out += bytes(-len(out) % 4)
