"""What the current work has called and changed, with times: the hops that a journal keeps.

Whoever does a piece of work opens a trail (`kept`): the API for a request, a flow's run for a step, a server
for a message. Whoever leaves the component notes a hop: message clients, REST clients, drivers, waits. A
callee's own hops come back with its answer, so one row tells the whole way. Every hop is counted for
`/metrics` too, whether somebody keeps a trail or not.

A hop is a JSON object: kind (call, cast, rest, wait, lock, driver, state), name, to, at (seconds after the
trail began), took (seconds); and, where there are such: waited (seconds until the callee began), timeout
(seconds), status and request_id (of a REST answer), error (a class), hops (the callee's).
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

from celaje.common import clock, metrics

Hop = dict[str, Any]
T = TypeVar("T")

# A loop in a handler must not fill the journal.
LONGEST = 60


class Trail:
    __slots__ = ("_began", "hops", "left_out")

    def __init__(self) -> None:
        self._began = clock.monotonic()
        self.hops: list[Hop] = []
        self.left_out = 0

    def add(self, kind: str, name: str, began: float, took: float, facts: dict[str, Any]) -> None:
        """As `note`, of a hop that took `took` seconds."""
        if len(self.hops) >= LONGEST:
            self.left_out += 1
            return
        at = began - self._began
        hop: Hop = {"kind": kind, "name": name, "at": round(at, 6), "took": round(took, 6)}
        for key, value in facts.items():
            if value is not None:
                hop[key] = value
        self.hops.append(hop)

    @property
    def seconds(self) -> float:
        """Since the work began."""
        return clock.monotonic() - self._began

    def whole(self) -> list[Hop] | None:
        """What is written down; None when there is nothing."""
        if self.left_out:
            return [*self.hops, {"kind": "left out", "name": f"{self.left_out} more", "at": self.seconds}]
        return self.hops or None


_current: ContextVar[Trail | None] = ContextVar("celaje_trail", default=None)
_keeping = True


def keep(on: bool) -> None:
    """Whether work in this process keeps its hops; `[DEFAULT] trace_hops`."""
    global _keeping  # noqa: PLW0603 - one a process, as its clock
    _keeping = on


class _Kept:
    """No generator, as in `context.py`."""

    __slots__ = ("_mark",)

    def __enter__(self) -> Trail:
        trail = Trail()
        self._mark = _current.set(trail if _keeping else None)
        return trail

    def __exit__(self, *_: object) -> None:
        _current.reset(self._mark)


def kept() -> AbstractContextManager[Trail]:
    """Around one piece of work; hops noted inside are in the trail that it gives."""
    return _Kept()


def current() -> Trail | None:
    return _current.get()


def note(kind: str, name: str, began: float, **facts: Any) -> None:
    """A hop that began at `began` (monotonic) and has just ended."""
    took = clock.monotonic() - began
    metrics.hop(kind, name, took, facts)
    trail = _current.get()
    if trail is not None:
        trail.add(kind, name, began, took, facts)


def moved(moves: list[tuple[str, str, str]]) -> list[Hop]:
    """State changes of one transaction as hops; (resource, its id, the new state)."""
    return [{"kind": "state", "name": what, "id": str(which), "state": state} for what, which, state in moves]


class Watched:
    """A driver whose calls are noted. Reads and writes of its attributes go to the driver itself."""

    def __init__(self, driver: Any):
        object.__setattr__(self, "watched", driver)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.watched, name)
        if name.startswith("_") or not callable(found):
            return found
        return _noted(self.watched, name, found)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.watched, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.watched, name)


def watched(driver: T) -> T:
    return cast(T, Watched(driver))


def _noted(driver: Any, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def noted(*args: Any, **kwargs: Any) -> Any:
        began = clock.monotonic()
        error = None
        try:
            return call(*args, **kwargs)
        except BaseException as problem:
            error = type(problem).__name__
            raise
        finally:
            note("driver", name, began, to=type(driver).__name__, error=error)

    return noted
