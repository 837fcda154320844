"""The journal of one attempt at one flow: every read and write of its rows.

A Run writes through it. Each write is fenced by the attempt's number: when another conductor has claimed
the flow, the write finds no row and LeaseLost ends this run.
"""

import datetime
import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import DBAPIError

from celaje.common import trail
from celaje.common.db import DatabaseTrouble, Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow.errors import JournalAway, LeaseLost
from celaje.common.flow.flows import Flows, Row
from celaje.common.flow.retention import without_secrets
from celaje.common.flow.story import Story
from celaje.common.trail import Hop

# Undo steps are numbered behind all steps, and downwards as they are registered: the last one registered runs
# first, and a worker's fence takes nothing from a flow that it has seen further on.
FIRST_UNDO, LAST_UNDO = 10_000, 19_999

# The note of a step whose every try found nobody who could begin it: it needs no undo.
NEVER_BEGUN = "nobody was there to begin it"


class Journal:
    def __init__(
        self,
        flows: Flows,
        flow: Row,
        steps: list[Row],
        claim: Callable[..., None] | None = None,
    ):
        """`claim(tx, **columns)` takes the flow, or raises LeaseLost; the first write's fence is this."""
        self._flows = flows
        self._statements = flows.statements
        self.flow = flow
        self._steps = {step["number"]: step for step in steps}
        # The last step's outcome goes into the transaction that begins the next one: one commit a step.
        self._unwritten: list[Callable[[Transaction], object]] = []
        self._claim = claim
        # A question that is on its way and that nothing tells of yet.
        self._asked: Row | None = None
        self._lock = threading.RLock()
        # Steps of which no earlier try can have had an effect.
        self._untouched: set[int] = set()
        self._told = flow["checkpoint"]
        # Called before and after each step and write; the crash tests kill here.
        self.on_boundary: Callable[[str, Row], None] | None = None
        self.is_dead: Callable[[], bool] = bool
        self.story: Story | None = None
        self._begun = False

    def boundary(self, where: str) -> None:
        if self.on_boundary:
            self.on_boundary(where, self.flow)

    def now(self) -> datetime.datetime:
        """See `Flows.now`."""
        return self._flows.now()

    @property
    def steps(self) -> list[Row]:
        return [self._steps[number] for number in sorted(self._steps)]

    def recorded(self, number: int) -> Row | None:
        return self._steps.get(number)

    def begin(
        self,
        number: int,
        kind: str,
        name: str,
        target: str | None,
        timeout: float | None,
        *,
        question: bool = False,
    ) -> Row:
        """A step starts, for the first time or again. A `question` may be repeated by anybody: that it was
        asked is written with its answer, or by `show_question`."""
        before = self._steps.get(number)
        now = self.now()
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
            "note": None,
        }
        if before is None or before.get("note") == NEVER_BEGUN:
            self._untouched.add(number)

        if question:
            with self._lock:
                self._asked = step
        else:
            self._write(lambda tx: self._put(tx, step), step=name)
        self._steps[number] = step
        self.boundary(f"before {name}")
        return step

    def show_question(self) -> None:
        """An answer that takes long, or does not come, is waited for in sight, and under a lease. Called by
        the engine now and then too, while the flow is at work."""
        with self._lock:
            if (step := self._asked) is not None:
                self._write(lambda tx: self._put(tx, step), step=step["name"])
                self._asked = None

    def finish(self, step: Row, result: Any, hops: list[Hop] | None = None) -> None:
        self.boundary(f"after {step['name']}")
        self._settle(step, outcome="ok", result=result, finished_at=self.now(), trail=hops)

    def fail(self, step: Row, error: CelajeError, hops: list[Hop] | None = None) -> None:
        self._settle(step, outcome="error", error=error.to_dict(), finished_at=self.now(), trail=hops)

    def not_begun(self, step: Row) -> None:
        """This try reached nobody. Counts only if no earlier one may have been begun."""
        if step["number"] in self._untouched:
            self._settle(step, note=NEVER_BEGUN)

    def begun_after(self, number: int, *, writes: bool) -> bool:
        """Whether any step behind `number` may have had an effect: outside, or, with `writes`, in this
        service's own database."""
        return any(
            number < step["number"] < FIRST_UNDO
            and step.get("note") != NEVER_BEGUN
            and (writes or step["kind"] != "write")
            for step in self._steps.values()
        )

    def _settle(self, step: Row, **values: Any) -> None:
        key = {"row": step["flow_id"], "place": step["number"]}
        with self._lock:
            step.update(values)
            if self._asked is not None:
                # Nothing tells of the question yet: one row for it and its answer.
                self._unwritten.append(lambda tx: self._put(tx, step))
                self._asked = None
            else:
                self._unwritten.append(lambda tx: self._statements.change_step.run(tx, **key, **values))

    def perform(self, number: int, name: str, work: Callable[[Transaction], Any]) -> Any:
        """A write step: `work` and its record in one transaction, so it happens exactly once."""
        step = self._written(number, name)

        def unit(tx: Transaction) -> Any:
            moved = len(tx.moves)
            result = work(tx)
            step["result"] = result
            step["trail"] = trail.moved(tx.moves[moved:]) or None
            self._put(tx, step)
            return result

        self.boundary(f"before {name}")
        result = self._write(unit, step=name)
        self._steps[number] = step
        self.boundary(f"after {name}")
        return result

    def put_off(self, number: int, name: str, work: Callable[[Transaction], object]) -> None:
        """A write step that waits for the flow's next transaction: nothing outside can happen before that.
        What it raises is raised there; then it is not written."""
        step = self._written(number, name)

        def unit(tx: Transaction) -> None:
            moved = len(tx.moves)
            try:
                work(tx)
            except DBAPIError:
                raise
            except Exception:
                self._unwritten.remove(unit)
                del self._steps[number]
                raise
            step["trail"] = trail.moved(tx.moves[moved:]) or None
            self._put(tx, step)

        self.boundary(f"before {name}")
        self._unwritten.append(unit)
        self._steps[number] = step
        self.boundary(f"after {name}")

    def _written(self, number: int, name: str) -> Row:
        now = self.now()
        return {
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

    def refused(self, number: int, name: str, error: CelajeError) -> None:
        """A write step whose work raised: nothing of it was written, but the refusal is part of the story,
        and a replay must meet it again."""
        step = {**self._written(number, name), "outcome": "error", "error": error.to_dict()}
        self._steps[number] = step
        self._unwritten.append(lambda tx: self._put(tx, step))

    def end(self, state: str, work: Callable[[Transaction], Any] | None, **values: Any) -> Any:
        """The flow's last transaction: the resource's final state and the flow's, together. What nobody will
        replay any more keeps no secret."""
        arguments = without_secrets(self.flow["arguments"])
        if arguments is not self.flow["arguments"]:
            values["arguments"] = arguments
        bared = [
            (number, kept)
            for number, step in self._steps.items()
            if (kept := without_secrets(step.get("result"))) is not step.get("result")
        ]

        def unit(tx: Transaction) -> Any:
            for number, kept in bared:
                self._statements.change_step.run(tx, row=self.flow["id"], place=number, result=kept)
            before = len(tx.moves)
            result = work(tx) if work else None
            moved = {"trail": trail.moved(tx.moves[before:])} if tx.moves[before:] else {}
            # Last, since only now it is known what the work moved. Should another have the flow, all of
            # this vanishes.
            self._fence(
                tx,
                state=state,
                due_at=None,
                owner=None,
                token=None,
                waiting_on=None,
                finished_at=self.now(),
                **moved,
                **values,
            )
            return result

        self.boundary(f"before {state}")
        if self._claim is not None and self._unwritten:
            # Its own fence comes too late for what was put off.
            self._write(None, updated_at=self.now())
        result = self._write(unit, ends=True, failed=state == "failed")
        self.boundary(f"after {state}")
        return result

    def suspend(self, waiting_on: str, delay: float) -> None:
        """Give the flow back: it is due again after `delay`, or when what it waits for comes."""
        now = self.now()
        due = min(now + datetime.timedelta(seconds=delay), max(self.flow["deadline_at"], now))
        state = "undoing" if self.flow["state"] == "undoing" else "waiting"
        if state == "undoing":
            due = now + datetime.timedelta(seconds=delay)

        if not waiting_on.startswith("signal:"):
            self._write(None, state=state, waiting_on=waiting_on, owner=None, due_at=due, updated_at=now)
            return

        def unit(tx: Transaction) -> None:
            self._flows.hold(tx, self.flow["id"])
            matched = self._statements.wait_for_signal.run(
                tx,
                row=self.flow["id"],
                held=self.flow["attempt"],
                signal=waiting_on.removeprefix("signal:"),
                moment=now,
                later=due,
                awaited=waiting_on,
                next_state=state,
            )
            if matched != 1:
                raise LeaseLost

        self._write(unit)

    def start_undoing(self, error: CelajeError) -> None:
        self.flow["state"] = "undoing"
        self.flow["error"] = error.to_dict()
        self._write(None, state="undoing", error=error.to_dict())

    def signalled(self, name: str) -> Row | None:
        return self._flows.database.read(self._statements.signal.one, row=self.flow["id"], called=name)

    def _fence(self, tx: Transaction, **values: Any) -> None:
        values.setdefault("updated_at", self.now())
        if self._claim is not None:
            self._claim(tx, **values)
            return
        key = {"row": self.flow["id"], "held": self.flow["attempt"]}
        if self._statements.change.run(tx, **key, **values) != 1:
            raise LeaseLost

    def _put(self, tx: Transaction, step: Row) -> None:
        if step["tries"] > 1:
            self._statements.change_step.run(tx, row=step["flow_id"], place=step["number"], **step)
        else:
            self._statements.add_step.run(tx, **step)

    def _write(
        self,
        unit: Callable[[Transaction], Any] | None,
        *,
        ends: bool = False,
        failed: bool = False,
        **fence: Any,
    ) -> Any:
        """One transaction: what was put off, then `unit`. `fence`: columns of the flow, which are set before
        all that, since nothing of a flow that another has taken may be touched; else `unit` fences."""
        if fence.keys() == {"step"}:
            fence["checkpoint"] = self.flow["checkpoint"]
        with self._lock:
            if self.is_dead():
                raise LeaseLost
            pending = list(self._unwritten)

            def whole(tx: Transaction) -> Any:
                if fence:
                    self._fence(tx, **fence)
                for write in pending:
                    write(tx)
                if self.story is not None and not self._begun:
                    self.story.begin(tx)
                done = unit(tx) if unit is not None else None
                if self.story is not None and ends:
                    self.story.end(tx, failed)
                return done

            try:
                result = self._flows.database.write(whole)
            except DatabaseTrouble as error:
                raise JournalAway(error.message) from error
            self._unwritten.clear()
            self._claim = None
            self._begun = True
            told, self._told = self._told, self.flow["checkpoint"]
        if ends or told != self.flow["checkpoint"]:
            self._flows.changed(self.flow["id"])
        return result
