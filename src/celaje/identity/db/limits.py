"""Queries of unified limits: registered ones (the default of a resource), and of projects and domains."""

from typing import Any

from sqlalchemy import Select, bindparam, delete, insert, select, update

from celaje.common.db import Transaction
from celaje.identity.db.statements import many, one
from celaje.identity.db.tables import LIMITS, REGISTERED_LIMITS
from celaje.identity.errors import LimitNotFound, RegisteredLimitNotFound

Row = dict[str, Any]

_R = REGISTERED_LIMITS.c
_L = LIMITS.c

_REGISTERED = select(REGISTERED_LIMITS).where(_R.id == bindparam("id"))

# A limit with what it is a limit of.
LIMIT = select(
    _L.id,
    _L.project_id,
    _L.domain_id,
    _L.resource_limit,
    _L.description,
    _L.registered_limit_id,
    _R.service_id,
    _R.region_id,
    _R.resource_name,
).join_from(LIMITS, REGISTERED_LIMITS, _L.registered_limit_id == _R.id)
_LIMIT = LIMIT.where(_L.id == bindparam("id"))


def registered(tx: Transaction, limit_id: str) -> Row:
    row = one(tx, _REGISTERED, id=limit_id)
    if row is None:
        raise RegisteredLimitNotFound(id=limit_id)
    return row


def registered_for(tx: Transaction, what: Row) -> Row | None:
    """Of the service, region and resource that `what` names."""
    return one(tx, _of(select(REGISTERED_LIMITS), what))


def _of(statement: Select[Any], what: Row) -> Select[Any]:
    region_id = what.get("region_id")
    return statement.where(
        _R.service_id == what["service_id"],
        _R.resource_name == what["resource_name"],
        _R.region_id.is_(None) if region_id is None else _R.region_id == region_id,
    )


def create_registered(tx: Transaction, row: Row) -> None:
    tx.execute(insert(REGISTERED_LIMITS).values(**row))


def change_registered(tx: Transaction, limit_id: str, values: Row) -> None:
    tx.execute(update(REGISTERED_LIMITS).where(_R.id == limit_id).values(**values))


def remove_registered(tx: Transaction, limit_id: str) -> None:
    tx.execute(delete(REGISTERED_LIMITS).where(_R.id == limit_id))


def in_use(tx: Transaction, registered_limit_id: str) -> bool:
    found = select(_L.id).where(_L.registered_limit_id == registered_limit_id).limit(1)
    return tx.execute(found).first() is not None


def get(tx: Transaction, limit_id: str) -> Row:
    row = one(tx, _LIMIT, id=limit_id)
    if row is None:
        raise LimitNotFound(id=limit_id)
    return row


def of_owner(
    tx: Transaction, what: Row, *, project_id: str | None = None, domain_id: str | None = None
) -> Row | None:
    statement = _of(LIMIT, what)
    if project_id is not None:
        return one(tx, statement.where(_L.project_id == project_id))
    return one(tx, statement.where(_L.domain_id == domain_id))


def create(tx: Transaction, row: Row) -> None:
    tx.execute(insert(LIMITS).values(**row))


def change(tx: Transaction, limit_id: str, values: Row) -> None:
    tx.execute(update(LIMITS).where(_L.id == limit_id).values(**values))


def remove(tx: Transaction, limit_id: str) -> None:
    tx.execute(delete(LIMITS).where(_L.id == limit_id))


def of_projects(tx: Transaction, what: Row, project_ids: list[str]) -> list[Row]:
    return many(tx, _of(LIMIT, what).where(_L.project_id.in_(project_ids)))
