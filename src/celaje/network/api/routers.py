"""Routers and their gateways. Interfaces and routes one by one are in `router_interfaces.py`.

Source: Networking API v2.0, extensions router, ext-gw-mode, extraroute.
"""

import ipaddress
from typing import Any

from sqlalchemy import insert, select

from celaje.common.db import Transaction, fetch_value
from celaje.common.wsgi import Request
from celaje.network import errors
from celaje.network.api import converters as to
from celaje.network.api.attributes import BOOLEAN_KIND, DESCRIPTION, NAME, Attribute, Body, Resource
from celaje.network.api.collection import Collection, Row, View
from celaje.network.db import networks, routers, service_ports
from celaje.network.db.security_groups import standard
from celaje.network.db.tables import FLOATING_IPS, ROUTERS

_GATEWAY = to.dictionary(
    {
        "network_id": to.or_none(to.uuid),
        "enable_snat": to.boolean,
        "external_fixed_ips": to.null_as([], to.fixed_ips),
        "qos_policy_id": to.nothing,
    }
)


def _gateway(value: Any) -> dict[str, Any] | None:
    if value is None or value == {}:
        return None
    found = _GATEWAY(value)
    if "network_id" not in found:
        raise to.BadValue("Validation of dictionary's keys failed. Expected keys: ['network_id']")
    return found if found["network_id"] else None


def _sub_rules(body: Body) -> list[str]:
    return [
        f"external_gateway_info:{key}"
        for key in body.get("external_gateway_info") or ()
        if key != "qos_policy_id"
    ]


