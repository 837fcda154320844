"""A server in the payloads of Nova's notifications.

`legacy` has the keys of Nova's `info_from_instance`, `versioned` those of its InstanceActionPayload (and
InstanceActionVolumePayload), as nova's notification samples in its documentation show them.
"""

from typing import Any

from celaje.common import clock
from celaje.common.context import RequestContext

Row = dict[str, Any]

_POWER = {0: "pending", 1: "running", 3: "paused", 4: "shutdown", 6: "crashed", 7: "suspended"}


def legacy(resource: Row, phase: str, volume_id: str | None, error: Row | None) -> Row:
    row, flavor = resource["row"], resource["row"]["flavor"]
    properties = (row["image_meta"] or {}).get("properties") or {}
    payload = {
        "tenant_id": row["project_id"],
        "user_id": row["user_id"],
        "instance_id": row["id"],
        "display_name": row["name"],
        "reservation_id": row["reservation_id"],
        "hostname": row["hostname"],
        "instance_type": flavor["name"],
        "instance_type_id": None,
        "instance_flavor_id": row["flavorid"],
        "architecture": properties.get("architecture"),
        "memory_mb": row["memory_mb"],
        "disk_gb": row["root_gb"] + row["ephemeral_gb"],
        "vcpus": row["vcpus"],
        "root_gb": row["root_gb"],
        "ephemeral_gb": row["ephemeral_gb"],
        "host": row["host"],
        "node": row["node"],
        "availability_zone": row["availability_zone"],
        "cell_name": "",
        "created_at": _offset(row["created_at"]),
        "terminated_at": _offset(row["terminated_at"]),
        "deleted_at": _offset(row["deleted_at"]),
        "launched_at": _offset(row["launched_at"]),
        "image_ref_url": row["image_id"] or "",
        "os_type": properties.get("os_type"),
        "kernel_id": properties.get("kernel_id") or "",
        "ramdisk_id": properties.get("ramdisk_id") or "",
        "state": row["vm_state"],
        "state_description": row["task_state"] or "",
        "progress": row["progress"] or "",
        "access_ip_v4": row["access_ip_v4"],
        "access_ip_v6": row["access_ip_v6"],
        "image_meta": properties,
        "metadata": resource["metadata"],
        "fixed_ips": [_fixed_ip(address, one) for one, address in _addresses(resource)],
    }
    if volume_id is not None:
        payload["volume_id"] = volume_id
    if phase == "end":
        payload["message"] = "Success"
    if error is not None:
        payload |= {"message": error["message"], "exception": _class(error), "code": 500}
    return payload


def versioned(resource: Row, volume_id: str | None, error: Row | None, asker: RequestContext) -> Row:
    row, flavor = resource["row"], resource["row"]["flavor"]
    properties = (row["image_meta"] or {}).get("properties") or {}
    data = {
        "uuid": row["id"],
        "user_id": row["user_id"],
        "tenant_id": row["project_id"],
        "reservation_id": row["reservation_id"],
        "display_name": row["name"],
        "display_description": row["description"],
        "host_name": row["hostname"],
        "host": row["host"],
        "node": row["node"],
        "os_type": properties.get("os_type"),
        "architecture": properties.get("architecture"),
        "availability_zone": row["availability_zone"],
        "flavor": _object(
            "FlavorPayload",
            "1.4",
            {
                "flavorid": row["flavorid"],
                "name": flavor["name"],
                "memory_mb": flavor["memory_mb"],
                "vcpus": flavor["vcpus"],
                "root_gb": flavor["root_gb"],
                "ephemeral_gb": flavor["ephemeral_gb"],
                "swap": flavor["swap"],
                "rxtx_factor": flavor.get("rxtx_factor", 1.0),
                # A server does not keep whether others could still choose its flavor.
                "is_public": flavor.get("is_public", True),
                "disabled": flavor.get("disabled", False),
                "extra_specs": flavor["extra_specs"],
                "description": flavor.get("description"),
                "vcpu_weight": 0,
                "projects": None,
            },
        ),
        "image_uuid": row["image_id"],
        "key_name": row["key_name"],
        "kernel_id": properties.get("kernel_id") or "",
        "ramdisk_id": properties.get("ramdisk_id") or "",
        "created_at": _zulu(row["created_at"]),
        "launched_at": _zulu(row["launched_at"]),
        "terminated_at": _zulu(row["terminated_at"]),
        "deleted_at": _zulu(row["deleted_at"]),
        "updated_at": _zulu(row["updated_at"]),
        "state": row["vm_state"],
        "power_state": _POWER.get(row["power_state"], "pending"),
        "task_state": row["task_state"],
        "progress": row["progress"],
        "ip_addresses": [
            _object("IpPayload", "1.0", _ip(address, one)) for one, address in _addresses(resource)
        ],
        "block_devices": [
            _object("BlockDevicePayload", "1.0", _device(one))
            for one in resource["devices"]
            if one["volume_id"]
        ],
        "metadata": resource["metadata"],
        "locked": row["locked"],
        "locked_reason": row["locked_reason"],
        "auto_disk_config": row["disk_config"],
        "fault": None if error is None else _object("ExceptionPayload", "1.1", _fault(error)),
        "request_id": asker.request_id,
        "action_initiator_user": asker.user_id,
        "action_initiator_project": asker.project_id,
    }
    if volume_id is not None:
        return _object("InstanceActionVolumePayload", "1.6", {**data, "volume_id": volume_id})
    return _object("InstanceActionPayload", "1.8", data)


def _object(name: str, version: str, data: Row) -> Row:
    return {
        "nova_object.name": name,
        "nova_object.namespace": "nova",
        "nova_object.version": version,
        "nova_object.data": data,
    }


def _addresses(resource: Row) -> list[tuple[Row, Row]]:
    """(interface, fixed address) pairs."""
    return [
        (one, address) for one in resource["interfaces"] for address in one["info"].get("fixed_ips") or ()
    ]


def _fixed_ip(address: Row, interface: Row) -> Row:
    return {
        "address": address["ip_address"],
        "type": "fixed",
        "version": 6 if ":" in address["ip_address"] else 4,
        "meta": {},
        "floating_ips": [],
        "label": interface["info"]["network"].get("name"),
        "vif_mac": interface["mac_address"],
    }


def _ip(address: Row, interface: Row) -> Row:
    return {
        "address": address["ip_address"],
        "version": 6 if ":" in address["ip_address"] else 4,
        "mac": interface["mac_address"],
        "port_uuid": interface["port_id"],
        "label": interface["info"]["network"].get("name"),
        "device_name": f"tap{interface['port_id'][:11]}",
        "meta": {},
    }


def _device(device: Row) -> Row:
    return {
        "device_name": device["device_name"],
        "boot_index": device["boot_index"],
        "delete_on_termination": device["delete_on_termination"],
        "volume_id": device["volume_id"],
        "tag": device["tag"],
    }


def _fault(error: Row) -> Row:
    return {
        "exception": _class(error),
        "exception_message": error["message"],
        "function_name": (error.get("details") or {}).get("step") or "",
        "module_name": str(error["class"]).rpartition(".")[0],
        "traceback": "",
    }


def _class(error: Row) -> str:
    return str(error["class"]).rpartition(".")[2]


def _offset(moment: Any) -> str:
    """As Nova's legacy payloads write times: UTC with its offset, empty for never."""
    return "" if moment is None else f"{moment.isoformat(sep=' ', timespec='seconds')}+00:00"


def _zulu(moment: Any) -> str | None:
    return None if moment is None else clock.iso(moment, zulu=True)
