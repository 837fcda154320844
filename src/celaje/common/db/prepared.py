"""Statements made once and run many times: what every query on a hot path is written with.

    _get = Prepared(select(VOLUMES).where(VOLUMES.c.id == bindparam("row")))
    ...
    volume = _get.one(tx, row=volume_id)

Constructing a statement costs about 200 us and running a constructed one through SQLAlchemy 60; on SQLite a
Prepared one goes straight to the driver, with SQLAlchemy's own conversions of the values, in under 10.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import CompoundSelect, Delete, Insert, Select, Update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import Executable

from celaje.common.db.database import Transaction
from celaje.common.db.errors import DuplicateRow

Processor = Callable[[Any], Any]


class Prepared:
    """`statement`'s values are given by name: a `bindparam("name")` of the statement; for an insert or
    update also columns, which are then the ones that are set (as SQLAlchemy does with a statement's
    parameters). Name a bindparam of an update's WHERE otherwise than a column. Raises DuplicateRow as
    `Transaction.execute` does."""

    __slots__ = ("_fast", "statement")

    def __init__(self, statement: Executable):
        if isinstance(statement, Insert):
            # PostgreSQL's answer to an insert is the key that it made, unless told that the number matters.
            statement = statement.execution_options(preserve_rowcount=True)
        self.statement = statement
        # By the names of the parameters, since they decide which columns are set.
        self._fast: dict[tuple[str, ...], _Direct | None] = {}

    def one(self, tx: Transaction, /, **parameters: Any) -> dict[str, Any] | None:
        """The first row, or None."""
        direct = self._direct(tx, parameters)
        if direct is None:
            row = tx.execute(self.statement, parameters).mappings().first()
            return dict(row) if row is not None else None
        cursor = direct.execute(tx, parameters)
        found = cursor.fetchone()
        cursor.close()
        return direct.row(found) if found is not None else None

    def all(self, tx: Transaction, /, **parameters: Any) -> list[dict[str, Any]]:
        direct = self._direct(tx, parameters)
        if direct is None:
            return [dict(row) for row in tx.execute(self.statement, parameters).mappings()]
        row = direct.row
        return [row(found) for found in direct.execute(tx, parameters).fetchall()]

    def value(self, tx: Transaction, /, **parameters: Any) -> Any:
        """The first column of the first row; None when there is no row."""
        direct = self._direct(tx, parameters)
        if direct is None:
            return tx.execute(self.statement, parameters).scalar()
        cursor = direct.execute(tx, parameters)
        found = cursor.fetchone()
        cursor.close()
        return direct.first(found) if found is not None else None

    def column(self, tx: Transaction, /, **parameters: Any) -> list[Any]:
        """The first column of all rows."""
        direct = self._direct(tx, parameters)
        if direct is None:
            return [row[0] for row in tx.execute(self.statement, parameters).fetchall()]
        first = direct.first
        return [first(found) for found in direct.execute(tx, parameters).fetchall()]

    def run(self, tx: Transaction, /, **parameters: Any) -> int:
        """Insert, update or delete; the number of rows that were matched."""
        direct = self._direct(tx, parameters)
        if direct is None:
            return tx.execute(self.statement, parameters).rowcount
        return direct.execute(tx, parameters).rowcount

    def run_many(self, tx: Transaction, rows: Sequence[dict[str, Any]]) -> None:
        """The same for several sets of values of the same names, as one statement."""
        direct = self._direct(tx, rows[0]) if rows else None
        if direct is not None:
            direct.execute_many(tx, rows)
        elif rows:
            tx.execute(self.statement, rows)

    def _direct(self, tx: Transaction, parameters: dict[str, Any]) -> "_Direct | None":
        """None where SQLAlchemy must run it: another database, or defaults that it computes."""
        if tx.raw is None:
            return None
        names = tuple(parameters)
        try:
            return self._fast[names]
        except KeyError:
            direct = self._fast[names] = _compile(self.statement, tx.connection.dialect, names)
            return direct


# In place of a constant: the parameter is a list.
_LIST = object()


def _place(name: str) -> str:
    """Where SQLAlchemy's text wants the list to be written out."""
    return f"__[POSTCOMPILE_{name}]"


