"""What a disk image really is: format, virtual size, and whether a hypervisor may open it.

Used by image (while an upload flows), volume and compute (before a file is handed to qemu-img or QEMU).
Nothing here runs a program: the headers are read by our own code, in constant memory.
"""

from celaje.common.disk_format.check import FormatMismatch, UnsafeImage, check, qemu_format
from celaje.common.disk_format.inspector import Inspection, Inspector, inspect_file
from celaje.common.disk_format.qcow2 import empty as empty_qcow2

__all__ = [
    "FormatMismatch",
    "Inspection",
    "Inspector",
    "UnsafeImage",
    "check",
    "empty_qcow2",
    "inspect_file",
    "qemu_format",
]
