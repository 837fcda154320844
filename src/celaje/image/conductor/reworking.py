"""What the import plugins do with data between its coming and its stores: unpack it, convert it.

Called by the steps of an import; works on files of the staging area and calls qemu-img. Each step leaves its
result under an id of its own, whole or not at all, so it may run again.
"""

from pathlib import Path
from typing import Any

from oslo_config import cfg

from celaje.common import disk_format, processes
from celaje.common.conf.options import Options
from celaje.common.flow import Run
from celaje.image import decompression
from celaje.image.errors import BadImageContent
from celaje.image.stores.base import ImageTooLarge, StorageFull
from celaje.image.stores.file import FileStore

DECOMPRESSION, CONVERSION, METADATA = "image_decompression", "image_conversion", "inject_image_metadata"
#: Those that need the data as a file before it goes to its stores.
ON_FILES = (DECOMPRESSION, CONVERSION)

_CONVERTIBLE = ("raw", "qcow2", "vmdk", "vdi", "vhd", "vhdx")

OPTIONS: Options = {
    "image_import_options": [
        cfg.ListOpt(
            "image_import_plugins",
            item_type=cfg.types.String(choices=["no_op", DECOMPRESSION, CONVERSION, METADATA]),
            bounds=False,
            default=["no_op"],
            help="What is done with imported data, in this order; copy-image does nothing of it.",
        ),
        cfg.IntOpt(
            "largest_output",
            default=100 << 30,
            min=1,
            max=1 << 62,
            help="Bytes that decompression or conversion may make of one image; image_size_cap and quotas "
            "hold too.",
        ),
    ],
    "image_conversion": [
        cfg.StrOpt(
            "output_format",
            default="raw",
            choices=["qcow2", "raw", "vmdk"],
            help="What image_conversion makes of every image.",
        ),
        cfg.IntOpt("timeout", default=3600, min=1, help="Seconds after which a conversion is ended."),
        cfg.IntOpt(
            "address_space_limit", default=4, min=1, help="Address space of qemu-img while it converts, GiB."
        ),
    ],
    "inject_metadata_properties": [
        cfg.ListOpt(
            "ignore_user_roles",
            default=["admin"],
            help="Who has one of these roles gets no properties from inject_image_metadata.",
        ),
        cfg.DictOpt("inject", default={}, help="Properties that inject_image_metadata gives, k1:v1,k2:v2."),
    ],
}


class Reworking:
    """`conf` is the group image_conversion; `largest` bytes is the most that one step may make."""

    def __init__(self, staging: FileStore, conf: Any, largest: int):
        self._staging = staging
        self._conf = conf
        self._largest = largest

    def decompress(self, image: dict[str, Any], source: str, target: str) -> bool:
        """Unpack the staged data `source` as `target`; False: it is not compressed. `image` has the
        container_format and the limit in bytes. CannotDecompress, ImageTooLarge, StorageFull."""
        if image["container_format"] == "compressed":
            # What is meant to be compressed stays so.
            return False
        chunks = decompression.opened(self._path(source))
        if chunks is None:
            return False
        self._staging.write(target, chunks, self._limit(image))
        return True

    def convert(self, image: dict[str, Any], source: str, target: str) -> dict[str, Any] | None:
        """Convert the staged data `source`, returns the new formats; None: it stays as it is.
        BadImageContent, ImageTooLarge, StorageFull, DriverError."""
        path, declared, wanted = self._path(source), image["disk_format"], self._conf.output_format
        inspection = disk_format.inspect_file(path)
        try:
            disk_format.check(declared, inspection)
        except (disk_format.FormatMismatch, disk_format.UnsafeImage) as error:
            raise BadImageContent(error.message) from error
        # An ISO image is to stay one: its readers look for its file system.
        if wanted == declared or "iso" in (declared, inspection.format):
            return None
        if declared not in _CONVERTIBLE or inspection.format != declared:
            raise BadImageContent(f"An image of the format {inspection.format} cannot be converted.")
        limit = self._limit(image)
        if inspection.virtual_size is None or inspection.virtual_size > limit:
            raise ImageTooLarge(limit=limit)
        self._staging.produce(target, lambda partial: self._run(path, declared, partial, wanted, limit))
        return {"disk_format": wanted, "container_format": "bare"}

    def _run(self, source: Path, declared: str, target: Path, wanted: str, limit: int) -> None:
        timeout, space = self._conf.timeout, self._conf.address_space_limit << 30
        form = disk_format.qemu_format(declared)
        # Absolute paths: QEMU takes what stands before a colon in another name as a protocol.
        command = ["qemu-img", "convert", "-f", form, "-O", wanted, str(source), str(target)]
        try:
            processes.run(
                command, timeout=timeout, limits=processes.Limits(cpu_seconds=timeout, address_space=space)
            )
        except processes.ProcessFailed as error:
            if "No space left" in error.message:
                raise StorageFull from error
            raise
        found = disk_format.inspect_file(target)
        try:
            # Somebody may hide one format inside of another.
            disk_format.check(wanted, found)
        except (disk_format.FormatMismatch, disk_format.UnsafeImage) as error:
            raise BadImageContent(f"The image holds another one: {error.message}") from error
        if wanted == "raw" and found.format != "raw":
            raise BadImageContent(f"The image holds another one, of the format {found.format}.")
        if found.size > limit:
            raise ImageTooLarge(limit=limit)

    def _path(self, data_id: str) -> Path:
        return self._staging.path(self._staging.location(data_id))

    def _limit(self, image: dict[str, Any]) -> int:
        limit: int = min(image["limit"], self._largest)
        return limit


def rework(
    run: Run, image: dict[str, Any], source: dict[str, Any], plan: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """An import's part of it: returns the image with its formats afterwards, and where its data is then.

    `plan` is {"fetched": id for data that is not staged yet, "steps": [[plugin, id of its result], ...]}.
    """
    conductor = run.conductor
    if source["kind"] != "staged":
        run.undo(conductor.remove_data, "staging", plan["fetched"])
        run.step(conductor.transfer.stage, image, source, plan["fetched"])
        source = {"kind": "staged", "id": plan["fetched"]}
    for plugin, data_id in plan["steps"]:
        run.undo(conductor.remove_data, "staging", data_id)
        if plugin == DECOMPRESSION:
            made = run.step(conductor.reworking.decompress, image, source["id"], data_id)
        else:
            made = run.step(conductor.reworking.convert, image, source["id"], data_id)
            image = {**image, **(made or {})}
        if made:
            # What it was made of takes room that the next step may need.
            run.step(conductor.remove_data, "staging", source["id"])
            source = {"kind": "staged", "id": data_id}
    return image, source
