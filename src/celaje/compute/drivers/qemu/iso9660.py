"""Writes small ISO 9660 images with Rock Ridge and Joliet names, without any external command.

`config_drive.py` calls it. ECMA-119 for the volume and directory records, SUSP and RRIP 1.09 for POSIX
names (Linux, BSD), Joliet for Windows. Everything fits in memory; times are the clock's.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from celaje.common import clock
from celaje.common.errors import DriverError

SECTOR = 2048
FIRST = 16  # the sectors before it belong to boot loaders

# Where a folder lies, by name space (Joliet or not) and identity: first sector, length in bytes.
Extents = dict[tuple[bool, int], tuple[int, int]]
# Where a file lies: folder's identity and name, first sector.
Places = dict[tuple[int, str], int]


@dataclass
class _Folder:
    name: str
    parent: "_Folder | None" = None
    folders: dict[str, "_Folder"] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)


def write_image(label: str, files: Mapping[str, bytes]) -> bytes:
    """The bytes of an image that holds `files` (path with slashes: content) under the volume name `label`."""
    root = _tree(files)
    folders = _breadth_first(root)
    descriptors = 3  # primary, Joliet, terminator
    position = FIRST + descriptors
    # Per tree: a path table in either byte order, then its directories, then (once) the files.
    tables: dict[bool, tuple[int, int]] = {}
    extents: Extents = {}
    for joliet in (False, True):
        size = len(_path_table(folders, joliet, extents, "<", measure=True))
        tables[joliet] = (position, size)
        position += 2 * _sectors(size)
        for folder in folders:
            length = _sectors(len(_directory(folder, joliet, extents, {}, measure=True))) * SECTOR
            extents[joliet, id(folder)] = (position, length)
            position += length // SECTOR
    places: Places = {}
    contents: list[tuple[int, bytes]] = []
    for folder in folders:
        for name, content in sorted(folder.files.items()):
            places[id(folder), name] = position
            contents.append((position, content))
            position += _sectors(len(content))
    image = bytearray(position * SECTOR)

    def put(sector: int, data: bytes) -> None:
        image[sector * SECTOR : sector * SECTOR + len(data)] = data

    for number, joliet in enumerate((False, True)):
        first, size = tables[joliet]
        put(FIRST + number, _descriptor(label, joliet, position, (first, size), extents[joliet, id(root)]))
        put(first, _path_table(folders, joliet, extents, "<"))
        put(first + _sectors(size), _path_table(folders, joliet, extents, ">"))
        for folder in folders:
            put(extents[joliet, id(folder)][0], _directory(folder, joliet, extents, places))
    put(FIRST + 2, b"\xffCD001\x01")
    for sector, content in contents:
        put(sector, content)
    return bytes(image)


def _tree(files: Mapping[str, bytes]) -> _Folder:
    root = _Folder("")
    for path, content in files.items():
        parts = path.split("/")
        if any(part in ("", ".", "..") or len(part) > 64 or not part.isascii() for part in parts):
            raise DriverError(f"{path!r} cannot be a file's path in an ISO 9660 image.")
        folder = root
        for part in parts[:-1]:
            folder = folder.folders.setdefault(part, _Folder(part, folder))
        folder.files[parts[-1]] = content
    return root


def _breadth_first(root: _Folder) -> list[_Folder]:
    """The order of the path table: by level, then by parent, then by name."""
    level, found = [root], []
    while level:
        found += level
        level = [child for folder in level for _, child in sorted(folder.folders.items())]
    return found


def _sectors(length: int) -> int:
    return -(-length // SECTOR)


def _both(number: int, size: int = 4) -> bytes:
    """A number in both byte orders, as ECMA-119 7.3.3 has it."""
    return number.to_bytes(size, "little") + number.to_bytes(size, "big")


def _plain(name: str, folder: bool, number: int) -> bytes:
    """A name for readers that know neither extension: 8.3, made unique by its number in the folder."""
    stem, _, suffix = name.upper().partition(".")
    clean = "".join(letter if letter.isalnum() else "_" for letter in stem)[:6]
    tail = "".join(letter if letter.isalnum() else "_" for letter in suffix)[:3]
    short = f"{clean}{number:02}"
    return short.encode() if folder else f"{short}.{tail};1".encode()


def _path_table(
    folders: list[_Folder], joliet: bool, extents: Extents, order: str, measure: bool = False
) -> bytes:
    out = bytearray()
    numbers = {id(folder): number for number, folder in enumerate(folders, start=1)}
    for folder in folders:
        if folder.parent is None:
            name, parent = b"\0", 1
        else:
            parent = numbers[id(folder.parent)]
            place = sorted(folder.parent.folders).index(folder.name)
            name = folder.name.encode("utf-16-be") if joliet else _plain(folder.name, True, place)
        extent = 0 if measure else extents[joliet, id(folder)][0]
        out += struct.pack(f"{order}BBIH", len(name), 0, extent, parent) + name + bytes(len(name) % 2)
    return bytes(out)


def _directory(
    folder: _Folder, joliet: bool, extents: Extents, places: Places, measure: bool = False
) -> bytes:
    nowhere = (0, 0)
    itself = nowhere if measure else extents[joliet, id(folder)]
    above = nowhere if measure else extents[joliet, id(folder.parent or folder)]
    is_root = folder.parent is None
    records = [
        _record(b"\0", *itself, True, b"" if joliet else _posix(None, True, is_root)),
        _record(b"\1", *above, True, b"" if joliet else _posix(None, True, False)),
    ]
    entries = []
    for place, (name, child) in enumerate(sorted(folder.folders.items())):
        extent, length = nowhere if measure else extents[joliet, id(child)]
        entries.append((name, _plain(name, True, place), extent, length, True))
    for place, (name, content) in enumerate(sorted(folder.files.items())):
        extent = 0 if measure else places[id(folder), name]
        entries.append((name, _plain(name, False, place), extent, len(content), False))
    for name, plain, extent, length, is_folder in entries:
        encoded = name.encode("utf-16-be") if joliet else plain
        records.append(
            _record(encoded, extent, length, is_folder, b"" if joliet else _posix(name, is_folder, False))
        )
    # Sorted by identifier (ECMA-119 9.3); a record never crosses a sector.
    out = bytearray()
    for record in records[:2] + sorted(records[2:], key=lambda item: item[33 : 33 + item[32]]):
        if len(out) % SECTOR + len(record) > SECTOR:
            out += bytes(-len(out) % SECTOR)
        out += record
    return bytes(out)


def _record(name: bytes, extent: int, length: int, folder: bool, extensions: bytes) -> bytes:
    now = clock.now()
    moment = bytes((now.year - 1900, now.month, now.day, now.hour, now.minute, now.second, 0))
    body = _both(extent) + _both(length) + moment + bytes((2 if folder else 0, 0, 0)) + _both(1, 2)
    body += bytes((len(name),)) + name + bytes((len(name) + 1) % 2) + extensions
    size = 2 + len(body)
    return bytes((size + size % 2, 0)) + body + bytes(size % 2)


def _posix(name: str | None, folder: bool, root: bool) -> bytes:
    """Rock Ridge fields; the root's own record announces that they are used (SP, ER)."""
    out = b""
    if root:
        out += b"SP\x07\x01\xbe\xef\x00"
    mode = 0o040555 if folder else 0o100444
    out += b"PX\x24\x01" + _both(mode) + _both(2 if folder else 1) + _both(0) + _both(0)
    if name is not None:
        out += b"NM" + bytes((5 + len(name), 1, 0)) + name.encode()
    if root:
        out += b"ER\x12\x01\x0a\x00\x00\x01RRIP_1991A"
    return out


