"""Connections that only read an SQLite file, kept open and handed out again; called by Database only.

A pool's check-out and reset cost as much as a query. These connections have nothing to reset: they are in
autocommit and refuse to write.
"""

import threading
from typing import Any

from sqlalchemy import Connection, Engine

from celaje.common.db.errors import DatabaseBusy, DatabaseClosed


class Readers:
    """At most `size` connections. The one used last is used next, its page cache being warm."""

    def __init__(self, engine: Engine, size: int):
        self._engine = engine
        self.size = size
        self._free = threading.BoundedSemaphore(size)
        self._idle: list[tuple[Connection, Any]] = []
        self._closed = False

    def take(self, seconds: float) -> tuple[Connection, Any]:
        """A connection, and the driver's own below it, waited for at most `seconds`. Raises DatabaseBusy."""
        if self._closed:
            raise DatabaseClosed()
        if not self._free.acquire(timeout=seconds):
            raise DatabaseBusy(seconds=seconds)
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            connection = self._engine.connect()
            return connection, connection.connection.driver_connection
        except BaseException:
            self._free.release()
            raise

    def give_back(self, reader: tuple[Connection, Any], *, sound: bool) -> None:
        """`sound` False: a query broke off and may have left its rows half read, which would hold an old
        state of the file."""
        if sound and not self._closed:
            self._idle.append(reader)
            if self._closed:
                self.close()
        else:
            _end(reader[0])
        self._free.release()

    @property
    def in_use(self) -> int:
        # Counting beside the semaphore would take a lock of its own.
        return self.size - self._free._value

    def close(self) -> None:
        """Close what is idle; what is in use closes when it comes back."""
        self._closed = True
        while True:
            try:
                connection, _ = self._idle.pop()
            except IndexError:
                return
            _end(connection)


def _end(connection: Connection) -> None:
    connection.detach()
    connection.close()
