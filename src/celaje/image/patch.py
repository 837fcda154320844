"""Changes of an image by JSON patch, in Glance's two dialects of it. Pure: text in, changed values out.

Called by the handler of PATCH image. `parse` knows nothing of the image; `apply` nothing of rights.
Sources: the Image API v2 reference, RFC 6902 and draft-pbryan-zyp-json-pointer.
"""

import re
from dataclasses import dataclass
from typing import Any

from celaje.common.errors import Conflict, Invalid
from celaje.image.errors import NotAllowed, ReadOnlyAttribute, ReservedAttribute

MEDIA_OLD = "application/openstack-images-v2.0-json-patch"
MEDIA = "application/openstack-images-v2.1-json-patch"

READ_ONLY = (
    "created_at",
    "updated_at",
    "status",
    "checksum",
    "size",
    "virtual_size",
    "direct_url",
    "self",
    "file",
    "schema",
    "id",
    "os_hash_algo",
    "os_hash_value",
    "stores",
)
RESERVED = ("location", "deleted", "deleted_at")
RESERVED_PREFIX = "os_glance"
#: What a client may set, beside its own properties.
SETTABLE = (
    "name",
    "container_format",
    "disk_format",
    "min_ram",
    "min_disk",
    "visibility",
    "protected",
    "os_hidden",
    "owner",
    "tags",
)
_OPERATIONS = ("add", "remove", "replace")
_LOCATION_DEPTH = {"add": 2, "remove": 2, "replace": 1}
_ONLY_QUEUED = ("container_format", "disk_format")


class PropertyMissing(Conflict):
    text = "Property {name} does not exist."


class PropertyPresent(Conflict):
    text = "Property {name} already present."


@dataclass(frozen=True, slots=True)
class Change:
    """`name` of a base attribute or of a property; `strict`: adding what is there is a conflict (2.0)."""

    operation: str
    name: str
    value: Any = None
    strict: bool = False
    # Behind the name: the position in a list.
    part: str | None = None


def parse(body: Any, media_type: str) -> list[Change]:
    """Raises Invalid, ReadOnlyAttribute or ReservedAttribute."""
    if not isinstance(body, list):
        raise Invalid("Request body must be a JSON array of operation objects.")
    return [_parse_one(raw, strict=media_type == MEDIA_OLD) for raw in body]


def _parse_one(raw: Any, *, strict: bool) -> Change:
    if not isinstance(raw, dict):
        raise Invalid("Operations must be JSON objects.")
    operation, pointer = _old_form(raw) if strict else _new_form(raw)
    path = _decode(pointer)
    name = path[0]
    depth = _LOCATION_DEPTH[operation] if name == "locations" else 1
    if len(path) != depth:
        raise Invalid(f"Invalid JSON pointer for this resource: '/{'/'.join(path)[:255]}'")
    if operation != "remove" and "value" not in raw:
        raise Invalid(f'Operation "{operation}" requires a member named "value".')
    check_name(name)
    return Change(operation, name, raw.get("value"), strict, path[1] if depth == 2 else None)


def check_name(name: str) -> None:
    """Whether a client may set something of this name at all."""
    if name in READ_ONLY:
        raise ReadOnlyAttribute(name=name)
    if name in RESERVED or name.startswith(RESERVED_PREFIX):
        raise ReservedAttribute(name=name[:255])
    if not name:
        raise Invalid("A property needs a name.")
    if len(name) > 255:
        raise Invalid("Custom property should not be greater than 255 characters.")


def _old_form(raw: dict[str, Any]) -> tuple[str, Any]:
    named = [operation for operation in _OPERATIONS if operation in raw]
    if len(named) != 1:
        raise Invalid(
            'Operation objects must contain exactly one member named "add", "remove", or "replace".'
        )
    return named[0], raw[named[0]]


def _new_form(raw: dict[str, Any]) -> tuple[str, Any]:
    operation = raw.get("op")
    if operation not in _OPERATIONS:
        raise Invalid(
            f"Invalid operation: `{str(operation)[:64]}`. It must be one of the following: "
            f"{', '.join(_OPERATIONS)}."
        )
    if "path" not in raw:
        raise Invalid("Unable to find 'path' in JSON Schema change")
    return operation, raw["path"]


def _decode(pointer: Any) -> list[str]:
    if not isinstance(pointer, str):
        raise Invalid("A JSON pointer must be a string.")
    shown = pointer[:255]
    if not pointer.startswith("/"):
        raise Invalid(f'Pointer `{shown}` does not start with "/".')
    if re.search(r"/\s*/", pointer):
        raise Invalid(f'Pointer `{shown}` contains adjacent "/".')
    if len(pointer) > 1 and pointer.endswith("/"):
        raise Invalid(f'Pointer `{shown}` end with "/".')
    if re.search(r"~(?![01])", pointer):
        raise Invalid(f'Pointer `{shown}` contains "~" not part of a recognized escape sequence.')
    return [part.replace("~1", "/").replace("~0", "~").strip() for part in pointer[1:].split("/")]


def apply(image: dict[str, Any], changes: list[Change]) -> None:
    """Change `image` (a row with `tags` and `properties`) in place, one after the other. Locations are the
    handler's."""
    for change in changes:
        if change.name == "locations":
            continue
        if change.name in SETTABLE:
            _change_base(image, change)
        else:
            _change_property(image["properties"], change)


def _change_base(image: dict[str, Any], change: Change) -> None:
    name, value = change.name, change.value
    if change.operation == "remove":
        raise NotAllowed(f"Property {name} may not be removed.")
    if change.operation == "add" and change.strict:
        raise PropertyPresent(name=name)
    if name in _ONLY_QUEUED and image["status"] != "queued" and value != image[name]:
        raise NotAllowed(f"Attribute {name} can be only replaced for a queued image.")
    image[name] = sorted(set(value)) if name == "tags" else value


def _change_property(properties: dict[str, str], change: Change) -> None:
    name = change.name
    there = name in properties
    if change.operation == "add" and there and change.strict:
        raise PropertyPresent(name=name)
    if change.operation != "add" and not there:
        raise PropertyMissing(name=name)
    if change.operation == "remove":
        del properties[name]
    else:
        properties[name] = change.value
