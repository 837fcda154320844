"""Extra specs of flavors: what schedulers and drivers are told of them."""

import re
from collections.abc import Mapping
from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import Invalid, NotFound
from celaje.common.wsgi import Request
from celaje.compute.api.flavors import asker
from celaje.compute.api.parameters import wrapped
from celaje.compute.db import flavors

_KEY = "^[a-zA-Z0-9-_:. ]{1,255}$"
_SPECS = {
    "type": "object",
    "patternProperties": {_KEY: {"type": ["string", "number"], "maxLength": 255}},
    "additionalProperties": False,
}
CREATE = wrapped("extra_specs", _SPECS)
UPDATE = {**_SPECS, "minProperties": 1, "maxProperties": 1}

_NUMBER = "[0-9]+"
_BOOLEAN = "(?i:true|false|yes|no|on|off|1|0|t|f|y|n)"
_ANY = ".*"
# Since microversion 2.86 a key in one of these namespaces must be a known one, with a fitting value.
# Source: Nova's list of standardized extra specs.
_KNOWN: Mapping[str, Mapping[str, str]] = {
    "hw": {
        "cpu_policy": "dedicated|shared|mixed",
        "cpu_thread_policy": "prefer|isolate|require",
        "emulator_threads_policy": "isolate|share",
        "cpu_dedicated_mask": r"\^?\d+((-\d+)?(,\^?\d+(-\d+)?)?)*",
        "cpu_realtime": _BOOLEAN,
        "cpu_realtime_mask": r"(\^)?\d+((-\d+)?(,\^?\d+(-\d+)?)?)*",
        "cpu_sockets": _NUMBER,
        "cpu_cores": _NUMBER,
        "cpu_threads": _NUMBER,
        "cpu_max_sockets": _NUMBER,
        "cpu_max_cores": _NUMBER,
        "cpu_max_threads": _NUMBER,
        "numa_nodes": _NUMBER,
        r"numa_cpus\.\d+": r"\d+((-\d+)?(,\^?\d+(-\d+)?)?)*",
        r"numa_mem\.\d+": _NUMBER,
        "pci_numa_affinity_policy": "required|preferred|legacy|socket",
        "mem_page_size": r"(large|small|any)|\d+([kKMGT]i?)?(b|bit|B)?",
        "mem_encryption": _BOOLEAN,
        "mem_encryption_model": _ANY,
        "pmem": _ANY,
        "boot_menu": _BOOLEAN,
        "watchdog_action": "none|pause|poweroff|reset|disabled",
        "tpm_version": "1.2|2.0",
        "tpm_model": "tpm-tis|tpm-crb",
        "tpm_secret_security": "user|host|deployment",
        "serial_port_count": _NUMBER,
        "hide_hypervisor_id": _BOOLEAN,
        "locked_memory": _BOOLEAN,
        "maxphysaddr_mode": "passthrough|emulate",
        "maxphysaddr_bits": _NUMBER,
        "pmu": _BOOLEAN,
        "viommu_model": "intel|smmuv3|virtio|auto",
        "virtio_packed_ring": _BOOLEAN,
        "ephemeral_encryption": _BOOLEAN,
        "ephemeral_encryption_format": "luks",
        "vif_multiqueue_enabled": _BOOLEAN,
        "sound_model": _ANY,
        "usb_model": _ANY,
        "redirected_usb_ports": _NUMBER,
    },
    "hw_rng": {"allowed": _BOOLEAN, "rate_bytes": _NUMBER, "rate_period": _NUMBER},
    "hw_video": {"ram_max_mb": _NUMBER},
    "os": {
        "secure_boot": "disabled|required|optional",
    },
    "pci_passthrough": {"alias": _ANY},
    "quota": {
        "cpu_shares": _NUMBER,
        "cpu_period": _NUMBER,
        "cpu_quota": "-?[0-9]+",
        r"(cpu|memory|disk_io|vif)_(limit|reservation|shares_share)": "-?[0-9]+",
        r"(cpu|memory|disk_io|vif)_shares_level": "low|normal|high|custom",
        r"disk_(read|write|total)_(bytes|iops)_sec(_max(_length)?)?": _NUMBER,
        r"vif_(in|out)bound_(average|peak|burst)": _NUMBER,
    },
    "resources": {"[A-Z0-9_]+": _NUMBER},
    "trait": {"[A-Z0-9_]+": "required|forbidden"},
    "accel": {"device_profile": _ANY},
}
_NUMBERED = re.compile(r"(resources|trait)[A-Za-z0-9_-]{1,64}")


def check(request: Request, specs: Mapping[str, Any]) -> dict[str, str]:
    """The specs as strings. Raises Invalid for what microversion 2.86 does not know."""
    found = {}
    for key, value in specs.items():
        text = str(value)
        if len(text) > 255:
            raise Invalid(f"extra_specs value has {len(text)} characters, more than 255.")
        if request.at_least(2, 86):
            _check_known(key, text)
        found[key] = text
    return found


def _check_known(key: str, value: str) -> None:
    namespace, colon, name = key.partition(":")
    if not colon:
        return
    if match := _NUMBERED.fullmatch(namespace):
        namespace = match[1]
    known = _KNOWN.get(namespace)
    if known is None:
        return
    form = next((form for pattern, form in known.items() if re.fullmatch(pattern, name)), None)
    if form is None:
        raise Invalid(f"Validation failed; extra spec '{key}' does not appear to be a valid extra spec.")
    if not re.fullmatch(form, value):
        raise Invalid(f"Validation failed; '{value[:100]}' is not a value of extra spec '{key}'.")


def index(request: Request, flavor_id: str) -> dict[str, Any]:
    return {"extra_specs": request.service.database.read(_read, flavor_id, asker(request))}


def _read(tx: Transaction, flavorid: str, project_id: str | None) -> dict[str, str]:
    return flavors.extra_specs(tx, flavors.get(tx, flavorid, project_id)["id"])


def show(request: Request, flavor_id: str, key: str) -> dict[str, str]:
    found = request.service.database.read(_read, flavor_id, asker(request))
    if key not in found:
        raise NotFound(f"Flavor {flavor_id} has no extra specs with key {key}.")
    return {key: found[key]}


def create(request: Request, flavor_id: str) -> dict[str, Any]:
    specs = check(request, request.body["extra_specs"])
    _write(request, flavor_id, specs)
    return {"extra_specs": specs}


def update(request: Request, flavor_id: str, key: str) -> dict[str, str]:
    if key not in request.body:
        raise Invalid("Request body and URI mismatch")
    specs = check(request, request.body)
    _write(request, flavor_id, specs)
    return specs


def _write(request: Request, flavorid: str, specs: Mapping[str, str]) -> None:
    def unit(tx: Transaction) -> None:
        flavors.set_extra_specs(tx, flavors.get(tx, flavorid, None)["id"], specs)

    request.service.database.write(unit)


def delete(request: Request, flavor_id: str, key: str) -> None:
    def unit(tx: Transaction) -> None:
        row = flavors.get(tx, flavor_id, None)
        if not flavors.drop_extra_specs(tx, row["id"], [key]):
            raise NotFound(f"Flavor {flavor_id} has no extra specs with key {key}.")

    request.service.database.write(unit)
