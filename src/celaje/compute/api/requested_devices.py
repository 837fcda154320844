"""What a request says of a new server's disks: image, block_device_mapping in both forms.

Used by the creation of servers; answers rows of block devices and whether the root disk is a volume.
"""

from dataclasses import dataclass, field
from typing import Any

from celaje.common import clock
from celaje.common.errors import Invalid, NotFound
from celaje.common.wsgi import Request
from celaje.compute.api.parameters import is_true
from celaje.compute.drivers.base import free_device

Body = dict[str, Any]

_BOOT_SEQUENCE = (
    "Block Device Mapping is Invalid: Boot sequence for the instance and image/block device mapping "
    "combination is not valid."
)


@dataclass
class Devices:
    """`image` is that of the boot volume, if it has one (else the request's)."""

    rows: list[Body] = field(default_factory=list)
    root_is_volume: bool = False
    root_name: str = "/dev/vda"
    names_a_volume: bool = False
    image: Body | None = None


def read_devices(request: Request, wanted: Body, image: Body | None, flavor: Body) -> Devices:
    legacy, new = wanted.get("block_device_mapping"), wanted.get("block_device_mapping_v2")
    if legacy and new:
        raise Invalid("Using different block_device_mapping syntaxes is not allowed in the same request.")
    given = [_from_legacy(item, number, image) for number, item in enumerate(legacy)] if legacy else new or []
    given = [item for item in given if not item.get("no_device")]
    if given:
        request.authorize(rule="os_compute_api:servers:create:attach_volume")
    found = Devices()
    for item in given:
        device = _device(item)
        if device["destination_type"] == "local" and device["source_type"] == "image":
            # The image as its own first entry, as some clients write it.
            if image is None or device["image_id"] != image["id"]:
                raise Invalid("Block Device Mapping is Invalid: Mapping image to local is not supported.")
            continue
        found.rows.append(device)
    _boot_order(found, image)
    _names(found)
    _look_at_sources(request, found)
    return found


def _from_legacy(item: Body, number: int, image: Body | None) -> Body:
    source, uuid = ("volume", item.get("volume_id"))
    if item.get("snapshot_id"):
        source, uuid = "snapshot", item["snapshot_id"]
    if not uuid and not item.get("no_device"):
        raise Invalid("Block Device Mapping is Invalid: a volume_id or a snapshot_id is needed.")
    return {
        **{key: value for key, value in item.items() if key not in ("virtual_name", "connection_info")},
        "source_type": source,
        "uuid": uuid,
        "destination_type": "volume",
        "boot_index": 0 if number == 0 and image is None else -1,
    }


def _device(item: Body) -> Body:
    source = item.get("source_type")
    uuid = item.get("uuid")
    for kind in ("volume", "snapshot", "image"):
        if item.get(f"{kind}_id") and not uuid:
            source, uuid = kind, item[f"{kind}_id"]
    if source is None:
        raise Invalid("Block Device Mapping is Invalid: source_type is missing.")
    if source != "blank" and not uuid:
        raise Invalid("Block Device Mapping is Invalid: Missing device UUID.")
    target = item.get("destination_type") or ("local" if source in ("image", "blank") else "volume")
    if (source, target) in (("volume", "local"), ("snapshot", "local")):
        raise Invalid(f"Block Device Mapping is Invalid: Mapping {source} to local is not supported.")
    size = item.get("volume_size")
    if target == "volume" and source in ("image", "blank") and size is None:
        raise Invalid(
            "Block Device Mapping is Invalid: You specified more local devices than the limit allows"
            if source == "local"
            else f"Block Device Mapping is Invalid: {source} to volume mappings need a volume_size."
        )
    index = item.get("boot_index")
    try:
        boot_index = None if index is None else int(index)
    except ValueError as error:
        raise Invalid("Block Device Mapping is Invalid: boot_index must be a number.") from error
    now = clock.now()
    name = item.get("device_name")
    return {
        "source_type": source,
        "destination_type": target,
        "device_type": item.get("device_type") or "disk",
        "disk_bus": item.get("disk_bus"),
        "guest_format": item.get("guest_format"),
        "boot_index": boot_index if boot_index is None or boot_index >= 0 else -1,
        "device_name": (name if name.startswith("/dev/") else f"/dev/{name}") if name else None,
        "image_id": uuid if source == "image" else None,
        "snapshot_id": uuid if source == "snapshot" else None,
        "volume_id": uuid if source == "volume" else None,
        "volume_size": int(size) if size is not None else None,
        "volume_type": item.get("volume_type"),
        "delete_on_termination": is_true(item.get("delete_on_termination", target == "local")),
        "attachment_id": None,
        "connection_info": None,
        "tag": item.get("tag"),
        "state": "building",
        "flow_id": None,
        "created_at": now,
        "updated_at": now,
    }


