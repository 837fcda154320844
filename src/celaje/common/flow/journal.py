"""The journal of one attempt at one flow: every read and write of its rows.

A Run writes through it. Each write is fenced by the attempt's number: when another conductor has claimed
the flow, the write finds no row and LeaseLost ends this run.
"""

import datetime
from collections.abc import Callable
from typing import Any

from sqlalchemy import case, update
from sqlalchemy.exc import IntegrityError

from celaje.common import clock
from celaje.common.db import Transaction, fetch_one
from celaje.common.errors import CelajeError
from celaje.common.flow.errors import LeaseLost
from celaje.common.flow.flows import Flows, Row

# Undo steps are numbered behind all steps, in the order in which they were registered.
FIRST_UNDO = 10_000


class Journal:
    def __init__(self, flows: Flows, flow: Row, steps: list[Row]):
        self._flows = flows
        self.flow = flow
        self._steps = {step["number"]: step for step in steps}
        # The last step's outcome goes into the transaction that begins the next one: one commit a step.
        self._unwritten: list[Callable[[Transaction], None]] = []
        # Called before and after each step and write; the crash tests kill here.
        self.on_boundary: Callable[[str, Row], None] | None = None
        self.is_dead: Callable[[], bool] = bool

    def boundary(self, where: str) -> None:
        if self.on_boundary:
            self.on_boundary(where, self.flow)

    def recorded(self, number: int) -> Row | None:
        return self._steps.get(number)

    def begin(self, number: int, kind: str, name: str, target: str | None, timeout: float | None) -> Row:
        """A step starts, for the first time or again."""
        before = self._steps.get(number)
        now = clock.now()
        step: Row = {
            "flow_id": self.flow["id"],
            "number": number,
            "kind": kind,
            "name": name,
            "target": target,
            "timeout": None if timeout is None else round(timeout),
            "attempt": self.flow["attempt"],
            "tries": (before["tries"] if before else 0) + 1,
            "started_at": before["started_at"] if before else now,
            "finished_at": None,
            "outcome": None,
        }
        self._steps[number] = step

        def unit(tx: Transaction) -> None:
            self._fence(tx, step=name, checkpoint=self.flow["checkpoint"])
            self._put(tx, step, before is not None)

        self._write(unit)
        self.boundary(f"before {name}")
        return step

    def finish(self, step: Row, result: Any) -> None:
        self.boundary(f"after {step['name']}")
        step.update(outcome="ok", result=result, finished_at=clock.now())
        self._unwritten.append(lambda tx: self._put(tx, step, True))

    def fail(self, step: Row, error: CelajeError) -> None:
        step.update(outcome="error", error=error.to_dict(), finished_at=clock.now())
        self._unwritten.append(lambda tx: self._put(tx, step, True))

    def perform(self, number: int, name: str, work: Callable[[Transaction], Any]) -> Any:
        """A write step: `work` and its record in one transaction, so it happens exactly once."""
        now = clock.now()
        step: Row = {
            "flow_id": self.flow["id"],
            "number": number,
            "kind": "write",
            "name": name,
            "attempt": self.flow["attempt"],
            "tries": 1,
            "started_at": now,
            "finished_at": now,
            "outcome": "ok",
        }

        def unit(tx: Transaction) -> Any:
            self._fence(tx, step=name, checkpoint=self.flow["checkpoint"])
            result = work(tx)
            step["result"] = result
            self._put(tx, step, False)
            return result

        self.boundary(f"before {name}")
        result = self._write(unit)
        self._steps[number] = step
        self.boundary(f"after {name}")
        return result

    def refused(self, number: int, name: str, error: CelajeError) -> None:
        """A write step whose work raised: nothing of it was written, but the refusal is part of the story,
        and a replay must meet it again."""
        now = clock.now()
        step: Row = {
            "flow_id": self.flow["id"],
            "number": number,
            "kind": "write",
            "name": name,
            "attempt": self.flow["attempt"],
            "tries": 1,
            "started_at": now,
            "finished_at": now,
            "outcome": "error",
            "error": error.to_dict(),
        }
        self._steps[number] = step
        self._unwritten.append(lambda tx: self._put(tx, step, False))

    def end(self, state: str, work: Callable[[Transaction], Any] | None, **values: Any) -> Any:
        """The flow's last transaction: the resource's final state and the flow's, together."""

        def unit(tx: Transaction) -> Any:
            now = clock.now()
            self._fence(
                tx,
                state=state,
                due_at=None,
                owner=None,
                token=None,
                waiting_on=None,
                finished_at=now,
                **values,
            )
            return work(tx) if work else None

        self.boundary(f"before {state}")
        result = self._write(unit)
        self.boundary(f"after {state}")
        return result

    def suspend(self, waiting_on: str, delay: float) -> None:
        """Give the flow back: it is due again after `delay`, or when what it waits for comes."""
        now = clock.now()
        due = min(now + datetime.timedelta(seconds=delay), max(self.flow["deadline_at"], now))
        state = "undoing" if self.flow["state"] == "undoing" else "waiting"
        if state == "undoing":
            due = now + datetime.timedelta(seconds=delay)
        signals = self._flows.tables.signals

        def unit(tx: Transaction) -> None:
            values: dict[str, Any] = {"state": state, "waiting_on": waiting_on, "owner": None, "due_at": due}
            if waiting_on.startswith("signal:"):
                # A signal that came between the look and this write must not be slept through.
                arrived = (
                    signals.select()
                    .with_only_columns(signals.c.name)
                    .where(
                        signals.c.flow_id == self.flow["id"],
                        signals.c.name == waiting_on.removeprefix("signal:"),
                    )
                    .exists()
                )
                values["due_at"] = case((arrived, now), else_=due)
            values["updated_at"] = now
            self._fence(tx, **values)

        self._write(unit)

    def start_undoing(self, error: CelajeError) -> None:
        self.flow["state"] = "undoing"
        self.flow["error"] = error.to_dict()
        self._write(lambda tx: self._fence(tx, state="undoing", error=error.to_dict()))

    def signalled(self, name: str) -> Row | None:
        signals = self._flows.tables.signals
        return self._flows.database.read(
            fetch_one,
            signals.select().where(signals.c.flow_id == self.flow["id"], signals.c.name == name),
        )

    def _fence(self, tx: Transaction, **values: Any) -> None:
        flows = self._flows.tables.flows
        values.setdefault("updated_at", clock.now())
        mine = update(flows).where(
            flows.c.id == self.flow["id"],
            flows.c.attempt == self.flow["attempt"],
            flows.c.finished_at.is_(None),
        )
        if tx.execute(mine.values(**values)).rowcount != 1:
            raise LeaseLost

    def _put(self, tx: Transaction, step: Row, exists: bool) -> None:
        steps = self._flows.tables.steps
        if exists:
            key = (steps.c.flow_id == step["flow_id"], steps.c.number == step["number"])
            tx.execute(update(steps).where(*key).values(**step))
        else:
            tx.execute(steps.insert().values(**step))

    def _write(self, unit: Callable[[Transaction], Any]) -> Any:
        if self.is_dead():
            raise LeaseLost
        pending = list(self._unwritten)

        def whole(tx: Transaction) -> Any:
            for write in pending:
                write(tx)
            return unit(tx)

        try:
            result = self._flows.database.write(whole)
        except IntegrityError as error:  # a second runner of the same attempt cannot be
            raise LeaseLost from error
        self._unwritten.clear()
        self._flows.changed()
        return result
