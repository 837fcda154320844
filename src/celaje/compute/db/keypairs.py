"""Key pairs of users. Called by the key pair handlers and by server creation."""

from typing import Any

from sqlalchemy import bindparam, delete, func, select

from celaje.common import clock
from celaje.common.db import DuplicateRow, Transaction, fetch_all
from celaje.common.db.paging import MarkerNotFound, page
from celaje.common.errors import Conflict, NotFound
from celaje.compute.db.tables import KEYPAIRS

Row = dict[str, Any]

_ONE = select(KEYPAIRS).where(KEYPAIRS.c.user_id == bindparam("user"), KEYPAIRS.c.name == bindparam("name"))
_COUNT = select(func.count()).select_from(KEYPAIRS).where(KEYPAIRS.c.user_id == bindparam("user"))


class KeypairNotFound(NotFound):
    text = "Keypair {name} not found for user {user}"


def find(tx: Transaction, user_id: str, name: str) -> Row | None:
    row = tx.execute(_ONE, {"user": user_id, "name": name}).mappings().first()
    return dict(row) if row else None


def get(tx: Transaction, user_id: str, name: str) -> Row:
    row = find(tx, user_id, name)
    if row is None:
        raise KeypairNotFound(name=name, user=user_id)
    return row


def count(tx: Transaction, user_id: str) -> int:
    return tx.execute(_COUNT, {"user": user_id}).scalar_one()


def create(tx: Transaction, values: Row) -> Row:
    """Raises Conflict: the user has one of that name."""
    row = {**values, "created_at": clock.now()}
    try:
        tx.execute(KEYPAIRS.insert(), row)
    except DuplicateRow:
        raise Conflict(f"Key pair '{values['name']}' already exists.") from None
    return row


def remove(tx: Transaction, user_id: str, name: str) -> None:
    statement = delete(KEYPAIRS).where(KEYPAIRS.c.user_id == user_id, KEYPAIRS.c.name == name)
    if tx.execute(statement).rowcount == 0:
        raise KeypairNotFound(name=name, user=user_id)


def list_page(tx: Transaction, user_id: str, limit: int | None, marker: str | None) -> list[Row]:
    """By name. Raises MarkerNotFound."""
    behind = None
    if marker is not None:
        behind = find(tx, user_id, marker)
        if behind is None:
            raise MarkerNotFound(marker=marker)
    statement = select(KEYPAIRS).where(KEYPAIRS.c.user_id == user_id)
    sort = [("name", "asc")]
    columns = {"name": KEYPAIRS.c.name}
    return fetch_all(tx, page(statement, columns, sort, KEYPAIRS.c.id, limit=limit, marker=behind))
