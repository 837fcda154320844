"""The one writer of an SQLite file: units of many threads share a commit.

Called by Database only. A thread that finds the writer busy leaves its unit in the queue; the thread that has
the writer runs all units that wait, commits once for them (at most 64), wakes their threads, and hands the
writer to the first one of those that came meanwhile. With synchronous=FULL this is 3.5 to 7 times the commits
of one fsync per unit, and a thread sleeps and wakes once for its unit at most. Units that nobody waits for
(`along`) join the next commit, whoever makes it.
"""

import contextvars
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from celaje.common.db.errors import DatabaseBusy, DatabaseClosed

T = TypeVar("T")

_LARGEST_BATCH = 64


class _Entry:
    """A unit that waits. `wake` is held until it is settled, or until its thread shall lead."""

    __slots__ = ("context", "error", "result", "seconds", "settled", "unit", "wake")

    def __init__(self, unit: Callable[[Connection, Any], Any], seconds: float):
        self.unit = unit
        self.seconds = seconds
        # What the unit asks of its thread's context (who asks, for which step) it must find in another's.
        self.context = contextvars.copy_context()
        self.wake = threading.Lock()
        self.wake.acquire()
        self.settled = False
        self.result: Any = None
        self.error: BaseException | None = None


class GroupCommit:
    def __init__(self, engine: Engine):
        self._engine = engine
        self._connection: Connection | None = None
        self._raw: Any = None
        # Milliseconds that SQLite waits for another process's lock on the file, as the connection was told.
        self._patience = -1
        self._lock = threading.Lock()
        self._queue: deque[_Entry] = deque()
        # Units that nobody waits for.
        self._left: deque[_Entry] = deque()
        self._busy = False
        self._closed = False
        self.commits = 0
        self._idle = threading.Condition(self._lock)

    def run(self, unit: Callable[[Connection, Any], T], seconds: float) -> T:
        """Run `unit` (given the connection and the driver's own below it) in a transaction, its own or one
        shared with other threads' units; return when it is durable. A unit that raises leaves nothing behind
        and does not disturb its neighbours; a commit that fails is raised to all whose units were in it. What
        has not begun after `seconds` is given up: DatabaseBusy, or SQLite's own "locked"."""
        entry = _Entry(unit, seconds)
        with self._lock:
            if self._closed:
                raise DatabaseClosed()
            self._queue.append(entry)
            lead = not self._busy
            self._busy = True
        if not lead and not entry.wake.acquire(timeout=seconds) and not self._withdraw(entry):
            entry.wake.acquire()
        if not entry.settled:
            try:
                self._lead(entry.seconds)
            finally:
                self._hand_over()
        if entry.error is not None:
            raise entry.error
        return entry.result

    def along(self, unit: Callable[[Connection, Any], Any], seconds: float) -> Callable[[], None]:
        """Run `unit` in the next transaction that somebody makes. The function that is returned returns when
        it is durable, and writes it alone where nobody has taken it along until then."""
        entry = _Entry(unit, seconds)
        self._left.append(entry)

        def settle() -> None:
            try:
                self._left.remove(entry)
            except ValueError:
                entry.wake.acquire()
                entry.wake.release()
                if entry.error is None:
                    return
            self.run(unit, seconds)

        return settle

    def _withdraw(self, entry: _Entry) -> bool:
        """Take a unit that waited too long out of the queue and raise DatabaseBusy; True when it has just
        been settled or is to lead, False when it is running."""
        with self._lock:
            if entry.wake.acquire(blocking=False):
                return True
            try:
                self._queue.remove(entry)
            except ValueError:
                return False
        raise DatabaseBusy(seconds=entry.seconds)

    def _hand_over(self) -> None:
        with self._lock:
            if self._queue:
                self._queue[0].wake.release()
            else:
                self._busy = False
                self._idle.notify_all()

    def _lead(self, seconds: float) -> None:
        """Run and commit what waits."""
        batch: list[_Entry] = []
        committed: list[_Entry] = []
        failure: BaseException | None = None
        try:
            connection, raw = self._begin(seconds)
            while len(batch) < _LARGEST_BATCH and self._take_into(batch, self._queue):
                self._perform(batch[-1], committed, connection, raw)
            # A commit for these alone would be one too many.
            while committed and self._take_into(batch, self._left):
                self._perform(batch[-1], committed, connection, raw)
            raw.execute("COMMIT")
            self.commits += 1
        except BaseException as problem:
            # The transaction could not be opened, or is broken beyond a savepoint, or did not commit.
            failure = problem
            self._give_up_connection()
            if not batch:
                self._take_into(batch, self._queue)
        for entry in batch:
            if failure is not None and entry.error is None:
                entry.error = failure
            entry.settled = True
            entry.wake.release()

    @staticmethod
    def _take_into(batch: list[_Entry], queue: deque[_Entry]) -> bool:
        """Asking first would not do: the only one that waits may give up in between."""
        try:
            batch.append(queue.popleft())
        except IndexError:
            return False
        return True

    def _begin(self, seconds: float) -> tuple[Connection, Any]:
        if self._connection is None:
            self._connection = self._engine.connect()
            self._raw = self._connection.connection.driver_connection
            self._patience = -1
        patience = int(seconds * 1000)
        if patience != self._patience:
            self._raw.execute(f"PRAGMA busy_timeout={patience}")
            self._patience = patience
        self._raw.execute("BEGIN IMMEDIATE")
        return self._connection, self._raw

    @staticmethod
    def _perform(entry: _Entry, committed: list[_Entry], connection: Connection, raw: Any) -> None:
        alone = not committed
        if not alone:
            raw.execute("SAVEPOINT unit")
        try:
            entry.result = entry.context.run(entry.unit, connection, raw)
        except BaseException as error:
            entry.error = error
            # When SQLite itself has rolled back (disk full), these raise, and all of the batch is told.
            if alone:
                raw.execute("ROLLBACK")
                raw.execute("BEGIN IMMEDIATE")
            else:
                raw.execute("ROLLBACK TO unit")
                raw.execute("RELEASE unit")
            return
        if not alone:
            raw.execute("RELEASE unit")
        committed.append(entry)

    def _give_up_connection(self) -> None:
        connection, self._connection, self._raw = self._connection, None, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def close(self) -> None:
        """End when the units that wait have ended; later ones are refused."""
        with self._lock:
            self._closed = True
            while self._busy:
                self._idle.wait()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
