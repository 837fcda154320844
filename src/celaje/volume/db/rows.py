"""Statements by key, built once a table: constructing one costs more than running it."""

from typing import Any

from sqlalchemy import Table, bindparam, delete, insert, select, update

from celaje.common.db import Transaction
from celaje.common.db.rows import fetch_one

Row = dict[str, Any]


class Rows:
    """get, insert, change and remove by the primary key `id`."""

    def __init__(self, table: Table):
        self.table = table
        self._get = select(table).where(table.c.id == bindparam("row"))
        self._insert = insert(table)
        self._remove = delete(table).where(table.c.id == bindparam("row"))

    def get(self, tx: Transaction, row_id: str) -> Row | None:
        row = tx.execute(self._get, {"row": row_id}).mappings().first()
        return dict(row) if row is not None else None

    def insert(self, tx: Transaction, row: Row) -> None:
        tx.execute(self._insert, row)

    def change(self, tx: Transaction, row_id: str, **values: Any) -> None:
        tx.execute(update(self.table).where(self.table.c.id == row_id).values(**values))

    def remove(self, tx: Transaction, row_id: str) -> bool:
        return tx.execute(self._remove, {"row": row_id}).rowcount == 1


def get_by(tx: Transaction, table: Table, **keys: Any) -> Row | None:
    return fetch_one(tx, select(table).where(*(table.c[name] == value for name, value in keys.items())))
