"""VirtualBox's disk format. Source: the header comment of VirtualBox's VDICore, as QEMU's reader has it."""

from celaje.common.disk_format.finding import Finding
from celaje.common.disk_format.view import Malformed, View

SIGNATURE = 0xBEDA107F
DYNAMIC, FIXED = 1, 2
NO_IMAGE = bytes(16)


def matches(view: View) -> bool:
    return view.read(0x40, 4) == SIGNATURE.to_bytes(4, "little")


def examine(view: View) -> Finding:
    version = view.number("<I", 0x44)
    if version >> 16 != 1:
        raise Malformed(f"its version is {version >> 16}.{version & 0xFFFF}")
    kind = view.number("<I", 0x4C)
    finding = Finding(virtual_size=view.number("<Q", 0x170))
    if kind not in {DYNAMIC, FIXED}:
        finding.problems.append(f"its image type is {kind}: it needs another image")
    if view.exactly(0x1A8, 16) != NO_IMAGE or view.exactly(0x1B8, 16) != NO_IMAGE:
        finding.problems.append("it is linked to a parent image")
    return finding
