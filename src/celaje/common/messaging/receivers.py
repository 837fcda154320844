"""What the receivers of a topic understand: the limit of what is sent to them during a rolling upgrade.

Asked by clients before they send what an older receiver may lack; told by service records, in which every
receiver reports the version of its table (the API and conductors read them, others ask a conductor).
"""

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from celaje.common import clock
from celaje.common.errors import CelajeError
from celaje.common.messaging.target import oldest

log = logging.getLogger(__name__)

# Of a receiver that does not say: what every one of them has spoken.
FIRST = "1.0"


class Receiver(NamedTuple):
    """One that reports, or has reported: `server` as it is addressed, `version` of its table, `flows` the
    newest version that it runs of each flow that has more than one."""

    server: str
    version: str = FIRST
    up: bool = True
    flows: dict[str, int] = {}


Look = Callable[[str], Iterable[Receiver]]


class Receivers:
    """`look(topic)` finds them; what it found is believed for `patience` seconds. `pin(topic)` is the
    version that the operator has set for them, or None."""

    def __init__(self, look: Look, pin: Callable[[str], str | None], patience: float = 10.0):
        self._look = look
        self._pin = pin
        self._patience = patience
        self._found: dict[str, tuple[float, tuple[Receiver, ...]]] = {}
        self._lock = threading.Lock()

    def spoken(self, topic: str, server: str | None = None, *, anew: bool = False) -> str | None:
        """The version that all who may get a message understand: those of the topic that are up, or that
        server whether it is up or not. None: nobody has ever reported, so nobody is too old."""
        pin = self._pin(topic)
        if pin is not None:
            return pin
        found = self.of(topic, anew=anew)
        if found is None:
            return FIRST
        if server is not None:
            found = tuple(each for each in found if each.server == server)
        there = [each for each in found if each.up] or found
        return oldest(each.version for each in there) if there else None

    def of(self, topic: str, *, anew: bool = False, look: Look | None = None) -> tuple[Receiver, ...] | None:
        """All of a topic; None when that cannot be found out. `anew`: as they are now. `look`: how to find
        them, for who is in a transaction."""
        now = clock.monotonic()
        with self._lock:
            known = self._found.get(topic)
        if known is not None and not anew and now - known[0] < self._patience:
            return known[1]
        try:
            found = tuple((look or self._look)(topic))
        except CelajeError as error:
            log.warning("what the receivers of %s understand is not known: %s", topic, error.message)
            return known[1] if known is not None else None
        with self._lock:
            self._found[topic] = (now, found)
        return found


def pins(conf: Any) -> Callable[[str], str | None]:
    """`[upgrade_levels]` of a service's configuration, by topic: `volume-scheduler` is a scheduler, and a
    topic without such a word (Nova's `compute`) a worker."""
    group = getattr(conf, "upgrade_levels", None)

    def pin(topic: str) -> str | None:
        kind = topic.rpartition("-")[2]
        value = getattr(group, kind if kind in ("conductor", "scheduler") else "worker", "auto")
        return None if value == "auto" else value

    return pin