def _boot_order(found: Devices, image: Body | None) -> None:
    indexes = [
        row["boot_index"] for row in found.rows if row["boot_index"] is not None and row["boot_index"] >= 0
    ]
    expected = list(range(len(indexes))) if image is None else list(range(1, len(indexes) + 1))
    if sorted(indexes) == list(range(len(indexes))) and indexes and image is not None:
        # A boot volume beside an imageRef: the volume boots, as in Nova.
        expected = sorted(indexes)
    if sorted(indexes) != expected:
        raise Invalid(_BOOT_SEQUENCE)
    roots = [row for row in found.rows if row["boot_index"] == 0]
    if not roots and image is None:
        if found.rows:
            raise Invalid(_BOOT_SEQUENCE)
        raise Invalid("Invalid imageRef provided.")
    found.root_is_volume = bool(roots) and roots[0]["destination_type"] == "volume"
    # The root device comes first wherever it stood.
    found.rows.sort(key=lambda row: row["boot_index"] != 0)


def _names(found: Devices) -> None:
    taken = [] if found.root_is_volume else [found.root_name]
    asked = [row["device_name"] for row in found.rows if row["device_name"]]
    if len(set(asked)) != len(asked):
        raise Invalid("Block Device Mapping is Invalid: a device name is given twice.")
    taken += asked
    for row in found.rows:
        if not row["device_name"]:
            row["device_name"] = free_device(taken)
            taken.append(row["device_name"])
        if row["boot_index"] == 0:
            found.root_name = row["device_name"]


def _look_at_sources(request: Request, found: Devices) -> None:
    """Volumes must be there and free, images and snapshots there."""
    clients = request.service.ground.clients
    for row in found.rows:
        root = row["boot_index"] == 0
        try:
            if row["volume_id"]:
                found.names_a_volume = True
                volume = clients.volume.volume(row["volume_id"])
                free = volume["status"] == "available" or (
                    volume.get("multiattach") and volume["status"] == "in-use"
                )
                if not free:
                    raise Invalid(
                        f"Invalid volume: volume '{row['volume_id']}' status must be 'available'. "
                        f"Currently in '{volume['status']}' status."
                    )
                if root and str(volume.get("bootable", "true")).lower() != "true":
                    raise Invalid(f"Block Device {row['volume_id']} is not bootable.")
                if root and volume.get("volume_image_metadata"):
                    found.image = _image_of_volume(volume["volume_image_metadata"])
            elif row["snapshot_id"]:
                snapshot = clients.volume.snapshot(row["snapshot_id"])
                row["volume_size"] = row["volume_size"] or snapshot["size"]
            elif row["image_id"]:
                from celaje.compute.api.server_create import described_image

                image = described_image(clients.image.show(row["image_id"]))
                if image["status"] != "active":
                    raise Invalid(f"Image {row['image_id']} is not active.")
                if root:
                    found.image = image
        except NotFound as error:
            kind = "volume" if row["volume_id"] else "snapshot" if row["snapshot_id"] else "image"
            missing = row[f"{kind}_id"]
            raise Invalid(f"Block Device Mapping is Invalid: failed to get {kind} {missing}.") from error


def _image_of_volume(metadata: Body) -> Body:
    kept = (
        "disk_format",
        "container_format",
        "min_ram",
        "min_disk",
        "size",
        "checksum",
        "image_id",
        "image_name",
    )
    return {
        "id": metadata.get("image_id"),
        "disk_format": metadata.get("disk_format"),
        "min_ram": int(metadata.get("min_ram") or 0),
        "min_disk": int(metadata.get("min_disk") or 0),
        "properties": {key: value for key, value in metadata.items() if key not in kept},
    }
