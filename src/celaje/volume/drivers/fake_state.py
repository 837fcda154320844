"""The simulated back end's disk: what survives a worker. Made by tests and by the worker (with a path); used
by FakeDriver only."""

import os
from collections.abc import Iterable

import msgspec

from celaje.common import clock, errors, simulated_disks
from celaje.common.simulated import Kept, Rule, SimulatedState

DEFAULT_CAPACITY_GB = 1000.0


class FakeVolume(msgspec.Struct):
    """content: where its data came from, carried along by clones: two equal contents are equal disks."""

    size: int
    content: str
    connections: list[str] = msgspec.field(default_factory=list)


class FakeSnapshot(msgspec.Struct):
    volume_id: str
    size: int
    content: str


class _Disk(Kept):
    volumes: dict[str, FakeVolume] = msgspec.field(default_factory=dict)
    snapshots: dict[str, FakeSnapshot] = msgspec.field(default_factory=dict)


class FakeBackendState(SimulatedState[_Disk]):
    keeps = _Disk

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        total_gb: float = DEFAULT_CAPACITY_GB,
        rules: Iterable[Rule] = (),
    ):
        super().__init__(path, rules=rules)
        self.total_gb = total_gb
        # By which simulated hypervisors find it.
        self.name = os.fspath(path) if path is not None else clock.new_uuid()
        simulated_disks.offer(self.name, self)

    def content_of(self, disk: str) -> str:
        with self.reading():
            return self._there(disk).content

    def write(self, disk: str, content: str) -> None:
        with self.changing():
            self._there(disk).content = content

    def _there(self, disk: str) -> FakeVolume:
        if disk not in self.volumes:
            raise errors.DriverError(f"The simulated back end has no disk {disk}.")
        return self.volumes[disk]

    @property
    def volumes(self) -> dict[str, FakeVolume]:
        return self._kept.volumes

    @property
    def snapshots(self) -> dict[str, FakeSnapshot]:
        return self._kept.snapshots
