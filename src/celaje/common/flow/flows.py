"""Flows as the API sees them: submit, signal, wait, look. The engine that runs them is the conductor's.

Called by API handlers (inside their units) and by the engine; writes the service's own database.
"""

import datetime
import threading
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import select

from celaje.common import clock, context, trail
from celaje.common.context import RequestContext
from celaje.common.db import Database, DuplicateRow, Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow.definition import UNDO_GRACE, Flow, FlowTable
from celaje.common.flow.errors import FlowGaveUp, FlowTimeout
from celaje.common.flow.statements import Statements
from celaje.common.flow.tables import FlowTables

Row = dict[str, Any]

ENDED = ("done", "failed")


class _Waiter(threading.Condition):
    """One thread's; `news`: something has changed since it began to look."""

    news = False


class Flows:
    """`service` is whose flows they are, for the log. `nudge(flow_id)` is called after the commit and may do
    nothing: the engine's scan finds the flow anyway, a little later. `deadline_of(option)` gives the seconds
    of a deadline option. `seal` encrypts a user's token for the row."""

    def __init__(
        self,
        database: Database,
        tables: FlowTables,
        definitions: Iterable[Flow],
        *,
        service: str = "",
        nudge: Callable[[str], None] = lambda flow_id: None,
        deadline_of: Callable[[str], float] | None = None,
        seal: Callable[[str], bytes] | None = None,
    ):
        self.database = database
        self.service = service
        self.tables = tables
        self.statements = Statements(tables)
        self.table = FlowTable(definitions)
        self.nudge = nudge
        # Which versions of flows each conductor that is up runs; set by the service.
        self.conductors: Callable[[Transaction], list[dict[str, int]]] | None = None
        self._deadline_of = deadline_of
        self._seal = seal
        # Those who wait here for a flow: a change wakes the flow's own waiters only.
        self._waiters: dict[str, list[_Waiter]] = {}
        self._lock = threading.Lock()

    def submit(
        self,
        tx: Transaction,
        name: str,
        *,
        resource: tuple[str, str] | None = None,
        arguments: dict[str, Any] | None = None,
        request: RequestContext | None = None,
        deadline: float | None = None,
        project_id: str | None = None,
    ) -> str:
        """Write a flow down in the caller's transaction and nudge a conductor after its commit. Returns the
        flow's id, which the resource's row holds as its owner."""
        declared = self._declared(tx, name)
        request = request or context.current()
        now = self.now()
        flow_id = clock.new_uuid()
        seconds = self.seconds(declared.deadline) if deadline is None else deadline
        self.statements.submit.run(
            tx,
            id=flow_id,
            name=declared.name,
            version=declared.version,
            resource_type=resource[0] if resource else None,
            resource_id=resource[1] if resource else None,
            project_id=project_id or request.project_id,
            user_id=request.user_id,
            request_id=request.request_id,
            global_request_id=request.global_request_id or request.request_id,
            context=request.at(None).to_dict(),
            token=self._seal(request.token) if self._seal and request.token else None,
            arguments=arguments or {},
            state="pending",
            attempt=0,
            due_at=now,
            deadline_at=now + datetime.timedelta(seconds=seconds),
            created_at=now,
        )
        tx.after_commit(lambda: self.nudge(flow_id))
        return flow_id

    def note(
        self, tx: Transaction, name: str, *, resource: tuple[str, str], project_id: str | None = None
    ) -> None:
        """Journal what this transaction alone has done to a resource: an ended flow without steps."""
        request, now = context.current(), self.now()
        self.statements.submit.run(
            tx,
            id=clock.new_uuid(),
            name=name,
            version=1,
            resource_type=resource[0],
            resource_id=resource[1],
            project_id=project_id or request.project_id,
            user_id=request.user_id,
            request_id=request.request_id,
            global_request_id=request.global_request_id or request.request_id,
            context=request.at(None).to_dict(),
            arguments={},
            state="done",
            attempt=0,
            deadline_at=now,
            created_at=now,
            claimed_at=now,
            updated_at=now,
            finished_at=now,
            trail=trail.moved(tx.moves) or None,
        )

    def _declared(self, tx: Transaction, name: str) -> Flow:
        """In the version that every conductor runs: an older one that is up may be the next to take it."""
        newest = self.table.newest(name)
        if newest.version == 1 or self.conductors is None:
            return newest
        return self.table.known(name, self.conductors(tx))

    def submitted(self, tx: Transaction, name: str, resource: tuple[str, str]) -> str | None:
        """The flow that this same request submitted for the resource, when its answer was lost and it comes
        again: a service that calls another repeats its step."""
        request = context.current()
        asked = request.global_request_id or request.request_id
        row = self.statements.submitted.one(tx, called=name, kind=resource[0], of=resource[1], asked=asked)
        return row["id"] if row else None

    def seconds(self, deadline: str | float) -> float:
        if isinstance(deadline, str):
            if self._deadline_of is None:
                raise ValueError(f"no configuration to read the deadline option {deadline} from")
            return float(self._deadline_of(deadline))
        return float(deadline)

    def now(self) -> datetime.datetime:
        """By which leases, turns and deadlines are reckoned, and all that the journal says: conductors whose
        clocks differ must not take each other's flows, nor end them."""
        return self.database.now()

    def signal(self, tx: Transaction, flow_id: str, name: str, data: Any = None) -> None:
        """Give a flow what it waits for with `run.wait(name)`. A second signal of one name changes nothing:
        the first answer counts."""
        statements, now = self.statements, self.now()
        self.hold(tx, flow_id)
        if statements.signal.one(tx, row=flow_id, called=name):
            return
        try:
            with tx.attempt():
                statements.add_signal.run(tx, flow_id=flow_id, name=name, data=data, created_at=now)
        except DuplicateRow:
            return
        statements.wake_for_signal.run(tx, row=flow_id, awaited=f"signal:{name}", due_at=now)
        tx.after_commit(lambda: self.nudge(flow_id))

    def hold(self, tx: Transaction, flow_id: str) -> None:
        """Who signals and who begins to wait meet here: else, beside each other on PostgreSQL or MariaDB,
        neither sees what the other writes, and the flow sleeps until its deadline."""
        if tx.dialect != "sqlite":
            self.statements.hold.one(tx, row=flow_id)

    def wake(self, tx: Transaction, waiting_on: str) -> list[str]:
        """What waited for `waiting_on` (a worker that is up again) is due now."""
        ids = [row["id"] for row in self.statements.waiting.all(tx, awaited=waiting_on)]
        if ids:
            self.statements.wake.run(tx, awaited=waiting_on, moment=self.now())
            tx.after_commit(lambda: [self.nudge(flow_id) for flow_id in ids])
        return ids

    def give_up(
        self,
        tx: Transaction,
        waiting_on: str,
        resource_type: str | None = None,
        resource_id: str | None = None,
    ) -> list[str]:
        """What waits for `waiting_on` is not to wait any longer: as if its deadline had passed, and the time
        in which it tries to undo as well. Only that of a resource, or of resources of a type, if given."""
        now = self.now()
        flows = self.tables.flows
        wanted = {"resource_type": resource_type, "resource_id": resource_id}
        ids = [
            row["id"]
            for row in self.statements.waiting.all(tx, awaited=waiting_on)
            if all(value is None or row[key] == value for key, value in wanted.items())
        ]
        if ids:
            passed = now - datetime.timedelta(seconds=UNDO_GRACE + 1)
            change = flows.update().where(flows.c.id.in_(ids), flows.c.finished_at.is_(None))
            tx.execute(change.values(deadline_at=passed, due_at=now))
            tx.after_commit(lambda: [self.nudge(flow_id) for flow_id in ids])
        return ids

    def waiting_for(self, tx: Transaction, resource_id: str) -> list[str]:
        """What the flows of a resource wait for."""
        flows = self.tables.flows
        found = select(flows.c.waiting_on).where(
            flows.c.resource_id == resource_id, flows.c.finished_at.is_(None), flows.c.waiting_on.is_not(None)
        )
        return list(tx.execute(found).scalars())

    def get(self, tx: Transaction, flow_id: str) -> Row | None:
        return self.statements.flow.one(tx, row=flow_id)

    def steps(self, tx: Transaction, flow_id: str) -> list[Row]:
        return self.statements.steps.all(tx, row=flow_id)

    def open_by_state(self, tx: Transaction) -> dict[tuple[str, str], int]:
        """(name, state) -> how many have not ended."""
        return {(row["name"], row["state"]): row["number"] for row in self.statements.open.all(tx)}

    def changed(self, flow_id: str | None = None) -> None:
        """Called by an engine in this process when a flow (None: any) has ended, or passed a checkpoint."""
        if not self._waiters:
            return
        with self._lock:
            waiters = self._waiters
            woken = list(waiters.get(flow_id, ())) if flow_id else [w for ws in waiters.values() for w in ws]
        for waiter in woken:
            with waiter:
                waiter.news = True
                waiter.notify_all()

    def wait(self, flow_id: str, timeout: float, checkpoint: str | None = None) -> Row:
        """Wait until the flow has ended, or passed `checkpoint`; returns its row. Raises FlowTimeout when
        neither came within `timeout` seconds; the flow goes on."""
        began = clock.monotonic()
        end = began + timeout
        waiter = _Waiter()
        with self._lock:
            self._waiters.setdefault(flow_id, []).append(waiter)
        try:
            # It looks without the lock: whoever has news for it, the flow itself, must not wait meanwhile.
            while (row := self.database.read(self._passed, flow_id, checkpoint)) is None:
                left = end - clock.monotonic()
                if left <= 0:
                    raise self._timeout(flow_id, timeout)
                with waiter:
                    if not waiter.news:
                        # An engine in another process cannot notify: look again soon.
                        clock.wait(waiter, min(left, 0.1))
                    waiter.news = False
        finally:
            with self._lock:
                others = self._waiters[flow_id]
                others.remove(waiter)
                if not others:
                    del self._waiters[flow_id]
            trail.note("wait", checkpoint or "its end", began, flow=flow_id, timeout=round(timeout, 3))
        return row

    def _passed(self, tx: Transaction, flow_id: str, checkpoint: str | None) -> Row | None:
        """The flow's row, if its waiter may go on."""
        row = self.get(tx, flow_id)
        if row is None:
            raise KeyError(flow_id)
        passed = row["state"] in ENDED or (checkpoint is not None and row["checkpoint"] == checkpoint)
        return row if passed else None

    def _timeout(self, flow_id: str, timeout: float) -> FlowTimeout:
        row = self.database.read(self.get, flow_id) or {"name": flow_id, "deadline_at": None}
        return FlowTimeout(flow=row["name"], timeout=round(timeout), deadline=clock.iso(row["deadline_at"]))

    def result(self, flow_id: str, timeout: float, checkpoint: str | None = None) -> Any:
        """`wait`, and then the flow's result, or its error raised here; not if it failed behind the
        checkpoint: what was waited for has come to pass, whoever looks first. Raises FlowTimeout, which is
        Unavailable, while the flow goes on; a flow that has ended never is (see FlowGaveUp)."""
        row = self.wait(flow_id, timeout, checkpoint)
        passed = checkpoint is not None and row["checkpoint"] == checkpoint
        if row["error"] is not None and not passed:
            error = CelajeError.from_dict(row["error"])
            if error.kind == "unavailable":
                raise FlowGaveUp(error.message, **error.details) from error
            raise error
        return row["result"]
