"""QEMU's copy-on-write format, versions 2 and 3. Source: QEMU's docs/interop/qcow2.txt."""

import struct

from celaje.common.disk_format.finding import Finding, shown
from celaje.common.disk_format.view import HEAD, Malformed, View

MAGIC = b"QFI\xfb"
EXTENSION_END = 0
EXTENSION_DATA_FILE = 0x44415441
LONGEST_BACKING_NAME = 1023
CLUSTER_BITS = range(9, 22)

#: Incompatible feature bits: an image with one that is not named here cannot be understood.
DIRTY, CORRUPT, EXTERNAL_DATA, COMPRESSION_TYPE, EXTENDED_L2 = (1 << bit for bit in range(5))
KNOWN = DIRTY | CORRUPT | EXTERNAL_DATA | COMPRESSION_TYPE | EXTENDED_L2


def matches(view: View) -> bool:
    return view.read(0, 4) == MAGIC


def examine(view: View) -> Finding:
    version, backing_offset, backing_length, cluster_bits, size = view.unpack(">IQIIQ", 4)
    finding = Finding(virtual_size=size)
    if version not in {2, 3}:
        finding.problems.append(f"qcow version {version} is not supported")
        return finding
    if cluster_bits not in CLUSTER_BITS:
        raise Malformed(f"its cluster size is 2^{cluster_bits}")
    header_length, features = 72, 0
    view.exactly(0, 72)
    if version == 3:
        features = view.number(">Q", 72)
        header_length = view.number(">I", 100)
        if header_length < 104 or header_length > 1 << cluster_bits:
            raise Malformed(f"its header claims to be {header_length} bytes long")
    if backing_offset:
        finding.backing_file = _backing_file(view, backing_offset, backing_length)
        finding.problems.append(f"it has a backing file ({finding.backing_file})")
    if features & EXTERNAL_DATA:
        finding.problems.append("its data is in another file (external data file)")
    if features & CORRUPT:
        finding.problems.append("it is marked as corrupt")
    if features & ~KNOWN:
        finding.problems.append(f"it uses unknown incompatible features ({features & ~KNOWN:#x})")
    end = min(1 << cluster_bits, HEAD, backing_offset or HEAD)
    finding.data_file = _data_file(view, header_length, end)
    if finding.data_file is not None and not features & EXTERNAL_DATA:
        finding.problems.append(f"it names an external data file ({finding.data_file})")
    return finding


def _backing_file(view: View, offset: int, length: int) -> str:
    if length > LONGEST_BACKING_NAME or offset + length > HEAD:
        raise Malformed("the name of its backing file is too long or not in its header")
    return shown(view.exactly(offset, length))


def _data_file(view: View, start: int, end: int) -> str | None:
    """Walk the header extensions (type, length, data padded to 8) up to `end`."""
    found = None
    while start + 8 <= end:
        kind, length = view.unpack(">II", start)
        if kind == EXTENSION_END:
            break
        if start + 8 + length > end:
            raise Malformed(f"a header extension ({kind:#x}) is longer than the header")
        if kind == EXTENSION_DATA_FILE:
            found = shown(view.exactly(start + 8, length))
        start += 8 + (length + 7) // 8 * 8
    return found


def empty(virtual_size: int) -> bytes:
    """The bytes of a version 3 image without any data, clusters of 64 KiB, 16-bit reference counts.

    Written instead of running qemu-img, which takes longer to start than this file is to make. Layout:
    header, reference table, reference block, then the L1 table, each in whole clusters.
    """
    cluster, per_l2 = 1 << 16, 8192
    l1_entries = -(-virtual_size // (cluster * per_l2))
    clusters = 3 + max(1, -(-l1_entries * 8 // cluster))
    if clusters > cluster // 2:
        raise ValueError(f"{virtual_size} bytes need more than one reference block")
    features_and_length = struct.pack(">QQQII", 0, 0, 0, 4, 104)
    header = struct.pack(
        ">4sIQIIQIIQQIIQ",
        *(MAGIC, 3, 0, 0, 16, virtual_size, 0, l1_entries, 3 * cluster, cluster, 1, 0, 0),
    )
    reference_table = struct.pack(">Q", 2 * cluster)
    reference_block = struct.pack(">H", 1) * clusters
    tables = [header + features_and_length, reference_table, reference_block]
    return b"".join(table.ljust(cluster, b"\0") for table in tables).ljust(clusters * cluster, b"\0")
