"""The engine: a conductor's claim, lease and clean-up of flows.

The conductor's service calls `execute` for each nudge it receives, and starts the engine's two watchers:
one renews the leases of what runs here, one looks for flows that nobody has nudged or whose owner has gone.
"""

import datetime
import logging
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from celaje.common import clock, context, metrics
from celaje.common.context import RequestContext, Step
from celaje.common.db import DatabaseClosed, Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow.definition import Flow
from celaje.common.flow.errors import (
    FlowMismatch,
    InternalFlowError,
    JournalAway,
    LeaseLost,
    Suspended,
    Unwind,
)
from celaje.common.flow.flows import Flows, Row
from celaje.common.flow.journal import Journal
from celaje.common.flow.retention import Retention
from celaje.common.flow.run import Run
from celaje.common.flow.story import Story, Teller

log = logging.getLogger(__name__)


class Engine:
    """`owner` names this conductor in the rows; `lease` is how many seconds it owns a flow between two
    renewals; `keep` after how many days an ended flow is deleted (0: never); `unseal` decrypts the user's
    token of a row."""

    def __init__(
        self,
        flows: Flows,
        conductor: Any,
        *,
        owner: str,
        threads: int = 16,
        lease: float = 30.0,
        poll_interval: float = 5.0,
        keep: float = 0,
        unseal: Callable[[bytes], str | None] | None = None,
    ):
        self.flows = flows
        self.owner = owner
        self._conductor = conductor
        self._lease = lease
        self._poll_interval = poll_interval
        self._due = flows.statements.due(flows.table)
        self._retention = Retention(flows, keep)
        self._unseal = unseal
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="flow")
        self._lock = threading.Condition()
        # How many threads are at a flow: one may still be leaving it when the next has it already.
        self._claimed: Counter[str] = Counter()
        self._queued: set[str] = set()
        self._journals: set[Journal] = set()
        self._stopping = False
        self._killed = False
        self._started = 0.0
        self._watchers: list[threading.Thread] = []
        # Who tells the outside of flows; set by the service.
        self.teller: Teller | None = None
        # Told of each flow that has ended here, with its steps and its state; traces hang on here.
        self.on_end: Callable[[Row, list[Row], str], None] | None = None
        # Tests of crashes look in at every boundary; see tests/crash.
        self.on_boundary: Callable[[str, Row], None] | None = None

    def start(self, alone: bool = False) -> None:
        """`alone`: no other conductor can be alive (the state directory is locked by this process), so
        leases of an earlier life are ended at once instead of waited for."""
        self._started = clock.monotonic()
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
        except DatabaseClosed:
            log.info("flow %s is left to the next conductor", flow_id)
        except Exception:
            # The lease runs out and the scan finds the flow again.
            log.exception("flow %s could not be run", flow_id)

    def execute(self, flow_id: str) -> None:
        """Claim the flow and run it until it ends, must wait, or is lost to another conductor."""
        flow = self.flows.database.read(self._look, flow_id)
        if flow is None:
            return
        if self.flows.table.get(flow["name"], flow["version"]) is None:
            self._leave_to_newer(flow)
            return
        claim: Callable[..., None] | None = partial(self._claim, flow=flow)
        if flow["attempt"] > 1:
            # Claimed before its steps are read: whoever had it may have written some until now.
            claim = None
            try:
                flow["steps"] = self.flows.database.write(self._claim_begun, flow)
            except LeaseLost:
                return
        with self._lock:
            self._claimed[flow_id] += 1
        try:
            self._run(flow, claim)
        except JournalAway as error:
            with self._for(flow, RequestContext.from_dict(flow["context"])):
                log.warning("flow %s is left until its lease ends: %s", flow_id, error)
        except LeaseLost:
            with self._for(flow, RequestContext.from_dict(flow["context"])):
                log.info("flow %s was taken over by another conductor", flow_id)
        finally:
            with self._lock:
                self._claimed[flow_id] -= 1
                if not self._claimed[flow_id]:
                    del self._claimed[flow_id]
                self._lock.notify_all()

    def _look(self, tx: Transaction, flow_id: str) -> Row | None:
        """The row as it will be once claimed; None while somebody has it, or it is not due, or has ended."""
        flow = self.flows.get(tx, flow_id)
        if flow is None or flow["finished_at"] is not None:
            return None
        due = flow["due_at"] is not None and flow["due_at"] <= self.flows.now()
        if not due and (flow["owner"] is not None or flow["state"] != "pending"):
            return None
        flow["attempt"] += 1
        if flow["state"] != "undoing":
            flow["state"] = "running"
        flow["steps"] = []
        flow["claimed_at"] = flow["claimed_at"] or self.flows.now()
        return flow

    def _claim(self, tx: Transaction, flow: Row, **values: Any) -> None:
        """Take the flow that `_look` has found, and set `values` of its columns too. Raises LeaseLost when
        another conductor was first."""
        now = self.flows.now()
        claimed = {
            "state": flow["state"],
            "owner": self.owner,
            "due_at": self._lease_end(now),
            "waiting_on": None,
            "updated_at": now,
            **values,
            "attempt": flow["attempt"],
            "claimed_at": flow["claimed_at"],
        }
        matched = self.flows.statements.claim.run(
            tx, row=flow["id"], seen=flow["attempt"] - 1, moment=now, **claimed
        )
        if matched != 1:
            raise LeaseLost

    def _claim_begun(self, tx: Transaction, flow: Row) -> list[Row]:
        self._claim(tx, flow)
        return self.flows.steps(tx, flow["id"])

    def _lease_end(self, now: datetime.datetime) -> datetime.datetime:
        return now + datetime.timedelta(seconds=self._lease)

    def _run(self, flow: Row, claim: Callable[..., None] | None) -> None:
        steps = flow.pop("steps")
        token = flow.pop("token")
        journal = Journal(self.flows, flow, steps, claim)
        if self.teller is not None and self.teller.tells_of(flow):
            journal.story = Story(self.teller, flow)
        journal.on_boundary = self.on_boundary
        journal.is_dead = lambda: self._killed
        request = RequestContext.from_dict(flow["context"])
        sealed = bool(token and self._unseal)
        if token and self._unseal:
            request = request.but(token=self._unseal(token))
        run = Run(journal, self._conductor, request)
        self._journals.add(journal)
        declared = self.flows.table.get(flow["name"], flow["version"])
        with self._for(flow, request):
            try:
                if sealed and request.token is None:
                    # Without the user's token its steps would be done with this service's own rights.
                    log.error(
                        "flow %s: this conductor lacks the key that sealed its user's token", flow["id"]
                    )
                    raise Suspended("conductor with the vault's key", self._poll_interval)
                assert declared is not None
                self._advance(declared, run, flow)
            except Suspended as pause:
                if flow["state"] == "running":
                    log.info("flow %s waits for %s", flow["name"], pause.waiting_on)
                journal.suspend(pause.waiting_on, pause.delay)
            finally:
                self._journals.discard(journal)

    def _for(self, flow: Row, request: RequestContext) -> AbstractContextManager[RequestContext]:
        """Work on the flow: no step yet, but the log's lines tell whose it is."""
        whole = request.at(Step(flow["id"], 0, flow["attempt"]))
        return context.using(whole, f"{self.flows.service}-conductor")

    def _advance(self, declared: Flow, run: Run, flow: Row) -> None:
        try:
            result = declared(run, **flow["arguments"])
            if not run.ended:
                run.done(result=result)
            self._tell_end(flow, run, "done")
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
        self._tell_end(flow, run, "failed")

    def _tell_end(self, flow: Row, run: Run, state: str) -> None:
        whose = f" of {flow['resource_type']} {flow['resource_id']}" if flow["resource_id"] else ""
        took = (self.flows.now() - flow["created_at"]).total_seconds()
        metrics.FLOWS.observe((self.flows.service, flow["name"], state), took)
        log.info("flow %s%s %s after %.3f s", flow["name"], whose, state, took)
        if self.on_end is not None:
            try:
                self.on_end(flow, run.steps, state)
            except Exception:
                # It has ended, whoever hears of it.
                log.exception("the end of flow %s could not be told", flow["id"])

    def _leave_to_newer(self, flow: Row) -> None:
        """A flow, or a version of it, that this conductor does not know: some process is of newer code. It is
        not touched, so that a conductor of that code finds it due; the row says whom it waits for."""
        wanted = f"conductor with {flow['name']} version {flow['version']}"
        log.info("flow %s is left to a %s", flow["id"], wanted)
        say = self.flows.statements.say_for_whom
        self.flows.database.write(lambda tx: say.run(tx, row=flow["id"], waiting_on=wanted))

    def _renew_leases(self) -> None:
        due = self._started
        while self._pause_until(due := due + self._lease / 3):
            with self._lock:
                mine = sorted(self._claimed)
            if not mine:
                continue

            def unit(tx: Transaction, ids: list[str] = mine) -> None:
                ends = self._lease_end(self.flows.now())
                for flow_id in ids:
                    self.flows.statements.renew.run(tx, row=flow_id, holder=self.owner, due_at=ends)

            try:
                self.flows.database.write(unit)
            except Exception:
                log.exception("the leases of %s could not be renewed", self.owner)

    def _look_for_due(self) -> None:
        while True:
            try:
                self._show_questions()
                for flow_id in self.flows.database.read(self.due):
                    self.nudge(flow_id)
                self._retention.when_due()
            except Exception:
                log.exception("%s could not look for flows", self.owner)
            if not self._pause(self._poll_interval):
                return

    def _show_questions(self) -> None:
        for journal in list(self._journals):
            try:
                journal.show_question()
            except (LeaseLost, JournalAway):
                # Its own thread will meet the same.
                continue

    def due(self, tx: Transaction, limit: int = 500) -> list[str]:
        return [row["id"] for row in self._due.all(tx, moment=self.flows.now(), most=limit)]

    @property
    def at_work(self) -> int:
        """Flows that threads are at now."""
        return len(self._claimed)

    def _pause(self, seconds: float) -> bool:
        """Sleep; False when the engine stops."""
        return self._pause_until(clock.monotonic() + seconds)

    def _pause_until(self, moment: float) -> bool:
        with self._lock:
            return not clock.wait_until(self._lock, lambda: self._stopping, moment)

    def _release_all(self, tx: Transaction) -> None:
        self.flows.statements.release.run(tx, owner=None, due_at=self.flows.now())
