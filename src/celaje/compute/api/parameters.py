"""Pieces of the JSON Schemas of the compute API. Facts: Nova's API reference."""

from typing import Any

Schema = dict[str, Any]

# Unicode: no control characters; no blank at either end.
_BLANK = r"\s"
NAME: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 255,
    "pattern": rf"^[^{_BLANK}\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^{_BLANK}\x00-\x1f\x7f-\x9f])?$",
}
NAME_OR_NONE: Schema = {"oneOf": [{"type": "string", "minLength": 1, "maxLength": 255}, {"type": "null"}]}
DESCRIPTION: Schema = {"type": ["string", "null"], "maxLength": 255, "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"}
_HEX = "[0-9a-fA-F]"
UUID: Schema = {"type": "string", "pattern": f"^{_HEX}{{8}}-?({_HEX}{{4}}-?){{3}}{_HEX}{{12}}$"}
UUID_OR_NONE: Schema = {"anyOf": [UUID, {"type": "null"}]}
_TRUE = [True, "True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes"]
_FALSE = [False, "False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no"]
BOOLEAN: Schema = {"enum": _TRUE + _FALSE}
POSITIVE: Schema = {"type": ["integer", "string"], "pattern": "^[0-9]+$", "minimum": 1, "minLength": 1}
HOSTNAME: Schema = {
    "type": "string",
    "minLength": 2,
    "maxLength": 63,
    "pattern": "^[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+$",
}
FQDN: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[a-zA-Z0-9-._]*$"}
FLAVOR_REF: Schema = {"type": ["string", "integer"], "minLength": 1}
PASSWORD: Schema = {"type": "string"}
METADATA: Schema = {
    "type": "object",
    "patternProperties": {"^[a-zA-Z0-9-_:. ]{1,255}$": {"type": "string", "maxLength": 255}},
    "additionalProperties": False,
}
TAG: Schema = {"type": "string", "minLength": 1, "maxLength": 60, "pattern": "^[^,/]*$"}
DISK_CONFIG: Schema = {"enum": ["AUTO", "MANUAL"]}
CERTIFICATES: Schema = {
    "anyOf": [
        {
            "type": "array",
            "minItems": 1,
            "maxItems": 50,
            "uniqueItems": True,
            "items": {"type": "string", "minLength": 1},
        },
        {"type": "null"},
    ]
}
_OCTET = "(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_IPV4 = rf"^{_OCTET}(\.{_OCTET}){{3}}$"
_IPV6 = r"^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$"
IP: Schema = {"anyOf": [{"type": "string", "pattern": _IPV4}, {"type": "string", "pattern": _IPV6}]}
ACCESS_IPV4: Schema = {"type": "string", "anyOf": [{"pattern": _IPV4}, {"maxLength": 0}]}
ACCESS_IPV6: Schema = {"type": "string", "anyOf": [{"pattern": _IPV6}, {"maxLength": 0}]}
BASE64: Schema = {"type": "string", "maxLength": 65535, "pattern": r"^[A-Za-z0-9+/\s]*={0,2}\s*$"}
VOLUME_SIZE: Schema = {
    "type": ["integer", "string"],
    "pattern": "^[0-9]+$",
    "minimum": 1,
    "minLength": 1,
    "maximum": 0x7FFFFFFF,
}


def body(key: str, properties: Schema, required: tuple[str, ...] = (), **more: Any) -> Schema:
    """{key: {properties}}, nothing else."""
    return wrapped(
        key,
        {
            "type": "object",
            "properties": properties,
            "required": list(required),
            "additionalProperties": False,
        }
        | more,
    )


def wrapped(key: str, value: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {key: value},
        "required": [key],
        "additionalProperties": False,
    }


def action(key: str) -> Schema:
    """An action without parameters: {"os-start": null}; Nova takes any value."""
    return wrapped(key, {})


def is_true(value: Any) -> bool:
    return value in _TRUE and value is not False and value != 0
