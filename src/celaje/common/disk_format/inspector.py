"""Tells what an image is while it flows by, or from a file: feeds the format modules, gathers findings.

Called by image (upload, import), volume and compute; calls the format modules through a View.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

from celaje.common.disk_format import qcow2, signatures, vdi, vhd, vhdx, vmdk
from celaje.common.disk_format.finding import Finding
from celaje.common.disk_format.view import FileView, Malformed, NeedMore, StreamView, View


@dataclass(frozen=True)
class Format:
    name: str
    matches: Callable[[View], bool]
    examine: Callable[[View], Finding]


#: Names as Glance's disk_format has them (`vhd` is QEMU's `vpc`).
FORMATS = (
    Format("qcow2", qcow2.matches, qcow2.examine),
    Format("vmdk", vmdk.matches, vmdk.examine),
    Format("vdi", vdi.matches, vdi.examine),
    Format("vhd", vhd.matches, vhd.examine),
    Format("vhdx", vhdx.matches, vhdx.examine),
    Format("luks", signatures.is_luks, signatures.examine_luks),
    Format("iso", signatures.is_iso, signatures.examine_iso),
)


@dataclass(frozen=True)
class Inspection:
    """What an image is. `formats`: every signature it bears, ("raw",) when none. Sizes in bytes.

    `virtual_size` is None when the header cannot be understood. `problems`: sentences, each a reason
    not to open the image. `partitions`: gpt, mbr or None, for images without a format of their own.
    """

    formats: tuple[str, ...]
    size: int
    virtual_size: int | None
    backing_file: str | None = None
    data_file: str | None = None
    partitions: str | None = None
    problems: tuple[str, ...] = ()

    @property
    def format(self) -> str:
        return self.formats[0]

    @property
    def safe(self) -> bool:
        return not self.problems


class Inspector:
    """Feed it the image's chunks in order, then ask for `result()`. Never raises for what they hold.

    Memory: 64 KiB plus at most 1 MiB of header windows, whatever the image's size.
    """

    def __init__(self) -> None:
        self._view = StreamView()

    def feed(self, chunk: bytes) -> None:
        left = memoryview(chunk)
        while left:
            left = left[self._view.absorb(left) :]
            if self._view.at_boundary:
                # What some format waited for is here: it may now name the next bytes to keep.
                _examine_all(self._view)

    def result(self) -> Inspection:
        """To be called once, after the last chunk."""
        self._view.finish()
        return _conclude(self._view)


def inspect_file(path: str | os.PathLike[str]) -> Inspection:
    """The same of a local file, reading only its headers. OSError when it cannot be read."""
    with open(path, "rb") as file:
        return _conclude(FileView(file))


def _examine_all(view: View) -> dict[str, Finding]:
    findings = {}
    for candidate in FORMATS:
        if not candidate.matches(view):
            continue
        try:
            findings[candidate.name] = candidate.examine(view)
        except NeedMore:
            continue
        except Malformed as error:
            findings[candidate.name] = Finding(
                problems=[f"its {candidate.name} header is malformed: {error}"]
            )
    return findings


def _conclude(view: View) -> Inspection:
    findings = _examine_all(view)
    size = view.size or 0
    name = signatures.refused(view)
    if name is not None and name not in findings:
        findings[name] = Finding(problems=[f"its format ({name}) is not supported"])
    partitions = signatures.partition_table(view)
    if not findings:
        return Inspection(("raw",), size, size, partitions=partitions)
    problems = [problem for finding in findings.values() for problem in finding.problems]
    if len(findings) > 1:
        problems.insert(0, f"it bears the signatures of several formats ({', '.join(findings)})")
    first = next(iter(findings.values()))
    virtual_size = first.virtual_size
    if virtual_size is not None and virtual_size >= 1 << 63:
        problems.append("its virtual size is beyond what any disk can have")
    return Inspection(
        tuple(findings),
        size,
        virtual_size,
        next((each.backing_file for each in findings.values() if each.backing_file), None),
        next((each.data_file for each in findings.values() if each.data_file), None),
        partitions,
        tuple(problems),
    )
