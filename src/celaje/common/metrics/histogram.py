"""How often, how long in all, and how many within each bound: one row for each set of labels."""

import threading
from bisect import bisect_left
from collections.abc import Iterator

# Seconds: from a read out of memory to a step that somebody waits for in vain.
USUAL = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)

Labels = tuple[str, ...]


class Histogram:
    """`buckets` are upper bounds in seconds; none: count and sum only."""

    def __init__(self, name: str, about: str, labels: Labels, buckets: tuple[float, ...] = USUAL):
        self.name = name
        self.about = about
        self.labels = labels
        self._bounds = buckets
        self._lock = threading.Lock()
        # labels -> [sum, count up to each bound alone, count beyond the last]
        self._rows: dict[Labels, list[float]] = {}

    def observe(self, labels: Labels, seconds: float) -> None:
        at = 1 + bisect_left(self._bounds, seconds)
        with self._lock:
            row = self._rows.get(labels)
            if row is None:
                row = self._rows[labels] = [0.0] * (len(self._bounds) + 2)
            row[0] += seconds
            row[at] += 1

    def samples(self) -> Iterator[tuple[str, dict[str, str], float]]:
        """(name, labels, value) as Prometheus' text format wants them."""
        with self._lock:
            rows = {labels: list(row) for labels, row in self._rows.items()}
        for values, row in sorted(rows.items()):
            labels = dict(zip(self.labels, values, strict=True))
            reached = 0.0
            if self._bounds:
                for bound, count in zip((*self._bounds, float("inf")), row[1:], strict=True):
                    reached += count
                    yield f"{self.name}_bucket", {**labels, "le": _bound(bound)}, reached
            yield f"{self.name}_count", labels, sum(row[1:])
            yield f"{self.name}_sum", labels, row[0]

    @property
    def kind(self) -> str:
        return "histogram" if self._bounds else "summary"


def _bound(seconds: float) -> str:
    return "+Inf" if seconds == float("inf") else f"{seconds:g}"
