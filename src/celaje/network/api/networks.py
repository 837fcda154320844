"""Networks: attributes, and what creating, changing and deleting one means.

Source: Networking API v2.0, extensions provider, external-net, net-mtu-writable, port-security.
"""

from typing import Any

from sqlalchemy import insert, or_, select

from celaje.common.db import DuplicateRow, Transaction, fetch_value
from celaje.common.wsgi import Request
from celaje.network import errors
from celaje.network.api import converters as to
from celaje.network.api.attributes import (
    BOOLEAN_KIND,
    DESCRIPTION,
    INTEGER_KIND,
    NAME,
    Attribute,
    Body,
    Resource,
)
from celaje.network.api.collection import Collection, Row, View
from celaje.network.db import ipam, networks, ports
from celaje.network.db.security_groups import standard
from celaje.network.db.tables import NETWORKS, PORTS, ROUTERS, SUBNETS
from celaje.network.segments import Segment

PROVIDER = ("provider:network_type", "provider:physical_network", "provider:segmentation_id")

# Ports that go with their network, since the service made them itself.
AUTO_DELETED = ("network:dhcp",)

_SMALLEST_MTU = {4: 68, 6: 1280}


class Networks(Collection):
    resource = Resource(
        "network",
        "networks",
        {
            "name": NAME,
            "description": DESCRIPTION,
            "admin_state_up": Attribute(to.boolean, default=True, kind=BOOLEAN_KIND),
            "shared": Attribute(to.boolean, default=False, rule=True, kind=BOOLEAN_KIND),
            "router:external": Attribute(to.boolean, default=False, rule=True, kind=BOOLEAN_KIND),
            "is_default": Attribute(to.boolean, default=False, rule=True, kind=BOOLEAN_KIND),
            "mtu": Attribute(to.null_as(0, to.integer(0, 65535)), default=0, kind=INTEGER_KIND),
            "port_security_enabled": Attribute(to.boolean, default=True, rule=True, kind=BOOLEAN_KIND),
            "provider:network_type": Attribute(to.or_none(to.string(32)), rule=True),
            "provider:physical_network": Attribute(to.or_none(to.string(64, empty=False)), rule=True),
            "provider:segmentation_id": Attribute(
                to.or_none(to.integer(0, 2**31 - 1)), rule=True, kind=INTEGER_KIND
            ),
            "availability_zone_hints": Attribute(
                to.list_of(to.string(255, empty=False)), default=[], put=False, kind=("array",)
            ),
            "qos_policy_id": Attribute(to.nothing),
        },
        hidden=PROVIDER,
    )
    table = NETWORKS
    not_found = errors.NetworkNotFound
    quota = "network"
    columns = {
        **{
            name: NETWORKS.c[name]
            for name in (
                "id",
                "project_id",
                "name",
                "description",
                "admin_state_up",
                "status",
                "shared",
                "is_default",
                "port_security_enabled",
                "mtu",
                "revision_number",
                "created_at",
                "updated_at",
            )
        },
        "router:external": NETWORKS.c.router_external,
        "provider:network_type": NETWORKS.c.network_type,
        "provider:physical_network": NETWORKS.c.physical_network,
        "provider:segmentation_id": NETWORKS.c.segmentation_id,
    }
    filters = {
        "subnets": lambda values: NETWORKS.c.id.in_(
            select(SUBNETS.c.network_id).where(SUBNETS.c.id.in_(values))
        ),
    }

    def visible(self, project_id: str | None) -> Any:
        return networks.mine_or_shared(project_id)

    def relations(self, tx: Transaction, rows: Any) -> dict[str, Any]:
        return {"subnets": networks.subnet_ids(tx, [row["id"] for row in rows])}

    def view(self, row: Row, relations: dict[str, Any]) -> View:
        return {
            "id": row["id"],
            "name": row["name"],
            "admin_state_up": row["admin_state_up"],
            "status": row["status"],
            "subnets": relations["subnets"][row["id"]],
            "shared": row["shared"],
            "router:external": row["router_external"],
            "is_default": row["is_default"],
            "mtu": row["mtu"],
            "port_security_enabled": row["port_security_enabled"],
            "provider:network_type": row["network_type"],
            "provider:physical_network": row["physical_network"],
            "provider:segmentation_id": row["segmentation_id"],
            "availability_zone_hints": row["availability_zone_hints"],
            "availability_zones": [],
            "ipv4_address_scope": None,
            "ipv6_address_scope": None,
            "l2_adjacency": True,
            "qos_policy_id": None,
        }

    def create(self, request: Request, tx: Transaction, body: Body, rules: list[str]) -> Row:
        for name in ("create_network", *rules):
            request.authorize(body, rule=name)
        self.check_quota(request, tx, body["project_id"])
        plan = request.service.segments
        segment = networks.choose_segment(tx, plan, _wanted(plan, body))
        if body["is_default"]:
            self._only_default(tx, None)
        row = {
            **standard(body["project_id"], body["description"]),
            "name": body["name"],
            "admin_state_up": body["admin_state_up"],
            "status": "ACTIVE",
            "shared": body["shared"],
            "router_external": body["router:external"],
            "is_default": body["is_default"],
            "port_security_enabled": body["port_security_enabled"],
            "mtu": _mtu(plan, segment, body["mtu"]),
            "network_type": segment.network_type,
            "physical_network": segment.physical_network,
            "segmentation_id": segment.segmentation_id,
            "segment_key": segment.key,
            "availability_zone_hints": body["availability_zone_hints"],
        }
        try:
            tx.execute(insert(NETWORKS).values(**row))
        except DuplicateRow as error:
            raise errors.AllocationRace(what="A network segment") from error
        return row

    def update(self, request: Request, tx: Transaction, row: Row, body: Body) -> None:
        body.pop("qos_policy_id", None)
        for name in PROVIDER:
            column = name.partition(":")[2]
            if name in body and body.pop(name) != row[column]:
                raise errors.InvalidInput(
                    reason="Plugin does not support updating the following provider network attributes: "
                    "network_type, physical_network, segmentation_id"
                )
        values = {name.replace(":", "_"): value for name, value in body.items()}
        if row["shared"] and values.get("shared") is False and networks.used_by_others(tx, row):
            raise errors.InvalidSharedSetting(network=row["name"])
        if row["router_external"] and values.get("router_external") is False:
            self._refuse_in_use_as_gateway(tx, row)
        if values.get("is_default"):
            self._only_default(tx, row["id"])
        if "mtu" in values:
            segment = Segment(row["network_type"], row["physical_network"], row["segmentation_id"])
            values["mtu"] = _mtu(request.service.segments, segment, values["mtu"])
            for subnet in networks.subnets(tx, row["id"]):
                _refuse_small_mtu(values["mtu"], subnet["ip_version"])
        self.save(tx, row, values)

    def delete(self, request: Request, tx: Transaction, row: Row) -> None:
        networks.lock(tx, row["id"])
        busy = fetch_value(
            tx,
            select(PORTS.c.id)
            .where(PORTS.c.network_id == row["id"], PORTS.c.device_owner.not_in(AUTO_DELETED))
            .limit(1),
        )
        if busy:
            raise errors.NetworkInUse(
                id=row["id"], reason="There are one or more ports still in use on the network"
            )
        for (port_id,) in tx.execute(select(PORTS.c.id).where(PORTS.c.network_id == row["id"])).all():
            ports.remove(tx, port_id)
        for subnet in networks.subnets(tx, row["id"]):
            ipam.set_pools(tx, subnet["id"], [])
            tx.execute(SUBNETS.delete().where(SUBNETS.c.id == subnet["id"]))
        self.delete_row(tx, row)

    def _only_default(self, tx: Transaction, network_id: str | None) -> None:
        other = fetch_value(tx, select(NETWORKS.c.id).where(NETWORKS.c.is_default.is_(True)))
        if other not in (None, network_id):
            raise errors.InvalidInput(reason=f"A default external network already exists: {other}")

    def _refuse_in_use_as_gateway(self, tx: Transaction, row: Row) -> None:
        used = fetch_value(tx, select(ROUTERS.c.id).where(ROUTERS.c.gateway_network_id == row["id"]).limit(1))
        floating = fetch_value(
            tx,
            select(PORTS.c.id)
            .where(PORTS.c.network_id == row["id"])
            .where(or_(PORTS.c.device_owner == "network:floatingip"))
            .limit(1),
        )
        if used or floating:
            raise errors.ExternalNetworkInUse(id=row["id"])


def _wanted(plan: Any, body: Body) -> Segment | None:
    kind, physical, number = (body.get(name) for name in PROVIDER)
    if kind is None:
        if physical is not None or number is not None:
            raise errors.InvalidInput(reason="network_type required")
        return None
    return plan.named(kind, physical, number)


def _mtu(plan: Any, segment: Segment, asked: int) -> int:
    largest = plan.mtu(segment.network_type)
    if asked == 0:
        return largest
    if asked > largest:
        raise errors.InvalidInput(reason=f"Requested MTU is too big, maximum is {largest}")
    if asked < _SMALLEST_MTU[4]:
        raise errors.InvalidInput(reason=f"Requested MTU is too small, minimum is {_SMALLEST_MTU[4]}")
    return asked


def _refuse_small_mtu(mtu: int, ip_version: int) -> None:
    if mtu < _SMALLEST_MTU[ip_version]:
        raise errors.InvalidInput(
            reason=f"MTU {mtu} is too small for IPv{ip_version}, minimum is {_SMALLEST_MTU[ip_version]}"
        )


NETWORKS_API = Networks()
