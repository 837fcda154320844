"""Queries of application credentials and of their access rules."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, delete, insert, select

from celaje.common.db import DuplicateRow, Transaction
from celaje.identity.db.statements import many, one
from celaje.identity.db.tables import ACCESS_RULES, APPLICATION_CREDENTIALS
from celaje.identity.errors import AccessRuleNotFound, Taken
from celaje.identity.ids import new_id

Row = dict[str, Any]

_C = APPLICATION_CREDENTIALS.c
_BY_ID = select(APPLICATION_CREDENTIALS).where(_C.id == bindparam("id"))
_OF_USER = select(APPLICATION_CREDENTIALS).where(_C.user_id == bindparam("user_id"))
_RULES = select(ACCESS_RULES).where(ACCESS_RULES.c.id.in_(bindparam("ids", expanding=True)))
_RULES_OF_USER = select(ACCESS_RULES).where(ACCESS_RULES.c.user_id == bindparam("user_id"))


def find(tx: Transaction, credential_id: str, user_id: str) -> Row | None:
    row = one(tx, _BY_ID, id=credential_id)
    return row if row is not None and row["user_id"] == user_id else None


def create(tx: Transaction, row: Row) -> None:
    try:
        tx.execute(insert(APPLICATION_CREDENTIALS).values(**row))
    except DuplicateRow as error:
        raise Taken(
            kind="application_credential", what=f"Duplicate entry found with name {row['name']}."
        ) from error


def remove(tx: Transaction, credential_id: str) -> None:
    tx.execute(delete(APPLICATION_CREDENTIALS).where(_C.id == credential_id))


def rules_of(tx: Transaction, ids: Iterable[str]) -> list[Row]:
    """Access rules as tokens and credentials show them."""
    rows = many(tx, _RULES, ids=list(ids))
    return [{name: row[name] for name in ("id", "service", "method", "path")} for row in rows]


def rules_of_user(tx: Transaction, user_id: str) -> list[Row]:
    return many(tx, _RULES_OF_USER, user_id=user_id)


def rule(tx: Transaction, rule_id: str, user_id: str) -> Row | None:
    return next((row for row in rules_of_user(tx, user_id) if row["id"] == rule_id), None)


def find_or_make_rule(tx: Transaction, user_id: str, given: Row) -> str:
    """The id of the user's rule of this content, or of the one that is named."""
    for row in rules_of_user(tx, user_id):
        same = all(row[name] == given.get(name) for name in ("service", "method", "path"))
        if row["id"] == given.get("id") or ("id" not in given and same):
            return row["id"]
    if "id" in given:
        raise AccessRuleNotFound(id=given["id"])
    made = {"id": new_id(), "user_id": user_id}
    tx.execute(insert(ACCESS_RULES).values(**made, **{k: given[k] for k in ("service", "method", "path")}))
    return made["id"]


def rule_in_use(tx: Transaction, rule_id: str, user_id: str) -> bool:
    return any(rule_id in (row["access_rules"] or ()) for row in many(tx, _OF_USER, user_id=user_id))


def remove_rule(tx: Transaction, rule_id: str) -> None:
    tx.execute(delete(ACCESS_RULES).where(ACCESS_RULES.c.id == rule_id))
