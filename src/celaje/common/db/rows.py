"""Rows as plain dictionaries; called by every service's queries."""

from typing import Any

from sqlalchemy.sql import Executable

from celaje.common.db.database import Transaction


def fetch_one(tx: Transaction, statement: Executable) -> dict[str, Any] | None:
    row = tx.execute(statement).mappings().first()
    return dict(row) if row is not None else None


def fetch_all(tx: Transaction, statement: Executable) -> list[dict[str, Any]]:
    found = tx.execute(statement)
    names = tuple(found.keys())
    return [dict(zip(names, row, strict=True)) for row in found]


def fetch_value(tx: Transaction, statement: Executable) -> Any:
    return tx.execute(statement).scalar()
