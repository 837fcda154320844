"""JSON Schemas of actions and of what hangs on a server, by microversion. Facts: Nova's API reference."""

from typing import Any

from celaje.compute.api import parameters as p
from celaje.compute.api.parameters import wrapped

LOCK_REASON = {
    "oneOf": [
        {"type": "null"},
        {
            "type": "object",
            "properties": {"locked_reason": {"type": "string", "minLength": 1, "maxLength": 255}},
            "additionalProperties": False,
        },
    ]
}
_LENGTH = {"type": ["integer", "string", "null"], "pattern": "^-?[0-9]+$", "minimum": -1}
CONSOLE = wrapped(
    "os-getConsoleOutput",
    {"type": ["object", "null"], "properties": {"length": _LENGTH}, "additionalProperties": False},
)

TAGS = p.wrapped("tags", {"type": "array", "items": p.TAG, "maxItems": 50})
META = p.wrapped("meta", {**p.METADATA, "minProperties": 1, "maxProperties": 1})
METADATA = p.wrapped("metadata", p.METADATA)
GROUP = {"type": "object", "properties": {"name": p.NAME}, "required": ["name"]}


def attachment(minor: int) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "volumeId": p.UUID,
        "device": {
            "type": ["string", "null"],
            "pattern": "(^/dev/x{0,1}[a-z]{0,1}d{0,1})([a-z]+)[0-9]*$|^[a-z]+[0-9]*$",
        },
    }
    if minor >= 49:
        properties["tag"] = p.TAG
    if minor >= 79:
        properties["delete_on_termination"] = p.BOOLEAN
    return p.body("volumeAttachment", properties, ("volumeId",))


def changed_attachment(minor: int) -> dict[str, Any]:
    properties: dict[str, Any] = {"volumeId": p.UUID}
    if minor >= 85:
        properties |= {
            "device": {"type": ["string", "null"]},
            "tag": {"oneOf": [p.TAG, {"type": "null"}]},
            "delete_on_termination": p.BOOLEAN,
            "serverId": p.UUID,
            "id": p.UUID,
        }
    return p.body("volumeAttachment", properties, ("volumeId",))


def interface(minor: int) -> dict[str, Any]:
    fixed = {
        "type": "object",
        "properties": {"ip_address": p.IP},
        "required": ["ip_address"],
        "additionalProperties": False,
    }
    properties: dict[str, Any] = {
        "net_id": p.UUID,
        "port_id": p.UUID,
        "fixed_ips": {"type": "array", "minItems": 1, "maxItems": 1, "items": fixed},
    }
    if minor >= 49:
        properties["tag"] = p.TAG
    attachment = {"type": "object", "properties": properties, "additionalProperties": False}
    return {
        "type": "object",
        "properties": {"interfaceAttachment": attachment},
        "additionalProperties": False,
    }


ASSISTED_SNAPSHOT = p.wrapped(
    "snapshot",
    {
        "type": "object",
        "properties": {
            "volume_id": p.UUID,
            "create_info": {
                "type": "object",
                "properties": {
                    "id": p.UUID,
                    "snapshot_id": p.UUID,
                    "type": {"type": "string", "enum": ["qcow2", "raw"]},
                    "new_file": {"type": "string", "minLength": 1, "maxLength": 255},
                },
                "required": ["snapshot_id", "type", "new_file"],
                "additionalProperties": False,
            },
        },
        "required": ["volume_id", "create_info"],
        "additionalProperties": False,
    },
)


def events(minor: int) -> dict[str, Any]:
    names = ["network-changed", "network-vif-plugged", "network-vif-unplugged", "network-vif-deleted"]
    for since, name in (
        (51, "volume-extended"),
        (76, "power-update"),
        (82, "accelerator-request-bound"),
        (93, "volume-reimaged"),
    ):
        if minor >= since:
            names.append(name)
    event = {
        "type": "object",
        "properties": {
            "server_uuid": p.UUID,
            "name": {"enum": names},
            "status": {"enum": ["failed", "completed", "in-progress"]},
            "tag": {"type": "string", "maxLength": 255},
        },
        "required": ["server_uuid", "name"],
        "additionalProperties": False,
    }
    return p.wrapped("events", {"type": "array", "minItems": 1, "items": event})
