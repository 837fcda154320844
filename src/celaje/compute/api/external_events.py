"""POST /os-server-external-events: what the network and volume services tell of a server's surroundings."""

from typing import Any

from celaje.common.clients.network import describe_network, described
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError, NotFound
from celaje.common.wsgi import Request, Response
from celaje.compute.db import servers

Body = dict[str, Any]

_TAKEN = ("network-changed", "network-vif-plugged", "network-vif-unplugged", "network-vif-deleted")


def create(request: Request) -> Response:
    """Each event gets a code of its own: 200, 404 for an unknown server, 422 for one on no host. The answer
    is 207 when they differ from 200, 404 when no server is known."""
    shown = []
    found = False
    for event in request.body["events"]:
        row = request.service.database.read(servers.get, event["server_uuid"])
        status = {"status": event.get("status", "completed"), **event}
        if row is None or row["deleted"]:
            shown.append({**status, "status": "failed", "code": 404})
            continue
        found = True
        if not row["host"]:
            shown.append({**status, "status": "failed", "code": 422})
            continue
        shown.append({**status, "code": _take(request, row, event)})
    if not found:
        raise NotFound("No instances found for any event")
    codes = {event["code"] for event in shown}
    return Response({"events": shown}, 200 if codes == {200} else 207)


def _take(request: Request, row: Body, event: Body) -> int:
    service = request.service
    name, tag = event["name"], event.get("tag")
    if name == "volume-extended":
        return service.database.write(_extend, service, row, tag or "")
    if name == "network-vif-deleted" and tag:
        service.database.write(servers.remove_interface, row["id"], tag)
    elif name in _TAKEN:
        _refresh(request, row, tag)
    return 200


def _extend(tx: Transaction, service: Any, row: Body, volume_id: str) -> int:
    device = servers.device_of_volume(tx, row["id"], volume_id)
    if device is None or device["state"] != "attached" or not row["worker"]:
        return 404
    flow_id = service.flows.submit(
        tx,
        "server.extend_volume",
        resource=("server", row["id"]),
        arguments={
            "server": servers.for_driver(row),
            "worker": row["worker"],
            "device": servers.device_for_worker(device),
            "volume_id": volume_id,
        },
        project_id=row["project_id"],
    )
    servers.change_device(tx, device["id"], flow_id=flow_id)
    return 200


def _refresh(request: Request, row: Body, port_id: str | None) -> None:
    """Read the server's ports anew: their addresses and states are shown from our rows."""
    network = request.service.ground.clients.network.as_service()
    known = [one["port_id"] for one in request.service.database.read(servers.interfaces, row["id"])]
    renewed = []
    for known_id in known:
        if port_id and known_id != port_id:
            continue
        try:
            port = network.port(known_id)
            shown = describe_network(network.network(port["network_id"]), network.subnets(port["network_id"]))
            info = described(port, shown)
            _add_floating(info, network.floating_ips(port_id=known_id))
        except CelajeError:
            # The port is on its way out, or the network service is: the next event tells more.
            continue
        renewed.append(info)
    if renewed:
        request.service.database.write(servers.renew_interfaces, row["id"], renewed)


def _add_floating(info: Body, floating: list[Body]) -> None:
    for fixed in info["fixed_ips"]:
        fixed["floating_ips"] = [
            {"ip_address": one["floating_ip_address"]}
            for one in floating
            if one.get("fixed_ip_address") == fixed["ip_address"]
        ]
