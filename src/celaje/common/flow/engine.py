"""The engine: a conductor's claim, lease and clean-up of flows.

The conductor's service calls `execute` for each nudge it receives, and starts the engine's two watchers:
one renews the leases of what runs here, one looks for flows that nobody has nudged or whose owner has gone.
"""

import datetime
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from sqlalchemy import or_, select, update

from celaje.common import clock, context
from celaje.common.context import RequestContext
from celaje.common.db import Transaction, fetch_all, fetch_one
from celaje.common.errors import CelajeError
from celaje.common.flow.definition import Flow
from celaje.common.flow.errors import FlowMismatch, InternalFlowError, LeaseLost, Suspended, Unwind
from celaje.common.flow.flows import Flows, Row
from celaje.common.flow.journal import Journal
from celaje.common.flow.run import Run

log = logging.getLogger(__name__)


class Engine:
    """`owner` names this conductor in the rows; `lease` is how many seconds it owns a flow between two
    renewals; `unseal` decrypts the user's token of a row."""

    def __init__(
        self,
        flows: Flows,
        conductor: Any,
        *,
        owner: str,
        threads: int = 16,
        lease: float = 30.0,
        poll_interval: float = 5.0,
        unseal: Callable[[bytes], str | None] | None = None,
    ):
        self.flows = flows
        self.owner = owner
        self._conductor = conductor
        self._lease = lease
        self._poll_interval = poll_interval
        self._unseal = unseal
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="flow")
        self._lock = threading.Condition()
        self._claimed: set[str] = set()
        self._queued: set[str] = set()
        self._stopping = False
        self._killed = False
        self._watchers: list[threading.Thread] = []
        # Tests of crashes look in at every boundary; see tests/crash.
        self.on_boundary: Callable[[str, Row], None] | None = None

    def start(self, alone: bool = False) -> None:
        """`alone`: no other conductor can be alive (the state directory is locked by this process), so
        leases of an earlier life are ended at once instead of waited for."""
        if alone:
            self.flows.database.write(self._release_all)
        for watch in (self._renew_leases, self._look_for_due):
            thread = threading.Thread(target=watch, name=watch.__name__, daemon=True)
            thread.start()
            self._watchers.append(thread)

    def stop(self, grace: float = 10.0) -> None:
        """Take nothing new; running steps end within `grace` seconds or are left for the next conductor."""
        with self._lock:
            self._stopping = True
            self._lock.notify_all()
            clock.wait_for(self._lock, lambda: not self._claimed, grace)
        self._pool.shutdown(wait=False, cancel_futures=True)
        for thread in self._watchers:
            thread.join(timeout=1)

    def kill(self) -> None:
        """End as `kill -9` would: no run of this engine writes anything any more, no lease is given back."""
        with self._lock:
            self._stopping = True
            self._killed = True
            self._lock.notify_all()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def nudge(self, flow_id: str) -> None:
        """Run the flow on the engine's threads, unless it is already on its way here."""
        with self._lock:
            if self._stopping or flow_id in self._queued:
                return
            self._queued.add(flow_id)
        self._pool.submit(self._execute_queued, flow_id)

    def _execute_queued(self, flow_id: str) -> None:
        with self._lock:
            self._queued.discard(flow_id)
            if self._stopping:
                return
        try:
            self.execute(flow_id)
        except Exception:
            # The lease runs out and the scan finds the flow again.
            log.exception("flow %s could not be run", flow_id)

    def execute(self, flow_id: str) -> None:
        """Claim the flow and run it until it ends, must wait, or is lost to another conductor."""
        flow = self.flows.database.write(self._claim, flow_id)
        if flow is None:
            return
        with self._lock:
            self._claimed.add(flow_id)
        try:
            self._run(flow)
        except LeaseLost:
            log.info("flow %s was taken over by another conductor", flow_id)
        finally:
            with self._lock:
                self._claimed.discard(flow_id)
                self._lock.notify_all()
            self.flows.changed()

    def _claim(self, tx: Transaction, flow_id: str) -> Row | None:
        flows = self.flows.tables.flows
        now = clock.now()
        free = or_(flows.c.owner.is_(None), flows.c.due_at <= now)
        claimed = tx.execute(
            update(flows)
            .where(
                flows.c.id == flow_id,
                flows.c.finished_at.is_(None),
                free,
                or_(flows.c.state == "pending", flows.c.due_at <= now),
            )
            .values(
                attempt=flows.c.attempt + 1, owner=self.owner, due_at=self._lease_end(now), updated_at=now
            )
        )
        if claimed.rowcount != 1:
            return None
        flow = fetch_one(tx, select(flows).where(flows.c.id == flow_id))
        assert flow is not None
        if flow["state"] != "undoing":
            tx.execute(update(flows).where(flows.c.id == flow_id).values(state="running", waiting_on=None))
            flow["state"] = "running"
        flow["steps"] = self.flows.steps(tx, flow_id) if flow["attempt"] > 1 else []
        return flow

    def _lease_end(self, now: datetime.datetime) -> datetime.datetime:
        return now + datetime.timedelta(seconds=self._lease)

    def _run(self, flow: Row) -> None:
        steps = flow.pop("steps")
        token = flow.pop("token")
        journal = Journal(self.flows, flow, steps)
        journal.on_boundary = self.on_boundary
        journal.is_dead = lambda: self._killed
        request = RequestContext.from_dict(flow["context"])
        if token and self._unseal:
            request = replace(request, token=self._unseal(token))
        run = Run(journal, self._conductor, request)
        declared = self.flows.table.get(flow["name"], flow["version"])
        with context.using(request):
            try:
                if declared is None:
                    self._leave_to_others(flow, journal)
                else:
                    self._advance(declared, run, flow)
            except Suspended as pause:
                if flow["state"] == "running":
                    log.info("flow %s waits for %s", flow["id"], pause.waiting_on)
                journal.suspend(pause.waiting_on, pause.delay)

    def _advance(self, declared: Flow, run: Run, flow: Row) -> None:
        try:
            result = declared(run, **flow["arguments"])
            if not run.ended:
                run.done(result=result)
            return
        except Unwind as unwind:
            error = unwind.error
        except FlowMismatch as mismatch:
            error = mismatch
        except CelajeError as raised:
            error = raised
        except Exception as unexpected:
            log.exception("flow %s (%s) failed unexpectedly", flow["id"], flow["name"])
            error = InternalFlowError(flow=flow["name"], cause=type(unexpected).__name__)
        log.warning("flow %s (%s) fails: %s", flow["id"], flow["name"], error)
        run.unwind(error, declared.way_out)

    def _leave_to_others(self, flow: Row, journal: Journal) -> None:
        """A flow of a version this conductor does not know (a rolling upgrade): a newer one will take it."""
        raise Suspended(f"conductor knowing {flow['name']} version {flow['version']}", self._poll_interval)

    def _renew_leases(self) -> None:
        flows = self.flows.tables.flows
        while self._pause(self._lease / 3):
            with self._lock:
                mine = list(self._claimed)
            if not mine:
                continue

            def unit(tx: Transaction, ids: list[str] = mine) -> None:
                tx.execute(
                    update(flows)
                    .where(flows.c.id.in_(ids), flows.c.owner == self.owner, flows.c.finished_at.is_(None))
                    .values(due_at=self._lease_end(clock.now()))
                )

            try:
                self.flows.database.write(unit)
            except Exception:
                log.exception("the leases of %s could not be renewed", self.owner)

    def _look_for_due(self) -> None:
        while True:
            try:
                for flow_id in self.flows.database.read(self.due):
                    self.nudge(flow_id)
            except Exception:
                log.exception("%s could not look for flows", self.owner)
            if not self._pause(self._poll_interval):
                return

    def due(self, tx: Transaction, limit: int = 500) -> list[str]:
        flows = self.flows.tables.flows
        rows = fetch_all(
            tx,
            select(flows.c.id)
            .where(flows.c.due_at <= clock.now(), flows.c.finished_at.is_(None))
            .order_by(flows.c.due_at)
            .limit(limit),
        )
        return [row["id"] for row in rows]

    def _pause(self, seconds: float) -> bool:
        """Sleep; False when the engine stops."""
        with self._lock:
            clock.wait_for(self._lock, lambda: self._stopping, seconds)
            return not self._stopping

    def _release_all(self, tx: Transaction) -> None:
        flows = self.flows.tables.flows
        tx.execute(
            update(flows)
            .where(flows.c.owner.is_not(None), flows.c.finished_at.is_(None))
            .values(owner=None, due_at=clock.now())
        )
