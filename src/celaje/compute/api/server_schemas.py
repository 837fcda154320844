"""JSON Schemas of creating and updating servers, by microversion. Facts: Nova's API reference."""

from collections.abc import Callable, Iterator

from celaje.compute.api import parameters as p
from celaje.compute.api.parameters import Schema

Version = tuple[int, int]

_CREATE_CHANGES = (19, 32, 33, 37, 42, 52, 57, 63, 67, 74, 90, 94)
_UPDATE_CHANGES = (19, 90, 94, 104)


def ranges(
    changes: tuple[int, ...], make: Callable[[int], Schema]
) -> Iterator[tuple[Version, Version | None, Schema]]:
    """(since, until, schema) for each span between two changes."""
    starts = (1, *changes)
    for number, start in enumerate(starts):
        until = (2, starts[number + 1] - 1) if number + 1 < len(starts) else None
        yield (2, start), until, make(start)


def create_ranges() -> Iterator[tuple[Version, Version | None, Schema]]:
    return ranges(_CREATE_CHANGES, _create)


def update_ranges() -> Iterator[tuple[Version, Version | None, Schema]]:
    return ranges(_UPDATE_CHANGES, _update)


def _hints() -> Schema:
    uuids = {"anyOf": [p.UUID, {"type": "array", "items": p.UUID}]}
    return {
        "type": "object",
        "properties": {
            "group": uuids,
            "different_host": uuids,
            "same_host": uuids,
            "query": {"type": ["string", "object"]},
            "target_cell": p.NAME,
            "different_cell": {"type": ["string", "array"], "items": {"type": "string"}},
            "build_near_host_ip": p.IP,
            "cidr": {"type": "string", "pattern": "^/[0-9a-f.:]+$"},
        },
        "additionalProperties": True,
    }


def _device(minor: int) -> Schema:
    properties: Schema = {
        "virtual_name": {"type": "string", "maxLength": 255},
        "volume_id": p.UUID,
        "snapshot_id": p.UUID,
        "volume_size": p.VOLUME_SIZE,
        "device_name": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "pattern": "^[a-zA-Z0-9._/-]*$",
        },
        "delete_on_termination": p.BOOLEAN,
        "no_device": {},
        "connection_info": {"type": "string", "maxLength": 16777215},
    }
    if minor == 0:  # the legacy form
        return {"type": "object", "properties": properties, "additionalProperties": False}
    properties |= {
        "source_type": {"enum": ["volume", "image", "snapshot", "blank"]},
        "uuid": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[a-zA-Z0-9._-]*$"},
        "image_id": p.UUID,
        "destination_type": {"enum": ["local", "volume"]},
        "guest_format": {"type": "string", "maxLength": 255},
        "device_type": {"type": "string", "maxLength": 255},
        "disk_bus": {"type": "string", "maxLength": 255},
        "boot_index": {"type": ["integer", "string", "null"], "pattern": "^-?[0-9]+$"},
    }
    if minor == 32 or minor >= 42:
        properties["tag"] = p.TAG
    if minor >= 67:
        properties["volume_type"] = {"type": ["string", "null"], "maxLength": 255}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _networks(minor: int) -> Schema:
    item: Schema = {
        "fixed_ip": p.IP,
        "port": p.UUID_OR_NONE,
        "uuid": p.UUID if minor >= 37 else {"type": "string"},
    }
    if 32 <= minor < 37 or minor >= 42:
        item["tag"] = p.TAG
    several = {
        "type": "array",
        "items": {"type": "object", "properties": item, "additionalProperties": False},
    }
    if minor < 37:
        return several
    return {"oneOf": [several, {"type": "string", "enum": ["none", "auto"]}]}


def _create(minor: int) -> Schema:
    group = {
        "type": "object",
        "properties": {"name": p.NAME},
        "additionalProperties": False,
    }
    properties: Schema = {
        "name": p.NAME,
        "imageRef": {"oneOf": [p.UUID, {"type": "string", "maxLength": 0}]},
        "flavorRef": p.FLAVOR_REF,
        "adminPass": p.PASSWORD,
        "metadata": p.METADATA,
        "networks": _networks(minor),
        "OS-DCF:diskConfig": p.DISK_CONFIG,
        "accessIPv4": p.ACCESS_IPV4,
        "accessIPv6": p.ACCESS_IPV6,
        "availability_zone": p.NAME,
        "block_device_mapping": {"type": "array", "items": _device(0)},
        "block_device_mapping_v2": {"type": "array", "items": _device(minor)},
        "config_drive": p.BOOLEAN,
        "key_name": p.NAME,
        "min_count": p.POSITIVE,
        "max_count": p.POSITIVE,
        "return_reservation_id": p.BOOLEAN,
        "security_groups": {"type": "array", "items": group},
        "user_data": p.BASE64,
    }
    if minor < 57:
        properties["personality"] = {"type": "array", "items": {"type": "object"}}
    for since, name, schema in (
        (19, "description", p.DESCRIPTION),
        (52, "tags", {"type": "array", "items": p.TAG, "maxItems": 50}),
        (63, "trusted_image_certificates", p.CERTIFICATES),
        (74, "host", p.FQDN),
        (74, "hypervisor_hostname", p.FQDN),
        (90, "hostname", p.FQDN if minor >= 94 else p.HOSTNAME),
    ):
        if minor >= since:
            properties[name] = schema
    required = ["name", "flavorRef", *(["networks"] if minor >= 37 else [])]
    return {
        "type": "object",
        "properties": {
            "server": {
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": False,
            },
            "os:scheduler_hints": _hints(),
            "OS-SCH-HNT:scheduler_hints": _hints(),
        },
        "required": ["server"],
        "additionalProperties": False,
    }


def _update(minor: int) -> Schema:
    properties: Schema = {
        "name": p.NAME,
        "OS-DCF:diskConfig": p.DISK_CONFIG,
        "accessIPv4": p.ACCESS_IPV4,
        "accessIPv6": p.ACCESS_IPV6,
    }
    if minor >= 19:
        properties["description"] = p.DESCRIPTION
    if minor >= 90:
        properties["hostname"] = p.FQDN if minor >= 94 else p.HOSTNAME
    if minor >= 104:
        properties["pinned_availability_zone"] = p.NAME_OR_NONE
    return p.body("server", properties)
