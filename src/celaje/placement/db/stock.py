"""What allocation candidates are made from: whole provider trees with inventories, use, traits, aggregates.

Called by the handler of allocation candidates; five queries whatever the number of providers.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import func, select

from celaje.common.db import Transaction, fetch_all
from celaje.placement.candidates import Inventory, Provider
from celaje.placement.db.inventories import capacity
from celaje.placement.db.tables import (
    ALLOCATIONS,
    INVENTORIES,
    PROVIDER_AGGREGATES,
    PROVIDER_TRAITS,
    PROVIDERS,
)


def load(tx: Transaction, classes: Collection[str]) -> list[Provider]:
    """Every provider of each tree in which some provider has inventory of one of `classes`."""
    roots = (
        select(PROVIDERS.c.root_uuid)
        .join(INVENTORIES, INVENTORIES.c.provider_id == PROVIDERS.c.id)
        .where(INVENTORIES.c.resource_class.in_(sorted(classes)))
    )
    inside = PROVIDERS.c.root_uuid.in_(roots)
    rows = fetch_all(tx, select(PROVIDERS).where(inside).order_by(PROVIDERS.c.id))
    found = {
        row["id"]: Provider(uuid=row["uuid"], parent_uuid=row["parent_uuid"], root_uuid=row["root_uuid"])
        for row in rows
    }
    ids = select(PROVIDERS.c.id).where(inside)
    for row in fetch_all(tx, _inventories(ids)):
        if row["provider_id"] in found:
            found[row["provider_id"]].inventories[row["resource_class"]] = Inventory(
                capacity=capacity(row),
                used=int(row["used"] or 0),
                min_unit=row["min_unit"],
                max_unit=row["max_unit"],
                step_size=row["step_size"],
            )
    for row in fetch_all(tx, select(PROVIDER_TRAITS).where(PROVIDER_TRAITS.c.provider_id.in_(ids))):
        if row["provider_id"] in found:
            found[row["provider_id"]].traits.add(row["trait"])
    for row in fetch_all(tx, select(PROVIDER_AGGREGATES).where(PROVIDER_AGGREGATES.c.provider_id.in_(ids))):
        if row["provider_id"] in found:
            found[row["provider_id"]].aggregates.add(row["aggregate_uuid"])
    return list(found.values())


def _inventories(ids: Any) -> Any:
    used = (
        select(
            ALLOCATIONS.c.provider_id,
            ALLOCATIONS.c.resource_class,
            func.sum(ALLOCATIONS.c.used).label("used"),
        )
        .group_by(ALLOCATIONS.c.provider_id, ALLOCATIONS.c.resource_class)
        .subquery()
    )
    return (
        select(INVENTORIES, used.c.used)
        .outerjoin(
            used,
            (used.c.provider_id == INVENTORIES.c.provider_id)
            & (used.c.resource_class == INVENTORIES.c.resource_class),
        )
        .where(INVENTORIES.c.provider_id.in_(ids))
    )
