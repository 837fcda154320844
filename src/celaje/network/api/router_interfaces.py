"""A router's legs in subnets, and its routes added and removed one by one.

Source: Networking API v2.0, add_router_interface, remove_router_interface, extension extraroute-atomic.
"""

import ipaddress
from collections.abc import Callable
from typing import Any

from sqlalchemy import select, update

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.network import errors
from celaje.network.api.attributes import sees_all
from celaje.network.api.collection import Row, retrying
from celaje.network.api.converters import BadValue, host_routes, uuid
from celaje.network.api.ports import PORTS_API
from celaje.network.api.routers import ROUTERS_API, check_routes
from celaje.network.api.subnets import SUBNETS_API
from celaje.network.db import ipam, networks, ports, routers, service_ports, subnets
from celaje.network.db.tables import FLOATING_IPS, PORTS, ROUTERS


def add_interface(request: Request, resource_id: str) -> dict[str, Any]:
    asked = _read(request)

    def unit(tx: Transaction) -> dict[str, Any]:
        router = _router(request, tx, resource_id, "add_router_interface")
        if "subnet_id" in asked and "port_id" in asked:
            raise errors.HTTPBadRequest("Cannot specify both subnet-id and port-id")
        if "port_id" in asked:
            port, fixed = _use_port(request, tx, router, asked["port_id"])
        elif "subnet_id" in asked:
            port, fixed = _make_port(request, tx, router, asked["subnet_id"])
        else:
            raise errors.HTTPBadRequest("Either subnet_id or port_id must be specified")
        routers.touched(request.service.flows, tx, router)
        return _answer(router, port, fixed)

    return retrying(request.service, unit)


def remove_interface(request: Request, resource_id: str) -> dict[str, Any]:
    asked = _read(request)

    def unit(tx: Transaction) -> dict[str, Any]:
        router = _router(request, tx, resource_id, "remove_router_interface")
        port = _leg(tx, router, asked)
        for fixed in port["fixed_ips"]:
            _refuse_needed(tx, router, subnets.get(tx, fixed["subnet_id"]))
        ports.remove(tx, port["id"])
        routers.touched(request.service.flows, tx, router)
        return _answer(router, port, port["fixed_ips"])

    return retrying(request.service, unit)


def add_extraroutes(request: Request, resource_id: str) -> dict[str, Any]:
    def merge(router: Row, routes: list[dict[str, str]]) -> list[dict[str, str]]:
        return [*router["routes"], *(route for route in routes if route not in router["routes"])]

    return _change_routes(request, resource_id, "add_extraroutes", merge)


def remove_extraroutes(request: Request, resource_id: str) -> dict[str, Any]:
    def without(router: Row, routes: list[dict[str, str]]) -> list[dict[str, str]]:
        return [route for route in router["routes"] if route not in routes]

    return _change_routes(request, resource_id, "remove_extraroutes", without)


def _change_routes(
    request: Request,
    router_id: str,
    rule: str,
    change: Callable[[Row, list[dict[str, str]]], list[dict[str, str]]],
) -> dict[str, Any]:
    body = request.body
    if not isinstance(body, dict) or not isinstance(body.get("router"), dict):
        raise errors.HTTPBadRequest("Unable to find 'router' in request body")
    try:
        routes = host_routes(body["router"].get("routes"))
    except BadValue as error:
        raise errors.HTTPBadRequest(f"Invalid input for routes. Reason: {error}.") from None

    def unit(tx: Transaction) -> None:
        router = _router(request, tx, router_id, rule)
        changed = change(router, routes)
        check_routes(request.service.conf, tx, router, changed)
        tx.execute(update(ROUTERS).where(ROUTERS.c.id == router["id"]).values(routes=changed))
        routers.touched(request.service.flows, tx, router)

    retrying(request.service, unit)
    return ROUTERS_API.show(request, router_id)


def _read(request: Request) -> dict[str, str]:
    body = request.body
    if not isinstance(body, dict):
        raise errors.HTTPBadRequest("Either subnet_id or port_id must be specified")
    found = {}
    for name in ("subnet_id", "port_id"):
        if body.get(name) is not None:
            try:
                found[name] = uuid(body[name])
            except BadValue as error:
                raise errors.HTTPBadRequest(f"Invalid input for {name}. Reason: {error}.") from None
    return found


def _router(request: Request, tx: Transaction, router_id: str, rule: str) -> Row:
    found = ROUTERS_API.find(request, tx, router_id)
    ROUTERS_API.authorize(request, tx, found, rule)
    row = routers.lock(tx, found["id"])
    if row is None:
        raise errors.RouterNotFound(id=router_id)
    return row


