"""The one writer of an SQLite file: units of many threads share a commit.

Called by Database only. A thread whose unit is done hands the still open transaction to the next one
waiting instead of committing; whoever finds nobody behind it (or 64 units before it) commits for all, and
all return together. With synchronous=FULL this is 3.5 to 7 times the commits of one fsync per unit.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine

T = TypeVar("T")

_LARGEST_BATCH = 64


class _Batch:
    __slots__ = ("done", "error", "units")

    def __init__(self) -> None:
        self.units = 0
        self.done = False
        self.error: BaseException | None = None


class GroupCommit:
    def __init__(self, engine: Engine):
        self._engine = engine
        self._connection: Connection | None = None
        self._turn = threading.Condition()
        self._settled = threading.Condition()
        self._busy = False
        self._waiting = 0
        self._batch: _Batch | None = None

    def run(self, unit: Callable[[Connection], T]) -> T:
        """Run `unit` in a transaction of its own making or one shared with other threads' units; return
        when it is durable. A unit that raises leaves nothing behind and does not disturb its neighbours."""
        with self._turn:
            self._waiting += 1
            while self._busy:
                self._turn.wait()
            self._waiting -= 1
            self._busy = True
        try:
            batch, result, error = self._execute(unit)
        except BaseException:
            # The transaction itself could not be opened or is broken beyond a savepoint.
            self._settle(self._batch, failed=True)
            raise
        with self._turn:
            hand_over = bool(self._waiting) and batch.units < _LARGEST_BATCH
            if hand_over:
                self._busy = False
                self._turn.notify()
        if hand_over:
            with self._settled:
                while not batch.done:
                    self._settled.wait()
        else:
            self._settle(batch)
        if error is not None:
            raise error
        if batch.error is not None:
            raise batch.error
        return result  # type: ignore[return-value]

    def _execute(self, unit: Callable[[Connection], T]) -> tuple[_Batch, T | None, BaseException | None]:
        if self._connection is None:
            self._connection = self._engine.connect()
        connection = self._connection
        batch = self._batch
        if batch is None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            batch = self._batch = _Batch()
        first = batch.units == 0
        if not first:
            connection.exec_driver_sql("SAVEPOINT unit")
        try:
            result = unit(connection)
        except BaseException as error:
            if first:
                connection.exec_driver_sql("ROLLBACK")
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.exec_driver_sql("ROLLBACK TO unit")
                connection.exec_driver_sql("RELEASE unit")
            return batch, None, error
        if not first:
            connection.exec_driver_sql("RELEASE unit")
        batch.units += 1
        return batch, result, None

    def _settle(self, batch: _Batch | None, failed: bool = False) -> None:
        """Commit for all units of the batch, tell them, and let the next batch begin."""
        error: BaseException | None = None
        if batch is not None and self._connection is not None:
            try:
                self._connection.exec_driver_sql("ROLLBACK" if failed else "COMMIT")
            except BaseException as problem:
                error = problem
                self._connection.invalidate()
                self._connection.close()
                self._connection = None
            if failed and error is None:
                error = RuntimeError("the transaction shared with another unit could not go on")
        with self._turn:
            self._batch = None
            self._busy = False
            self._turn.notify()
        if batch is not None:
            with self._settled:
                batch.error = error
                batch.done = True
                self._settled.notify_all()

    def close(self) -> None:
        with self._turn:
            while self._busy:
                self._turn.wait()
            if self._connection is not None:
                self._connection.close()
                self._connection = None
