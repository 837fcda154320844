"""Work that repeats: heartbeats, capability reports, reads that close the gap of a lost message.

One thread per service runs all of its tasks in turn, so a task must be short.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from celaje.common import clock

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Task:
    work: Callable[[], object]
    interval: float | None
    due: float


class Periodic:
    def __init__(self, name: str):
        self._name = name
        self._tasks: list[Task] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._news = False  # a task has come while the thread waits
        self._thread: threading.Thread | None = None

    def every(self, interval: float, work: Callable[[], object], *, at_once: bool = False) -> None:
        """Run `work` each `interval` seconds; `at_once` also right at the start."""
        with self._changed:
            due = clock.monotonic() + (0.0 if at_once else interval)
            self._tasks.append(Task(work, interval, due))
            self._news = True
            self._changed.notify_all()

    def once(self, delay: float, work: Callable[[], object]) -> None:
        """Run `work` after `delay` seconds, once."""
        with self._changed:
            self._tasks.append(Task(work, None, clock.monotonic() + delay))
            self._news = True
            self._changed.notify_all()

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"periodic {self._name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread:
            self._thread.join(timeout=5)

    def run_now(self) -> None:
        """All tasks once, in the caller's thread; tests and clean shut-downs use it."""
        for task in list(self._tasks):
            self._do(task)

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopping:
                    return
                now = clock.monotonic()
                due = [task for task in self._tasks if task.due <= now]
                if not due:
                    soonest = min((task.due for task in self._tasks), default=None)
                    self._news = False
                    clock.wait_until(self._changed, lambda: self._stopping or self._news, soonest)
                    continue
                self._tasks = [task for task in self._tasks if task.interval is not None or task not in due]
            for task in due:
                if task.interval is not None:
                    task.due = clock.monotonic() + task.interval
                self._do(task)

    def _do(self, task: Task) -> None:
        try:
            task.work()
        except Exception as error:
            log.warning("%s: %s failed: %s", self._name, getattr(task.work, "__name__", task.work), error)
