"""Queries of roles and of what they imply."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from celaje.common.db import DuplicateRow, Transaction
from celaje.identity.db.statements import many, one
from celaje.identity.db.tables import IMPLIED_ROLES, ROLES
from celaje.identity.errors import RoleNotFound, Taken, name_taken

Row = dict[str, Any]

_BY_ID = select(ROLES).where(ROLES.c.id == bindparam("id"))
_BY_IDS = select(ROLES).where(ROLES.c.id.in_(bindparam("ids", expanding=True)))
_BY_NAME = select(ROLES).where(ROLES.c.name == bindparam("name"))
_IMPLIED = (
    select(ROLES)
    .join(IMPLIED_ROLES, IMPLIED_ROLES.c.implied_role_id == ROLES.c.id)
    .where(IMPLIED_ROLES.c.prior_role_id == bindparam("prior_role_id"))
    .order_by(ROLES.c.name)
)
_ALL = select(ROLES).order_by(ROLES.c.name)
_RULES = select(IMPLIED_ROLES)


def find(tx: Transaction, role_id: str) -> Row | None:
    return one(tx, _BY_ID, id=role_id)


def get(tx: Transaction, role_id: str) -> Row:
    row = find(tx, role_id)
    if row is None:
        raise RoleNotFound(id=role_id)
    return row


def named(tx: Transaction, name: str) -> list[Row]:
    """Of the whole cloud and of all domains."""
    return many(tx, _BY_NAME, name=name)


def create(tx: Transaction, row: Row) -> Row:
    try:
        tx.execute(insert(ROLES).values(**row))
    except DuplicateRow as error:
        raise name_taken("role", row["name"]) from error
    return row


def change(tx: Transaction, row: Row, changes: Row) -> Row:
    try:
        tx.execute(update(ROLES).where(ROLES.c.id == row["id"]).values(**changes))
    except DuplicateRow as error:
        raise name_taken("role", changes.get("name")) from error
    return {**row, **changes}


def remove(tx: Transaction, role_id: str) -> None:
    """Assignments and inference rules go by their references."""
    tx.execute(delete(ROLES).where(ROLES.c.id == role_id))


def implied_by(tx: Transaction, role_id: str) -> list[Row]:
    return many(tx, _IMPLIED, prior_role_id=role_id)


def all_rules(tx: Transaction) -> list[tuple[Row, list[Row]]]:
    """Every role that implies others, with those."""
    roles = {row["id"]: row for row in many(tx, _ALL)}
    implied: dict[str, list[Row]] = {}
    for rule in many(tx, _RULES):
        implied.setdefault(rule["prior_role_id"], []).append(roles[rule["implied_role_id"]])
    return [(row, implied[role_id]) for role_id, row in roles.items() if role_id in implied]


def by_ids(tx: Transaction, role_ids: Iterable[str]) -> dict[str, Row]:
    ids = sorted(set(role_ids))
    return {row["id"]: row for row in many(tx, _BY_IDS, ids=ids)} if ids else {}


def add_rule(tx: Transaction, prior_role_id: str, implied_role_id: str) -> None:
    if any(row["id"] == implied_role_id for row in implied_by(tx, prior_role_id)):
        raise Taken(kind="implied_role", what="Duplicate entry.")
    tx.execute(insert(IMPLIED_ROLES).values(prior_role_id=prior_role_id, implied_role_id=implied_role_id))


def remove_rule(tx: Transaction, prior_role_id: str, implied_role_id: str) -> bool:
    gone = delete(IMPLIED_ROLES).where(
        IMPLIED_ROLES.c.prior_role_id == prior_role_id, IMPLIED_ROLES.c.implied_role_id == implied_role_id
    )
    return tx.execute(gone).rowcount > 0
