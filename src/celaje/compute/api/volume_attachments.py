"""/servers/{id}/os-volume_attachments: list, show, attach, change, detach."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import Conflict, Invalid, NotFound
from celaje.common.wsgi import Request, Response
from celaje.common.wsgi.paging import read_limit, read_offset
from celaje.compute.api import volume_swaps
from celaje.compute.api.parameters import is_true
from celaje.compute.api.server_lookup import busy, load, refuse_locked
from celaje.compute.db import nodes, servers
from celaje.compute.drivers.base import free_device
from celaje.compute.errors import DeviceBusy

Body = dict[str, Any]

_ATTACH_IN = ("active", "paused", "stopped", "resized", "suspended", "rescued")


def index(request: Request, server_id: str) -> Body:
    row = load(request, server_id)
    limit, _ = read_limit(request, request.service.conf.api.max_limit)
    offset = read_offset(request)
    found = [one for one in request.service.database.read(servers.devices, row["id"]) if one["volume_id"]]
    return {"volumeAttachments": [_view(request, one) for one in found[offset : offset + limit]]}


def show(request: Request, server_id: str, volume_id: str) -> Body:
    row = load(request, server_id)
    return {"volumeAttachment": _view(request, _device(request, row, volume_id))}


def create(request: Request, server_id: str) -> Response:
    """Answered once the volume is reserved, so that one that cannot be attached is refused here."""
    row = load(request, server_id)
    refuse_locked(request, row)
    wanted = request.body["volumeAttachment"]
    volume_id = wanted["volumeId"]
    service = request.service
    flow_id, device = service.database.write(_submit, request, row, wanted)
    try:
        service.flows.result(flow_id, service.conf.api_wait_timeout, "reserved")
    except NotFound as error:
        raise NotFound(f"Volume {volume_id} could not be found.") from error
    except (Conflict, Invalid) as error:
        raise Invalid(f"Invalid volume: {error.message}") from error
    if request.at_least(2, 101):
        return Response(None, 202)
    if request.at_least(2, 89):
        # The row gets it when the volume is plugged; the journal has it since the reservation.
        reserved = service.database.read(service.flows.steps, flow_id)
        device["attachment_id"] = ((reserved[0]["result"] if reserved else None) or {}).get("id")
    return Response({"volumeAttachment": _view(request, device)}, 200)


def _submit(tx: Transaction, request: Request, row: Body, wanted: Body) -> tuple[str, Body]:
    service = request.service
    row = servers.get(tx, row["id"]) or row
    if row["vm_state"] not in _ATTACH_IN or row["task_state"] is not None or not row["worker"]:
        raise busy(row, "attach_volume", _ATTACH_IN)
    volume_id = wanted["volumeId"]
    known = servers.devices(tx, row["id"])
    if any(one["volume_id"] == volume_id for one in known):
        raise DeviceBusy(volume=volume_id)
    taken = [one["device_name"] for one in known if one["device_name"]]
    taken.append(row["root_device_name"] or "/dev/vda")
    name = wanted.get("device")
    name = f"/dev/{name.removeprefix('/dev/')}" if name else None
    if name and name in taken:
        raise Conflict(f"The supplied device path ({name}) is in use.")
    node = nodes.get(tx, row["host"], row["node"]) or {}
    now = clock.now()
    device: Body = {
        "id": clock.new_uuid(),
        "server_id": row["id"],
        "source_type": "volume",
        "destination_type": "volume",
        "device_type": "disk",
        "disk_bus": None,
        "guest_format": None,
        "boot_index": None,
        "device_name": free_device(taken, name),
        "image_id": None,
        "snapshot_id": None,
        "volume_id": volume_id,
        "volume_size": None,
        "volume_type": None,
        "delete_on_termination": is_true(wanted.get("delete_on_termination", False)),
        "attachment_id": None,
        "connection_info": None,
        "tag": wanted.get("tag"),
        "state": "attaching",
        "created_at": now,
        "updated_at": now,
    }
    device["flow_id"] = service.flows.submit(
        tx,
        "server.attach_volume",
        resource=("server", row["id"]),
        arguments={
            "server": servers.for_driver(row),
            "worker": row["worker"],
            "connector": node.get("connector") or {"host": row["host"]},
            "device": {"id": device["id"], "volume_id": volume_id, "device_name": device["device_name"]},
        },
        project_id=row["project_id"],
    )
    if not servers.add_device(tx, device):
        raise DeviceBusy(volume=volume_id)
    return device["flow_id"], device


def update(request: Request, server_id: str, volume_id: str) -> Response:
    """Another volumeId: the volume is swapped, see volume_swaps.py. Since 2.85 also whether it goes with the
    server."""
    row = load(request, server_id)
    refuse_locked(request, row)
    wanted = request.body["volumeAttachment"]
    swapped = wanted["volumeId"] != volume_id
    device = _device(request, row, volume_id)
    if request.at_least(2, 85):
        _change(request, row, device, wanted)
    if swapped or not request.at_least(2, 85):
        request.authorize(rule="os_compute_api:os-volumes-attachments:swap")
        volume_swaps.swap(request, row, device, wanted["volumeId"])
    return Response(None, 202)


def _change(request: Request, row: Body, device: Body, wanted: Body) -> None:
    for key, shown in (("device", device["device_name"]), ("tag", device["tag"]), ("serverId", row["id"])):
        if key in wanted and wanted[key] != shown:
            raise Invalid(f"The volume attachment's {key} cannot be changed.")
    if "delete_on_termination" in wanted:
        request.service.database.write(
            servers.change_device,
            device["id"],
            delete_on_termination=is_true(wanted["delete_on_termination"]),
        )


def delete(request: Request, server_id: str, volume_id: str) -> Response:
    row = load(request, server_id)
    refuse_locked(request, row)
    service = request.service
    flow_id = service.database.write(_submit_detaching, service, row, volume_id)
    try:
        service.flows.result(flow_id, service.conf.api_wait_timeout, "detaching")
    except (Conflict, Invalid) as error:
        raise Invalid(f"Invalid volume: {error.message}") from error
    return Response(None, 202)


def _submit_detaching(tx: Transaction, service: Any, row: Body, volume_id: str) -> str:
    row = servers.get(tx, row["id"]) or row
    device = servers.device_of_volume(tx, row["id"], volume_id)
    if device is None:
        raise _not_attached(row["id"], volume_id)
    # Before the compare-and-set below: a device that becomes attached now has been read too early.
    if device["state"] != "attached":
        raise Conflict(f"Volume {volume_id} is {device['state']} at instance {row['id']}.")
    if device["boot_index"] == 0:
        raise Invalid("Cannot detach a root device volume")
    if row["vm_state"] not in _ATTACH_IN or row["task_state"] is not None:
        raise busy(row, "detach_volume", _ATTACH_IN)
    flow_id = service.flows.submit(
        tx,
        "server.detach_volume",
        resource=("server", row["id"]),
        arguments={
            "server": servers.for_driver(row),
            "worker": row["worker"],
            "device": servers.device_for_worker(device),
        },
        project_id=row["project_id"],
    )
    if not servers.take_device(tx, device["id"], "attached", "detaching", flow_id):
        raise Conflict(f"Volume {volume_id} is {device['state']} at instance {row['id']}.")
    return flow_id


def _device(request: Request, row: Body, volume_id: str) -> Body:
    device = request.service.database.read(servers.device_of_volume, row["id"], volume_id)
    if device is None:
        raise _not_attached(row["id"], volume_id)
    return device


def _not_attached(server_id: str, volume_id: str) -> NotFound:
    return NotFound(f"Instance {server_id} is not attached to volume {volume_id}")


def _view(request: Request, device: Body) -> Body:
    shown: Body = {"volumeId": device["volume_id"], "serverId": device["server_id"]}
    if device["device_name"]:
        shown["device"] = device["device_name"]
    if not request.at_least(2, 89):
        shown["id"] = device["volume_id"]
    if request.at_least(2, 70):
        shown["tag"] = device["tag"]
    if request.at_least(2, 79):
        shown["delete_on_termination"] = device["delete_on_termination"]
    if request.at_least(2, 89):
        shown["attachment_id"] = device["attachment_id"]
        shown["bdm_uuid"] = device["id"]
    return shown
