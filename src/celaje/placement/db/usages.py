"""Sums over the ledger, by provider and by owner. Called by the usage handlers."""

from typing import Any

from sqlalchemy import bindparam, distinct, func, select

from celaje.common.db import Transaction
from celaje.placement.db.tables import ALLOCATIONS, CONSUMERS, INVENTORIES

_OF_PROVIDER: Any = (
    select(INVENTORIES.c.resource_class, func.coalesce(func.sum(ALLOCATIONS.c.used), 0))
    .outerjoin(
        ALLOCATIONS,
        (ALLOCATIONS.c.provider_id == INVENTORIES.c.provider_id)
        & (ALLOCATIONS.c.resource_class == INVENTORIES.c.resource_class),
    )
    .where(INVENTORIES.c.provider_id == bindparam("provider_id"))
    .group_by(INVENTORIES.c.resource_class)
    .order_by(INVENTORIES.c.resource_class)
)


def of_provider(tx: Transaction, provider_id: int) -> dict[str, int]:
    """Every class that the provider has inventory of -> amount used."""
    return {row[0]: int(row[1]) for row in _rows(tx, _OF_PROVIDER.params(provider_id=provider_id))}


def of_owner(tx: Transaction, project_id: str, user_id: str | None = None) -> dict[str, int]:
    statement: Any = (
        select(ALLOCATIONS.c.resource_class, func.sum(ALLOCATIONS.c.used))
        .join(CONSUMERS, CONSUMERS.c.uuid == ALLOCATIONS.c.consumer_uuid)
        .group_by(ALLOCATIONS.c.resource_class)
        .order_by(ALLOCATIONS.c.resource_class)
    )
    return {row[0]: int(row[1]) for row in _rows(tx, _owned(statement, project_id, user_id))}


def by_consumer_type(
    tx: Transaction, project_id: str, user_id: str | None = None, consumer_type: str | None = None
) -> dict[str, dict[str, int]]:
    """Type -> {class: used, "consumer_count": n}. `consumer_type` "all" puts all into one; consumers of no
    known type count as "unknown"."""
    consumers = func.count(distinct(CONSUMERS.c.uuid))
    together = consumer_type == "all"
    kind = CONSUMERS.c.consumer_type
    found: dict[str, dict[str, int]] = {}
    sums: Any = select(kind, ALLOCATIONS.c.resource_class, func.sum(ALLOCATIONS.c.used))
    counts: Any = select(kind, consumers).select_from(CONSUMERS)
    if together:
        sums = select(ALLOCATIONS.c.resource_class, func.sum(ALLOCATIONS.c.used))
        counts = select(consumers).select_from(CONSUMERS)
    sums = sums.join(CONSUMERS, CONSUMERS.c.uuid == ALLOCATIONS.c.consumer_uuid)
    sums = sums.group_by(*([] if together else [kind]), ALLOCATIONS.c.resource_class)
    if not together:
        counts = counts.group_by(kind)
    sums, counts = _owned(sums, project_id, user_id), _owned(counts, project_id, user_id)
    if consumer_type not in (None, "all"):
        wanted = kind.is_(None) if consumer_type == "unknown" else kind == consumer_type
        sums, counts = sums.where(wanted), counts.where(wanted)
    for *group, resource_class, used in _rows(tx, sums):
        name = "all" if together else group[0] or "unknown"
        found.setdefault(name, {})[resource_class] = int(used)
    for *group, count in _rows(tx, counts):
        name = "all" if together else group[0] or "unknown"
        if name in found:
            found[name]["consumer_count"] = count
    return found


def _owned(statement: Any, project_id: str, user_id: str | None) -> Any:
    statement = statement.where(CONSUMERS.c.project_id == project_id)
    return statement.where(CONSUMERS.c.user_id == user_id) if user_id is not None else statement


def _rows(tx: Transaction, statement: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in tx.execute(statement)]
