"""Microsoft Virtual PC's disk format. Source: "Virtual Hard Disk Image Format Specification" 1.0.

A dynamic disk has a copy of its footer at its start; a fixed one is a raw disk with only the footer.
"""

from celaje.common.disk_format.finding import Finding
from celaje.common.disk_format.view import Malformed, View

COOKIE = b"conectix"
FOOTER = 512
FIXED, DYNAMIC, DIFFERENCING = 2, 3, 4


def matches(view: View) -> bool:
    return view.read(0, 8) == COOKIE or view.tail()[-FOOTER:][:8] == COOKIE


def examine(view: View) -> Finding:
    footer = view.exactly(0, FOOTER) if view.read(0, 8) == COOKIE else view.tail()[-FOOTER:]
    if len(footer) < FOOTER:
        raise Malformed("its footer is cut short")
    kind = int.from_bytes(footer[60:64], "big")
    finding = Finding(virtual_size=int.from_bytes(footer[48:56], "big"))
    if kind == DIFFERENCING:
        finding.problems.append("it is a differencing disk: it has a parent")
    elif kind not in {FIXED, DYNAMIC}:
        raise Malformed(f"its disk type is {kind}")
    elif kind == DYNAMIC and view.size is not None and view.tail()[-FOOTER:][:8] != COOKIE:
        finding.problems.append("its footer is missing (the upload may be cut short)")
    return finding
