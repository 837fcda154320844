"""The journal of requests: what changed something, what was refused, what one service asked of another.

Hangs on an Api as an observer and writes rows in batches, a moment after the answer, within a commit that
somebody else makes where there is one: a request pays for a list's append only. It is a record, no promise:
a process that is killed loses the last moment of it, and under a flood the surplus is counted instead of
kept. `celaje flow show` and `celaje why` read it.
"""

import datetime
import logging
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import (
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
)

from celaje.common import clock, context
from celaje.common.context import RequestContext
from celaje.common.db import Database, DatabaseClosed, Json, Moment, Prepared, Transaction
from celaje.common.errors import CelajeError
from celaje.common.log import mask, masked
from celaje.common.trail import Hop
from celaje.common.wsgi.request import Request
from celaje.common.wsgi.routes import Route

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
        # Of each request what its row is made of, later.
        self._waiting: deque[tuple[Any, ...]] = deque()
        # One writes at a time: who calls `write` finds everything written when it returns.
        self._writing = threading.Lock()
        self._called = False
        # Of batches that the next commit of somebody shall take along.
        self._under_way: list[Callable[[], None]] = []
        self._since_cleaned = 0
        self._insert = Prepared(insert(table))
        number = table.c.number
        self._newest = Prepared(select(func.max(number)))
        self._clean = Prepared(delete(table).where(number <= bindparam("last")))
        # Since the log was told, and ever.
        self.lost = self.lost_in_all = 0

    def __call__(self, request: Request, status: int) -> None:
        """An Api's observer. Plain reads of a user are not journalled: they change nothing and are most."""
        asker = request.context
        http = request.http
        if status < 400 and asker.global_request_id is None and http.method in ("GET", "HEAD"):
            return
        took = request.seconds
        statements = request.api.statements() - request.statements_before
        self._tell(request, status, took, statements)
        if not self._kept:
            return
        if len(self._waiting) >= _WAITING:
            self.lost += 1
            self.lost_in_all += 1
            return
        path, hops = f"{http.root_path}{http.path}", request.trail.whole() if request.trail else None
        self._waiting.append(
            (
                asker,
                http.method,
                path,
                request.route,
                status,
                clock.now(),
                took,
                statements,
                request.error,
                hops,
            )
        )
        # Two threads may both call: that is one look too many, and no row less.
        if not self._called:
            self._called = True
            self._soon(DELAY, self._write_along)

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
        """Write all that waits; once more before the database closes."""
        self._write_along()
        self._settle()

    def _write_along(self) -> None:
        with self._writing:
            self._called = False
            lost, self.lost = self.lost, 0
            if lost:
                log.warning("%d requests came faster than they could be journalled and are not in it", lost)
            while self._waiting:
                several = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
                rows = [_row(*one) for one in several]
                self._under_way.append(self._database.write_along(partial(self._write, rows=rows)))
            ask = bool(self._under_way)
        if ask:
            self._soon(DELAY, self._settle)

    def _settle(self) -> None:
        """What nobody has taken along gets a commit of its own."""
        with self._writing:
            while self._under_way:
                try:
                    self._under_way.pop(0)()
                except DatabaseClosed:
                    return

    def _write(self, tx: Transaction, rows: list[dict[str, Any]]) -> None:
        self._insert.run_many(tx, rows)
        self._since_cleaned += len(rows)
        if self._since_cleaned * _SURPLUS < self._kept:
            return
        self._since_cleaned = 0
        self._clean.run(tx, last=(self._newest.value(tx) or 0) - self._kept)


def _row(  # noqa: PLR0917 - a request, taken apart
    asker: RequestContext,
    method: str,
    path: str,
    route: Route | None,
    status: int,
    ended: datetime.datetime,
    took: float,
    statements: int,
    error: CelajeError | None,
    hops: list[Hop] | None,
) -> dict[str, Any]:
    return {
        "request_id": asker.request_id,
        "global_request_id": asker.global_request_id,
        "method": method[:8],
        "path": path[:_LONGEST_PATH],
        "route": route.name[:255] if route else None,
        "status": status,
        "received_at": ended - datetime.timedelta(seconds=took),
        "took": took,
        "statements": statements,
        "user_id": asker.user_id,
        "project_id": asker.project_id,
        "error": _described(error),
        "trail": hops,
    }


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
