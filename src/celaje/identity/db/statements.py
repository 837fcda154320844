"""Running statements that were built once, with their parameters; called by the queries beside it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.sql import Executable

from celaje.common.db import Transaction

Row = dict[str, Any]


def one(tx: Transaction, statement: Executable, **parameters: Any) -> Row | None:
    row = tx.execute(statement, parameters).mappings().first()
    return dict(row) if row is not None else None


def many(tx: Transaction, statement: Executable, **parameters: Any) -> list[Row]:
    return [dict(row) for row in tx.execute(statement, parameters).mappings()]


def tuples(tx: Transaction, statement: Executable, **parameters: Any) -> Sequence[Any]:
    return tx.execute(statement, parameters).all()


def values(tx: Transaction, statement: Executable, **parameters: Any) -> list[Any]:
    """The first column."""
    return [row[0] for row in tx.execute(statement, parameters).fetchall()]