class _Direct:
    """The SQL text for SQLite, where its values come from and how rows become dictionaries."""

    __slots__ = ("_columns", "_first", "_lists", "_names", "_sources", "_sql")

    def __init__(
        self,
        sql: str,
        sources: list[tuple[str | None, Any, Processor | None]],
        names: tuple[str, ...],
        processors: list[Processor | None],
    ):
        self._sql = sql
        # (parameter's name, or None for a constant; the constant; the conversion)
        self._sources = sources
        # Names of the parameters that are lists, for IN.
        self._lists = [name for name, constant, _ in sources if name is not None and constant is _LIST]
        self._names = names
        self._columns = [(n, i, p) for i, (n, p) in enumerate(zip(names, processors, strict=True)) if p]
        self._first = processors[0] if processors else None

    def execute(self, tx: Transaction, parameters: dict[str, Any]) -> sqlite3.Cursor:
        if self._lists:
            return self._given(tx, tx.raw.execute, *self._spread(parameters))
        return self._given(tx, tx.raw.execute, self._sql, self._values(parameters))

    def execute_many(self, tx: Transaction, rows: Iterable[dict[str, Any]]) -> sqlite3.Cursor:
        return self._given(tx, tx.raw.executemany, self._sql, [self._values(row) for row in rows])

    def _spread(self, parameters: dict[str, Any]) -> tuple[str, list[Any]]:
        """The text with as many places as the lists have values, and the values."""
        sql = self._sql
        for listed in self._lists:
            sql = sql.replace(_place(listed), ", ".join("?" * len(parameters[listed])))
        values: list[Any] = []
        for name, constant, processor in self._sources:
            if name is None:
                values.append(constant)
            elif constant is _LIST:
                given = parameters[name]
                values += given if processor is None else map(processor, given)
            else:
                values.append(parameters[name] if processor is None else processor(parameters[name]))
        return sql, values

    def _values(self, parameters: dict[str, Any]) -> list[Any]:
        return [
            constant
            if name is None
            else (parameters[name] if processor is None else processor(parameters[name]))
            for name, constant, processor in self._sources
        ]

    @staticmethod
    def _given(
        tx: Transaction, way: Callable[..., sqlite3.Cursor], sql: str, values: list[Any]
    ) -> sqlite3.Cursor:
        tx.statements += 1
        try:
            return way(sql, values)
        except sqlite3.IntegrityError as error:
            raise DuplicateRow(cause=str(error)) from error
        except sqlite3.Error as error:
            # In SQLAlchemy's words, which callers of the database layer know.
            raise DBAPIError.instance(
                sql, values, error, sqlite3.Error, dialect=tx.connection.dialect
            ) from error

    def row(self, found: tuple[Any, ...]) -> dict[str, Any]:
        row = dict(zip(self._names, found, strict=True))
        for name, position, processor in self._columns:
            row[name] = processor(found[position])
        return row

    def first(self, found: tuple[Any, ...]) -> Any:
        return found[0] if self._first is None else self._first(found[0])


def _compile(statement: Any, dialect: Any, names: tuple[str, ...]) -> _Direct | None:
    if not isinstance(statement, Select | CompoundSelect | Insert | Update | Delete):
        return None
    keys = list(names) if isinstance(statement, Insert | Update) else None
    compiled: Any = statement.compile(dialect=dialect, column_keys=keys)
    unknown = set(names) - set(compiled.binds)
    if unknown:
        raise TypeError(f"the statement has no parameter {', '.join(sorted(unknown))}: {compiled.string}")
    if compiled.insert_prefetch or compiled.update_prefetch or compiled.literal_execute_params:
        return None
    sql: str = compiled.string
    constants = compiled.construct_params(dict.fromkeys(names))
    sources: list[tuple[str | None, Any, Processor | None]] = []
    for name in compiled.positiontup:
        bind = compiled.binds[name]
        processor = bind.type.dialect_impl(dialect).bind_processor(dialect)
        listed = bind in compiled.post_compile_params
        if name not in names:
            values = list(constants[name]) if listed else [constants[name]]
            sources += [(None, processor(value) if processor else value, None) for value in values]
            if listed:
                # An IN of constants: the list is written out once.
                sql = sql.replace(_place(name), ", ".join("?" * len(values)))
        elif listed:
            sources.append((name, _LIST, processor))
        else:
            sources.append((name, None, processor))
    columns = _columns(compiled, statement)
    if columns is None or " IN ()" in sql:
        return None
    return _Direct(
        sql,
        sources,
        tuple(name for name, _ in columns),
        [type_.dialect_impl(dialect).result_processor(dialect, None) for _, type_ in columns],
    )


def _columns(compiled: Any, statement: Any) -> list[tuple[str, Any]] | None:
    """Names and types of what comes back; None if names are ambiguous."""
    if isinstance(statement, Select | CompoundSelect):
        found = [(entry.keyname, entry.type) for entry in compiled._result_columns]
    elif compiled.effective_returning:
        return None
    else:
        found = []
    return found if len({name for name, _ in found}) == len(found) else None
