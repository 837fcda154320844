"""What a request says of a new server's networks: auto, none, or a list of networks and ports.

Used by the creation of servers and by os-interface; asks the network service as the user, so nobody plugs
into what he may not see.
"""

from typing import Any

from celaje.common.clients.network import describe_network
from celaje.common.errors import Conflict, Invalid, NotFound
from celaje.common.wsgi import Request

Body = dict[str, Any]


def read_networks(request: Request, wanted: Body) -> tuple[list[Body], list[str]]:
    """Requests for ports, [{"network": described, "port_id" | "fixed_ip", "security_groups", "tag"}], and
    the names of the security groups."""
    asked = wanted.get("networks")
    names = list(dict.fromkeys(one["name"] for one in wanted.get("security_groups") or [{"name": "default"}]))
    if asked == "none":
        if wanted.get("security_groups"):
            raise Invalid(
                "Security groups cannot be requested for a server without networks (networks: none)."
            )
        return [], []
    groups = _security_groups(request, names)
    if not asked or asked == "auto":
        listed = _automatic(request, must=asked == "auto")
    else:
        request.authorize(rule="os_compute_api:servers:create:attach_network")
        listed = [requested(request, item) for item in asked]
    ports = [one["port_id"] for one in listed if one.get("port_id")]
    if len(set(ports)) != len(ports):
        raise Invalid("A port is requested twice.")
    for one in listed:
        if not one.get("port_id"):
            one["security_groups"] = groups
    return listed, names if listed else []


def requested(request: Request, item: Body) -> Body:
    """One entry of the list: {"uuid", "port", "fixed_ip", "tag"}."""
    network = request.service.ground.clients.network
    found: Body = {"tag": item.get("tag")}
    network_id = item.get("uuid")
    if item.get("port"):
        try:
            port = network.port(item["port"])
        except NotFound as error:
            raise Invalid(f"Port {item['port']} could not be found.") from error
        if port.get("device_id"):
            raise Conflict(f"Port {item['port']} is still in use.")
        if not port.get("fixed_ips") and port.get("ip_allocation") != "none":
            raise Invalid(f"Port {item['port']} requires a FixedIP in order to be used.")
        if item.get("fixed_ip"):
            raise Invalid(
                f"Specified Fixed IP '{item['fixed_ip']}' cannot be used with port '{item['port']}'."
            )
        found["port_id"] = item["port"]
        network_id = port["network_id"]
    elif not network_id:
        raise Invalid("Bad network format: missing 'uuid'")
    try:
        shown = network.network(network_id)
        subnets = network.subnets(network_id)
    except NotFound as error:
        raise Invalid(f"Network {network_id} could not be found.") from error
    if not item.get("port") and not subnets:
        raise Invalid(f"Network {network_id} requires a subnet in order to boot instances on.")
    if shown.get("router:external") and not shown.get("shared") and not request.context.is_admin:
        raise Invalid(f"It is not allowed to create an interface on external network {network_id}")
    found["network"] = describe_network(shown, subnets)
    if item.get("fixed_ip"):
        found["fixed_ip"] = item["fixed_ip"]
    return found


def _automatic(request: Request, must: bool) -> list[Body]:
    """The one network that the project can use; none is an error only where `must`."""
    network = request.service.ground.clients.network
    own = network.networks(tenant_id=request.context.project_id)
    shared = network.networks(shared="true")
    usable = {
        one["id"]: one
        for one in (*own, *shared)
        if one.get("subnets") and one.get("admin_state_up", True) and not one.get("router:external")
    }
    if len(usable) > 1:
        raise Conflict("Multiple possible networks found, use a Network ID to be more specific.")
    if not usable:
        if must:
            raise Invalid(
                "Unable to automatically allocate a network for project "
                f"{request.context.project_id}: it has no network."
            )
        return []
    shown = next(iter(usable.values()))
    return [{"network": describe_network(shown, network.subnets(shown["id"]))}]


def _security_groups(request: Request, names: list[str]) -> list[str] | None:
    """Their ids; None for the project's default group, which the network service takes by itself."""
    if names == ["default"]:
        return None
    project_id = request.context.project_id
    known = request.service.ground.clients.network.security_groups(tenant_id=project_id)
    ids = []
    for name in names:
        found = [one["id"] for one in known if one["id"] == name] or [
            one["id"] for one in known if one["name"] == name
        ]
        if not found:
            raise Invalid(f"Security group {name} not found for project {project_id}.")
        if len(found) > 1:
            raise Conflict(
                f"Multiple security groups found matching '{name}'. Use an ID to be more specific."
            )
        ids += found
    return ids
