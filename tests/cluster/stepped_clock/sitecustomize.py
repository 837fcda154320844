"""On the path of the test cluster's processes: the wall clock of their machine, which a test can step.

Each machine has a file with the seconds by which it is ahead; the monotonic clock is nobody's to step.
"""

import datetime
import os
from pathlib import Path


class Step:
    """What the file says, read again when it has changed."""

    def __init__(self, file: Path):
        self._file = file
        self._changed = 0
        self._ahead = datetime.timedelta()

    def __call__(self) -> datetime.timedelta:
        try:
            changed = self._file.stat().st_mtime_ns
        except FileNotFoundError:
            return self._ahead
        if changed != self._changed:
            self._ahead = datetime.timedelta(seconds=float(self._file.read_text()))
            self._changed = changed
        return self._ahead


def install(step: Step) -> None:
    from celaje.common.clock import Clock

    really = Clock.now
    Clock.now = lambda self: really(self) + step()  # type: ignore[method-assign]


if "CELAJE_TEST_CLOCK_STEP" in os.environ:
    install(Step(Path(os.environ["CELAJE_TEST_CLOCK_STEP"])))
