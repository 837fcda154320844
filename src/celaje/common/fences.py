"""What a worker checks before it takes a step: one step a resource at a time, and never an overtaken one.

Used by every service's `worker.py`. A flow that was taken over, or is being undone, has sent a later step;
a message of an earlier one that arrives after it (it was delayed, or its caller is gone) must not run.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from celaje.common import clock, context, trail
from celaje.common.errors import Conflict

_REMEMBERED = 10_000
# Seconds from which on waiting for the resource is worth a line in the journal.
_NOTEWORTHY = 0.0005


class StepOvertaken(Conflict):
    text = "Step {number} of flow {flow} (attempt {attempt}) was overtaken by a later one and is not run."


class Fences:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._resources: dict[str, tuple[threading.RLock, int]] = {}

    @contextmanager
    def step(self, resource_id: str) -> Iterator[None]:
        """Hold the resource while its step runs. Raises StepOvertaken."""
        with self._lock:
            lock, users = self._resources.get(resource_id, (None, 0))
            lock = lock or threading.RLock()
            self._resources[resource_id] = (lock, users + 1)
        try:
            came = clock.monotonic()
            with lock:
                if clock.monotonic() - came > _NOTEWORTHY:
                    trail.note("lock", "waits for another step", came)
                self._admit()
                yield
        finally:
            with self._lock:
                lock, users = self._resources[resource_id]
                if users == 1:
                    del self._resources[resource_id]
                else:
                    self._resources[resource_id] = (lock, users - 1)

    def _admit(self) -> None:
        step = context.current().step
        if step is None:
            return
        with self._lock:
            mine = (step.attempt, step.number)
            latest = self._latest.get(step.flow_id, mine)
            if mine < latest:
                raise StepOvertaken(number=step.number, flow=step.flow_id, attempt=step.attempt)
            self._latest[step.flow_id] = mine
            self._latest.move_to_end(step.flow_id)
            while len(self._latest) > _REMEMBERED:
                self._latest.popitem(last=False)
