"""Hypervisors as administrators see them: compute nodes with the service that runs them. Called by the
hypervisor and service handlers; `nodes.py` writes the rows."""

import re
from collections.abc import Collection
from typing import Any

from sqlalchemy import bindparam, delete, func, select

from celaje.common.db import Transaction, fetch_all, fetch_one
from celaje.common.db.paging import MarkerNotFound, page
from celaje.compute.db.tables import COMPUTE_NODES, SERVERS, SERVICES

Row = dict[str, Any]

_UUID = re.compile(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_ALL = select(
    COMPUTE_NODES,
    SERVICES.c.id.label("service_id"),
    SERVICES.c.uuid.label("service_uuid"),
    SERVICES.c.disabled,
    SERVICES.c.disabled_reason,
    SERVICES.c.forced_down,
    SERVICES.c.last_seen_at,
    SERVICES.c.created_at.label("service_created_at"),
).join(SERVICES, (SERVICES.c.host == COMPUTE_NODES.c.host) & (SERVICES.c.binary == "nova-compute"))
_BY_UUID = _ALL.where(COMPUTE_NODES.c.uuid == bindparam("uuid"))
_BY_ID = _ALL.where(COMPUTE_NODES.c.id == bindparam("id"))


def is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


def by_uuid(tx: Transaction, uuid: str) -> Row | None:
    return fetch_one(tx, _BY_UUID.params(uuid=uuid.lower()))


def by_id(tx: Transaction, number: int) -> Row | None:
    return fetch_one(tx, _BY_ID.params(id=number))


def list_page(tx: Transaction, limit: int | None, marker: Row | None) -> list[Row]:
    columns = {"id": COMPUTE_NODES.c.id}
    return fetch_all(tx, page(_ALL, columns, [], COMPUTE_NODES.c.id, limit=limit, marker=marker))


def marker(tx: Transaction, text: str, *, uuid: bool) -> Row:
    """The row with which the last page ended. Raises MarkerNotFound."""
    row = None
    if uuid:
        row = by_uuid(tx, text)
    elif text.isascii() and text.isdecimal() and len(text) < 10:
        row = by_id(tx, int(text))
    if row is None:
        raise MarkerNotFound(marker=text)
    return row


def matching(tx: Transaction, part: str) -> list[Row]:
    """Those whose name contains `part`."""
    statement = _ALL.where(COMPUTE_NODES.c.node.contains(part, autoescape=True))
    return fetch_all(tx, statement.order_by(COMPUTE_NODES.c.id))


def servers_on(tx: Transaction, hosts: Collection[str]) -> dict[str, list[Row]]:
    """Host -> the servers on it that are not deleted: {"uuid", "host"}."""
    found: dict[str, list[Row]] = {host: [] for host in hosts}
    statement = select(SERVERS.c.id, SERVERS.c.host).where(
        SERVERS.c.host.in_(list(hosts)), SERVERS.c.deleted.is_(False)
    )
    for row in fetch_all(tx, statement.order_by(SERVERS.c.created_at, SERVERS.c.id)):
        found[row["host"]].append({"uuid": row["id"], "host": row["host"]})
    return found


def totals(tx: Transaction) -> Row:
    """The sums over all enabled hypervisors."""
    nodes = COMPUTE_NODES.c
    sums = {
        name: func.coalesce(func.sum(nodes[name]), 0).label(name)
        for name in (
            "vcpus",
            "memory_mb",
            "disk_gb",
            "vcpus_used",
            "memory_mb_used",
            "disk_gb_used",
            "running_servers",
        )
    }
    statement = (
        select(func.count().label("count"), *sums.values())
        .select_from(COMPUTE_NODES)
        .join(SERVICES, (SERVICES.c.host == nodes.host) & (SERVICES.c.binary == "nova-compute"))
        .where(SERVICES.c.disabled.is_(False))
    )
    row = fetch_one(tx, statement)
    assert row is not None
    return {name: int(value) for name, value in row.items()}


def forget_host(tx: Transaction, host: str) -> list[str]:
    """Delete the host's nodes; their uuids, under which placement has them."""
    uuids = [
        row["uuid"] for row in fetch_all(tx, select(COMPUTE_NODES.c.uuid).where(COMPUTE_NODES.c.host == host))
    ]
    tx.execute(delete(COMPUTE_NODES).where(COMPUTE_NODES.c.host == host))
    return uuids
