"""What the current thread is doing on behalf of a message: until when, and for which server.

Set by servers (and the flow engine, for a flow's deadline), read by clients: a call made within a call
never waits longer than the outer caller does, and a killed server sends nothing more.
"""

import datetime
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import NamedTuple

from celaje.common.messaging.errors import Killed


class Work(NamedTuple):
    expires: datetime.datetime | None
    killed: Callable[[], bool] | None


_work: ContextVar[Work | None] = ContextVar("celaje_work", default=None)


def enter(expires: datetime.datetime | None, killed: Callable[[], bool] | None) -> Token[Work | None]:
    return _work.set(Work(expires, killed))


def leave(mark: Token[Work | None]) -> None:
    _work.reset(mark)


@contextmanager
def until(moment: datetime.datetime) -> Iterator[None]:
    """Calls made inside end at `moment` (naive UTC) at the latest, or at the enclosing one if earlier."""
    outer = _work.get()
    if outer is not None and outer.expires is not None:
        moment = min(moment, outer.expires)
    mark = enter(moment, outer.killed if outer is not None else None)
    try:
        yield
    finally:
        leave(mark)


def expires() -> datetime.datetime | None:
    """When the caller of the current work stops waiting; None when nobody waits."""
    work = _work.get()
    return None if work is None else work.expires


def ensure_alive() -> None:
    """Raises Killed on a thread whose server was killed."""
    work = _work.get()
    if work is not None and work.killed is not None and work.killed():
        raise Killed
