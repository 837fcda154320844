"""The journal of requests: what changed something, what was refused, what one service asked of another.

Hangs on an Api as an observer and writes rows in batches, a moment after the answer, so that a request pays
for a list's append only. It is a record, no promise: a process that is killed loses the last moment of it,
and under a flood the surplus is counted instead of kept. `celaje flow show` and `celaje why` read it.
"""

import datetime
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from sqlalchemy import Column, Float, Index, Integer, MetaData, String, Table, delete, func, insert, select

from celaje.common import clock, context
from celaje.common.db import Database, DatabaseClosed, Json, Moment, Transaction
from celaje.common.errors import CelajeError
from celaje.common.log import mask, masked
from celaje.common.wsgi.request import Request

log = logging.getLogger("celaje.api")

# Seconds after which what has come is written; rows that wait at most; rows of one transaction.
DELAY = 0.25
_WAITING = 5000
_AT_ONCE = 200

# Old rows are deleted when a twentieth more than what is kept has come: not with every transaction.
_SURPLUS = 20

# Characters of an error's message that are kept, and of a path.
_LONGEST_MESSAGE = 1000
_LONGEST_PATH = 500


def request_table(metadata: MetaData) -> Table:
    return Table(
        "requests",
        metadata,
        Column("number", Integer, primary_key=True),
        Column("request_id", String(64), nullable=False),
        Column("global_request_id", String(64)),
        Column("method", String(8), nullable=False),
        Column("path", String(_LONGEST_PATH), nullable=False),
        Column("route", String(255)),
        Column("status", Integer, nullable=False),
        Column("received_at", Moment, nullable=False),
        # Seconds until the answer was ready, and SQL statements of this service's database in them.
        Column("took", Float, nullable=False),
        Column("statements", Integer, nullable=False),
        Column("user_id", String(64)),
        Column("project_id", String(64)),
        # Of a refusal: class, kind, message, details (with the rule, the quota, the state).
        Column("error", Json),
        Column("trail", Json),
        Index(None, "request_id"),
        Index(None, "global_request_id"),
    )


class RequestJournal:
    """`kept` rows stay in the table, and at most a twentieth more. `soon(delay, work)` runs the writing on
    a thread that may wait; `component` is the name under which the log tells of the requests."""

    def __init__(
        self,
        database: Database,
        table: Table,
        *,
        kept: int,
        soon: Callable[[float, Callable[[], None]], None],
        component: str,
    ):
        self._database = database
        self._table = table
        self._kept = kept
        self._soon = soon
        self._component = component
        self._waiting: deque[dict[str, Any]] = deque()
        self._lock = threading.Lock()
        # One writes at a time: who calls `write` finds everything written when it returns.
        self._writing = threading.Lock()
        self._called = False
        self._since_cleaned = 0
        self.lost = 0

    def __call__(self, request: Request, status: int) -> None:
        """An Api's observer. Plain reads of a user are not journalled: they change nothing and are most."""
        asker = request.context
        refused = status >= 400
        if not refused and request.http.method in ("GET", "HEAD") and asker.global_request_id is None:
            return
        took = request.seconds
        statements = request.api.statements() - request.statements_before
        route = request.route.name if request.route else None
        self._tell(request, status, took, statements)
        if not self._kept:
            return
        row = {
            "request_id": asker.request_id,
            "global_request_id": asker.global_request_id,
            "method": request.http.method[:8],
            "path": f"{request.http.root_path}{request.http.path}"[:_LONGEST_PATH],
            "route": route[:255] if route else None,
            "status": status,
            "received_at": clock.now() - datetime.timedelta(seconds=took),
            "took": took,
            "statements": statements,
            "user_id": asker.user_id,
            "project_id": asker.project_id,
            "error": request.error,
            "trail": request.trail.whole() if request.trail else None,
        }
        with self._lock:
            if len(self._waiting) >= _WAITING:
                self.lost += 1
                return
            self._waiting.append(row)
            call, self._called = not self._called, True
        if call:
            self._soon(DELAY, self.write)

    def _tell(self, request: Request, status: int, took: float, statements: int) -> None:
        level = logging.INFO if request.http.method not in ("GET", "HEAD") or status >= 400 else logging.DEBUG
        if not log.isEnabledFor(level):
            return
        refusal = ""
        if request.error is not None:
            refusal = f": {type(request.error).__name__}: {request.error.message}"
        with context.using(request.context, self._component):
            http = request.http
            # One text instead of arguments: each of those would be looked through for secrets by itself.
            log.log(
                level,
                f"{http.method} {http.root_path}{http.path} -> {status} in {took * 1000:.1f} ms, "
                f"{statements} SQL{refusal}",
            )

    def write(self) -> None:
        """Write all that waits; called by itself, and once more before the database closes."""
        with self._writing:
            while True:
                with self._lock:
                    self._called = False
                    rows = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
                    lost, self.lost = self.lost, 0
                if lost:
                    log.warning(
                        "%d requests came faster than they could be journalled and are not in it", lost
                    )
                if not rows:
                    return
                for row in rows:
                    row["error"] = _described(row["error"])
                try:
                    self._database.write(self._write, rows)
                except DatabaseClosed:
                    return

    def _write(self, tx: Transaction, rows: list[dict[str, Any]]) -> None:
        number = self._table.c.number
        tx.execute(insert(self._table), rows)
        self._since_cleaned += len(rows)
        if self._since_cleaned * _SURPLUS < self._kept:
            return
        self._since_cleaned = 0
        newest = tx.execute(select(func.max(number))).scalar() or 0
        tx.execute(delete(self._table).where(number <= newest - self._kept))


def _described(error: CelajeError | None) -> dict[str, Any] | None:
    """What is kept of a refusal: no secret, and no more than a screen of it."""
    if error is None:
        return None
    details: dict[str, Any] = {}
    for name, value in masked(error.details).items():
        if isinstance(value, str):
            details[name] = value[:_LONGEST_MESSAGE]
        elif isinstance(value, int | float | bool | list | tuple | dict) or value is None:
            details[name] = value
    return {
        "class": type(error).__name__,
        "kind": error.kind,
        "message": mask(error.message)[:_LONGEST_MESSAGE],
        "details": details,
    }
