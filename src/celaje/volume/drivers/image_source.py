"""Images as sources of volumes and volumes as sources of images: what must hold first. Called by drivers."""

from celaje.common import disk_format, errors
from celaje.volume.drivers import base


def inspected(volume: base.Volume, image: base.Image) -> disk_format.Inspection:
    """What the file at image["path"] is, once it is known to be what it says, safe, and to fit the volume.

    Raises disk_format.FormatMismatch, disk_format.UnsafeImage, base.ImageDoesNotFit, base.BadMetadata.
    """
    for key in ("id", "disk_format", "path"):
        if not image.get(key):
            raise base.BadMetadata(what="The image", key=key)
    inspection = disk_format.inspect_file(image["path"])
    disk_format.check(image["disk_format"], inspection)
    size = inspection.virtual_size or 0
    if size > volume["size"] * base.GIB:
        raise base.ImageDoesNotFit(image_size=-(-size // base.GIB), size=volume["size"])
    return inspection


def qemu_target(form: str) -> str:
    """QEMU's name of a Glance disk_format that a volume can be made into."""
    if form not in {"raw", "qcow2", "vmdk", "vdi", "vhd", "vhdx"}:
        raise errors.NotImplementedHere(f"A volume cannot be made into an image of format {form}.")
    return disk_format.qemu_format(form)
