"""One attempt at one flow: what a flow's function calls.

The engine makes a Run and calls the flow's function with it. Steps that the journal holds are answered from
it; the first one that it does not hold is really done. Every method may leave the function by one of the
signals in `errors.py`, so a flow's function needs no clean-up of its own: it registers undo steps.
"""

import datetime
import logging
import uuid
from collections.abc import Callable
from typing import Any

import msgspec

from celaje.common import context, trail
from celaje.common.context import RequestContext, Step
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError, NotFound
from celaje.common.flow.definition import UNDO_GRACE
from celaje.common.flow.errors import DeadlineExceeded, FlowMismatch, InternalFlowError, Suspended, Unwind
from celaje.common.flow.journal import LAST_UNDO, Journal, Row
from celaje.common.messaging.client import Sender
from celaje.common.messaging.errors import MessagingTimeout, NoSuchServer, NotTakenUp
from celaje.common.trail import Hop

log = logging.getLogger(__name__)

_LONGEST_DELAY = 30.0
_UNDO_TRIES = 5


class Run:
    """`conductor` is what the service's flows work with: its database queries, its messages' clients, its
    REST clients of other services."""

    def __init__(self, journal: Journal, conductor: Any, request: RequestContext):
        self.conductor = conductor
        self.request = request
        self._journal = journal
        self._number = 0
        self._identifiers = 0
        self._undos: list[tuple[int, int, str, Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []
        self._undoing = False
        self.ended = False

    @property
    def flow(self) -> Row:
        """The flow's row as it was claimed."""
        return self._journal.flow

    @property
    def id(self) -> str:
        return self._journal.flow["id"]

    @property
    def steps(self) -> list[Row]:
        """What the journal holds of this flow, in order."""
        return self._journal.steps

    def step(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Do `call` once: a message to a scheduler or worker, or a REST request to another service. It may
        run again after a crash, so it must be idempotent; its message carries the step's key. A service that
        is not there suspends the flow; a domain error is recorded and raised here."""
        return self._step(call, args, kwargs, question=False)

    def ask(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """As `step`, for a call that changes nothing: it may go out before anything tells of it, and need
        not be alone. Its record is written with what comes next: a transaction less."""
        return self._step(call, args, kwargs, question=True)

    def _step(self, call: Callable[..., Any], args: Any, kwargs: Any, *, question: bool) -> Any:
        number = self._next()
        name, target, timeout = describe(call)
        recorded = self._recall(number, name)
        if recorded and recorded["outcome"]:
            return self._outcome(recorded)
        self._may_go_on(name)
        step = self._journal.begin(number, "step", name, target, timeout, question=question)
        hops: list[Hop] = []
        try:
            result = self._call(step, call, args, kwargs, hops)
        except CelajeError as error:
            if _is_no_answer(error):
                self._journal.show_question()
                if isinstance(error, NoSuchServer) and not error.remote:
                    self._journal.not_begun(step)
                raise Suspended(target or name, _delay(step["tries"])) from error
            self._journal.fail(step, error, hops or None)
            raise
        except Exception as unexpected:
            self._journal.fail(step, _internal(self.flow["name"], unexpected), hops or None)
            raise
        self._journal.finish(step, result, hops or None)
        return result

    def write(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """SQL of this service's own database, in the same transaction as its record: exactly once."""
        number = self._next()
        name = getattr(work, "__name__", str(work))
        recorded = self._recall(number, name)
        if recorded and recorded["outcome"]:
            return self._outcome(recorded)
        self._may_go_on(name)
        try:
            return self._journal.perform(number, name, lambda tx: _plain(work(tx, *args, **kwargs)))
        except CelajeError as error:
            self._journal.refused(number, name, error)
            raise

    def note(self, work: Callable[..., object], /, *args: Any, **kwargs: Any) -> None:
        """As `write`, where the function goes on in any case: it shares the transaction of what comes next,
        and what it raises is raised there."""
        number = self._next()
        name = getattr(work, "__name__", str(work))
        recorded = self._recall(number, name)
        if recorded and recorded["outcome"]:
            self._outcome(recorded)
            return
        self._may_go_on(name)
        self._journal.put_off(number, name, lambda tx: work(tx, *args, **kwargs))

    def wait(self, name: str, timeout: float | None = None) -> Any:
        """Wait, without holding a thread, until somebody signals `name` to this flow; returns the signal's
        data. Raises DeadlineExceeded after `timeout` seconds, or at the flow's deadline."""
        number = self._next()
        recorded = self._recall(number, name)
        if recorded and recorded["outcome"]:
            return self._outcome(recorded)
        self._may_go_on(name)
        step = recorded or self._journal.begin(number, "wait", name, f"signal:{name}", timeout)
        signal = self._journal.signalled(name)
        if signal is not None:
            self._journal.finish(step, signal["data"])
            return signal["data"]
        left = (self.flow["deadline_at"] - self._journal.now()).total_seconds()
        if timeout is not None:
            left = min(left, timeout - (self._journal.now() - step["started_at"]).total_seconds())
        if left <= 0:
            error = DeadlineExceeded(flow=self.flow["name"], step=name, waiting=f", waiting for {name}")
            self._journal.fail(step, error)
            raise error
        raise Suspended(f"signal:{name}", left)

    def undo(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """Should the flow fail from here on: do this then, in reverse order of registration. Register it
        before the step it takes back, since a step that was cut off may have had its effect. It is left out
        where nothing behind it can have been begun."""
        name = describe(call)[0]
        self._undos.append((self._number, LAST_UNDO - len(self._undos), name, call, args, kwargs))

    def undo_write(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """An undo that is SQL of this service's own database."""
        name = getattr(work, "__name__", str(work))
        self._undos.append((self._number, LAST_UNDO - len(self._undos), name, _Write(work), args, kwargs))

    def checkpoint(self, name: str) -> None:
        """Whoever waits for this checkpoint may go on, once the next step has begun."""
        self._journal.flow["checkpoint"] = name

    def done(self, work: Callable[..., Any] | None = None, /, *args: Any, result: Any = None) -> None:
        """The flow's end: `work(tx, *args)` brings the resource into its final state in the transaction
        that ends the flow. Nothing may follow."""
        self._may_go_on("done")
        self._journal.end(
            "done",
            (lambda tx: work(tx, *args)) if work else None,
            result=_plain(result),
            step=None,
            checkpoint=self.flow["checkpoint"],
        )
        self.ended = True

    def new_uuid(self) -> str:
        """An identifier that is the same whenever this point is reached: steps that create something in
        another service name it by this, so that a repetition finds it."""
        self._identifiers += 1
        return str(uuid.uuid5(uuid.UUID(self.id), str(self._identifiers)))

    # What the engine calls when the function has failed.

    def unwind(self, error: CelajeError, way_out: Callable[[Transaction, Row, CelajeError], None]) -> None:
        """Run the undo steps in reverse, then end the flow by its way out."""
        if self.flow["state"] != "undoing":
            self._journal.start_undoing(error)
        for after, number, name, call, args, kwargs in reversed(self._undos):
            if self._journal.begun_after(after, writes=isinstance(call, _Write)):
                self._undo(number, name, call, args, kwargs)
        self._journal.end("failed", lambda tx: way_out(tx, self.flow, error))
        self.ended = True

    def _undo(self, number: int, name: str, call: Callable[..., Any], args: Any, kwargs: Any) -> None:
        recorded = self._recall(number, name)
        if recorded and recorded["outcome"]:
            return
        if isinstance(call, _Write):
            write = call.work
            self._journal.perform(number, name, lambda tx: _plain(write(tx, *args, **kwargs)))
            return
        _, target, timeout = describe(call)
        step = self._journal.begin(number, "undo", name, target, timeout)
        try:
            hops: list[Hop] = []
            result = self._call(step, call, args, kwargs, hops)
            self._journal.finish(step, result, hops or None)
        except NotFound:
            self._journal.finish(step, None)  # nothing there to take back
        except CelajeError as error:
            late = self._journal.now() > self.flow["deadline_at"] + datetime.timedelta(seconds=UNDO_GRACE)
            may_pass = error.kind == "unavailable" or step["tries"] < _UNDO_TRIES
            if may_pass and not late:
                raise Suspended(target or name, _delay(step["tries"])) from error
            log.error("flow %s leaves its undo step %s undone: %s", self.id, name, error)
            self._journal.fail(step, error)

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _recall(self, number: int, name: str) -> Row | None:
        recorded = self._journal.recorded(number)
        if recorded and recorded["name"] != name:
            raise FlowMismatch(flow=self.flow["name"], number=number, found=recorded["name"], expected=name)
        return recorded

    @staticmethod
    def _outcome(recorded: Row) -> Any:
        if recorded["outcome"] == "error":
            raise CelajeError.from_dict(recorded["error"])
        return recorded.get("result")

    def _may_go_on(self, name: str) -> None:
        """Before anything new is done: a flow that is being undone turns round here, and so does one whose
        deadline has passed."""
        if self.flow["state"] == "undoing":
            raise Unwind(CelajeError.from_dict(self.flow["error"]))
        if self._journal.now() >= self.flow["deadline_at"]:
            waiting_on = self.flow.get("waiting_on")
            waiting = f", waiting for {waiting_on}" if waiting_on else ""
            raise Unwind(DeadlineExceeded(flow=self.flow["name"], step=name, waiting=waiting))

    def _call(self, step: Row, call: Callable[..., Any], args: Any, kwargs: Any, hops: list[Hop]) -> Any:
        mark = Step(self.id, step["number"], self.flow["attempt"])
        with context.using(self.request.at(mark)), trail.kept() as kept:
            log.debug("step %s%s", step["name"], f" -> {step['target']}" if step["target"] else "")
            try:
                return _plain(call(*args, **kwargs))
            finally:
                hops += kept.whole() or ()


class _Write:
    def __init__(self, work: Callable[..., Any]):
        self.work = work
        self.__name__ = getattr(work, "__name__", str(work))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("a write step runs in the journal's transaction")


def describe(call: Callable[..., Any]) -> tuple[str, str | None, float | None]:
    """Name, target and timeout in seconds of a step, for the journal. A message tells its own; operations of
    REST clients carry `step_name` and `step_target`; a plain function has its name."""
    if isinstance(call, Sender):
        target = call.target
        return f"{target.topic}.{call.message.name}", call.where, call.timeout
    name = getattr(call, "step_name", None) or getattr(call, "__name__", None) or type(call).__name__
    return str(name), getattr(call, "step_target", None), getattr(call, "step_timeout", None)


def _is_no_answer(error: CelajeError) -> bool:
    """Nobody there, or nobody heard of: the work waits. The timeout of a callee that was heard to be at work
    is an answer: the step had its time. So is one that the callee met in a call of its own."""
    if isinstance(error, MessagingTimeout):
        return isinstance(error, NotTakenUp) and not error.remote
    return error.kind == "unavailable"


def _plain(value: Any) -> Any:
    """The value as the journal will give it back on a replay: JSON's types only."""
    return msgspec.json.decode(msgspec.json.encode(value)) if value is not None else None


def _internal(flow: str, unexpected: Exception) -> InternalFlowError:
    return InternalFlowError(flow=flow, cause=type(unexpected).__name__)


def _delay(tries: int) -> float:
    return min(_LONGEST_DELAY, 0.5 * 2.0 ** min(tries, 10))