def _descriptor(
    label: str, joliet: bool, sectors: int, table: tuple[int, int], root: tuple[int, int]
) -> bytes:
    def text(value: str, size: int) -> bytes:
        if not joliet:
            return value.encode("ascii").ljust(size, b" ")[:size]
        return (
            value.encode("utf-16-be")
            .ljust(size // 2 * 2, b" ")
            .replace(b"  ", b"\0 ")
            .ljust(size, b"\0")[:size]
        )

    first, table_size = table
    now = clock.now()
    moment = now.strftime("%Y%m%d%H%M%S00").encode() + b"\0"
    never = b"0" * 16 + b"\0"
    out = bytes((2 if joliet else 1,)) + b"CD001\x01\0" + text("", 32) + text(label, 32) + bytes(8)
    out += _both(sectors) + (b"%/E" if joliet else b"").ljust(32, b"\0")  # %/E: UCS-2 level 3
    out += _both(1, 2) + _both(1, 2) + _both(SECTOR, 2) + _both(table_size)
    out += struct.pack("<II", first, 0) + struct.pack(">II", first + _sectors(table_size), 0)
    out += _record(b"\0", *root, True, b"")
    out += text("", 128) * 3 + text("CELAJE", 128) + text("", 37) * 3
    out += moment + moment + never + never + b"\x01\0"
    return out.ljust(SECTOR, b"\0")
