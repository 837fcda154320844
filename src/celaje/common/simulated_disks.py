"""Where simulated hypervisors and the backup worker of this process find what simulated back ends keep.

A back end's state offers itself under its name, which its connections tell; who swaps one volume for another,
or saves one, copies from disk to disk, as is really done over connections.
"""

import threading
from collections.abc import Mapping
from typing import Any, Protocol
from weakref import WeakValueDictionary

from celaje.common.errors import DriverError


class Disks(Protocol):
    def content_of(self, disk: str) -> str: ...

    def write(self, disk: str, content: str) -> None: ...


_lock = threading.Lock()
_offered: "WeakValueDictionary[str, Any]" = WeakValueDictionary()


def offer(name: str, disks: Disks) -> None:
    """The latest of a name counts: a back end that lives again."""
    with _lock:
        _offered[name] = disks


def read(connection: Mapping[str, Any]) -> str:
    return _find(connection).content_of(connection["disk"])


def write(connection: Mapping[str, Any], content: str) -> None:
    _find(connection).write(connection["disk"], content)


def copy(source: Mapping[str, Any], target: Mapping[str, Any]) -> None:
    """From one connection's disk to another's, each {"back_end", "disk"}."""
    write(target, read(source))


def _find(connection: Mapping[str, Any]) -> Disks:
    with _lock:
        found: Disks | None = _offered.get(str(connection.get("back_end")))
    if found is None:
        raise DriverError("The simulated volume's data is in another process.")
    return found
