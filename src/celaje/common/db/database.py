"""One service's database: reads on a pool, writes as units that commit or vanish whole.

API handlers, conductors and the flow engine call `read` and `write` with a function of the transaction.
A unit may run again (deadlock, lost connection), so it must do nothing but SQL; what has to follow the
commit, such as the nudge of a flow, is said with `Transaction.after_commit`.
"""

import datetime
import itertools
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy
from sqlalchemy import Connection, Engine, Table, bindparam, event, select, text
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.sql import Executable

from celaje.common import clock, patience, trail
from celaje.common.db.address import address
from celaje.common.db.errors import (
    DatabaseBusy,
    DatabaseContended,
    DatabaseLocked,
    DatabaseUnreachable,
    DuplicateRow,
    OutcomeUnknown,
    ValueRefused,
)
from celaje.common.db.group_commit import GroupCommit
from celaje.common.db.readers import Readers
from celaje.common.db.shared_time import SharedTime
from celaje.common.errors import CelajeError
from celaje.common.outage import Outage

if TYPE_CHECKING:
    from celaje.common.db.server import Pool

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

# Attempts of a unit among deadlocks; seconds of the pauses between two.
_ATTEMPTS = 8
_PAUSE = 0.02
_LONGEST_PAUSE = 1.0


_SERVER_TIME = {
    "postgresql": text("SELECT clock_timestamp() AT TIME ZONE 'UTC'"),
    "mysql": text("SELECT UTC_TIMESTAMP(6)"),
    "mariadb": text("SELECT UTC_TIMESTAMP(6)"),
}

# Statements of Transaction.hold, by table.
_holding: dict[Table, Any] = {}


