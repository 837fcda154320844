"""Disk files of a server: root, ephemeral, swap. Calls qemu-img, by list, with timeouts and resource
limits.

The driver calls it. Every function leaves the finished file or none: it is built beside its place and
renamed.
"""

import json
import struct
from pathlib import Path
from typing import Any

from celaje.common import clock, processes
from celaje.common.disk_format import check, inspect_file, qemu_format
from celaje.common.errors import Invalid
from celaje.compute.drivers.base import ImageRefused, ImageSource

GIB = 1 << 30
MIB = 1 << 20
PAGE = 4096
FORMATS = ("qcow2", "raw")
TIMEOUT = 60.0


def create_root(image: ImageSource, root_gb: int, path: Path) -> None:
    """A qcow2 overlay on the cached image, as large as the flavor says (0: as the image). Done already:
    nothing."""
    if path.exists():
        return
    size = validate(image)
    wanted = root_gb * GIB or size
    minimum = image.get("min_disk") or 0
    if wanted < size or (root_gb and root_gb < minimum):
        need = max(minimum, -(-size // GIB))
        raise ImageRefused(
            image=image["id"], reason=f"it needs a root disk of {need} GB; the flavor has {root_gb}"
        )
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    backing = str(Path(image["path"]).resolve())
    backing_format = qemu_format(image["disk_format"])
    _qemu_img("create", "-q", "-f", "qcow2", "-F", backing_format, "-b", backing, str(fresh), str(wanted))
    fresh.rename(path)


def validate(image: ImageSource) -> int:
    """The virtual size in bytes of an image whose file is what its record claims; else ImageRefused.

    The image service looked already; between it and this file lie a network and a cache."""
    declared = image["disk_format"]
    if declared not in FORMATS:
        raise ImageRefused(image=image["id"], reason=f"this driver cannot run images of format {declared}")
    try:
        found = inspect_file(image["path"])
        check(declared, found)
    except (OSError, Invalid) as error:
        raise ImageRefused(image=image["id"], reason=str(error)) from error
    if declared == "raw" and found.format != "raw":
        raise ImageRefused(
            image=image["id"], reason=f"its content is {found.format}, which is no disk to boot from"
        )
    told = image.get("size")
    if told is not None and told != found.size:
        raise ImageRefused(image=image["id"], reason=f"its file has {found.size} bytes instead of {told}")
    # A raw image's last sector may be cut short; QEMU rounds up to whole sectors.
    return -(-(found.virtual_size or 0) // 512) * 512


def create_blank(path: Path, size: int) -> None:
    if path.exists():
        return
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    _qemu_img("create", "-q", "-f", "qcow2", str(fresh), str(size))
    fresh.rename(path)


def create_swap(path: Path, size_mb: int) -> None:
    """A raw disk with a swap header (kernel: include/linux/swap.h, `union swap_header`), ready for swapon."""
    if path.exists():
        return
    header = bytearray(PAGE)
    struct.pack_into("<III16s", header, 1024, 1, size_mb * MIB // PAGE - 1, 0, clock.random_bytes(16))
    header[-10:] = b"SWAPSPACE2"
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(header)
        file.truncate(size_mb * MIB)
    fresh.rename(path)


def grow(path: str, form: str, size: int) -> None:
    """Grow a file that no QEMU holds; nothing when it is that large already."""
    if virtual_size(path, form) < size:
        _qemu_img("resize", "-q", "-f", form, path, str(size))


def virtual_size(path: str, form: str) -> int:
    done = processes.run(
        ["qemu-img", "info", "--output=json", "-U", "-f", form, path],
        timeout=TIMEOUT,
        limits=processes.UNTRUSTED_IMAGE,
    )
    return int(json.loads(done.stdout)["virtual-size"])


def blockdev(node: str, path: str, form: str, read_only: bool = False) -> dict[str, Any]:
    """Arguments of `-blockdev` and `blockdev-add`; the format is told, never probed by QEMU."""
    file = {"driver": "file", "filename": path, "discard": "unmap", "node-name": f"{node}-f"}
    if form == "raw":
        # A raw volume that grows elsewhere must not keep an old size.
        return {"driver": "raw", "node-name": node, "read-only": read_only, "file": file}
    return {"driver": form, "node-name": node, "read-only": read_only, "discard": "unmap", "file": file}


def _qemu_img(*arguments: str) -> None:
    processes.run(["qemu-img", *arguments], timeout=TIMEOUT)
