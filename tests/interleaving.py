"""Threads that meet at points, and a seed that says who goes on: many orders of one race, each repeatable.

A point is where a thread is about to change something that others see. Each waits there until all that run
have come to one, or have nothing more to do; then the seed chooses the one that goes on.
"""

import random
import threading
import time
from typing import Any

# Seconds without a new arrival after which everybody is taken to wait at a point.
_STILL = 0.003


class Interleaving:
    def __init__(self, seed: int):
        self.taken: list[str] = []
        self._random = random.Random(seed)
        self._changed = threading.Condition()
        self._waiting: list[tuple[str, threading.Event]] = []
        self._ended = False
        self._thread = threading.Thread(target=self._choose, name="interleaving", daemon=True)

    def __enter__(self) -> "Interleaving":
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        """Everybody goes on freely."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join(10)

    def point(self, label: str) -> None:
        turn = threading.Event()
        with self._changed:
            if self._ended:
                return
            self._waiting.append((label, turn))
            self._changed.notify_all()
        turn.wait(30)

    def watch(self, target: Any, name: str, label: str, *, after: bool = False) -> None:
        """A point before each call of the method, and after it with `after`."""
        original = getattr(target, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            self.point(f"before {label}")
            result = original(*args, **kwargs)
            if after:
                self.point(f"after {label}")
            return result

        setattr(target, name, watched)

    def _choose(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._ended:
                    self._changed.wait()
                if self._ended:
                    for _, turn in self._waiting:
                        turn.set()
                    self._waiting.clear()
                    return
                seen = len(self._waiting)
                end = time.monotonic() + _STILL
                while len(self._waiting) == seen and (left := end - time.monotonic()) > 0:
                    self._changed.wait(left)
                if len(self._waiting) > seen or self._ended:
                    continue
                self._waiting.sort(key=lambda one: one[0])
                label, turn = self._waiting.pop(self._random.randrange(len(self._waiting)))
                self.taken.append(label)
            turn.set()
