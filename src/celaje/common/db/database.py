"""One service's database: reads on a pool, writes as units that commit or vanish whole.

API handlers, conductors and the flow engine call `read` and `write` with a function of the transaction.
A unit may run again (deadlock, lost connection), so it must do nothing but SQL; what has to follow the
commit, such as the nudge of a flow, is said with `Transaction.after_commit`.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.sql import Executable

from celaje.common import clock
from celaje.common.db.errors import DatabaseLocked, DuplicateRow
from celaje.common.db.group_commit import GroupCommit
from celaje.common.db.readers import Readers
from celaje.common.errors import CelajeError

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_RETRIES = 5


class Transaction:
    """What queries get: a connection inside a transaction, and the hooks of its commit."""

    __slots__ = ("_after", "connection", "dialect", "raw", "statements")

    def __init__(self, connection: Connection, raw: Any = None):
        self.connection = connection
        self.dialect = connection.dialect.name
        # SQLite's own connection, for Prepared statements; None on other databases.
        self.raw = raw
        self.statements = 0
        self._after: list[Callable[[], object]] = []

    def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        self.statements += 1
        try:
            return self.connection.execute(statement, parameters)
        except IntegrityError as error:
            raise DuplicateRow(cause=str(error.orig)) from error

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Around a statement whose DuplicateRow the unit survives: PostgreSQL would go on only from a
        savepoint, and quietly roll back all of the unit at its commit."""
        if self.dialect == "postgresql":
            with self.connection.begin_nested():
                yield
        else:
            yield

    def after_commit(self, action: Callable[[], object]) -> None:
        """Run `action` once this unit is durable; never when it was rolled back."""
        self._after.append(action)

    def committed(self) -> None:
        for action in self._after:
            try:
                action()
            except Exception:
                # What is written is written: the caller must not hear that it failed.
                log.exception("what was to follow a commit failed")


class Database:
    """`url` as SQLAlchemy knows it. SQLite: WAL, one writer with group commit, `synchronous`
    FULL or NORMAL. PostgreSQL and MariaDB: a pool of `max_pool_size` + `max_overflow` connections, waited
    for `pool_timeout` seconds. `statements` counts what transactions have executed."""

    def __init__(
        self,
        url: str,
        *,
        max_pool_size: int = 5,
        max_overflow: int = 50,
        pool_timeout: float = 30.0,
        synchronous: str = "FULL",
    ):
        self.url = sqlalchemy.make_url(url)
        self.statements = 0
        self._timeout = pool_timeout
        self._inside = threading.local()
        self._group: GroupCommit | None = None
        if self.url.get_backend_name() == "sqlite":
            self._readers = self._sqlite_engine(max_pool_size + max_overflow, pool_timeout, synchronous, True)
            # One for GroupCommit, one for `engine`.
            self._writers = self._sqlite_engine(2, pool_timeout, synchronous, False)
            self._group = GroupCommit(self._writers)
            self._idle_readers = Readers(self._readers, max_pool_size + max_overflow, pool_timeout)
        else:
            self._writers = self._readers = sqlalchemy.create_engine(
                self.url,
                pool_size=max_pool_size,
                max_overflow=max_overflow,
                pool_timeout=pool_timeout,
                pool_pre_ping=True,
            )

    def _sqlite_engine(self, size: int, timeout: float, synchronous: str, readonly: bool) -> Engine:
        # The driver's own transaction handling is off (AUTOCOMMIT): its deferred BEGIN would fail half of
        # the read-then-write transactions. Writers begin IMMEDIATE, see GroupCommit.
        engine = sqlalchemy.create_engine(
            self.url,
            isolation_level="AUTOCOMMIT",
            poolclass=sqlalchemy.QueuePool,
            pool_size=size,
            max_overflow=0,
            pool_timeout=timeout,
            connect_args={"check_same_thread": False, "timeout": timeout, "cached_statements": 512},
        )

        def prepare(connection: Any, _record: Any) -> None:
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute(f"PRAGMA synchronous={'NORMAL' if synchronous.upper() == 'NORMAL' else 'FULL'}")
            cursor.execute("PRAGMA foreign_keys=ON")
            cursor.execute(f"PRAGMA query_only={'ON' if readonly else 'OFF'}")
            cursor.close()

        event.listen(engine, "connect", prepare)
        return engine

    def read(
        self, query: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a query that changes nothing. On SQLite it never waits for a writer."""
        if self._group is None:
            with self._readers.connect() as connection:
                transaction = Transaction(connection)
                try:
                    return query(transaction, *args, **kwargs)
                finally:
                    self.statements += transaction.statements
        reader = self._idle_readers.take()
        transaction = Transaction(*reader)
        sound = False
        try:
            result = query(transaction, *args, **kwargs)
            sound = True
            return result
        except CelajeError:
            sound = True
            raise
        finally:
            self.statements += transaction.statements
            self._idle_readers.give_back(reader, sound=sound)

    def write(
        self, unit: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a unit in one transaction and return its result once it is durable."""
        if getattr(self._inside, "unit", False):
            raise RuntimeError("a unit must not open another unit: hand the transaction on")
        self._inside.unit = True
        try:
            result, done = self._write(unit, args, kwargs)
        finally:
            self._inside.unit = False
        self.statements += done.statements
        done.committed()
        return result

    def _write(self, unit: Callable[..., T], args: Any, kwargs: Any) -> tuple[T, Transaction]:
        if self._group is not None:

            def on_sqlite(connection: Connection, raw: Any) -> tuple[T, Transaction]:
                transaction = Transaction(connection, raw)
                return unit(transaction, *args, **kwargs), transaction

            try:
                return self._group.run(on_sqlite)
            except (OperationalError, sqlite3.OperationalError) as error:
                if "locked" in str(error):
                    raise DatabaseLocked(seconds=self._timeout) from error
                raise
        for attempt in range(_RETRIES):
            try:
                with self._writers.begin() as connection:
                    transaction = Transaction(connection)
                    result = unit(transaction, *args, **kwargs)
                return result, transaction
            except DBAPIError as error:
                if attempt + 1 == _RETRIES or not _passing(error):
                    raise
                clock.sleep(0.02 * 2**attempt * (0.5 + clock.random_fraction()))
        raise AssertionError("unreachable")

    def close(self) -> None:
        if self._group:
            self._group.close()
            self._idle_readers.close()
        self._readers.dispose()
        self._writers.dispose()

    @property
    def engine(self) -> Engine:
        """For migrations and schema creation only."""
        return self._writers


def _passing(error: DBAPIError) -> bool:
    """Deadlock, serialization failure or a lost connection: the same unit may succeed when run again."""
    if error.connection_invalidated:
        return True
    original = error.orig
    code = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    if code in ("40001", "40P01"):
        return True
    numbers: tuple[Any, ...] = getattr(original, "args", ())
    return bool(numbers) and numbers[0] in (1205, 1213, 2006, 2013)
