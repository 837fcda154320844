"""Faults on the bus, for tests: lose or hold back what matches.

Every driver passes its traffic through here; without rules that costs one look at an empty list.
"""

import threading
from collections.abc import Callable
from typing import NamedTuple, Protocol

from celaje.common.messaging.envelope import Envelope


class Passing(NamedTuple):
    """What a rule looks at. `kind` is call, cast, fanout, reply or heartbeat; `envelope` is the request
    (for a reply or heartbeat the one that it belongs to)."""

    kind: str
    envelope: Envelope


class Event(Protocol):
    def wait(self, timeout: float | None = None) -> bool: ...


Predicate = Callable[[Passing], bool]


class Faults:
    def __init__(self) -> None:
        self._rules: list[tuple[Predicate, Event | None]] = []
        self._closed = False

    @property
    def active(self) -> bool:
        return bool(self._rules)

    def add(self, predicate: Predicate, event: Event | None) -> Callable[[], None]:
        rule = (predicate, event)
        self._rules = [*self._rules, rule]

        def remove() -> None:
            self._rules = [other for other in self._rules if other is not rule]

        return remove

    def close(self) -> None:
        """What is held back is lost."""
        self._closed = True

    def passes(self, kind: str, envelope: Envelope, deliver: Callable[[], object]) -> bool:
        """True when the driver shall deliver now; a delayed one is delivered by `deliver` later."""
        for predicate, event in self._rules:
            if predicate(Passing(kind, envelope)):
                if event is not None:
                    threading.Thread(target=self._hold, args=(event, deliver), daemon=True).start()
                return False
        return True

    def _hold(self, event: Event, deliver: Callable[[], object]) -> None:
        # Short waits, so that closing the bus ends this thread although the event never comes.
        while not event.wait(0.05):
            if self._closed:
                return
        if not self._closed:
            deliver()
