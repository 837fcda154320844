"""Flows as the API sees them: submit, signal, wait, look. The engine that runs them is the conductor's.

Called by API handlers (inside their units) and by the engine; writes the service's own database.
"""

import datetime
import threading
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import select, update

from celaje.common import clock, context
from celaje.common.context import RequestContext
from celaje.common.db import Database, DuplicateRow, Transaction, fetch_all, fetch_one
from celaje.common.errors import CelajeError
from celaje.common.flow.definition import Flow, FlowTable
from celaje.common.flow.errors import FlowTimeout
from celaje.common.flow.tables import FlowTables

Row = dict[str, Any]

ENDED = ("done", "failed")


class Flows:
    """`nudge(flow_id)` is called after the commit and may do nothing: the engine's scan finds the flow
    anyway, a little later. `deadline_of(option)` gives the seconds of a deadline option. `seal` encrypts a
    user's token for the row."""

    def __init__(
        self,
        database: Database,
        tables: FlowTables,
        definitions: Iterable[Flow],
        *,
        nudge: Callable[[str], None] = lambda flow_id: None,
        deadline_of: Callable[[str], float] | None = None,
        seal: Callable[[str], bytes] | None = None,
    ):
        self.database = database
        self.tables = tables
        self.table = FlowTable(definitions)
        self.nudge = nudge
        self._deadline_of = deadline_of
        self._seal = seal
        self._changed = threading.Condition()

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
        declared = self.table.newest(name)
        request = request or context.current()
        now = clock.now()
        flow_id = clock.new_uuid()
        tx.execute(
            self.tables.flows.insert().values(
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
                deadline_at=now + datetime.timedelta(seconds=deadline or self.seconds(declared.deadline)),
                created_at=now,
            )
        )
        tx.after_commit(lambda: self.nudge(flow_id))
        return flow_id

    def seconds(self, deadline: str | float) -> float:
        if isinstance(deadline, str):
            if self._deadline_of is None:
                raise ValueError(f"no configuration to read the deadline option {deadline} from")
            return float(self._deadline_of(deadline))
        return float(deadline)

    def signal(self, tx: Transaction, flow_id: str, name: str, data: Any = None) -> None:
        """Give a flow what it waits for with `run.wait(name)`. A second signal of one name changes nothing:
        the first answer counts."""
        flows, signals = self.tables.flows, self.tables.signals
        known = select(signals.c.name).where(signals.c.flow_id == flow_id, signals.c.name == name)
        if fetch_one(tx, known):
            return
        try:
            tx.execute(signals.insert().values(flow_id=flow_id, name=name, data=data, created_at=clock.now()))
        except DuplicateRow:
            return
        tx.execute(
            update(flows)
            .where(
                flows.c.id == flow_id,
                flows.c.state == "waiting",
                flows.c.waiting_on == f"signal:{name}",
            )
            .values(due_at=clock.now())
        )
        tx.after_commit(lambda: self.nudge(flow_id))

    def wake(self, tx: Transaction, waiting_on: str) -> list[str]:
        """What waited for `waiting_on` (a worker that is up again) is due now."""
        flows = self.tables.flows
        found = fetch_all(
            tx, select(flows.c.id).where(flows.c.waiting_on == waiting_on, flows.c.state == "waiting")
        )
        ids = [row["id"] for row in found]
        if ids:
            tx.execute(update(flows).where(flows.c.id.in_(ids)).values(due_at=clock.now()))
            tx.after_commit(lambda: [self.nudge(flow_id) for flow_id in ids])
        return ids

    def get(self, tx: Transaction, flow_id: str) -> Row | None:
        return fetch_one(tx, select(self.tables.flows).where(self.tables.flows.c.id == flow_id))

    def steps(self, tx: Transaction, flow_id: str) -> list[Row]:
        steps = self.tables.steps
        return fetch_all(tx, select(steps).where(steps.c.flow_id == flow_id).order_by(steps.c.number))

    def changed(self) -> None:
        """Called by an engine in this process after each commit of a journal."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, flow_id: str, timeout: float, checkpoint: str | None = None) -> Row:
        """Wait until the flow has ended, or passed `checkpoint`; returns its row. Raises FlowTimeout when
        neither came within `timeout` seconds; the flow goes on."""
        end = clock.monotonic() + timeout
        while True:
            with self._changed:
                row = self.database.read(self.get, flow_id)
                if row is None:
                    raise KeyError(flow_id)
                if row["state"] in ENDED or (checkpoint and row["checkpoint"] == checkpoint):
                    return row
                left = end - clock.monotonic()
                if left <= 0:
                    raise FlowTimeout(
                        flow=row["name"], timeout=round(timeout), deadline=clock.iso(row["deadline_at"])
                    )
                # An engine in another process cannot notify: look again soon.
                clock.wait(self._changed, min(left, 0.1))

    def result(self, flow_id: str, timeout: float, checkpoint: str | None = None) -> Any:
        """`wait`, and then the flow's result, or its error raised here."""
        row = self.wait(flow_id, timeout, checkpoint)
        if row["error"] is not None:
            raise CelajeError.from_dict(row["error"])
        return row["result"]
