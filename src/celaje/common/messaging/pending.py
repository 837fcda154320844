"""A call that waits for its reply: the meeting point of caller and driver.

Made by clients; drivers resolve it, mark it begun, or fail it.
"""

import enum
import threading

from celaje.common import clock
from celaje.common.messaging.envelope import Outcome


class Ending(enum.Enum):
    REPLY = "reply"
    TIMEOUT = "timeout"
    LOST = "lost"
    NOBODY = "nobody"


class Pending:
    """`wait` is the caller's; everything else may be called by any thread of the driver."""

    __slots__ = ("_beat", "_condition", "_ending", "begun_at", "cause", "outcome")

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._ending: Ending | None = None
        self._beat: float | None = None
        # When the callee was first heard to be at work (monotonic).
        self.begun_at: float | None = None
        self.outcome: Outcome | None = None
        self.cause = ""

    @property
    def begun(self) -> bool:
        return self._beat is not None

    def beat(self) -> None:
        """The callee has begun, or is still at work. The caller need not wake up for it."""
        self._beat = clock.monotonic()
        if self.begun_at is None:
            self.begun_at = self._beat

    def resolve(self, outcome: Outcome) -> bool:
        """Hand over the outcome; False when the caller has left."""
        with self._condition:
            if self._ending is not None:
                return False
            self.outcome = outcome
            self._ending = Ending.REPLY
            self._condition.notify()
            return True

    def fail(self, ending: Ending, cause: str = "") -> None:
        with self._condition:
            if self._ending is None:
                self._ending = ending
                self.cause = cause
                self._condition.notify()

    def wait(self, timeout: float, silence: float) -> Ending:
        """Wait `timeout` seconds at most, and give up a callee that began and was silent for `silence`."""
        with self._condition:
            now = clock.monotonic()
            end = now + timeout
            while self._ending is None:
                beat = self._beat
                if now >= end:
                    self._ending = Ending.TIMEOUT
                elif beat is not None and now - beat >= silence:
                    self._ending = Ending.LOST
                    self.cause = f"no heartbeat for {silence:g} s"
                else:
                    clock.wait(self._condition, min(end, (now if beat is None else beat) + silence) - now)
                    now = clock.monotonic()
            return self._ending