class Routers(Collection):
    resource = Resource(
        "router",
        "routers",
        {
            "name": NAME,
            "description": DESCRIPTION,
            "admin_state_up": Attribute(to.boolean, default=True, kind=BOOLEAN_KIND),
            "external_gateway_info": Attribute(_gateway, default=None, rule=True, kind=("object",)),
            "routes": Attribute(to.host_routes, post=False, kind=("array",)),
            "distributed": Attribute(to.or_none(to.boolean), rule=True, kind=BOOLEAN_KIND),
            "ha": Attribute(to.or_none(to.boolean), rule=True, kind=BOOLEAN_KIND),
            "flavor_id": Attribute(to.nothing, put=False),
            "availability_zone_hints": Attribute(
                to.list_of(to.string(255, empty=False)), default=[], put=False, kind=("array",)
            ),
        },
        hidden=("distributed", "ha"),
        sub_rules=_sub_rules,
    )
    table = ROUTERS
    not_found = errors.RouterNotFound
    quota = "router"
    columns = {
        name: ROUTERS.c[name]
        for name in (
            "id",
            "project_id",
            "name",
            "description",
            "admin_state_up",
            "status",
            "distributed",
            "ha",
            "revision_number",
            "created_at",
            "updated_at",
        )
    }

    def relations(self, tx: Transaction, rows: Any) -> dict[str, Any]:
        return {"gateways": routers.gateways(tx, rows)}

    def view(self, row: Row, relations: dict[str, Any]) -> View:
        gateway = None
        if row["gateway_port_id"]:
            gateway = {
                "network_id": row["gateway_network_id"],
                "enable_snat": row["enable_snat"],
                "external_fixed_ips": [
                    {"subnet_id": fixed["subnet_id"], "ip_address": fixed["ip_address"]}
                    for fixed in relations["gateways"].get(row["gateway_port_id"], ())
                ],
            }
        return {
            "id": row["id"],
            "name": row["name"],
            "admin_state_up": row["admin_state_up"],
            "status": row["status"],
            "external_gateway_info": gateway,
            "routes": row["routes"],
            "distributed": row["distributed"],
            "ha": row["ha"],
            "flavor_id": row["flavor_id"],
            "availability_zone_hints": row["availability_zone_hints"],
            "availability_zones": [],
        }

    def create(self, request: Request, tx: Transaction, body: Body, rules: list[str]) -> Row:
        for name in ("create_router", *rules):
            request.authorize(body, rule=name)
        _refuse_unsupported(body)
        self.check_quota(request, tx, body["project_id"])
        row: Row = {
            **standard(body["project_id"], body["description"]),
            "name": body["name"],
            "admin_state_up": body["admin_state_up"],
            "status": "ACTIVE",
            "distributed": False,
            "ha": False,
            "flavor_id": None,
            "availability_zone_hints": body["availability_zone_hints"],
            "routes": [],
            "gateway_port_id": None,
            "gateway_network_id": None,
            "enable_snat": True,
            "host": None,
        }
        tx.execute(insert(ROUTERS).values(**row))
        if body["external_gateway_info"]:
            changes = self._connect(request, tx, row, body["external_gateway_info"])
            row.update(changes)
            tx.execute(ROUTERS.update().where(ROUTERS.c.id == row["id"]).values(**changes))
        request.service.flows.submit(
            tx,
            "router.sync",
            resource=("router", row["id"]),
            project_id=row["project_id"],
            arguments={"router_id": row["id"]},
        )
        return row

    def update(self, request: Request, tx: Transaction, row: Row, body: Body) -> None:
        _refuse_unsupported(body)
        body.pop("distributed", None)
        body.pop("ha", None)
        routers.lock(tx, row["id"])
        if "external_gateway_info" in body:
            wanted = body.pop("external_gateway_info")
            body.update(self._change_gateway(request, tx, row, wanted))
        if "routes" in body:
            check_routes(request.service.conf, tx, {**row, **body}, body["routes"])
        self.save(tx, row, body)
        routers.touched(request.service.flows, tx, row)

    def delete(self, request: Request, tx: Transaction, row: Row) -> None:
        routers.lock(tx, row["id"])
        if routers.interfaces(tx, row["id"]):
            raise errors.RouterInUse(id=row["id"], reason="still has ports")
        if fetch_value(tx, select(FLOATING_IPS.c.id).where(FLOATING_IPS.c.router_id == row["id"]).limit(1)):
            raise errors.RouterInUse(id=row["id"], reason="still has floating IPs")
        service_ports.drop(tx, row["gateway_port_id"])
        self.delete_row(tx, row)
        if row["host"]:
            request.service.flows.submit(
                tx,
                "router.delete",
                resource=("router", row["id"]),
                project_id=row["project_id"],
                arguments={
                    "router_id": row["id"],
                    "host": row["host"],
                    "revision": row["revision_number"],
                },
            )

    def _change_gateway(self, request: Request, tx: Transaction, row: Row, wanted: Any) -> Row:
        """The gateway's columns after the change."""
        same = wanted is not None and wanted["network_id"] == row["gateway_network_id"]
        if same and "external_fixed_ips" not in wanted:
            return {"enable_snat": wanted.get("enable_snat", row["enable_snat"])}
        if row["gateway_port_id"]:
            if not same:
                self._refuse_gateway_in_use(tx, row)
            service_ports.drop(tx, row["gateway_port_id"])
        if wanted is None:
            return {"gateway_port_id": None, "gateway_network_id": None, "enable_snat": True}
        return self._connect(request, tx, row, wanted)

    def _connect(self, request: Request, tx: Transaction, row: Row, wanted: dict[str, Any]) -> Row:
        network = service_ports.refuse_internal(networks.hold(tx, wanted["network_id"]), wanted["network_id"])
        inner = [ipaddress.ip_network(s["cidr"]) for s in routers.interface_subnets(tx, row["id"])]
        for subnet in networks.subnets(tx, network["id"]):
            outer = ipaddress.ip_network(subnet["cidr"])
            if any(each.version == outer.version and each.overlaps(outer) for each in inner):
                raise errors.HTTPBadRequest(
                    f"Cidr {outer} of subnet {subnet['id']} overlaps with a subnet of the router"
                )
        port, _ = service_ports.add(
            tx,
            request.service.conf,
            network["id"],
            project_id="",
            device_id=row["id"],
            device_owner=routers.GATEWAY,
            fixed_ips=wanted.get("external_fixed_ips") or None,
        )
        return {
            "gateway_port_id": port["id"],
            "gateway_network_id": network["id"],
            "enable_snat": wanted.get("enable_snat", row["enable_snat"]),
        }

    def _refuse_gateway_in_use(self, tx: Transaction, row: Row) -> None:
        used = select(FLOATING_IPS.c.id).where(FLOATING_IPS.c.router_id == row["id"]).limit(1)
        if fetch_value(tx, used):
            raise errors.RouterExternalGatewayInUseByFloatingIp(
                id=row["id"], network_id=row["gateway_network_id"]
            )


def _refuse_unsupported(body: Body) -> None:
    for name in ("distributed", "ha"):
        if body.get(name):
            raise errors.HTTPBadRequest(f"Invalid input for {name}. Reason: routers here run on one worker.")


def check_routes(conf: Any, tx: Transaction, router: Row, routes: list[dict[str, str]]) -> None:
    """Next hops must lie on a subnet of the router. Raises InvalidRoutes."""
    if len(routes) > conf.max_routes:
        raise errors.HTTPBadRequest(
            f"Unable to complete operation for {router['id']}. The number of routes exceeds the maximum "
            f"{conf.max_routes}."
        )
    subnets = [*routers.interface_subnets(tx, router["id"]), *routers.gateway_subnets(tx, router)]
    reachable = [ipaddress.ip_network(subnet["cidr"]) for subnet in subnets]
    for route in routes:
        hop = ipaddress.ip_address(route["nexthop"])
        if not any(hop in prefix for prefix in reachable):
            raise errors.InvalidRoutes(
                routes=[route], reason=f"the nexthop {hop} is not connected with router"
            )


ROUTERS_API = Routers()
