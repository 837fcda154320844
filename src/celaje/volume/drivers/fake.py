"""The simulated back end: every operation of a real one on a state in memory (or in one small file).

Called by volume's worker; its latency and failures are the state's rules. What it claims about capacity
holds: it refuses what does not fit.
"""

from pathlib import Path
from typing import Any, ClassVar

from oslo_config import cfg

from celaje.common import disk_format, errors
from celaje.common.simulated import read_rules
from celaje.volume.drivers import base, capacity, image_source
from celaje.volume.drivers.fake_state import (
    DEFAULT_CAPACITY_GB,
    FakeBackendState,
    FakeSnapshot,
    FakeVolume,
)

OPTIONS = [
    *base.OPTIONS,
    cfg.FloatOpt(
        "fake_total_capacity_gb", default=DEFAULT_CAPACITY_GB, min=0, help="Size of the simulated disk, GiB."
    ),
    cfg.StrOpt(
        "fake_state_path",
        help="File that keeps the simulated disk over restarts of the worker; unset: in memory only.",
    ),
    cfg.StrOpt(
        "fake_rules",
        default="[]",
        help="Latency and failures, a JSON list of rules as common/simulated.Rule describes them; taken "
        "when the state has none.",
    ),
]


class FakeDriver(base.VolumeDriver):
    options: ClassVar[list[cfg.Opt]] = OPTIONS
    protocol = "fake"
    copies_attached = True
    encrypts = True
    # Its volumes hold words that no guest writes.
    copies_groups_attached = True

    def __init__(
        self,
        configuration: Any,
        *,
        backend: str,
        host: str | None = None,
        state: FakeBackendState | None = None,
    ):
        super().__init__(configuration, backend=backend, host=host)
        self.state = state or FakeBackendState(
            configuration.fake_state_path, total_gb=configuration.fake_total_capacity_gb
        )
        if not self.state.rules:
            self.state.add_rules(read_rules(configuration.fake_rules, f"[{backend}] fake_rules"))

    def explain(self) -> str:
        kept = self.configuration.fake_state_path
        where = f"kept in {kept}" if kept else "in memory"
        return f"Volumes of {self.backend_name} are simulated ({where}); they hold no data."

    def check_for_setup_error(self) -> None:
        self.state.misbehave("check_for_setup_error", None)

    def capabilities(self) -> dict[str, Any]:
        self.state.misbehave("capabilities", None)
        with self.state.reading():
            allocated, number = self._allocated(), len(self.state.volumes)
        total = self.state.total_gb
        return capacity.report(
            self,
            capacity.Capacity(total, max(0.0, total - allocated), allocated, allocated, number),
            thin_provisioning_support=False,
            thick_provisioning_support=True,
            online_extend_support=True,
            multiattach=True,
        )

    def create_volume(self, volume: base.Volume) -> dict[str, Any]:
        with self.state.acting("create_volume", base.data_id(volume)) as identifier:
            self._make(identifier, volume["size"], "empty")
        return {}

    def create_volume_from_image(self, volume: base.Volume, image: base.Image) -> dict[str, Any]:
        image_source.inspected(volume, image)
        with self.state.acting("create_volume_from_image", base.data_id(volume)) as identifier:
            self._make(identifier, volume["size"], f"image {image['id']}")
        return {}

    def create_volume_from_snapshot(self, volume: base.Volume, snapshot: base.Snapshot) -> dict[str, Any]:
        with self.state.acting("create_volume_from_snapshot", base.data_id(volume)) as identifier:
            if identifier in self.state.volumes:
                return {}
            source = self.state.snapshots.get(base.checked(snapshot["id"]))
            if source is None:
                raise base.SnapshotMissing(snapshot_id=snapshot["id"])
            base.refuse_shrinking(identifier, source.size, volume["size"])
            self._make(identifier, volume["size"], source.content)
        return {}

    def create_cloned_volume(self, volume: base.Volume, source: base.Volume) -> dict[str, Any]:
        with self.state.acting("create_cloned_volume", base.data_id(volume)) as identifier:
            if identifier in self.state.volumes:
                return {}
            found = self._find(base.data_id(source))
            base.refuse_shrinking(identifier, found.size, volume["size"])
            self._make(identifier, volume["size"], found.content)
        return {}

    def delete_volume(self, volume: base.Volume) -> None:
        with self.state.acting("delete_volume", base.data_id(volume)) as identifier:
            self.state.volumes.pop(identifier, None)

    def extend_volume(self, volume: base.Volume, new_size: int) -> None:
        with self.state.acting("extend_volume", base.data_id(volume)) as identifier:
            found = self._find(identifier)
            base.refuse_shrinking(identifier, found.size, new_size)
            self._need_room(new_size - found.size)
            found.size = new_size

    def create_snapshot(self, snapshot: base.Snapshot) -> dict[str, Any]:
        with self.state.acting("create_snapshot", base.checked(snapshot["id"])) as identifier:
            if identifier not in self.state.snapshots:
                source = self._find(base.source_id(snapshot))
                self.state.snapshots[identifier] = FakeSnapshot(
                    base.source_id(snapshot), source.size, source.content
                )
        return {}

    def delete_snapshot(self, snapshot: base.Snapshot) -> None:
        with self.state.acting("delete_snapshot", base.checked(snapshot["id"])) as identifier:
            self.state.snapshots.pop(identifier, None)

    def revert_to_snapshot(self, volume: base.Volume, snapshot: base.Snapshot) -> None:
        with self.state.acting("revert_to_snapshot", base.data_id(volume)) as identifier:
            source = self.state.snapshots.get(base.checked(snapshot["id"]))
            if source is None:
                raise base.SnapshotMissing(snapshot_id=snapshot["id"])
            self._find(identifier).content = source.content

    def initialize_connection(self, volume: base.Volume, connector: base.Connector) -> dict[str, Any]:
        if not connector.get("host"):
            raise base.BadMetadata(what="The connector", key="host")
        with self.state.acting("initialize_connection", base.data_id(volume)) as identifier:
            found = self._find(identifier)
            if connector["host"] not in found.connections:
                found.connections.append(connector["host"])
        data = {
            "volume_id": volume["id"],
            "access_mode": "rw",
            "back_end": self.state.name,
            "disk": identifier,
        }
        return {"driver_volume_type": "fake", "data": data}

    def terminate_connection(self, volume: base.Volume, connector: base.Connector | None) -> None:
        with self.state.acting("terminate_connection", base.data_id(volume)) as identifier:
            found = self.state.volumes.get(identifier)
            if found is not None:
                host = connector.get("host") if connector else None
                found.connections = [each for each in found.connections if host not in {None, each}]

    def copy_volume_to_image(self, volume: base.Volume, path: str, disk_format: str) -> None:
        with self.state.acting("copy_volume_to_image", base.data_id(volume)) as identifier:
            _write_empty(path, self._find(identifier).size, disk_format)

    def list_volumes(self) -> list[dict[str, Any]]:
        self.state.misbehave("list_volumes", None)
        with self.state.reading():
            return [{"id": each, "size": found.size} for each, found in self.state.volumes.items()]

    def list_snapshots(self) -> list[dict[str, Any]]:
        self.state.misbehave("list_snapshots", None)
        with self.state.reading():
            return [{"id": each, "size": found.size} for each, found in self.state.snapshots.items()]

    def _make(self, identifier: str, size: int, content: str) -> None:
        if identifier in self.state.volumes:
            return
        self._need_room(size)
        self.state.volumes[identifier] = FakeVolume(size, content)

    def _find(self, identifier: str) -> FakeVolume:
        found = self.state.volumes.get(identifier)
        if found is None:
            raise base.VolumeMissing(volume_id=identifier)
        return found

    def _allocated(self) -> int:
        return sum(volume.size for volume in self.state.volumes.values())

    def _need_room(self, size: int) -> None:
        if self._allocated() + size > self.state.total_gb:
            raise base.BackendFull(backend=self.backend_name)


def _write_empty(path: str, size: int, form: str) -> None:
    """A simulated volume holds no data: its image is an empty disk of its size."""
    if form == "raw":
        with open(path, "wb") as file:
            file.truncate(size * base.GIB)
    elif form == "qcow2":
        Path(path).write_bytes(disk_format.empty_qcow2(size * base.GIB))
    else:
        raise errors.NotImplementedHere(f"The simulated back end makes raw and qcow2 images, not {form}.")
