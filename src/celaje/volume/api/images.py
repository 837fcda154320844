"""Images as the source of a volume: found as their user sees them, held against its size, remembered with it.

Called by the handlers that make a volume from an image, or an image from a volume.
"""

import re
from typing import Any

from celaje.common.errors import Conflict, Invalid, NotFound
from celaje.common.wsgi import Request
from celaje.volume import errors
from celaje.volume.api import schemas
from celaje.volume.conductor.reclaim_image_keys import KEY_POLICY, KEY_PROPERTY

Row = dict[str, Any]

_GIB = 1024**3

# What an image has besides properties of its own.
_IMAGE_FIELDS = frozenset(
    [
        "id",
        "name",
        "status",
        "visibility",
        "protected",
        "os_hidden",
        "os_hash_algo",
        "os_hash_value",
        "checksum",
        "size",
        "virtual_size",
        "created_at",
        "updated_at",
        "tags",
        "self",
        "file",
        "schema",
        "owner",
        "min_ram",
        "min_disk",
        "disk_format",
        "container_format",
        "locations",
        "direct_url",
        "stores",
        "links",
        "members",
        KEY_PROPERTY,
        KEY_POLICY,
    ]
)


def find(request: Request, reference: str | None) -> Row | None:
    """The image, by its id, a URL that ends with it, or its name, as its user sees it."""
    if not reference:
        return None
    request.authorize(rule="volume:create_from_image")
    client = request.service.ground.clients.image
    wanted = reference.rpartition("/")[2]
    image: Row | None = None
    if re.fullmatch(schemas.UUID_PATTERN, wanted):
        try:
            image = client.show(wanted)
        except NotFound:
            image = None
    if image is None:
        named = client.find(name=reference)
        if len(named) > 1:
            raise Conflict(f"Multiple matches found for '{reference}', use an ID to be more specific.")
        image = named[0] if named else None
    if image is None:
        raise Invalid("Invalid image identifier or unable to access requested image.")
    if image.get("status") != "active":
        raise errors.InvalidInput(
            reason=f"Image {image['id']} is not active. It is in state {image.get('status')}."
        )
    return image


def check_size(image: Row, size: int) -> None:
    real = max(int(image.get("size") or 0), int(image.get("virtual_size") or 0))
    if real > size * _GIB:
        raise errors.InvalidInput(
            reason=f"Size of specified image {-(-real // _GIB)}GB is larger than volume size {size}GB."
        )
    if int(image.get("min_disk") or 0) > size:
        raise errors.InvalidInput(
            reason=f"Volume size {size}GB cannot be smaller than the image minDisk size "
            f"{image['min_disk']}GB."
        )


def metadata(image: Row) -> Row:
    """What a volume remembers of its image: `volume_image_metadata`."""
    own = {key: str(value) for key, value in image.items() if key not in _IMAGE_FIELDS and value is not None}
    return {
        **own,
        "image_id": image["id"],
        "image_name": image.get("name") or "",
        "container_format": image.get("container_format") or "",
        "disk_format": image.get("disk_format") or "",
        "min_disk": str(image.get("min_disk") or 0),
        "min_ram": str(image.get("min_ram") or 0),
        "size": str(image.get("size") or 0),
        "checksum": image.get("checksum") or "",
    }


def properties(remembered: Row) -> Row:
    """What an image that is made of a volume gets of what the volume remembers: its properties."""
    described = ("image_id", "image_name", "size", "min_disk", "min_ram")
    given = {
        key: value
        for key, value in remembered.items()
        if key not in described and key not in _IMAGE_FIELDS and not key.startswith("os_glance")
    }
    for key in ("min_disk", "min_ram"):
        if str(remembered.get(key, "")).isdigit():
            given[key] = int(remembered[key])
    return given
