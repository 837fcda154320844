"""When this process was last cut off from where it hears of the others: a broker, a database.

Links and pools note it. Whoever takes silence for death (schedulers, service records) leaves that time out,
since nobody could have been heard in it.
"""

import math

from celaje.common import clock

# Outages closer together than this many seconds are one: between them hardly anybody was heard.
_APART = 60.0


class Outage:
    """The last one. `begin` and `end` are the owner's alone; anybody may ask."""

    def __init__(self) -> None:
        # (began, ended), by the monotonic clock; ended is infinite while it lasts.
        self._last: tuple[float, float] | None = None

    @property
    def lasts(self) -> bool:
        return self._last is not None and self._last[1] == math.inf

    def begin(self, at: float | None = None) -> None:
        """`at`: the moment of `clock.monotonic` when something was heard for the last time."""
        moment = clock.monotonic() if at is None else at
        if self._last is not None and moment - self._last[1] < _APART:
            moment = self._last[0]
        self._last = (moment, math.inf)

    def end(self) -> None:
        if self.lasts:
            assert self._last is not None
            self._last = (self._last[0], clock.monotonic())

    def unheard(self, settling: float) -> float:
        """How many seconds, back from now, silence tells nothing: since the outage began, while it lasts and
        until everybody has had `settling` seconds after it to be heard again. Otherwise 0."""
        if self._last is None:
            return 0.0
        began, ended = self._last
        now = clock.monotonic()
        return now - began if now - ended < settling else 0.0
