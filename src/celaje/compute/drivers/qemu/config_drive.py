"""The config drive: a small ISO 9660 image labelled `config-2` that cloud-init and its kin look for.

The driver calls it when it builds a server; the files come from `metadata.py`. Source: Nova's config drive
guide.
"""

from pathlib import Path

from celaje.common.errors import DriverError
from celaje.compute.drivers.base import ConfigDrive
from celaje.compute.drivers.qemu.iso9660 import write_image

LABEL = "config-2"
LIMIT = 64 << 20  # Nova's VFAT drives are as large


def write_config_drive(path: Path, files: ConfigDrive) -> None:
    """Put the image at `path`; a crash leaves the old file or the new one, never half of it."""
    total = sum(map(len, files.values()))
    if total > LIMIT:
        raise DriverError(f"The config drive's files take {total} bytes; at most {LIMIT} fit.")
    fresh = path.with_suffix(".new")
    fresh.write_bytes(write_image(LABEL, files))
    fresh.replace(path)
