"""What a flow is: a named, versioned function with a deadline and a way out.

Conductors' modules declare flows with the decorator; `Flows` and `Engine` look them up by name and version.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from celaje.common.db import Transaction
from celaje.common.errors import CelajeError

if TYPE_CHECKING:
    from celaje.common.flow.run import Run

# How long after the deadline a flow still tries to undo before it leaves an undo step behind.
UNDO_GRACE = 600.0

WayOut = Callable[[Transaction, dict[str, Any], CelajeError], None]


@dataclass(frozen=True, slots=True)
class Flow:
    """`deadline` is an option of the service's [flows] group or a number of seconds. `way_out(tx, flow
    row, error)` brings the resource into its defined state when the flow has failed and undone its steps; it
    runs in the transaction that ends the flow."""

    name: str
    function: Callable[..., Any]
    deadline: str | float
    way_out: WayOut
    version: int = 1

    def __call__(self, run: "Run", **arguments: Any) -> Any:
        return self.function(run, **arguments)


def flow(
    name: str, *, deadline: str | float, way_out: WayOut, version: int = 1
) -> Callable[[Callable[..., Any]], Flow]:
    """Declare a flow. The function gets a Run and the submitted arguments by name; it may do nothing but
    steps, since it is called again from its start whenever the flow is taken up."""

    def declare(function: Callable[..., Any]) -> Flow:
        return Flow(name, function, deadline, way_out, version)

    return declare


class FlowTable:
    """All flows of one service, by name and version; the newest version is the one submitted."""

    def __init__(self, flows: Iterable[Flow]):
        self._flows: dict[tuple[str, int], Flow] = {}
        for declared in flows:
            key = (declared.name, declared.version)
            if key in self._flows:
                raise ValueError(f"flow {declared.name} version {declared.version} is declared twice")
            self._flows[key] = declared

    def newest(self, name: str) -> Flow:
        return max((f for f in self._flows.values() if f.name == name), key=lambda f: f.version)

    def known(self, name: str, conductors: Iterable[dict[str, int]]) -> Flow:
        """The newest version that all `conductors` run, each given by what it reports (`beyond_first`); the
        newest at all when they have none of them in common."""
        newest = self.newest(name)
        limit = min((each.get(name, 1) for each in conductors), default=newest.version)
        within = [f for f in self._flows.values() if f.name == name and f.version <= limit]
        return max(within, key=lambda f: f.version) if within else newest

    def beyond_first(self) -> dict[str, int]:
        """Of the flows that have changed their steps: the newest version."""
        changed = {f.name for f in self._flows.values() if f.version > 1}
        return {name: self.newest(name).version for name in sorted(changed)}

    def get(self, name: str, version: int) -> Flow | None:
        return self._flows.get((name, version))

    def __iter__(self):
        return iter(self._flows.values())
