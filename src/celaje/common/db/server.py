"""PostgreSQL and MariaDB: the pool of connections, and what a driver's error means for a unit.

Called by Database only. Both run READ COMMITTED: each statement sees what is committed, and an UPDATE that
waited for another transaction looks at the row again, which is what every compare-and-set here stands on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from threading import BoundedSemaphore
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.exc import DBAPIError

from celaje.common import clock
from celaje.common.db import mariadb  # noqa: F401 - how tables are created there
from celaje.common.db.errors import (
    BadConnection,
    DatabaseBusy,
    DatabaseClosed,
    DatabaseContended,
    DatabaseUnreachable,
)
from celaje.common.errors import CelajeError

# Seconds; the rest of a request's time is its client's.
_CONNECT_TIMEOUT = 5
_LOCK_TIMEOUT = 10
# A connection that says nothing for so long is lost: the server's machine has gone without a word.
_SILENCE = 60

# deadlock, serialization failure, lock timeout; the same by MariaDB's numbers
_CONTENDED = {"40P01", "40001", "55P03", 1205, 1213}
# shutting down, starting up, too many connections; MariaDB: shutdown, too many, killed, Galera node not ready
_LOST = {"57P01", "57P02", "57P03", "53300", 1040, 1053, 1047, 1317, 1927, 2002, 2003, 2006, 2013, 2055}
# what no retry mends: unknown database, access denied
_HOPELESS = {"3D000", "28P01", "28000", 1044, 1045, 1049}
_HOPELESS_WORDS = (
    "password authentication failed",
    "does not exist",
    "no pg_hba.conf entry",
    "pg_hba.conf rejects",
    # TLS: another authority, another name, no certificate of one's own, none asked for.
    "certificate verify failed",
    "server certificate for",
    "requires a valid client certificate",
    "alert unknown ca",
    "insecure transport",
)


class Pool:
    """At most `size` + `overflow` connections, of which `size` stay open."""

    def __init__(self, url: URL, size: int, overflow: int):
        self.engine = sqlalchemy.create_engine(
            url,
            isolation_level="READ COMMITTED",
            # The semaphore below says who may wait and how long: the pool itself never blocks.
            pool_size=size,
            max_overflow=overflow + 1,
            pool_timeout=_CONNECT_TIMEOUT,
            connect_args=_connect_args(url),
        )
        event.listen(self.engine, "connect", _prepare)
        # Without BEGIN and ROLLBACK a query is one round trip. MariaDB's mode costs a round trip to change.
        self._plain_reads = url.get_backend_name() == "postgresql"
        self.size = size + overflow
        self._free = BoundedSemaphore(self.size)
        self._closed = False

    @contextmanager
    def connection(self, seconds: float, *, reading: bool = False) -> Iterator[Connection]:
        """A connection, waited for at most `seconds`; `reading`: for queries only.
        Raises DatabaseBusy, DatabaseUnreachable, BadConnection, DatabaseClosed."""
        if self._closed:
            raise DatabaseClosed()
        if not self._free.acquire(timeout=seconds):
            raise DatabaseBusy(seconds=seconds)
        try:
            if self._closed:
                raise DatabaseClosed()
            with self._connect() as connection:
                if reading and self._plain_reads:
                    connection.execution_options(isolation_level="AUTOCOMMIT")
                try:
                    yield connection
                except BaseException:
                    _roll_back(connection)
                    raise
        finally:
            self._free.release()

    @property
    def in_use(self) -> int:
        return self.size - self._free._value

    def _connect(self) -> Connection:
        try:
            return self.engine.connect()
        except DBAPIError as error:
            raise meaning(error, connecting=True) or error from error
        except OSError as error:
            # Not of the connection: the driver tells that as its own. A file that the URL names.
            raise BadConnection(cause=f"a file of its URL cannot be used: {error}") from error

    def close(self, grace: float = 5.0) -> None:
        """No new transaction from now on; those that run end first, within `grace` seconds."""
        if self._closed:
            return
        self._closed = True
        end = clock.monotonic() + grace
        for taken in range(self.size):  # noqa: B007 - asked after the loop
            if not self._free.acquire(timeout=max(0.0, end - clock.monotonic())):
                break
        self.engine.dispose()


def _roll_back(connection: Connection) -> None:
    """What the unit raised is the news, not that its dead connection cannot roll back."""
    try:
        connection.rollback()
    except DBAPIError:
        connection.invalidate()


def schema_engine(url: URL) -> Engine:
    """For migrations: one connection at a time, and no limit to how long a statement takes."""
    arguments = {key: value for key, value in _connect_args(url).items() if "timeout" not in key}
    return sqlalchemy.create_engine(
        url, isolation_level="READ COMMITTED", poolclass=sqlalchemy.NullPool, connect_args=arguments
    )


def meaning(error: DBAPIError, connecting: bool = False) -> CelajeError | None:
    """What a caller of the database layer hears of a driver's error: DatabaseUnreachable and
    DatabaseContended may pass when the unit runs again; None: a mistake of ours."""
    code = _code(error)
    if code in _CONTENDED:
        return DatabaseContended()
    if code in _HOPELESS or (connecting and any(words in str(error.orig) for words in _HOPELESS_WORDS)):
        return BadConnection(cause=str(error.orig).strip())
    if connecting or error.connection_invalidated or code in _LOST:
        return DatabaseUnreachable()
    return None


def _code(error: DBAPIError) -> Any:
    """PostgreSQL's five characters, MariaDB's number (its five characters say less)."""
    arguments: tuple[Any, ...] = getattr(error.orig, "args", ())
    if arguments and isinstance(arguments[0], int):
        return arguments[0]
    return getattr(error.orig, "sqlstate", None)


def _connect_args(url: URL) -> dict[str, Any]:
    """What the operator has put into the URL holds."""
    if url.get_backend_name() == "postgresql":
        own: dict[str, Any] = {
            "connect_timeout": _CONNECT_TIMEOUT,
            "keepalives_idle": _SILENCE // 2,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": _SILENCE * 1000,
        }
    else:
        from pymysql.constants import FIELD_TYPE
        from pymysql.converters import conversions

        own = {
            "connect_timeout": _CONNECT_TIMEOUT,
            "read_timeout": _SILENCE,
            "write_timeout": _SILENCE,
            "conv": {**conversions, FIELD_TYPE.DECIMAL: _number, FIELD_TYPE.NEWDECIMAL: _number},
        }
    return {key: value for key, value in own.items() if key not in url.query}


def _number(text: str) -> Decimal | int:
    """Sums of whole numbers come as decimals; JSON would make strings of them."""
    return int(text) if text.lstrip("-").isdigit() else Decimal(text)


def _prepare(connection: Any, _record: Any) -> None:
    """Each new connection's session."""
    cursor = connection.cursor()
    if type(connection).__module__.startswith("psycopg"):
        from psycopg.adapt import Loader

        class Number(Loader):
            def load(self, data: Any) -> Decimal | int:
                return _number(bytes(data).decode())

        connection.adapters.register_loader("numeric", Number)
        cursor.execute(f"SET lock_timeout = '{_LOCK_TIMEOUT}s'")
        # A process that hangs in the middle of a unit must not hold its rows for ever.
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{_SILENCE}s'")
        connection.commit()
    else:
        cursor.execute(
            f"SET SESSION innodb_lock_wait_timeout = {_LOCK_TIMEOUT}, "
            "sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
            "NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO'"
        )
    cursor.close()
