"""Which casts were here already: one whose sender had lost this process comes a second time.

Used by the bus: the receiving thread asks, threads of servers tell.
"""

import threading
from collections import OrderedDict

_REMEMBERED = 10_000


class Seen:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: OrderedDict[str, bool] = OrderedDict()

    def begin(self, id: str) -> bool | None:
        """None: it is new, and from now on in hand. Else whether it was worked on."""
        with self._lock:
            known = self._done.get(id)
            if known is None:
                self._done[id] = False
            return known

    def done(self, id: str) -> None:
        with self._lock:
            self._done[id] = True
            self._done.move_to_end(id)
            while len(self._done) > _REMEMBERED and next(iter(self._done.values())):
                self._done.popitem(last=False)

    def forget(self, id: str) -> None:
        """It went back without being begun."""
        with self._lock:
            self._done.pop(id, None)
