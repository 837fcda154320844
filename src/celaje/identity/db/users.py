"""Queries of users."""

from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from celaje.common.db import DuplicateRow, Transaction
from celaje.identity.db.statements import one, values
from celaje.identity.db.tables import ASSIGNMENTS, MEMBERSHIPS, USERS
from celaje.identity.errors import UserNotFound, name_taken

Row = dict[str, Any]

_BY_ID = select(USERS).where(USERS.c.id == bindparam("id"))
_BY_NAME = select(USERS.c.id).where(
    USERS.c.domain_id == bindparam("domain_id"), USERS.c.name == bindparam("name")
)
_GROUP_IDS = select(MEMBERSHIPS.c.group_id).where(MEMBERSHIPS.c.user_id == bindparam("user_id"))


def find(tx: Transaction, user_id: str) -> Row | None:
    return one(tx, _BY_ID, id=user_id)


def get(tx: Transaction, user_id: str) -> Row:
    row = find(tx, user_id)
    if row is None:
        raise UserNotFound(id=user_id)
    return row


def name_is_taken(tx: Transaction, domain_id: str, name: str) -> bool:
    return one(tx, _BY_NAME, domain_id=domain_id, name=name) is not None


def create(tx: Transaction, row: Row) -> Row:
    try:
        tx.execute(insert(USERS).values(**row))
    except DuplicateRow as error:
        raise name_taken("user", row["name"]) from error
    return row


def change(tx: Transaction, row: Row, changes: Row) -> Row:
    try:
        tx.execute(update(USERS).where(USERS.c.id == row["id"]).values(**changes))
    except DuplicateRow as error:
        raise name_taken("user", changes.get("name")) from error
    return {**row, **changes}


def remove(tx: Transaction, user_id: str) -> None:
    """With the assignments; memberships and credentials go by their references."""
    tx.execute(delete(ASSIGNMENTS).where(ASSIGNMENTS.c.actor == "user", ASSIGNMENTS.c.actor_id == user_id))
    tx.execute(delete(USERS).where(USERS.c.id == user_id))


def group_ids(tx: Transaction, user_id: str) -> list[str]:
    return values(tx, _GROUP_IDS, user_id=user_id)
