"""/servers/{id}/os-interface: list, show, plug and unplug ports."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import Conflict, Invalid, NotFound
from celaje.common.wsgi import Request, Response
from celaje.compute.api.requested_networks import read_networks, requested
from celaje.compute.api.server_lookup import busy, load, refuse_locked
from celaje.compute.db import servers

Body = dict[str, Any]

_IN = ("active", "paused", "stopped")


def index(request: Request, server_id: str) -> Body:
    row = load(request, server_id)
    found = request.service.database.read(servers.interfaces, row["id"])
    return {"interfaceAttachments": [_view(request, one) for one in found]}


def show(request: Request, server_id: str, port_id: str) -> Body:
    row = load(request, server_id)
    found = request.service.database.read(servers.interface, row["id"], port_id)
    if found is None:
        raise NotFound(f"Instance {server_id} does not have a port with id {port_id}")
    return {"interfaceAttachment": _view(request, found)}


def create(request: Request, server_id: str) -> Body:
    """Waits for the flow's end: the answer shows the port."""
    row = load(request, server_id)
    refuse_locked(request, row)
    wanted = (request.body or {}).get("interfaceAttachment") or {}
    asked = _asked(request, wanted)
    service = request.service
    flow_id = service.database.write(_submit, service, row, asked)
    try:
        info = service.flows.result(flow_id, service.conf.api_wait_timeout)
    except Conflict as error:
        # No address left, or one that is taken: Nova answers 400.
        raise Invalid(error.message) from error
    found = {
        "info": info,
        "port_id": info["port_id"],
        "network_id": info["network"]["id"],
        "tag": asked["tag"],
    }
    return {"interfaceAttachment": _view(request, found)}


def _asked(request: Request, wanted: Body) -> Body:
    fixed_ips = wanted.get("fixed_ips") or []
    if wanted.get("net_id") and wanted.get("port_id"):
        raise Invalid("Must not input both network_id and port_id")
    if fixed_ips and not wanted.get("net_id"):
        raise Invalid("Must input network_id when request IP address")
    item = {"tag": wanted.get("tag")}
    if wanted.get("port_id"):
        return requested(request, {**item, "port": wanted["port_id"]})
    if wanted.get("net_id"):
        if fixed_ips:
            item["fixed_ip"] = fixed_ips[0]["ip_address"]
        return requested(request, {**item, "uuid": wanted["net_id"]})
    listed, _ = read_networks(request, {"networks": "auto"})
    return {**listed[0], **item}


def _submit(tx: Transaction, service: Any, row: Body, asked: Body) -> str:
    row = servers.get(tx, row["id"]) or row
    if row["vm_state"] not in _IN or row["task_state"] is not None or not row["worker"]:
        raise busy(row, "attach_interface", _IN)
    return service.flows.submit(
        tx,
        "server.attach_interface",
        resource=("server", row["id"]),
        arguments={
            "server": servers.for_driver(row),
            "host": row["host"],
            "worker": row["worker"],
            "asked": asked,
        },
        project_id=row["project_id"],
    )


def delete(request: Request, server_id: str, port_id: str) -> Response:
    row = load(request, server_id)
    refuse_locked(request, row)
    service = request.service

    def unit(tx: Transaction) -> None:
        now = servers.get(tx, server_id) or row
        found = servers.interface(tx, server_id, port_id)
        if found is None:
            raise NotFound(f"Port {port_id} not found in instance {server_id}")
        if now["vm_state"] not in _IN or now["task_state"] is not None:
            raise busy(now, "detach_interface", _IN)
        service.flows.submit(
            tx,
            "server.detach_interface",
            resource=("server", server_id),
            arguments={
                "server": servers.for_driver(now),
                "worker": now["worker"],
                "interface": {key: found[key] for key in ("port_id", "owned", "info")},
            },
            project_id=now["project_id"],
        )

    service.database.write(unit)
    return Response(None, 202)


def _view(request: Request, interface: Body) -> Body:
    info = interface["info"]
    shown: Body = {
        "net_id": interface["network_id"],
        "port_id": interface["port_id"],
        "mac_addr": info["mac_address"],
        "port_state": info.get("status") or "ACTIVE",
        "fixed_ips": [
            {"subnet_id": fixed["subnet"].get("id"), "ip_address": fixed["ip_address"]}
            for fixed in info["fixed_ips"]
        ],
    }
    if request.at_least(2, 70):
        shown["tag"] = interface["tag"]
    return shown
