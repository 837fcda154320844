"""Statements by key, made once a table."""

from typing import Any

from sqlalchemy import Table, bindparam, delete, insert, select, update

from celaje.common.db import Prepared, Transaction

Row = dict[str, Any]


class Rows:
    """get, insert, change and remove by the primary key `id`."""

    def __init__(self, table: Table):
        self._resource = table.name.removesuffix("s")
        self._get = Prepared(select(table).where(table.c.id == bindparam("row")))
        self._of_project = (
            Prepared(
                select(table).where(
                    table.c.id == bindparam("row"), table.c.project_id == bindparam("project")
                )
            )
            if "project_id" in table.c
            else None
        )
        self._insert = Prepared(insert(table))
        self._change = Prepared(update(table).where(table.c.id == bindparam("row")))
        self._remove = Prepared(delete(table).where(table.c.id == bindparam("row")))

    def get(self, tx: Transaction, row_id: str) -> Row | None:
        return self._get.one(tx, row=row_id)

    def get_of_project(self, tx: Transaction, row_id: str, project_id: str | None) -> Row | None:
        """The row if it belongs to the project; None for the project: whosever it is."""
        if project_id is None:
            return self.get(tx, row_id)
        assert self._of_project is not None
        return self._of_project.one(tx, row=row_id, project=project_id)

    def insert(self, tx: Transaction, row: Row) -> None:
        self._insert.run(tx, **row)
        state = row.get("status") or row.get("attach_status")
        if state:
            tx.moved(self._resource, row["id"], state)

    def change(self, tx: Transaction, row_id: str, **values: Any) -> None:
        self._change.run(tx, row=row_id, **values)

    def remove(self, tx: Transaction, row_id: str) -> bool:
        return self._remove.run(tx, row=row_id) == 1
