"""Subnets' rows. Called by the API's units."""

import ipaddress
from typing import Any

from sqlalchemy import select

from celaje.common.db import Transaction, fetch_all, fetch_one
from celaje.network import addresses
from celaje.network.db import ipam
from celaje.network.db.tables import IP_ALLOCATIONS, PORTS, SUBNET_POOLS, SUBNETS

Row = dict[str, Any]


def get(tx: Transaction, subnet_id: str) -> Row | None:
    return fetch_one(tx, select(SUBNETS).where(SUBNETS.c.id == subnet_id))


def pools_shown(tx: Transaction, rows: Any) -> dict[str, list[dict[str, str]]]:
    """The allocation pools as the API shows them."""
    versions = {row["id"]: row["ip_version"] for row in rows}
    pools = ipam.pools_of(tx, list(versions)) if versions else {}
    return {
        subnet_id: [
            {
                "start": addresses.text(first, versions[subnet_id]),
                "end": addresses.text(last, versions[subnet_id]),
            }
            for first, last in found
        ]
        for subnet_id, found in pools.items()
    }


def ports_on(tx: Transaction, subnet_id: str, limit: int = 1000) -> list[Row]:
    """Ports that have an address of the subnet: id, device_owner, address."""
    statement = (
        select(PORTS.c.id, PORTS.c.device_owner, PORTS.c.device_id, IP_ALLOCATIONS.c.ip_address)
        .join(IP_ALLOCATIONS, IP_ALLOCATIONS.c.port_id == PORTS.c.id)
        .where(IP_ALLOCATIONS.c.subnet_id == subnet_id)
        .limit(limit)
    )
    return fetch_all(tx, statement)


def pool_row(tx: Transaction, pool_id: str) -> Row | None:
    return fetch_one(tx, select(SUBNET_POOLS).where(SUBNET_POOLS.c.id == pool_id).with_for_update())


def default_pool(tx: Transaction, ip_version: int) -> Row | None:
    return fetch_one(
        tx,
        select(SUBNET_POOLS).where(
            SUBNET_POOLS.c.is_default.is_(True), SUBNET_POOLS.c.ip_version == ip_version
        ),
    )


def carve(tx: Transaction, pool: Row, prefixlen: int) -> str | None:
    """The first prefix of this length in the pool that no subnet of it overlaps."""
    used = [
        ipaddress.ip_network(row["cidr"])
        for row in fetch_all(tx, select(SUBNETS.c.cidr).where(SUBNETS.c.subnetpool_id == pool["id"]))
    ]
    taken = sorted((int(each.network_address), int(each[-1])) for each in used)
    for prefix in sorted(pool["prefixes"], key=lambda text: addresses.key(text.partition("/")[0])):
        network = ipaddress.ip_network(prefix)
        if prefixlen < network.prefixlen:
            continue
        size = 2 ** (network.max_prefixlen - prefixlen)
        start, end = int(network.network_address), int(network[-1])
        for first, last in taken:
            if last < start or first >= start + size:
                continue
            start = (last // size + 1) * size
        if start + size - 1 <= end:
            return f"{addresses.text(start, pool['ip_version'])}/{prefixlen}"
    return None


def in_pool(pool: Row, cidr: str) -> bool:
    wanted = ipaddress.ip_network(cidr)
    return any(
        wanted.version == (outer := ipaddress.ip_network(prefix)).version and wanted.subnet_of(outer)  # type: ignore[arg-type]
        for prefix in pool["prefixes"]
    )
