"""Role assignments as they are stored: one row says that an actor has a role on a target."""

from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, insert, select

from celaje.common.db import Transaction
from celaje.identity.db.statements import many, one
from celaje.identity.db.tables import ASSIGNMENTS, ROLES

Row = dict[str, Any]

KEY = ("actor", "actor_id", "target", "target_id", "role_id", "inherited")

_EXACT = select(ASSIGNMENTS).where(*(ASSIGNMENTS.c[name] == bindparam(name) for name in KEY))
_OF_USER_ON_PROJECTS = select(ASSIGNMENTS).where(
    ASSIGNMENTS.c.actor == "user",
    ASSIGNMENTS.c.actor_id == bindparam("user_id"),
    ASSIGNMENTS.c.target == "project",
)
_ROLES_OF = (
    select(ROLES)
    .join(ASSIGNMENTS, ASSIGNMENTS.c.role_id == ROLES.c.id)
    .where(*(ASSIGNMENTS.c[name] == bindparam(name) for name in KEY if name != "role_id"))
    .order_by(ROLES.c.name)
)


def find(tx: Transaction, grant: Row) -> Row | None:
    """`grant` has the columns of KEY."""
    return one(tx, _EXACT, **grant)


def add(tx: Transaction, grant: Row) -> None:
    if find(tx, grant) is None:
        tx.execute(insert(ASSIGNMENTS).values(**grant))


def remove(tx: Transaction, grant: Row) -> bool:
    gone = delete(ASSIGNMENTS).where(*(ASSIGNMENTS.c[name] == grant[name] for name in KEY))
    return tx.execute(gone).rowcount > 0


def roles_of(tx: Transaction, grant: Row) -> list[Row]:
    """The roles of an actor on a target; `grant` without `role_id`."""
    return many(tx, _ROLES_OF, **grant)


def of_user_on_projects(tx: Transaction, user_id: str) -> list[Row]:
    return many(tx, _OF_USER_ON_PROJECTS, user_id=user_id)


def matching(tx: Transaction, conditions: list[ColumnElement[bool]]) -> list[Row]:
    return many(
        tx,
        select(ASSIGNMENTS)
        .where(*conditions)
        .order_by(
            ASSIGNMENTS.c.target,
            ASSIGNMENTS.c.target_id,
            ASSIGNMENTS.c.actor,
            ASSIGNMENTS.c.actor_id,
            ASSIGNMENTS.c.role_id,
        ),
    )
