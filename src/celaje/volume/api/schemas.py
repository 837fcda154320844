"""Parts of the JSON Schemas that several resources share. Strictness as Cinder's."""

from typing import Any

from celaje.common.errors import Invalid

Schema = dict[str, Any]

LARGEST_INTEGER = 0x7FFFFFFF

UUID_PATTERN = "^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$"
UUID: Schema = {"type": "string", "pattern": UUID_PATTERN}
OPTIONAL_UUID: Schema = {"type": ["string", "null"], "pattern": UUID_PATTERN}

TRUE = (True, "True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes", "y", "t")
FALSE = (False, "False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no", "n", "f")
BOOLEAN: Schema = {"type": ["boolean", "string"], "enum": [*TRUE, *FALSE]}
OPTIONAL_BOOLEAN: Schema = {"type": ["boolean", "string", "null"], "enum": [None, *TRUE, *FALSE]}

# No control characters, line ends or other separators than the space.
_PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"

NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"\S"}
OPTIONAL_NAME: Schema = {"type": ["string", "null"], "maxLength": 255}
DESCRIPTION: Schema = {"type": ["string", "null"], "maxLength": 255, "pattern": _PRINTABLE}
LONG_DESCRIPTION: Schema = {"type": ["string", "null"], "maxLength": 255}

_KEY = "^[a-zA-Z0-9-_:. /]{1,255}$"
METADATA: Schema = {
    "type": "object",
    "patternProperties": {_KEY: {"type": "string", "maxLength": 255}},
    "additionalProperties": False,
}
OPTIONAL_METADATA: Schema = {**METADATA, "type": ["object", "null"]}
EXTRA_SPECS: Schema = {
    "type": "object",
    "patternProperties": {"^[a-zA-Z0-9-_:.]{1,255}$": {"type": ["string", "null"], "maxLength": 255}},
    "additionalProperties": False,
}
SIZE: Schema = {
    "type": ["integer", "string"],
    "pattern": "^[0-9]+$",
    "minimum": 1,
    "maximum": LARGEST_INTEGER,
}
OPTIONAL_SIZE: Schema = {**SIZE, "type": ["integer", "string", "null"]}
CONNECTOR: Schema = {"type": "object"}


def wrapped(name: str, schema: Schema, **others: Schema) -> Schema:
    """A body with the one key `name`."""
    return {
        "type": "object",
        "properties": {name: schema, **others},
        "required": [name],
        "additionalProperties": False,
    }


def record(properties: dict[str, Schema], required: tuple[str, ...] = (), **more: Any) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
        **more,
    }


def truth(value: Any) -> bool:
    """A value that BOOLEAN let through."""
    return value in TRUE


def flag(text: str | None, name: str) -> bool:
    """A boolean of the query string; Cinder refuses what is neither."""
    if text is None:
        return False
    lowered = text.strip().lower()
    if lowered in ("1", "t", "true", "on", "y", "yes"):
        return True
    if lowered in ("0", "f", "false", "off", "n", "no", ""):
        return False
    raise Invalid(f"Value '{text[:32]}' for '{name}' is not a boolean.")
