"""Floating IPs' rows and associations. Called by the API's units."""

from typing import Any

from sqlalchemy import select, update

from celaje.common import clock
from celaje.common.db import Transaction, fetch_all, fetch_one
from celaje.network import errors
from celaje.network.db import routers
from celaje.network.db.tables import FLOATING_IPS, IP_ALLOCATIONS, PORTS, ROUTERS

Row = dict[str, Any]


def get(tx: Transaction, floating_id: str) -> Row | None:
    return fetch_one(tx, select(FLOATING_IPS).where(FLOATING_IPS.c.id == floating_id))


def of_port(tx: Transaction, port_id: str) -> list[Row]:
    return fetch_all(tx, select(FLOATING_IPS).where(FLOATING_IPS.c.port_id == port_id))


def disassociate_port(flows: Any, tx: Transaction, port_id: str) -> None:
    """The port goes: its floating IPs stay with their projects, unassociated."""
    rows = of_port(tx, port_id)
    for row in rows:
        clear(tx, row)
    for router_id in {row["router_id"] for row in rows if row["router_id"]}:
        sync(flows, tx, router_id)


def clear(tx: Transaction, row: Row) -> None:
    tx.execute(
        update(FLOATING_IPS)
        .where(FLOATING_IPS.c.id == row["id"])
        .values(
            port_id=None,
            fixed_ip_address=None,
            router_id=None,
            status="DOWN",
            revision_number=row["revision_number"] + 1,
            updated_at=clock.now(),
        )
    )


def sync(flows: Any, tx: Transaction, router_id: str | None) -> None:
    router = routers.get(tx, router_id) if router_id else None
    if router is not None:
        routers.touched(flows, tx, router)


def refuse_losing(tx: Transaction, port_id: str, addresses: set[str]) -> None:
    """A fixed IP that a floating IP stands on cannot be taken from its port."""
    for row in of_port(tx, port_id):
        if row["fixed_ip_address"] in addresses:
            raise errors.HTTPBadRequest(
                f"Fixed IP {row['fixed_ip_address']} of port {port_id} is used by floating IP {row['id']}"
            )


def router_for(tx: Transaction, external_network_id: str, subnet_id: str) -> str | None:
    """The router that joins the subnet to the external network; the one at its gateway address first."""
    statement = (
        select(ROUTERS.c.id)
        .join(PORTS, PORTS.c.device_id == ROUTERS.c.id)
        .join(IP_ALLOCATIONS, IP_ALLOCATIONS.c.port_id == PORTS.c.id)
        .where(
            ROUTERS.c.gateway_network_id == external_network_id,
            PORTS.c.device_owner == routers.INTERFACE,
            IP_ALLOCATIONS.c.subnet_id == subnet_id,
        )
        .order_by(ROUTERS.c.created_at, ROUTERS.c.id)
    )
    rows = fetch_all(tx, statement)
    return rows[0]["id"] if rows else None
