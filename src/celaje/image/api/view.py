"""How the API shows an image and a member. Source: the Image API v2 reference."""

from typing import Any

from celaje.common import clock

_PLAIN = (
    "name",
    "disk_format",
    "container_format",
    "visibility",
    "size",
    "virtual_size",
    "status",
    "checksum",
    "protected",
    "min_ram",
    "min_disk",
    "owner",
    "os_hidden",
    "os_hash_algo",
    "os_hash_value",
)


def image_view(
    image: dict[str, Any], direct_url: str | None = None, locations: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    path = f"/v2/images/{image['id']}"
    view = dict(image["properties"])
    for key in _PLAIN:
        view[key] = image[key]
    view["id"] = image["id"]
    view["created_at"] = clock.iso(image["created_at"], zulu=True)
    view["updated_at"] = clock.iso(image["updated_at"], zulu=True)
    if direct_url is not None:
        view["direct_url"] = direct_url
    if locations is not None:
        view["locations"] = locations
    view["tags"] = image["tags"]
    view["self"] = path
    view["file"] = f"{path}/file"
    view["schema"] = "/v2/schemas/image"
    if image["stores"]:
        view["stores"] = image["stores"]
    return view


def member_view(member: dict[str, Any]) -> dict[str, Any]:
    return {
        "member_id": member["member_id"],
        "image_id": member["image_id"],
        "status": member["status"],
        "created_at": clock.iso(member["created_at"], zulu=True),
        "updated_at": clock.iso(member["updated_at"], zulu=True),
        "schema": "/v2/schemas/member",
    }
