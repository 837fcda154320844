"""Quotas: limits in rows, usage counted from the resources' own rows in the transaction that inserts.

Called by the create handlers and by the quota API. Counted usage cannot drift; two transactions that count
at once meet at the project's lock.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table, bindparam, delete, func, insert, select, update

from celaje.common.db import Prepared, Transaction, fetch_all, serialise
from celaje.common.errors import OverQuota
from celaje.network.db import tables

RESOURCES: Mapping[str, Table] = {
    "network": tables.NETWORKS,
    "subnet": tables.SUBNETS,
    "subnetpool": tables.SUBNET_POOLS,
    "port": tables.PORTS,
    "router": tables.ROUTERS,
    "floatingip": tables.FLOATING_IPS,
    "security_group": tables.SECURITY_GROUPS,
    "security_group_rule": tables.SECURITY_GROUP_RULES,
}

_CHECKS = {
    name: Prepared(
        select(
            select(func.count())
            .select_from(table)
            .where(table.c.project_id == bindparam("project"))
            .scalar_subquery()
            .label("used"),
            select(tables.QUOTAS.c.limit)
            .where(tables.QUOTAS.c.project_id == bindparam("project"), tables.QUOTAS.c.resource == name)
            .scalar_subquery()
            .label("limit"),
        )
    )
    for name, table in RESOURCES.items()
}


def default_limits(conf: Any) -> dict[str, int]:
    return {name: getattr(conf.quotas, f"quota_{name}") for name in RESOURCES}


def check(tx: Transaction, conf: Any, resource: str, project_id: str, wanted: int = 1) -> None:
    """Raises OverQuota when `wanted` more are too many."""
    # Else two requests count the same rows and both fit.
    serialise(tx, f"quota {project_id}")
    row = _CHECKS[resource].one(tx, project=project_id)
    assert row is not None
    limit = row["limit"] if row["limit"] is not None else getattr(conf.quotas, f"quota_{resource}")
    if 0 <= limit < row["used"] + wanted:
        raise OverQuota(
            f"Quota exceeded for resources: ['{resource}'].",
            overs=[resource],
            neutron_type="OverQuota",
            requested=wanted,
            used=row["used"],
            allowed=limit,
        )


def limits(tx: Transaction, conf: Any, project_id: str) -> dict[str, int]:
    found = default_limits(conf)
    rows = fetch_all(tx, select(tables.QUOTAS).where(tables.QUOTAS.c.project_id == project_id))
    found.update({row["resource"]: row["limit"] for row in rows if row["resource"] in found})
    return found


def usage(tx: Transaction, project_id: str) -> dict[str, int]:
    rows = {name: check.one(tx, project=project_id) for name, check in _CHECKS.items()}
    return {name: row["used"] for name, row in rows.items() if row is not None}


def projects(tx: Transaction) -> list[str]:
    """Projects with limits of their own."""
    rows = fetch_all(tx, select(tables.QUOTAS.c.project_id).distinct().order_by(tables.QUOTAS.c.project_id))
    return [row["project_id"] for row in rows]


def set_limits(tx: Transaction, project_id: str, changes: Mapping[str, int]) -> None:
    quotas = tables.QUOTAS
    for resource, limit in changes.items():
        key = (quotas.c.project_id == project_id, quotas.c.resource == resource)
        if tx.execute(update(quotas).where(*key).values(limit=limit)).rowcount == 0:
            tx.execute(insert(quotas).values(project_id=project_id, resource=resource, limit=limit))


def reset(tx: Transaction, project_id: str) -> None:
    tx.execute(delete(tables.QUOTAS).where(tables.QUOTAS.c.project_id == project_id))