class Transaction:
    """What queries get: a connection inside a transaction, and the hooks of its commit."""

    __slots__ = ("_after", "connection", "dialect", "holds", "moves", "now", "raw", "spoiled", "statements")

    def __init__(
        self,
        connection: Connection,
        raw: Any = None,
        *,
        writing: bool = False,
        now: Callable[[], datetime.datetime] = clock.now,
    ):
        """`now` is `Database.now`: what other processes compare with their own present is by it."""
        self.connection = connection
        self.now = now
        # Whether rows have to be held: SQLite has one writer at a time, there everything is.
        self.holds = writing and raw is None
        self.dialect = connection.dialect.name
        # SQLite's own connection, for Prepared statements; None on other databases.
        self.raw = raw
        self.statements = 0
        # State changes of resources: (resource, its id, the new state).
        self.moves: list[tuple[str, str, str]] = []
        # PostgreSQL: a refused row outside of `attempt` has ended the transaction.
        self.spoiled = False
        self._after: list[Callable[[], object]] = []

    def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        self.statements += 1
        try:
            return self.connection.execute(statement, parameters)
        except IntegrityError as error:
            self.spoiled = self.dialect == "postgresql"
            raise DuplicateRow(cause=str(error.orig)) from error
        except DataError as error:
            self.spoiled = self.dialect == "postgresql"
            raise ValueRefused(cause=str(error.orig).partition("\n")[0]) from error

    def hold(self, table: Table, row_id: Any) -> None:
        """In a unit that writes: nobody else changes this row until its end. Before the row is read: what
        was read of it earlier may be old by the time that a compare-and-set succeeds."""
        if self.holds:
            statement = _holding.get(table)
            if statement is None:
                found = select(table.c.id).where(table.c.id == bindparam("row")).with_for_update()
                statement = _holding[table] = found
            self.execute(statement, {"row": row_id})

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Around a statement whose DuplicateRow the unit survives: PostgreSQL would go on only from a
        savepoint, and quietly roll back all of the unit at its commit."""
        if self.dialect == "postgresql":
            try:
                with self.connection.begin_nested():
                    yield
            except (DuplicateRow, ValueRefused):
                self.spoiled = False
                raise
        else:
            yield

    def moved(self, resource: str, resource_id: Any, state: str) -> None:
        """Note a state change of a resource, for the journal of who asked for it."""
        self.moves.append((resource, str(resource_id), state))

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
    """`url` as SQLAlchemy knows it; `{service}` in it stands for `service`. SQLite: WAL, one writer with
    group commit, `synchronous` FULL or NORMAL. PostgreSQL and MariaDB: a pool of `max_pool_size` +
    `max_overflow` connections. A connection is waited for `pool_timeout` seconds, by an API's request
    a part of that (see `common/patience.py`). `statements` counts what transactions have executed."""

    def __init__(
        self,
        url: str,
        *,
        service: str = "",
        max_pool_size: int = 5,
        max_overflow: int = 50,
        pool_timeout: float = 30.0,
        synchronous: str = "FULL",
    ):
        self.url = address(url, service)
        self.statements = 0
        self._commits = 0
        self.outage = Outage()
        self.time = SharedTime()
        self._timeout = pool_timeout
        self._inside = threading.local()
        self._group: GroupCommit | None = None
        self._pool: Pool | None = None
        if self.url.get_backend_name() == "sqlite":
            self._readers = self._sqlite_engine(max_pool_size + max_overflow, pool_timeout, synchronous, True)
            # One for GroupCommit, one for `engine`.
            self._writers = self._sqlite_engine(2, pool_timeout, synchronous, False)
            self._group = GroupCommit(self._writers)
            self._idle_readers = Readers(self._readers, max_pool_size + max_overflow)
        else:
            # Not at the top: an all-in-one cloud on SQLite starts without it.
            from celaje.common.db import server

            self._pool = server.Pool(self.url, max_pool_size, max_overflow)
            self._meaning = server.meaning
            self._readers = self._pool.engine
            self._writers = server.schema_engine(self.url)

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
        if self._pool is not None:
            found, done = self._on_server(query, args, kwargs, commit=False)
            self._count(done)
            return found
        reader = self._idle_readers.take(patience.seconds(self._timeout))
        transaction = Transaction(*reader, now=self.now)
        sound = False
        try:
            result = query(transaction, *args, **kwargs)
            sound = True
            return result
        except CelajeError:
            sound = True
            raise
        finally:
            self._count(transaction)
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
        self._count(done)
        following = trail.current()
        if following is not None and done.moves:
            following.hops += trail.moved(done.moves)
        done.committed()
        return result

    def write_along(self, unit: Callable[[Transaction], object]) -> Callable[[], None]:
        """For what nobody waits for: the unit shares the next commit that somebody makes. The function that
        is returned returns when it is durable, and writes it where nobody has. On other databases than SQLite
        a commit costs the others nothing, and it is written by that function."""
        if self._group is None:

            def alone() -> None:
                self.write(unit)

            return alone

        def on_sqlite(connection: Connection, raw: Any) -> None:
            unit(Transaction(connection, raw, now=self.now))

        return self._group.along(on_sqlite, self._timeout)

    def _count(self, done: Transaction) -> None:
        self.statements += done.statements
        self._inside.statements = self.of_this_thread() + done.statements

    @property
    def connections(self) -> tuple[int, int]:
        """(in use, the most that may be); of SQLite those that read."""
        pool = self._pool or self._idle_readers
        return pool.in_use, pool.size

    @property
    def commits(self) -> int:
        """Of SQLite's writer, whose commits several units share; else one a unit."""
        return self._group.commits if self._group is not None else self._commits

    def of_this_thread(self) -> int:
        """Statements that the calling thread has executed here, ever: two looks tell a request's own."""
        return getattr(self._inside, "statements", 0)

    def _write(self, unit: Callable[..., T], args: Any, kwargs: Any) -> tuple[T, Transaction]:
        if self._group is not None:

            def on_sqlite(connection: Connection, raw: Any) -> tuple[T, Transaction]:
                transaction = Transaction(connection, raw, now=self.now)
                return unit(transaction, *args, **kwargs), transaction

            seconds = patience.seconds(self._timeout)
            try:
                return self._group.run(on_sqlite, seconds)
            except (OperationalError, sqlite3.OperationalError) as error:
                if "locked" in str(error):
                    raise DatabaseLocked(seconds=seconds) from error
                raise
        return self._on_server(unit, args, kwargs, commit=True)

    def _on_server(
        self, unit: Callable[..., T], args: Any, kwargs: Any, *, commit: bool
    ) -> tuple[T, Transaction]:
        """Run the unit until it went through; deadlocks and lost connections begin it anew, as long as
        this thread may wait."""
        end = clock.monotonic() + patience.seconds(self._timeout)
        contended = 0
        for attempt in itertools.count():
            try:
                found = self._once(unit, args, kwargs, commit=commit)
                if self.outage.lasts:
                    self.outage.end()
                return found
            except (DatabaseUnreachable, DatabaseContended) as error:
                if isinstance(error, DatabaseUnreachable) and not self.outage.lasts:
                    self.outage.begin()
                contended += isinstance(error, DatabaseContended)
                pause = min(_LONGEST_PAUSE, _PAUSE * 2**attempt) * (0.5 + clock.random_fraction())
                if contended == _ATTEMPTS or clock.monotonic() + pause > end:
                    raise
            clock.sleep(pause)
        raise AssertionError("unreachable")

    def _once(self, unit: Callable[..., T], args: Any, kwargs: Any, *, commit: bool) -> tuple[T, Transaction]:
        assert self._pool is not None
        committing = False
        try:
            with self._pool.connection(patience.seconds(self._timeout), reading=not commit) as connection:
                transaction = Transaction(connection, writing=commit, now=self.now)
                result = unit(transaction, *args, **kwargs)
                if commit:
                    if transaction.spoiled:
                        # PostgreSQL would answer COMMIT with a quiet rollback.
                        raise RuntimeError("a unit went on after a refused row without tx.attempt()")
                    committing = True
                    connection.commit()
                    self._commits += 1
                return result, transaction
        except DBAPIError as error:
            known = self._meaning(error)
            if known is None:
                raise
            if committing and isinstance(known, DatabaseUnreachable):
                raise OutcomeUnknown() from error
            raise known from error

    @property
    def has_clock(self) -> bool:
        """Whether a server tells the time; SQLite's processes are on one machine."""
        return self._pool is not None

    def read_clock(self) -> None:
        """Ask the server for its time, so that `now` is by it. A service does it at its start and as often as
        it reports itself."""
        if not self.has_clock or not clock.is_real():
            return

        def ask(tx: Transaction) -> tuple[datetime.datetime, float, float]:
            # In here, since a connection may have to be waited for.
            asked = clock.monotonic()
            moment = tx.connection.execute(_SERVER_TIME[tx.dialect]).scalar_one()
            return moment, asked, clock.monotonic()

        self.time.told(*self.read(ask))

    def now(self) -> datetime.datetime:
        """The time by which the processes on this database agree, whatever their machines' clocks say; this
        machine's own on SQLite, and where `read_clock` was never called."""
        return self.time.now()

    def wait_for_server(self, max_retries: int = 10, retry_interval: float = 10.0) -> None:
        """At start: until the server answers, `max_retries` times (-1: for ever), `retry_interval` seconds
        apart. Raises DatabaseUnreachable; BadConnection at once."""
        if self._pool is None:
            return
        tried = 0
        while True:
            try:
                with self._pool.connection(self._timeout):
                    return
            except (DatabaseUnreachable, DatabaseBusy) as error:
                if 0 <= max_retries <= tried:
                    raise
                tried += 1
                log.warning("%s Attempt %s of %s.", error, tried, max_retries if max_retries >= 0 else "any")
            clock.sleep(retry_interval)

    def close(self) -> None:
        if self._group:
            self._group.close()
            self._idle_readers.close()
        if self._pool is not None:
            self._pool.close()
        self._readers.dispose()
        self._writers.dispose()

    @property
    def engine(self) -> Engine:
        """For migrations and schema creation only: nothing bounds how long a statement takes."""
        return self._writers
