"""The time by which all processes on one database agree: the server's, worked out from a moment when it told.

`Database.read_clock` asks, now and then; between two answers the monotonic clock counts on. Leases, deadlines
and signs of life go by it, since the clocks of two machines may differ.
"""

import datetime
from collections.abc import Callable
from typing import NamedTuple

from celaje.common import clock

# By how much two clocks may come apart in a second without anybody having set them.
_DRIFT = 1e-4


class _Answer(NamedTuple):
    """`moment` of the server was at `at` of the monotonic `clock`, give or take `error` seconds."""

    moment: datetime.datetime
    at: float
    error: float
    clock: clock.Clock

    def now(self, at: float) -> datetime.datetime:
        return self.moment + datetime.timedelta(seconds=at - self.at)

    def doubt(self, at: float) -> float:
        return self.error + _DRIFT * (at - self.at)


class SharedTime:
    """`machine` is this machine's own clock, in force until a server has told its time."""

    def __init__(self, machine: Callable[[], datetime.datetime] = clock.now):
        self._machine = machine
        self._answer: _Answer | None = None

    def told(self, moment: datetime.datetime, asked: float, heard: float) -> None:
        """The server's time, asked and heard at these moments of the monotonic clock. A slow answer tells
        less than a quick one of a while ago; one that contradicts it tells that the server, or its clock, is
        another."""
        answer = _Answer(moment, (asked + heard) / 2, (heard - asked) / 2, clock.current())
        last = self._last()
        if last is not None:
            apart = abs((answer.moment - last.now(answer.at)).total_seconds())
            doubt = last.doubt(answer.at)
            if answer.error > doubt and apart <= answer.error + doubt:
                return
        self._answer = answer

    def now(self) -> datetime.datetime:
        answer = self._last()
        return self._machine() if answer is None else answer.now(clock.monotonic())

    def _last(self) -> _Answer | None:
        answer = self._answer
        return None if answer is None or answer.clock is not clock.current() else answer
