"""The journal of requests: what changed something, what was refused, what one service asked of another.

Hangs on an Api as an observer and writes pages of many requests (`request_pages`), a moment after the answer,
within a commit that somebody else makes where there is one: a request pays for a list's append only. It is a
record, no promise: a process that is killed loses the last moment of it, and under a flood the surplus is
counted instead of kept. `celaje flow show` and `celaje why` read it.
"""

import datetime
import logging
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import Table

from celaje.common import context
from celaje.common.db import Database, DatabaseClosed, Transaction
from celaje.common.errors import CelajeError
from celaje.common.log import mask, masked
from celaje.common.wsgi.request import Request
from celaje.common.wsgi.request_pages import Entry, Pages

log = logging.getLogger("celaje.api")

# Seconds after which what has come is written; requests that wait at most; requests of one page.
DELAY = 0.25
_WAITING = 5000
_AT_ONCE = 200

# Old pages are deleted when a twentieth more than what is kept has come: not with every transaction.
_SURPLUS = 20

# Characters of an error's message that are kept, of a path, of a method.
_LONGEST_MESSAGE = 1000
_LONGEST_PATH = 500
_LONGEST_METHOD = 16


class RequestJournal:
    """`kept` requests stay in the table, a page and a twentieth more at most. `soon(delay, work)` runs the
    writing on a thread that may wait; `component` is the name under which the log tells of the requests."""

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
        self._kept = kept
        self._soon = soon
        self._component = component
        # What is kept of each request, with its error as it was raised.
        self._waiting: deque[tuple[Entry, CelajeError | None]] = deque()
        # One writes at a time: who calls `write` finds everything written when it returns.
        self._writing = threading.Lock()
        self._called = False
        # Of batches that the next commit of somebody shall take along.
        self._under_way: list[Callable[[], None]] = []
        self._since_cleaned = 0
        self._pages = Pages(table)
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
        route = request.route
        # Cut, masked and turned into text later, by whoever writes.
        entry = Entry(
            asker.request_id,
            http.method,
            f"{http.root_path}{http.path}",
            status,
            self._database.now(),
            took,
            statements,
            asker.global_request_id,
            route.name if route is not None else None,
            asker.user_id,
            asker.project_id,
            None,
            request.trail.whole() if request.trail else None,
        )
        self._waiting.append((entry, request.error))
        # Two threads may both call: that is one look too many, and no request less.
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
                page = [_finished(*one) for one in several]
                self._under_way.append(self._database.write_along(partial(self._write, page=page)))
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

    def _write(self, tx: Transaction, page: list[Entry]) -> None:
        self._pages.add(tx, page)
        self._since_cleaned += len(page)
        if self._since_cleaned * _SURPLUS < self._kept:
            return
        self._since_cleaned = 0
        self._pages.clean(tx, self._kept)


def _finished(entry: Entry, error: CelajeError | None) -> Entry:
    """What could wait until nobody waits for it."""
    entry.received_at -= datetime.timedelta(seconds=entry.took)
    if len(entry.path) > _LONGEST_PATH or len(entry.method) > _LONGEST_METHOD:
        entry.path, entry.method = entry.path[:_LONGEST_PATH], entry.method[:_LONGEST_METHOD]
    entry.error = _described(error)
    return entry


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
