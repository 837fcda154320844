"""Whether a client hangs on this thread's work: then it waits briefly for what is scarce, and is told.

The WSGI layer says so around each request; pools (database connections) ask before they let a thread wait.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_answering: ContextVar[bool] = ContextVar("celaje_answering", default=False)

# An API request waits for this part of the time that background work waits: 1 s of pool_timeout's 30.
_PART = 1 / 30
# With a tiny timeout in the configuration a request still survives a short burst.
_LEAST = 0.1


@contextmanager
def answering() -> Iterator[None]:
    """Around the work on a request."""
    mark = _answering.set(True)
    try:
        yield
    finally:
        _answering.reset(mark)


def seconds(timeout: float) -> float:
    """How long this thread may wait for something that background work waits `timeout` seconds for."""
    if not _answering.get():
        return timeout
    return min(timeout, max(_LEAST, timeout * _PART))
