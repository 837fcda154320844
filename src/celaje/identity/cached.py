"""Small things read with every login and changed rarely (the catalog, which role implies which), kept in
memory. A change in this process is seen at once, one of another process after a few seconds."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from celaje.common import clock
from celaje.common.db import Transaction

T = TypeVar("T")


class Cached(Generic[T]):
    """`load(tx)` reads the value; it is kept for `seconds`."""

    def __init__(self, load: Callable[[Transaction], T], seconds: float):
        self._load = load
        self._seconds = seconds
        self._lock = threading.Lock()
        self._value: T | None = None
        self._until = 0.0
        self._generation = 0

    def get(self, tx: Transaction) -> T:
        value = self._value
        if value is not None and clock.monotonic() < self._until:
            return value
        with self._lock:
            generation = self._generation
        value = self._load(tx)
        with self._lock:
            # Read before somebody's change: good for this caller, not for the next one.
            if generation == self._generation:
                self._value = value
                self._until = clock.monotonic() + self._seconds
        return value

    def changed_by(self, tx: Transaction) -> None:
        """The unit changes what is kept: forget it once that is durable."""
        tx.after_commit(self.forget)

    def forget(self) -> None:
        with self._lock:
            self._generation += 1
            self._value = None
