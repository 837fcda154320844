"""Formats told by a signature alone: ISO 9660, LUKS, partition tables, and those that nobody accepts."""

from celaje.common.disk_format.finding import Finding
from celaje.common.disk_format.view import Malformed, View

ISO_DESCRIPTOR = 0x8000
ISO_BLOCK = 2048
LUKS = b"LUKS\xba\xbe"
GPT = b"EFI PART"
BOOT_SIGNATURE = b"\x55\xaa"
SECTOR = 512


def is_iso(view: View) -> bool:
    # ECMA-119 8.1: type, then the identifier "CD001"; UDF bridges start with BEA01 (ECMA-167).
    return view.read(ISO_DESCRIPTOR + 1, 5) in {b"CD001", b"BEA01"}


def examine_iso(view: View) -> Finding:
    """As large as it is: hypervisors open it as a raw disk."""
    return Finding(virtual_size=view.size)


def is_luks(view: View) -> bool:
    return view.read(0, 6) == LUKS


def examine_luks(view: View) -> Finding:
    """Virtual size: what is left behind LUKS 1's payload offset (its header's byte 104, in sectors)."""
    version = view.number(">H", 6)
    if version not in {1, 2}:
        raise Malformed(f"its LUKS version is {version}")
    if version == 2 or view.size is None:
        # LUKS 2 keeps its segments in JSON; the whole size bounds it from above.
        return Finding(virtual_size=view.size)
    payload = view.number(">I", 104) * SECTOR
    if payload > view.size:
        raise Malformed("its payload starts beyond its end")
    return Finding(virtual_size=view.size - payload)


def partition_table(view: View) -> str | None:
    """`gpt`, `mbr` or None: what a raw disk holds (UEFI 2.10, 5.2 and 5.3)."""
    if GPT in {view.read(SECTOR, 8), view.read(4096, 8)}:
        return "gpt"
    sector = view.read(0, SECTOR)
    if sector[510:] != BOOT_SIGNATURE:
        return None
    entries = [sector[446 + 16 * index : 462 + 16 * index] for index in range(4)]
    plausible = all(entry[0] in {0, 0x80} for entry in entries) and any(entry[4] for entry in entries)
    return "mbr" if plausible else None


#: Signatures at byte 0 of formats that QEMU would open and that no service here accepts.
REFUSED = {
    b"QED\0": "qed",
    b"WithoutFreeSpace": "ploop",
    b"WithouFreSpacExt": "ploop",
    b"SVGAVMDK": "vmdk",
    b"Bochs Virtual HD": "bochs",
    b"#!/bin/sh\n#V2.0 ": "cloop",
}


def refused(view: View) -> str | None:
    head = view.read(0, 16)
    return next((name for signature, name in REFUSED.items() if head.startswith(signature)), None)
