"""Time, identifiers and randomness: the only place they come from.

Everything that waits, stamps or names asks here, so that a test can install a VirtualClock and run a
whole cloud, with its leases, deadlines and heartbeats, in no time and with a seed.
"""

import datetime
import os
import random
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_EPOCH = datetime.datetime(1970, 1, 1)
_RANDOM_BITS = ~(0xF << 76) & ~(0x3 << 62)
# Real seconds between two looks of who waits for a lock on a virtual clock: nobody tells it of an advance.
_LOOK = 0.005
_VERSION_4 = (0x4 << 76) | (0x2 << 62)


class Clock:
    """The real clock. All times are naive UTC datetimes (the form OpenStack's databases hold)."""

    def now(self) -> datetime.datetime:
        # A third of what now(UTC).replace(tzinfo=None) costs; every row and message is stamped.
        return _EPOCH + datetime.timedelta(microseconds=time.time_ns() // 1000)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def wait(self, condition: threading.Condition, timeout: float | None = None) -> bool:
        """Wait on a held condition; False when the timeout passed first."""
        return condition.wait(timeout)

    def acquire(self, lock: threading.Lock, timeout: float | None = None) -> bool:
        """Wait for a lock; False when the timeout passed first. The cheapest way to wait for one event: it is
        released by whoever has the news."""
        return lock.acquire() if timeout is None else lock.acquire(True, max(0.0, timeout))

    def wait_for(
        self, condition: threading.Condition, predicate: Callable[[], bool], timeout: float | None = None
    ) -> bool:
        """Wait on a held condition until `predicate` holds; False when the timeout passed first."""
        return self.wait_until(condition, predicate, None if timeout is None else self.monotonic() + timeout)

    def wait_until(
        self, condition: threading.Condition, predicate: Callable[[], bool], end: float | None
    ) -> bool:
        """As `wait_for`, until the moment `end` of `monotonic`."""
        while not predicate():
            left = None if end is None else end - self.monotonic()
            if left is not None and left <= 0:
                return False
            self.wait(condition, left)
        return True

    def uuid(self) -> str:
        """A random UUID (RFC 9562, version 4)."""
        number = int.from_bytes(os.urandom(16))
        text = f"{number & _RANDOM_BITS | _VERSION_4:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def token(self, length: int = 24) -> str:
        """An URL-safe secret of `length` random bytes."""
        return secrets.token_urlsafe(length)

    def bytes(self, length: int) -> bytes:
        return secrets.token_bytes(length)

    def random(self) -> float:
        return random.random()


class VirtualClock(Clock):
    """A clock that stands still until `advance` moves it; identifiers come from a seed.

    `sleep` and timed waits end when `advance` passes them, so a test of a 10-minute deadline takes
    microseconds. Waits that are notified end at once, as they do on the real clock.
    """

    def __init__(self, seed: int = 0, start: datetime.datetime | None = None):
        self._random = random.Random(seed)
        self._start = start or datetime.datetime(2026, 1, 1)
        self._elapsed = 0.0
        self._moved = threading.Condition()
        self._sleepers: set[threading.Condition] = set()

    def now(self) -> datetime.datetime:
        return self._start + datetime.timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def advance(self, seconds: float) -> None:
        with self._moved:
            self._elapsed += seconds
            self._moved.notify_all()
            waiting = list(self._sleepers)
        for condition in waiting:
            with condition:
                condition.notify_all()

    def sleep(self, seconds: float) -> None:
        with self._moved:
            end = self._elapsed + seconds
            while self._elapsed < end:
                self._moved.wait()

    def wait(self, condition: threading.Condition, timeout: float | None = None) -> bool:
        if timeout is None:
            return condition.wait()
        return self._wait_until(condition, self._elapsed + timeout)

    def acquire(self, lock: threading.Lock, timeout: float | None = None) -> bool:
        if timeout is None:
            return lock.acquire()
        end = self._elapsed + timeout
        # Told to whoever looks for sleepers; nobody waits on it.
        asleep = threading.Condition()
        with self._moved:
            self._sleepers.add(asleep)
        try:
            while not lock.acquire(True, _LOOK):
                if self._elapsed >= end:
                    return lock.acquire(False)
            return True
        finally:
            with self._moved:
                self._sleepers.discard(asleep)

    def wait_until(
        self, condition: threading.Condition, predicate: Callable[[], bool], end: float | None
    ) -> bool:
        # By the moment, not by what is left of it: `advance` may come between looking and waiting.
        while not predicate():
            if end is None:
                condition.wait()
            elif self._elapsed >= end or not self._wait_until(condition, end):
                return predicate()
        return True

    def _wait_until(self, condition: threading.Condition, end: float) -> bool:
        with self._moved:
            self._sleepers.add(condition)
        try:
            while self._elapsed < end:
                # The short real timeout closes the gap between registering and waiting; time itself
                # moves only by `advance`.
                if condition.wait(0.05):
                    return True
        finally:
            with self._moved:
                self._sleepers.discard(condition)
        return False

    def uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def token(self, length: int = 24) -> str:
        return self._random.randbytes(length).hex()

    def bytes(self, length: int) -> bytes:
        return self._random.randbytes(length)

    def random(self) -> float:
        return self._random.random()


_clock: Clock = Clock()


def install(clock: Clock) -> Clock:
    """Make `clock` the one in force; returns the one before it."""
    global _clock
    before, _clock = _clock, clock
    return before


@contextmanager
def installed(clock: Clock) -> Iterator[Clock]:
    before = install(clock)
    try:
        yield clock
    finally:
        install(before)


def current() -> Clock:
    """The one in force: a moment of its `monotonic` tells nothing to another."""
    return _clock


def is_real() -> bool:
    """False while a virtual clock says what the time is, to a database's server too."""
    return type(_clock) is Clock


def now() -> datetime.datetime:
    return _clock.now()


def monotonic() -> float:
    return _clock.monotonic()


def sleep(seconds: float) -> None:
    _clock.sleep(seconds)


def wait(condition: threading.Condition, timeout: float | None = None) -> bool:
    return _clock.wait(condition, timeout)


def acquire(lock: threading.Lock, timeout: float | None = None) -> bool:
    return _clock.acquire(lock, timeout)


def wait_for(
    condition: threading.Condition, predicate: Callable[[], bool], timeout: float | None = None
) -> bool:
    return _clock.wait_for(condition, predicate, timeout)


def wait_until(condition: threading.Condition, predicate: Callable[[], bool], end: float | None) -> bool:
    return _clock.wait_until(condition, predicate, end)


def new_uuid() -> str:
    return _clock.uuid()


def new_token(length: int = 24) -> str:
    return _clock.token(length)


def random_bytes(length: int) -> bytes:
    return _clock.bytes(length)


def random_fraction() -> float:
    return _clock.random()


def iso(moment: datetime.datetime | None, *, microseconds: bool = False, zulu: bool = False) -> str | None:
    """ISO 8601 as the services print it: `2026-01-01T00:00:00`, with `.000000` and `Z` where asked for."""
    if moment is None:
        return None
    text = moment.isoformat(timespec="microseconds" if microseconds else "seconds")
    return text + "Z" if zulu else text
