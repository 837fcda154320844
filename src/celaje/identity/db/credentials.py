"""Queries of credentials. Their blobs are sealed; who shows one opens it."""

from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select

from celaje.common.db import DuplicateRow, Transaction
from celaje.identity.db.statements import many, one
from celaje.identity.db.tables import CREDENTIALS
from celaje.identity.errors import Taken

Row = dict[str, Any]

_C = CREDENTIALS.c
_BY_ID = select(CREDENTIALS).where(_C.id == bindparam("id"))
_OF_USER = (
    select(CREDENTIALS)
    .where(_C.user_id == bindparam("user_id"), _C.type == bindparam("type"))
    .order_by(_C.id)
)
_COUNT = select(func.count()).select_from(CREDENTIALS).where(_C.user_id == bindparam("user_id"))


def find(tx: Transaction, credential_id: str) -> Row | None:
    return one(tx, _BY_ID, id=credential_id)


def of_user(tx: Transaction, user_id: str, kind: str) -> list[Row]:
    return many(tx, _OF_USER, user_id=user_id, type=kind)


def count(tx: Transaction, user_id: str) -> int:
    return int(tx.execute(_COUNT, {"user_id": user_id}).scalar() or 0)


def create(tx: Transaction, row: Row) -> None:
    try:
        tx.execute(insert(CREDENTIALS).values(**row))
    except DuplicateRow as error:
        raise Taken(kind="credential", what=f"Duplicate entry found with id {row['id']}") from error


def remove(tx: Transaction, credential_id: str) -> None:
    tx.execute(delete(CREDENTIALS).where(_C.id == credential_id))
