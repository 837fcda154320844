"""Judges an inspection against what the user declared: called before an image becomes active or is opened."""

from celaje.common import errors
from celaje.common.disk_format.inspector import Inspection

#: Formats without a signature: whatever is in them is a disk (or kernel) as it stands.
UNVERIFIABLE = ("raw", "ami", "aki", "ari")
#: What may be found in an image declared raw: every hypervisor opens these as plain sectors.
PLAIN = ("raw", "luks", "iso")

QEMU_FORMATS = {"vhd": "vpc", "iso": "raw", "ami": "raw", "ari": "raw", "aki": "raw"}


class FormatMismatch(errors.Invalid):
    """The content is of another format than the image's disk_format says."""

    text = "The image is declared as {declared}, but its content is {found}."


class UnsafeImage(errors.Invalid):
    """The content could make a hypervisor open other files, or cannot be understood."""

    text = "The image cannot be used: {reason}."


def check(declared: str, inspection: Inspection) -> None:
    """Pass, or raise FormatMismatch or UnsafeImage (both errors.Invalid) with the reason.

    declared: Glance's disk_format. A file of a declared format must bear exactly this signature, so that
    no program downstream that probes for itself comes to another conclusion.
    """
    accepted = PLAIN if declared in UNVERIFIABLE else (declared,)
    # The mismatch first: "it is a vmdk" explains more than what is wrong with the vmdk.
    if inspection.format not in accepted:
        raise FormatMismatch(declared=declared, found=inspection.format)
    if inspection.problems:
        raise UnsafeImage(reason="; ".join(inspection.problems))


def qemu_format(disk_format: str) -> str:
    """QEMU's name of a Glance disk_format, to be given explicitly (`-f`): probing is what attackers use."""
    return QEMU_FORMATS.get(disk_format, disk_format)
