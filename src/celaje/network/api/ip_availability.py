"""How many addresses networks have, and how many are given.

Source: Networking API v2.0, extension network-ip-availability.
"""

import ipaddress
from typing import Any

from sqlalchemy import select

from celaje.common.db import Transaction, fetch_all
from celaje.common.wsgi import Request
from celaje.network import errors
from celaje.network.db import ipam, networks
from celaje.network.db.tables import NETWORKS, SUBNETS


def listing(request: Request) -> dict[str, Any]:
    query = request.query
    where = []
    for name, column in (("network_id", "id"), ("network_name", "name"), ("project_id", "project_id")):
        if query.get(name):
            where.append(NETWORKS.c[column] == query[name])
    if query.get("tenant_id"):
        where.append(NETWORKS.c.project_id == query["tenant_id"])
    version = query.get("ip_version")
    if version not in (None, "4", "6"):
        raise errors.HTTPBadRequest("Invalid input for ip_version. Reason: it is 4 or 6.")

    def read(tx: Transaction) -> list[dict[str, Any]]:
        return _views(tx, where, int(version) if version else None)

    return {"network_ip_availabilities": request.service.database.read(read)}


def show(request: Request, network_id: str) -> dict[str, Any]:
    found = request.service.database.read(_views, [NETWORKS.c.id == network_id], None)
    if not found:
        raise errors.NetworkNotFound(id=network_id[:64])
    return {"network_ip_availability": found[0]}


def _views(tx: Transaction, where: list[Any], version: int | None) -> list[dict[str, Any]]:
    rows = fetch_all(tx, select(NETWORKS).where(*where).order_by(NETWORKS.c.id))
    ids = [row["id"] for row in rows]
    subnets = fetch_all(tx, select(SUBNETS).where(SUBNETS.c.network_id.in_(ids)).order_by(SUBNETS.c.id))
    pools = ipam.pools_of(tx, [subnet["id"] for subnet in subnets])
    used = networks.addresses_used(tx, ids)
    found = []
    for row in rows:
        shown = [
            {
                "subnet_id": subnet["id"],
                "subnet_name": subnet["name"],
                "ip_version": subnet["ip_version"],
                "cidr": subnet["cidr"],
                "total_ips": _total(subnet, pools[subnet["id"]]),
                "used_ips": used.get(subnet["id"], 0),
            }
            for subnet in subnets
            if subnet["network_id"] == row["id"] and version in (None, subnet["ip_version"])
        ]
        found.append(
            {
                "network_id": row["id"],
                "network_name": row["name"],
                "project_id": row["project_id"],
                "tenant_id": row["project_id"],
                "total_ips": sum(each["total_ips"] for each in shown),
                "used_ips": sum(each["used_ips"] for each in shown),
                "subnet_ip_availability": shown,
            }
        )
    return found


def _total(subnet: dict[str, Any], pools: list[tuple[int, int]]) -> int:
    if pools:
        return sum(last - first + 1 for first, last in pools)
    network = ipaddress.ip_network(subnet["cidr"])
    return max(0, network.num_addresses - (2 if network.version == 4 and network.prefixlen < 31 else 0))
