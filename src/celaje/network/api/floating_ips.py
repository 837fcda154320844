"""Floating IPs: an address of an external network, given to a port behind a router.

Source: Networking API v2.0, extension router. The router's worker makes it carry; only then is it ACTIVE.
"""

from typing import Any

from sqlalchemy import insert, select

from celaje.common.db import Transaction, fetch_all, fetch_value
from celaje.common.wsgi import Request
from celaje.network import errors
from celaje.network.api import converters as to
from celaje.network.api.attributes import DESCRIPTION, REQUIRED, Attribute, Body, Resource
from celaje.network.api.collection import Collection, Row, View
from celaje.network.api.ports import PORTS_API
from celaje.network.db import floating_ips, ipam, networks, service_ports
from celaje.network.db.security_groups import standard
from celaje.network.db.tables import FLOATING_IPS, PORTS


class FloatingIps(Collection):
    resource = Resource(
        "floatingip",
        "floatingips",
        {
            "floating_network_id": Attribute(to.uuid, default=REQUIRED, put=False),
            "floating_ip_address": Attribute(to.or_none(to.ip_address), put=False, rule=True),
            "subnet_id": Attribute(to.or_none(to.uuid), put=False),
            "port_id": Attribute(to.or_none(to.uuid)),
            "fixed_ip_address": Attribute(to.or_none(to.ip_address)),
            "description": DESCRIPTION,
            "qos_policy_id": Attribute(to.nothing),
            "dns_name": Attribute(to.null_as("", to.string())),
            "dns_domain": Attribute(to.null_as("", to.string())),
        },
    )
    table = FLOATING_IPS
    not_found = errors.FloatingIPNotFound
    quota = "floatingip"
    columns = {
        name: FLOATING_IPS.c[name]
        for name in (
            "id",
            "project_id",
            "floating_network_id",
            "floating_ip_address",
            "port_id",
            "fixed_ip_address",
            "router_id",
            "status",
            "description",
            "revision_number",
            "created_at",
            "updated_at",
        )
    }

    def relations(self, tx: Transaction, rows: Any) -> dict[str, Any]:
        ids = [row["port_id"] for row in rows if row["port_id"]]
        found = fetch_all(tx, select(PORTS).where(PORTS.c.id.in_(ids))) if ids else []
        return {"ports": {port["id"]: port for port in found}}

    def view(self, row: Row, relations: dict[str, Any]) -> View:
        port = relations["ports"].get(row["port_id"])
        details = None
        if port is not None:
            details = {
                name: port[name]
                for name in (
                    "name",
                    "network_id",
                    "mac_address",
                    "admin_state_up",
                    "status",
                    "device_id",
                    "device_owner",
                )
            }
        return {
            "id": row["id"],
            "floating_network_id": row["floating_network_id"],
            "floating_ip_address": row["floating_ip_address"],
            "fixed_ip_address": row["fixed_ip_address"],
            "port_id": row["port_id"],
            "router_id": row["router_id"],
            "status": row["status"],
            "port_details": details,
            "qos_policy_id": None,
        }

    def create(self, request: Request, tx: Transaction, body: Body, rules: list[str]) -> Row:
        for name in ("create_floatingip", *rules):
            request.authorize(body, rule=name)
        network_id = body["floating_network_id"]
        network = networks.hold(tx, network_id)
        service_ports.refuse_internal(network, network_id)
        self.check_quota(request, tx, body["project_id"])
        floating_id = standard("")["id"]
        port, address = self._take_address(request, tx, body, floating_id)
        row: Row = {
            **standard(body["project_id"], body["description"]),
            "id": floating_id,
            "floating_network_id": network_id,
            "floating_ip_address": address,
            "floating_port_id": port["id"],
            "port_id": None,
            "fixed_ip_address": None,
            "router_id": None,
            "status": "DOWN",
        }
        if body.get("port_id"):
            row.update(self._association(request, tx, row, body["port_id"], body.get("fixed_ip_address")))
        elif body.get("fixed_ip_address"):
            raise errors.HTTPBadRequest("fixed_ip_address cannot be specified without a port_id")
        tx.execute(insert(FLOATING_IPS).values(**row))
        floating_ips.sync(request.service.flows, tx, row["router_id"])
        return row

    def update(self, request: Request, tx: Transaction, row: Row, body: Body) -> None:
        for name in ("qos_policy_id", "dns_name", "dns_domain"):
            body.pop(name, None)
        before = row["router_id"]
        fixed = body.pop("fixed_ip_address", None)
        if "port_id" in body:
            port_id = body.pop("port_id")
            if port_id is None:
                if fixed is not None:
                    raise errors.HTTPBadRequest("fixed_ip_address cannot be specified without a port_id")
                body.update(port_id=None, fixed_ip_address=None, router_id=None, status="DOWN")
            else:
                body.update(self._association(request, tx, row, port_id, fixed))
        elif fixed is not None:
            if row["port_id"] is None:
                raise errors.HTTPBadRequest("fixed_ip_address cannot be specified without a port_id")
            body.update(self._association(request, tx, row, row["port_id"], fixed))
        self.save(tx, row, body)
        for router_id in {before, body.get("router_id", before)} - {None}:
            floating_ips.sync(request.service.flows, tx, router_id)

    def delete(self, request: Request, tx: Transaction, row: Row) -> None:
        self.delete_row(tx, row)
        service_ports.drop(tx, row["floating_port_id"])
        floating_ips.sync(request.service.flows, tx, row["router_id"])

    def _take_address(
        self, request: Request, tx: Transaction, body: Body, floating_id: str
    ) -> tuple[Row, str]:
        network_id = body["floating_network_id"]
        wanted = {
            name: body[source]
            for name, source in (("ip_address", "floating_ip_address"), ("subnet_id", "subnet_id"))
            if body.get(source)
        }
        if not wanted:
            four = [s for s in networks.subnets(tx, network_id) if s["ip_version"] == 4]
            if not four:
                raise errors.HTTPBadRequest(f"Network {network_id} does not contain any IPv4 subnet")
            wanted = {"subnet_id": self._with_room(tx, four, network_id)}
        port, given = service_ports.add(
            tx,
            request.service.conf,
            network_id,
            project_id="",
            device_id=floating_id,
            device_owner="network:floatingip",
            fixed_ips=[wanted],
        )
        address = service_ports.own_address(given)
        if address is None:
            raise errors.ExternalIpAddressExhausted(network_id=network_id)
        return port, address

    def _with_room(self, tx: Transaction, candidates: list[Row], network_id: str) -> str:
        """The first subnet that has a free address."""
        for subnet in candidates:
            if ipam.has_room(tx, subnet["id"]):
                return subnet["id"]
        raise errors.IpAddressGenerationFailure(network_id=network_id)

    def _association(
        self, request: Request, tx: Transaction, row: Row, port_id: str, fixed: str | None
    ) -> Row:
        """The columns of an association, checked: an IPv4 address of the port behind a router that has its
        gateway on the floating IP's network."""
        port = PORTS_API.find(request, tx, port_id)
        held = [each for each in ipam.of_ports(tx, [port_id])[port_id] if ":" not in each["ip_address"]]
        if fixed is not None:
            chosen = next((each for each in held if each["ip_address"] == fixed), None)
            if chosen is None:
                raise errors.HTTPBadRequest(f"Port {port['id']} does not have fixed ip {fixed}")
        elif not held:
            raise errors.HTTPBadRequest(f"Port {port_id} does not have a fixed IPv4 address.")
        elif len(held) > 1:
            raise errors.HTTPBadRequest(
                f"Port {port_id} has multiple fixed IPv4 addresses. Must provide a specific IPv4 address "
                "when assigning a floating IP"
            )
        else:
            chosen = held[0]
        taken = fetch_value(
            tx,
            select(FLOATING_IPS.c.id).where(
                FLOATING_IPS.c.floating_network_id == row["floating_network_id"],
                FLOATING_IPS.c.port_id == port_id,
                FLOATING_IPS.c.fixed_ip_address == chosen["ip_address"],
                FLOATING_IPS.c.id != row["id"],
            ),
        )
        if taken is not None:
            raise errors.FloatingIPPortAlreadyAssociated(
                floating_ip_address=row["floating_ip_address"],
                id=row["id"],
                port_id=port_id,
                fixed_ip=chosen["ip_address"],
                network_id=row["floating_network_id"],
            )
        router_id = floating_ips.router_for(tx, row["floating_network_id"], chosen["subnet_id"])
        if router_id is None:
            raise errors.ExternalGatewayForFloatingIPNotFound(
                external_network_id=row["floating_network_id"], subnet_id=chosen["subnet_id"], port_id=port_id
            )
        return {
            "port_id": port_id,
            "fixed_ip_address": chosen["ip_address"],
            "router_id": router_id,
            "status": "DOWN",
        }


FLOATING_IPS_API = FloatingIps()
