"""One hop of a story: who did what, when, for how long, what would have ended it, and what came of it."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from celaje.common import clock
from celaje.common.log import mask, masked

# How a hop stands: ok, error, running (it has no end yet), waiting (for somebody).
OPEN = ("running", "waiting")


@dataclass
class Node:
    """`kind`: request, flow, step, write, wait, undo, rest, call, cast, driver, lock, state.
    `who` is the component. `waited` is how long a message lay before it was begun, `limit` after how long
    somebody would have given up, `ends` which timeout it is. All durations are seconds."""

    kind: str
    who: str
    what: str
    at: datetime.datetime | None = None
    took: float | None = None
    waited: float | None = None
    limit: float | None = None
    ends: str = ""
    outcome: str = "ok"
    caller: str = ""
    error: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    children: list["Node"] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Words of drivers and clients: whatever journal they come from, no secret is shown.
        if self.error:
            self.error = mask(self.error)
        self.facts = masked(self.facts)

    def walk(self) -> Iterator["Node"]:
        yield self
        for child in self.children:
            yield from child.walk()

    def plain(self) -> dict[str, Any]:
        """For JSON; what is not known is not there."""
        found: dict[str, Any] = {"kind": self.kind, "who": self.who, "what": self.what}
        if self.at is not None:
            found["at"] = clock.iso(self.at, microseconds=True, zulu=True)
        for name in ("took", "waited", "limit", "ends", "caller", "error", "facts"):
            value = getattr(self, name)
            if value not in (None, "", {}):
                found[name] = value
        found["outcome"] = self.outcome
        if self.children:
            found["children"] = [child.plain() for child in self.children]
        return found

    @property
    def is_open(self) -> bool:
        return any(node.outcome in OPEN for node in self.walk() if node.kind == "flow")
