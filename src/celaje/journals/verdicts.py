"""A scheduler's decision as it stands in a journal, in one form: each filter, hosts in, hosts out, and why.

Compute's scheduler counts by filter, volume's names each back end; both are read here for `flow show` and
`why`.
"""

from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]


@dataclass
class Filter:
    name: str
    before: int
    after: int
    # (host, why, how many more are alike): examples
    removed: list[tuple[str, str, int]] = field(default_factory=list)


@dataclass
class Verdict:
    considered: int
    filters: list[Filter]
    # (host, weight or None), best first
    chosen: list[tuple[str, float | None]] = field(default_factory=list)

    @property
    def left(self) -> int:
        return self.filters[-1].after if self.filters else self.considered

    def plain(self) -> Row:
        return {
            "considered": self.considered,
            "filters": [
                {
                    "name": one.name,
                    "before": one.before,
                    "after": one.after,
                    "removed": [
                        {"host": host, "why": why, "alike": alike} for host, why, alike in one.removed
                    ],
                }
                for one in self.filters
            ],
            "chosen": [{"host": host, "weight": weight} for host, weight in self.chosen],
        }


def of_step(step: Row) -> Verdict | None:
    """The decision that a step's result or error holds; None for any other step."""
    result, error = step.get("result"), step.get("error")
    if isinstance(result, dict) and "hosts" in result and "filters" in result:
        return _counted(result, [(one["host"], one.get("weight")) for one in result["hosts"]])
    if isinstance(result, dict) and "backend" in result and "removed" in result:
        return _named(result["removed"], result.get("enabled") or [], result.get("weights") or {})
    details = error.get("details") if isinstance(error, dict) else None
    return of_error(details) if details else None


def of_error(details: Row) -> Verdict | None:
    """From the details of NoValidHost, wherever they are kept."""
    found = details.get("filters")
    if not isinstance(found, list):
        return None
    if "considered" in details:
        return _counted(details, [])
    return _named(found, details.get("enabled") or [], {})


def _counted(data: Row, chosen: list[tuple[str, float | None]]) -> Verdict:
    removing = {one["name"]: one for one in data["filters"]}
    considered = data.get("considered")
    if considered is None:
        considered = data["filters"][0]["before"] if data["filters"] else len(chosen)
    names = data.get("enabled") or list(removing)
    filters, count = [], considered
    for name in names:
        one = removing.get(name)
        if one is None:
            filters.append(Filter(name, count, count))
            continue
        removed = [(each["host"], each["why"], each.get("hosts", 1) - 1) for each in one["removed"]]
        filters.append(Filter(name, one["before"], one["after"], removed))
        count = one["after"]
    return Verdict(considered, filters, chosen)


def _named(removed: list[Row], enabled: list[str], weights: dict[str, float]) -> Verdict:
    considered = len(removed) + len(weights)
    names = list(dict.fromkeys([*enabled, *(row["filter"] for row in removed)]))
    filters, count = [], considered
    for name in names:
        out = [(row["backend"], row["reason"], 0) for row in removed if row["filter"] == name]
        filters.append(Filter(name, count, count - len(out), out))
        count -= len(out)
    order = sorted(weights.items(), key=lambda entry: -entry[1])
    return Verdict(considered, filters, [(name, weight) for name, weight in order])
