"""Routers' rows and what their workers are told. Called by the API's units and by the sync flow."""

from typing import Any

from sqlalchemy import func, select, update

from celaje.common import clock
from celaje.common.db import Transaction, fetch_all, fetch_one
from celaje.network.db import ipam, networks
from celaje.network.db.tables import FLOATING_IPS, IP_ALLOCATIONS, PORTS, ROUTERS, SUBNETS

Row = dict[str, Any]

INTERFACE = "network:router_interface"
GATEWAY = "network:router_gateway"


def get(tx: Transaction, router_id: str) -> Row | None:
    return fetch_one(tx, select(ROUTERS).where(ROUTERS.c.id == router_id))


def lock(tx: Transaction, router_id: str) -> Row | None:
    """The row, held until the transaction ends."""
    return fetch_one(tx, select(ROUTERS).where(ROUTERS.c.id == router_id).with_for_update())


def interfaces(tx: Transaction, router_id: str) -> list[Row]:
    """The router's inner ports, each with `fixed_ips` of (subnet_id, ip_address)."""
    rows = fetch_all(
        tx,
        select(PORTS)
        .where(PORTS.c.device_id == router_id, PORTS.c.device_owner == INTERFACE)
        .order_by(PORTS.c.created_at, PORTS.c.id),
    )
    fixed = ipam.of_ports(tx, [row["id"] for row in rows])
    for row in rows:
        row["fixed_ips"] = fixed[row["id"]]
    return rows


def interface_subnets(tx: Transaction, router_id: str) -> list[Row]:
    """The subnets that the router has an inner port on."""
    statement = (
        select(SUBNETS)
        .join(IP_ALLOCATIONS, IP_ALLOCATIONS.c.subnet_id == SUBNETS.c.id)
        .join(PORTS, PORTS.c.id == IP_ALLOCATIONS.c.port_id)
        .where(PORTS.c.device_id == router_id, PORTS.c.device_owner == INTERFACE)
    )
    return fetch_all(tx, statement)


def gateway_subnets(tx: Transaction, router: Row) -> list[Row]:
    return networks.subnets(tx, router["gateway_network_id"]) if router["gateway_network_id"] else []


def gateways(tx: Transaction, rows: Any) -> dict[str, list[Row]]:
    """Addresses of the gateway ports, by port."""
    return ipam.of_ports(tx, [row["gateway_port_id"] for row in rows if row["gateway_port_id"]])


def touched(flows: Any, tx: Transaction, router: Row) -> None:
    """The router is to be something else: a new revision, and a flow that realises it."""
    tx.execute(
        update(ROUTERS)
        .where(ROUTERS.c.id == router["id"])
        .values(revision_number=ROUTERS.c.revision_number + 1, updated_at=clock.now())
    )
    flows.submit(
        tx,
        "router.sync",
        resource=("router", router["id"]),
        project_id=router["project_id"],
        arguments={"router_id": router["id"]},
    )


def addresses_changed(flows: Any, tx: Transaction, port_id: str) -> None:
    """A port of a router got other addresses."""
    port = fetch_one(tx, select(PORTS.c.device_id, PORTS.c.device_owner).where(PORTS.c.id == port_id))
    if port and port["device_owner"] in (INTERFACE, GATEWAY):
        router = get(tx, port["device_id"])
        if router is not None:
            touched(flows, tx, router)


# For conductor/sync_router.py.


def assign_host(tx: Transaction, router_id: str, candidates: list[str]) -> str | None:
    """The worker that routes it: the one it has, if that is still there, or the one with the fewest."""
    router = lock(tx, router_id)
    if router is None or not candidates:
        return None
    if router["host"] in candidates:
        return router["host"]
    statement = select(ROUTERS.c.host, func.count().label("n")).group_by(ROUTERS.c.host)
    load = {row["host"]: row["n"] for row in fetch_all(tx, statement)}
    chosen = min(candidates, key=lambda host: (load.get(host, 0), host))
    tx.execute(update(ROUTERS).where(ROUTERS.c.id == router_id).values(host=chosen))
    return chosen


def belongs(tx: Transaction, router_id: str, host: str) -> bool:
    """Whether the router's row puts it on the host."""
    router = get(tx, router_id)
    return router is not None and router["host"] == host


def describe(tx: Transaction, router_id: str) -> Row | None:
    """What the worker is told (drivers/base.py, RouterData); None when the router is gone."""
    router = get(tx, router_id)
    if router is None:
        return None
    floating = fetch_all(
        tx,
        select(FLOATING_IPS).where(
            FLOATING_IPS.c.router_id == router_id, FLOATING_IPS.c.port_id.is_not(None)
        ),
    )
    gateway = None
    if router["gateway_port_id"]:
        port = fetch_one(tx, select(PORTS).where(PORTS.c.id == router["gateway_port_id"]))
        if port is not None:
            port["fixed_ips"] = ipam.of_ports(tx, [port["id"]])[port["id"]]
            gateway = _leg(tx, port)
    return {
        "id": router_id,
        "revision": router["revision_number"],
        "admin_state_up": router["admin_state_up"],
        "enable_snat": router["enable_snat"],
        "gateway": gateway,
        "interfaces": [_leg(tx, port) for port in interfaces(tx, router_id)],
        "routes": router["routes"],
        "floating_ips": [
            {name: row[name] for name in ("id", "floating_ip_address", "fixed_ip_address", "port_id")}
            for row in floating
        ],
    }


def _leg(tx: Transaction, port: Row) -> Row:
    return {
        "port_id": port["id"],
        "mac_address": port["mac_address"],
        "network": networks.describe(tx, port["network_id"]),
        "fixed_ips": [
            {"ip_address": fixed["ip_address"], "subnet_id": fixed["subnet_id"]}
            for fixed in port["fixed_ips"]
        ],
    }


def realised(tx: Transaction, router: Row) -> None:
    """The worker has made it so: ports of the router are wired, its floating IPs carry."""
    port_ids = [leg["port_id"] for leg in [*router["interfaces"], router["gateway"]] if leg]
    if port_ids:
        tx.execute(
            update(PORTS)
            .where(PORTS.c.id.in_(port_ids), PORTS.c.status == "DOWN", PORTS.c.admin_state_up.is_(True))
            .values(status="ACTIVE", updated_at=clock.now())
        )
    for floating in router["floating_ips"]:
        tx.execute(
            update(FLOATING_IPS)
            .where(
                FLOATING_IPS.c.id == floating["id"],
                FLOATING_IPS.c.port_id == floating["port_id"],
                FLOATING_IPS.c.fixed_ip_address == floating["fixed_ip_address"],
                FLOATING_IPS.c.router_id == router["id"],
            )
            .values(status="ACTIVE")
        )
