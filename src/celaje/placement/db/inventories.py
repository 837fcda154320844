"""Inventories: how much of a class a provider has, and in which portions it is given. Called by handlers
inside a change of the provider (`providers.change`), whose generation guards them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, delete, select, update

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.placement import errors
from celaje.placement.db.tables import ALLOCATIONS, INVENTORIES

Row = dict[str, Any]

FIELDS = ("total", "reserved", "min_unit", "max_unit", "step_size", "allocation_ratio")

_OF_PROVIDER = (
    select(INVENTORIES)
    .where(INVENTORIES.c.provider_id == bindparam("provider_id"))
    .order_by(INVENTORIES.c.id)
)
_ONE = _OF_PROVIDER.where(INVENTORIES.c.resource_class == bindparam("resource_class"))
_USED_CLASSES = (
    select(ALLOCATIONS.c.resource_class)
    .where(ALLOCATIONS.c.provider_id == bindparam("provider_id"))
    .distinct()
)


def capacity(row: Mapping[str, Any]) -> float:
    """What may be allocated of an inventory in all."""
    return (row["total"] - row["reserved"]) * row["allocation_ratio"]


def of_provider(tx: Transaction, provider_id: int) -> list[Row]:
    return [dict(row) for row in tx.execute(_OF_PROVIDER, {"provider_id": provider_id}).mappings()]


def find(tx: Transaction, provider_id: int, resource_class: str) -> Row | None:
    found = (
        tx.execute(_ONE, {"provider_id": provider_id, "resource_class": resource_class}).mappings().first()
    )
    return dict(found) if found else None


def add(tx: Transaction, provider_id: int, resource_class: str, values: Mapping[str, Any]) -> Row:
    """Raises DuplicateRow."""
    row = _row(provider_id, resource_class, values)
    tx.execute(INVENTORIES.insert(), row)
    return row


def set_one(tx: Transaction, provider_id: int, resource_class: str, values: Mapping[str, Any]) -> Row | None:
    """None: the provider has no inventory of this class."""
    row = _row(provider_id, resource_class, values)
    changed = tx.execute(
        update(INVENTORIES)
        .where(INVENTORIES.c.provider_id == provider_id, INVENTORIES.c.resource_class == resource_class)
        .values(**row)
    )
    return row if changed.rowcount else None


def replace(
    tx: Transaction, provider: Mapping[str, Any], wanted: Mapping[str, Mapping[str, Any]]
) -> list[Row]:
    """Make `wanted` (class -> fields) all that the provider has. Raises InventoryInUse for a class that
    would go although something is allocated of it."""
    present = {row["resource_class"] for row in of_provider(tx, provider["id"])}
    remove(tx, provider, present - set(wanted))
    rows = []
    for resource_class, values in wanted.items():
        if resource_class in present:
            row = set_one(tx, provider["id"], resource_class, values)
            assert row is not None
        else:
            row = add(tx, provider["id"], resource_class, values)
        rows.append(row)
    return rows


def remove(tx: Transaction, provider: Mapping[str, Any], classes: set[str]) -> None:
    """Raises InventoryInUse."""
    if not classes:
        return
    used = {row[0] for row in tx.execute(_USED_CLASSES, {"provider_id": provider["id"]})}
    if busy := sorted(classes & used):
        raise errors.InventoryInUse(
            classes=", ".join(busy), provider=provider["uuid"], code=errors.INVENTORY_IN_USE
        )
    tx.execute(
        delete(INVENTORIES).where(
            INVENTORIES.c.provider_id == provider["id"], INVENTORIES.c.resource_class.in_(sorted(classes))
        )
    )


def _row(provider_id: int, resource_class: str, values: Mapping[str, Any]) -> Row:
    return {
        "provider_id": provider_id,
        "resource_class": resource_class,
        **{field: values[field] for field in FIELDS},
        "updated_at": clock.now(),
    }
