"""Resource classes: the standard ones by name, custom ones as rows. Called by the API handlers."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, select, update

from celaje.common import clock
from celaje.common.db import Transaction, fetch_all, fetch_one
from celaje.placement.db.tables import ALLOCATIONS, INVENTORIES, RESOURCE_CLASSES
from celaje.placement.errors import UnknownClass
from celaje.placement.standard_classes import STANDARD_CLASSES

_STANDARD = frozenset(STANDARD_CLASSES)
_ALL = select(RESOURCE_CLASSES).order_by(RESOURCE_CLASSES.c.name)
_BY_NAME = select(RESOURCE_CLASSES).where(RESOURCE_CLASSES.c.name == bindparam("name"))
_SOME_INVENTORY = select(INVENTORIES.c.id).where(INVENTORIES.c.resource_class == bindparam("name")).limit(1)


def is_standard(name: str) -> bool:
    return name in _STANDARD


def find(tx: Transaction, name: str) -> dict[str, Any] | None:
    """{name, updated_at}; updated_at None for a standard class."""
    if name in _STANDARD:
        return {"name": name, "updated_at": None}
    row = tx.execute(_BY_NAME, {"name": name}).mappings().first()
    return dict(row) if row else None


def list_all(tx: Transaction) -> list[dict[str, Any]]:
    return [{"name": name, "updated_at": None} for name in STANDARD_CLASSES] + fetch_all(tx, _ALL)


def check(tx: Transaction, names: Iterable[str]) -> None:
    """Raises UnknownClass for the first name that is none."""
    for name in names:
        if name not in _STANDARD and find(tx, name) is None:
            raise UnknownClass(name=name)


def create(tx: Transaction, name: str) -> dict[str, Any]:
    """Raises DuplicateRow."""
    now = clock.now()
    row = {"name": name, "created_at": now, "updated_at": now}
    tx.execute(RESOURCE_CLASSES.insert(), row)
    return row


def in_use(tx: Transaction, name: str) -> bool:
    return fetch_one(tx, _SOME_INVENTORY.params(name=name)) is not None


def delete(tx: Transaction, name: str) -> bool:
    return tx.execute(RESOURCE_CLASSES.delete().where(RESOURCE_CLASSES.c.name == name)).rowcount == 1


def rename(tx: Transaction, name: str, new: str) -> None:
    """With everything that uses it. Raises DuplicateRow."""
    tx.execute(
        update(RESOURCE_CLASSES)
        .where(RESOURCE_CLASSES.c.name == name)
        .values(name=new, updated_at=clock.now())
    )
    for table in (INVENTORIES, ALLOCATIONS):
        tx.execute(update(table).where(table.c.resource_class == name).values(resource_class=new))
