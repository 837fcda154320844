"""JSON Schemas of images and members: what bodies are checked against, and what /v2/schemas shows.

Source: the Image API v2 reference. `disk_formats` and `container_formats` come from the configuration.
"""

from typing import Any

from celaje.common.wsgi import Request

Schema = dict[str, Any]

_UUID = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$"
_STATUSES = [
    "queued",
    "saving",
    "active",
    "killed",
    "deleted",
    "uploading",
    "importing",
    "pending_delete",
    "deactivated",
]
_MOST = 2**31 - 1


def _shown(kind: Any, description: str, **more: Any) -> Schema:
    """A property that only the service sets."""
    return {"type": kind, "readOnly": True, "description": description, **more}


def image_properties(conf: Any) -> dict[str, Schema]:
    formats = conf.image_format
    nullable = ["null", "string"]
    return {
        "id": {"type": "string", "description": "The image's identifier", "pattern": _UUID},
        "name": {"type": nullable, "description": "The image's name", "maxLength": 255},
        "status": _shown("string", "Status of the image", enum=_STATUSES),
        "visibility": {
            "type": "string",
            "description": "Who sees the image",
            "enum": ["community", "public", "private", "shared"],
        },
        "protected": {"type": "boolean", "description": "If true, the image cannot be deleted."},
        "os_hidden": {"type": "boolean", "description": "If true, default lists leave the image out."},
        "checksum": _shown(nullable, "MD5 of the image's data", maxLength=32),
        "os_hash_algo": _shown(nullable, "Algorithm of os_hash_value", maxLength=64),
        "os_hash_value": _shown(nullable, "Digest of the data by os_hash_algo, in hex", maxLength=128),
        "owner": {"type": nullable, "description": "Project that owns the image", "maxLength": 255},
        "size": _shown(["null", "integer"], "Bytes of the image's data"),
        "virtual_size": _shown(["null", "integer"], "Bytes of the disk that the image describes"),
        "container_format": {
            "type": nullable,
            "description": "Format of the container",
            "enum": [None, *formats.container_formats],
        },
        "disk_format": {
            "type": nullable,
            "description": "Format of the disk",
            "enum": [None, *formats.disk_formats],
        },
        "created_at": _shown("string", "When the image was registered"),
        "updated_at": _shown("string", "When the image was last changed"),
        "tags": {
            "type": "array",
            "description": "Words to find the image by",
            "items": {"type": "string", "maxLength": 255},
        },
        "direct_url": _shown("string", "Where the data lies in its store"),
        "min_ram": {
            "type": "integer",
            "description": "MB of memory that a server needs for this image",
            "minimum": 0,
            "maximum": _MOST,
        },
        "min_disk": {
            "type": "integer",
            "description": "GB of disk that a server needs for this image",
            "minimum": 0,
            "maximum": _MOST,
        },
        "self": _shown("string", "URL of the image"),
        "file": _shown("string", "URL of the image's data"),
        "stores": _shown("string", "Stores that hold the data, separated by commas"),
        "schema": _shown("string", "URL of this schema"),
        "locations": {
            "type": "array",
            "description": "Where the data lies",
            "items": {
                "type": "object",
                "properties": {
                    "url": {"type": "string", "maxLength": 255},
                    "metadata": {"type": "object"},
                    "validation_data": {
                        "type": "object",
                        "writeOnly": True,
                        "additionalProperties": False,
                        "properties": {
                            "checksum": {"type": "string", "minLength": 32, "maxLength": 32},
                            "os_hash_algo": {"type": "string", "maxLength": 64},
                            "os_hash_value": {"type": "string", "maxLength": 128},
                        },
                        "required": ["os_hash_algo", "os_hash_value"],
                    },
                },
                "required": ["url", "metadata"],
            },
        },
    }


def create_body(conf: Any) -> Schema:
    """Everything beyond the base properties is a property of the user's, and a string."""
    return {
        "type": "object",
        "properties": image_properties(conf),
        "additionalProperties": {"type": "string", "maxLength": 65535},
    }


_MEMBER = {
    "member_id": {"type": "string", "description": "Project that the image is shared with"},
    "image_id": {"type": "string", "description": "The image's identifier", "pattern": _UUID},
    "created_at": {"type": "string", "description": "When the image was shared"},
    "updated_at": {"type": "string", "description": "When the member was last changed"},
    "status": {
        "type": "string",
        "description": "What the member said to it",
        "enum": ["pending", "accepted", "rejected"],
    },
    "schema": {"readOnly": True, "type": "string"},
}


def _image(conf: Any) -> Schema:
    return {
        "name": "image",
        "properties": image_properties(conf),
        "additionalProperties": {"type": "string"},
        "links": [
            {"rel": "self", "href": "{self}"},
            {"rel": "enclosure", "href": "{file}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    }


def collection(name: str, item: Schema, *, paged: bool) -> Schema:
    links = [{"rel": "describedby", "href": "{schema}"}]
    properties: Schema = {name: {"type": "array", "items": item}, "schema": {"type": "string"}}
    if paged:
        properties |= {"first": {"type": "string"}, "next": {"type": "string"}}
        links = [{"rel": "first", "href": "{first}"}, {"rel": "next", "href": "{next}"}, *links]
    return {"name": name, "properties": properties, "links": links}


def show_image(request: Request) -> Schema:
    return _image(request.service.conf)


def show_images(request: Request) -> Schema:
    return collection("images", _image(request.service.conf), paged=True)


def show_member(request: Request) -> Schema:
    return {"name": "member", "properties": _MEMBER}


def show_members(request: Request) -> Schema:
    return collection("members", show_member(request), paged=False)
