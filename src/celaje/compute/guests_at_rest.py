"""Guests at rest while their worker is: stopped in order when it stops, running again when it comes back.

Used by the service's worker part, where `stop_guests_on_exit` and Nova's `resume_guests_state_on_host_boot`
say so. Which guests ran is kept in a file beside the driver's state: a worker has no database.
"""

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from celaje.common.errors import CelajeError
from celaje.compute.drivers.base import ComputeDriver, PowerState

log = logging.getLogger(__name__)

# How many guests are stopped or started side by side.
_AT_ONCE = 8


class GuestsAtRest:
    """`file` holds the uuids of the guests that ran; `grace` seconds each has to shut down by itself."""

    def __init__(self, driver: ComputeDriver, file: Path, grace: int):
        self._driver = driver
        self._file = file
        self._grace = grace

    def stop_all(self) -> None:
        """Shut every running guest down; what does not react is cut off. Those are remembered."""
        running = [uuid for uuid in sorted(self._driver.list_servers()) if self._runs(uuid)]
        if not running:
            return
        temporary = self._file.with_suffix(".new")
        temporary.write_bytes(msgspec.json.encode(running))
        temporary.replace(self._file)
        self._each(running, lambda server: self._driver.power_off(server, timeout=self._grace))

    def resume(self) -> None:
        """Start the guests that `stop_all` stopped, once."""
        try:
            uuids = msgspec.json.decode(self._file.read_bytes(), type=list[str])
        except FileNotFoundError:
            return
        known = self._driver.list_servers()
        self._each([uuid for uuid in uuids if uuid in known], self._driver.power_on)
        self._file.unlink()

    def _runs(self, uuid: str) -> bool:
        try:
            return self._driver.power_state(_named(uuid)) in (PowerState.RUNNING, PowerState.PAUSED)
        except CelajeError:
            return False

    @staticmethod
    def _each(uuids: Iterable[str], do: Callable[[Any], object]) -> None:
        def careful(uuid: str) -> None:
            try:
                do(_named(uuid))
            except CelajeError as error:
                # The report of guests tells the conductor how it really is.
                log.warning("guest %s: %s", uuid, error)

        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="guests at rest") as pool:
            list(pool.map(careful, uuids))


def _named(uuid: str) -> Any:
    """A server as drivers find it: by its uuid alone."""
    return {"uuid": uuid}
