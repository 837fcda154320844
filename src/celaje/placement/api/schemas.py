"""Parts of the JSON Schemas that several resources' bodies share."""

from typing import Any

# As UUIDs are accepted by the real service: with or without dashes, whatever the case.
UUID = {
    "type": "string",
    "pattern": "^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$",
}
UUID_KEY = "^[0-9a-fA-F-]{36}$"
NAME_PATTERN = "^[A-Z0-9_]+$"
CUSTOM_PATTERN = "^CUSTOM_[A-Z0-9_]+$"
LARGEST = 2147483647
# Any number that a database can compare.
GENERATION = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}


def closed(properties: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """An object with these properties and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def keyed(pattern: str, value: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An object whose keys all match `pattern`."""
    return {"type": "object", "patternProperties": {pattern: value}, "additionalProperties": False, **more}
