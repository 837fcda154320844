"""VMware's disk format. Source: VMware's "Virtual Disk Format 5.0" and what QEMU's reader does with it.

A VMDK is dangerous through its descriptor, a text that may name any file of the host as an extent.
Accepted are only images that are one file: monolithicSparse and streamOptimized.
"""

import re

from celaje.common.disk_format.finding import Finding, shown
from celaje.common.disk_format.view import BUDGET, Malformed, View

SPARSE = b"KDMV"
ESX_SPARSE = b"COWD"
TEXT = b"# Disk DescriptorFile"
SECTOR = 512
ACCEPTED_TYPES = ("monolithicsparse", "streamoptimized")
GRAINS_AT_END = 0xFFFFFFFFFFFFFFFF
EXTENT = re.compile(r'(RW|RDONLY|NOACCESS)\s+(\d+)\s+(\w+)(?:\s+"([^"]*)")?(?:\s+\d+)?\s*$')
NO_PARENT = "ffffffff"


def matches(view: View) -> bool:
    head = view.read(0, 64)
    return head[:4] in {SPARSE, ESX_SPARSE} or head.lstrip().lower().startswith(TEXT.lower())


def examine(view: View) -> Finding:
    magic = view.read(0, 4)
    if magic == ESX_SPARSE:
        return Finding(problems=["ESX's sparse VMDK (COWD) is not supported"])
    if magic != SPARSE:
        finding = _read_descriptor(view.read(0, 32 * 1024))
        finding.problems.append("it is only a descriptor: its data is in other files")
        return finding
    version, _flags, capacity, _grain, offset, length = view.unpack("<IIQQQQ", 4)
    if version not in {1, 2, 3}:
        raise Malformed(f"its version is {version}")
    if not capacity or not offset or not length:
        # With capacity 0 QEMU reads the descriptor as the image: whatever it names is opened.
        raise Malformed("it has no capacity or no embedded descriptor")
    if length * SECTOR > BUDGET:
        raise Malformed("its descriptor is larger than is reasonable")
    finding = _read_descriptor(view.exactly(offset * SECTOR, length * SECTOR))
    finding.virtual_size = capacity * SECTOR
    if view.number("<Q", 56) == GRAINS_AT_END:
        _compare_footer(view, finding)
    return finding


def _compare_footer(view: View, finding: Finding) -> None:
    """A streamed VMDK repeats its header at the end, and QEMU believes that one: they must agree
    on capacity, grain, place of the descriptor and table size (bytes 12 to 48)."""
    if view.size is None:
        return
    footer = view.tail()[SECTOR : 2 * SECTOR]
    if footer[:4] != SPARSE:
        finding.problems.append("its footer is missing (the upload may be cut short)")
    elif footer[12:48] != view.exactly(12, 36):
        finding.problems.append("its footer contradicts its header")


def _read_descriptor(raw: bytes) -> Finding:
    finding = Finding()
    create_type, extents = "", []
    for line in raw.split(b"\0", 1)[0].decode("utf-8", "replace").splitlines():
        text = line.strip()
        key, _, value = (part.strip() for part in text.partition("="))
        value = value.strip('"')
        if text.split(" ", 1)[0].split("\t", 1)[0].upper() in {"RW", "RDONLY", "NOACCESS"}:
            extents.append(text)
        elif key.lower() == "createtype":
            create_type = value
        elif key.lower() == "parentcid" and value.lower() != NO_PARENT:
            finding.problems.append("it has a parent")
        elif key.lower() == "parentfilenamehint":
            finding.backing_file = shown(value.encode())
            finding.problems.append(f"it has a parent ({finding.backing_file})")
    if create_type.lower() not in ACCEPTED_TYPES:
        named = shown(create_type.encode()) or "missing"
        finding.problems.append(f"its create type is {named}, not monolithicSparse or streamOptimized")
    if len(extents) != 1:
        finding.problems.append(f"it has {len(extents)} extents instead of one, itself")
    for extent in extents:
        _judge_extent(extent, finding)
    return finding


def _judge_extent(line: str, finding: Finding) -> None:
    parts = EXTENT.match(line)
    if parts is None:
        finding.problems.append(f"an extent cannot be read ({shown(line.encode())})")
        return
    kind, name = parts[3], parts[4] or ""
    if kind.upper() != "SPARSE":
        finding.problems.append(f"an extent is of type {kind}, not SPARSE")
    if "/" in name or "\\" in name or ":" in name:
        finding.problems.append(f"an extent points outside of the image ({shown(name.encode())})")