def _make_port(request: Request, tx: Transaction, router: Row, subnet_id: str) -> tuple[Row, list[Row]]:
    subnet = SUBNETS_API.find(request, tx, subnet_id)
    if subnet["project_id"] != request.context.project_id and not sees_all(request):
        network = networks.get(tx, subnet["network_id"])
        if network is None or not network["shared"]:
            raise errors.SubnetNotFound(id=subnet_id)
    if subnet["gateway_ip"] is None:
        raise errors.HTTPBadRequest("Subnet for router interface must have a gateway IP")
    _refuse_overlap(tx, router, subnet)
    if ipam.holder(tx, subnet["id"], subnet["gateway_ip"]) is not None:
        raise errors.IpAddressInUse(network_id=subnet["network_id"], ip_address=subnet["gateway_ip"])
    return service_ports.add(
        tx,
        request.service.conf,
        subnet["network_id"],
        project_id=router["project_id"],
        device_id=router["id"],
        device_owner=routers.INTERFACE,
        fixed_ips=[{"subnet_id": subnet["id"], "ip_address": subnet["gateway_ip"]}],
    )


def _use_port(request: Request, tx: Transaction, router: Row, port_id: str) -> tuple[Row, list[Row]]:
    port = PORTS_API.find(request, tx, port_id)
    if port["device_id"]:
        raise errors.PortInUse(id=port_id, network_id=port["network_id"], device_id=port["device_id"])
    fixed = ipam.of_ports(tx, [port_id])[port_id]
    if not fixed:
        raise errors.HTTPBadRequest("Router port must have at least one fixed IP")
    if sum(":" not in each["ip_address"] for each in fixed) > 1:
        raise errors.HTTPBadRequest("Cannot have multiple IPv4 subnets on router port")
    for each in fixed:
        subnet = subnets.get(tx, each["subnet_id"])
        if subnet is not None:
            _refuse_overlap(tx, router, subnet)
    tx.execute(
        update(PORTS)
        .where(PORTS.c.id == port_id)
        .values(
            device_id=router["id"],
            device_owner=routers.INTERFACE,
            revision_number=port["revision_number"] + 1,
        )
    )
    return port, fixed


def _refuse_overlap(tx: Transaction, router: Row, subnet: Row) -> None:
    prefix = ipaddress.ip_network(subnet["cidr"])
    for other in [*routers.interface_subnets(tx, router["id"]), *routers.gateway_subnets(tx, router)]:
        if other["id"] == subnet["id"]:
            raise errors.HTTPBadRequest(f"Router already has a port on subnet {subnet['id']}")
        near = ipaddress.ip_network(other["cidr"])
        if near.version == prefix.version and near.overlaps(prefix):
            raise errors.HTTPBadRequest(
                f"Cidr {subnet['cidr']} of subnet {subnet['id']} overlaps with cidr {other['cidr']} of "
                f"subnet {other['id']}"
            )


def _leg(tx: Transaction, router: Row, asked: dict[str, str]) -> Row:
    """The inner port that the request means."""
    legs = routers.interfaces(tx, router["id"])
    if not asked:
        raise errors.HTTPBadRequest("Either subnet_id or port_id must be specified")
    if "port_id" in asked:
        for leg in legs:
            if leg["id"] == asked["port_id"]:
                if asked.get("subnet_id") not in (None, *(fixed["subnet_id"] for fixed in leg["fixed_ips"])):
                    raise errors.SubnetInUse(
                        id=asked["subnet_id"], reason=f"Subnet does not match that of port {leg['id']}"
                    )
                return leg
        raise errors.RouterInterfaceNotFound(id=router["id"], port_id=asked["port_id"])
    for leg in legs:
        if any(fixed["subnet_id"] == asked["subnet_id"] for fixed in leg["fixed_ips"]):
            return leg
    raise errors.RouterInterfaceNotFoundForSubnet(id=router["id"], subnet_id=asked["subnet_id"])


def _refuse_needed(tx: Transaction, router: Row, subnet: Row | None) -> None:
    if subnet is None:
        return
    prefix = ipaddress.ip_network(subnet["cidr"])
    for route in router["routes"]:
        if ipaddress.ip_address(route["nexthop"]) in prefix:
            raise errors.RouterInterfaceInUseByRoute(id=router["id"], subnet_id=subnet["id"])
    addresses = select(FLOATING_IPS.c.fixed_ip_address).where(FLOATING_IPS.c.router_id == router["id"])
    for (address,) in tx.execute(addresses):
        if address and ipaddress.ip_address(address) in prefix:
            raise errors.RouterInterfaceInUseByFloatingIP(id=router["id"], subnet_id=subnet["id"])


def _answer(router: Row, port: Row, fixed: list[Row]) -> dict[str, Any]:
    ids = [each["subnet_id"] for each in fixed]
    return {
        "id": router["id"],
        "tenant_id": router["project_id"],
        "project_id": router["project_id"],
        "port_id": port["id"],
        "network_id": port["network_id"],
        "subnet_id": ids[0] if ids else None,
        "subnet_ids": ids,
        "tags": [],
    }
