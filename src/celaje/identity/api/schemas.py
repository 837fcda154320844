"""Parts that the JSON Schemas of identity's bodies share."""

from typing import Any

Schema = dict[str, Any]

ID = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": r"^[a-zA-Z0-9-]+$"}
ID_OR_NULL = {"type": ["string", "null"], "maxLength": 64, "pattern": r"^[a-zA-Z0-9-]+$"}
TEXT_OR_NULL = {"type": ["string", "null"]}
BOOLEAN = {"type": "boolean"}
URL = {"type": "string", "minLength": 1, "maxLength": 2048, "pattern": "^[a-zA-Z0-9+.-]+:.+"}

# Resource options all roles, projects and domains have.
OPTIONS = {
    "type": "object",
    "properties": {"immutable": {"type": ["boolean", "null"]}},
    "additionalProperties": False,
}


def name(longest: int) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": longest, "pattern": r"[\S]+"}


def body(
    member: str,
    properties: Schema,
    *,
    required: tuple[str, ...] = (),
    update: bool = False,
    extra: bool = True,
) -> Schema:
    """The schema of `{member: {...}}`. `extra`: clients may make up attributes, as Keystone lets them."""
    inner: Schema = {"type": "object", "properties": properties, "additionalProperties": extra}
    if required:
        inner["required"] = list(required)
    if update:
        inner["minProperties"] = 1
    return {"type": "object", "properties": {member: inner}, "required": [member]}
