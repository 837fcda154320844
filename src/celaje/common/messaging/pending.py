"""A call that waits for its reply: the meeting point of caller and driver.

Made by clients; drivers resolve it, mark it begun, or fail it.
"""

import enum
from _thread import allocate_lock

from celaje.common import clock
from celaje.common.messaging.envelope import Outcome


class Ending(enum.Enum):
    REPLY = "reply"
    TIMEOUT = "timeout"
    LOST = "lost"
    NOBODY = "nobody"


class Pending:
    """`wait` is the caller's; everything else may be called by any thread of the driver."""

    __slots__ = ("_beat", "_ending", "_gate", "_turn", "begun_at", "cause", "outcome")

    def __init__(self) -> None:
        # Held until it has ended: a bare lock wakes its one waiter in a third of a condition's time.
        self._gate = allocate_lock()
        self._gate.acquire()
        # Who takes it out says how the call ends; taking out is atomic.
        self._turn = [None]
        self._ending = Ending.TIMEOUT
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
        if not self._take():
            return False
        self.outcome = outcome
        self._ending = Ending.REPLY
        self._gate.release()
        return True

    def fail(self, ending: Ending, cause: str = "") -> None:
        if self._take():
            self._ending = ending
            self.cause = cause
            self._gate.release()

    def _take(self) -> bool:
        try:
            self._turn.pop()
        except IndexError:
            return False
        return True

    def wait(self, timeout: float, silence: float) -> Ending:
        """Wait `timeout` seconds at most, and give up a callee that began and was silent for `silence`."""
        now = clock.monotonic()
        end = now + timeout
        while not clock.acquire(self._gate, min(end, (self._beat or now) + silence) - now):
            now = clock.monotonic()
            beat = self._beat
            silent = beat is not None and now - beat >= silence
            if now < end and not silent:
                continue
            if not self._take():
                # It is ending at this moment.
                self._gate.acquire()
                break
            if now < end:
                self._ending = Ending.LOST
                self.cause = f"no heartbeat for {silence:g} s"
            break
        return self._ending
