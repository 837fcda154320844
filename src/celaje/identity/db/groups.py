"""Queries of groups and who is in them."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from celaje.common.db import DuplicateRow, Transaction
from celaje.identity.db.statements import many, one, tuples, values
from celaje.identity.db.tables import ASSIGNMENTS, GROUPS, MEMBERSHIPS
from celaje.identity.errors import name_taken

Row = dict[str, Any]

_BY_ID = select(GROUPS).where(GROUPS.c.id == bindparam("id"))
_BY_IDS = select(GROUPS).where(GROUPS.c.id.in_(bindparam("ids", expanding=True))).order_by(GROUPS.c.name)
_BY_NAME = select(GROUPS).where(
    GROUPS.c.domain_id == bindparam("domain_id"), GROUPS.c.name == bindparam("name")
)
_MEMBER_IDS = select(MEMBERSHIPS.c.user_id).where(MEMBERSHIPS.c.group_id == bindparam("group_id"))
_MEMBERS_OF = (
    select(MEMBERSHIPS.c.group_id, MEMBERSHIPS.c.user_id)
    .where(MEMBERSHIPS.c.group_id.in_(bindparam("ids", expanding=True)))
    .order_by(MEMBERSHIPS.c.user_id)
)
_MEMBERSHIP = select(MEMBERSHIPS).where(
    MEMBERSHIPS.c.group_id == bindparam("group_id"), MEMBERSHIPS.c.user_id == bindparam("user_id")
)


def find(tx: Transaction, group_id: str) -> Row | None:
    return one(tx, _BY_ID, id=group_id)


def named(tx: Transaction, name: str, domain_id: str) -> Row | None:
    return one(tx, _BY_NAME, name=name, domain_id=domain_id)


def by_ids(tx: Transaction, group_ids: Iterable[str]) -> list[Row]:
    ids = sorted(group_ids)
    return many(tx, _BY_IDS, ids=ids) if ids else []


def create(tx: Transaction, row: Row) -> Row:
    try:
        tx.execute(insert(GROUPS).values(**row))
    except DuplicateRow as error:
        raise name_taken("group", row["name"]) from error
    return row


def change(tx: Transaction, row: Row, changes: Row) -> Row:
    try:
        tx.execute(update(GROUPS).where(GROUPS.c.id == row["id"]).values(**changes))
    except DuplicateRow as error:
        raise name_taken("group", changes.get("name")) from error
    return {**row, **changes}


def remove(tx: Transaction, group_id: str) -> None:
    tx.execute(delete(ASSIGNMENTS).where(ASSIGNMENTS.c.actor == "group", ASSIGNMENTS.c.actor_id == group_id))
    tx.execute(delete(GROUPS).where(GROUPS.c.id == group_id))


def member_ids(tx: Transaction, group_id: str) -> list[str]:
    return values(tx, _MEMBER_IDS, group_id=group_id)


def members_of(tx: Transaction, group_ids: set[str]) -> dict[str, list[str]]:
    """User ids by group, in one statement."""
    members: dict[str, list[str]] = {}
    if group_ids:
        for group_id, user_id in tuples(tx, _MEMBERS_OF, ids=sorted(group_ids)):
            members.setdefault(group_id, []).append(user_id)
    return members


def has_member(tx: Transaction, group_id: str, user_id: str) -> bool:
    return one(tx, _MEMBERSHIP, group_id=group_id, user_id=user_id) is not None


def add_member(tx: Transaction, group_id: str, user_id: str) -> None:
    if not has_member(tx, group_id, user_id):
        tx.execute(insert(MEMBERSHIPS).values(group_id=group_id, user_id=user_id))


def remove_member(tx: Transaction, group_id: str, user_id: str) -> bool:
    gone = delete(MEMBERSHIPS).where(MEMBERSHIPS.c.group_id == group_id, MEMBERSHIPS.c.user_id == user_id)
    return tx.execute(gone).rowcount > 0
