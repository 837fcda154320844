"""Microsoft Hyper-V's disk format. Source: MS-VHDX: region table (2.2.3) and metadata table (2.6)."""

import struct
import uuid

from celaje.common.disk_format.finding import Finding
from celaje.common.disk_format.view import Malformed, View

SIGNATURE = b"vhdxfile"
REGION_TABLE = 192 * 1024
METADATA_REGION = uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e")
FILE_PARAMETERS = uuid.UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b")
VIRTUAL_DISK_SIZE = uuid.UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8")
PARENT_LOCATOR = uuid.UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c")
MOST_REGIONS, MOST_ITEMS = 2047, 2047
TABLE = 64 * 1024
HAS_PARENT = 2


def matches(view: View) -> bool:
    return view.read(0, 8) == SIGNATURE


def examine(view: View) -> Finding:
    metadata_at = _metadata_region(view.exactly(REGION_TABLE, TABLE))
    # Items start right after the 64 KiB table; those that matter here are a few bytes and come first.
    metadata = view.read(metadata_at, TABLE + 4096)
    items = _metadata_items(metadata)
    finding = Finding()
    finding.virtual_size = int.from_bytes(_item(metadata, items, VIRTUAL_DISK_SIZE, 8), "little")
    (flags,) = struct.unpack("<I", _item(metadata, items, FILE_PARAMETERS, 8)[4:])
    if flags & HAS_PARENT or PARENT_LOCATOR in items:
        finding.problems.append("it is a differencing disk: it has a parent")
    return finding


def _metadata_region(table: bytes) -> int:
    (count,) = struct.unpack_from("<I", table, 8)
    if table[:4] != b"regi" or count > MOST_REGIONS:
        raise Malformed("its region table cannot be read")
    for index in range(count):
        guid, offset = struct.unpack_from("<16sQ", table, 16 + 32 * index)
        if uuid.UUID(bytes_le=guid) == METADATA_REGION:
            return int(offset)
    raise Malformed("it has no metadata region")


def _metadata_items(metadata: bytes) -> dict[uuid.UUID, int]:
    if len(metadata) < TABLE or metadata[:8] != b"metadata":
        raise Malformed("its metadata table cannot be read")
    (count,) = struct.unpack_from("<H", metadata, 10)
    if count > MOST_ITEMS:
        raise Malformed(f"its metadata table claims {count} entries")
    items = {}
    for index in range(count):
        guid, offset = struct.unpack_from("<16sI", metadata, 32 + 32 * index)
        identifier = uuid.UUID(bytes_le=guid)
        if identifier in items:
            raise Malformed("an entry stands twice in its metadata table")
        items[identifier] = offset
    return items


def _item(metadata: bytes, items: dict[uuid.UUID, int], identifier: uuid.UUID, length: int) -> bytes:
    offset = items.get(identifier)
    if offset is None or offset < TABLE or offset + length > len(metadata):
        raise Malformed(f"its metadata item {identifier} is missing or out of place")
    return metadata[offset : offset + length]
