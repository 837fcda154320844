"""Every message of the volume service: to whom, call or cast, its timeout.

Rows travel as dictionaries: `volume` as drivers want it (`drivers/base.py`), with `host` beside it.
"""

from typing import Any

from celaje.common.messaging.table import call, fanout
from celaje.common.service import ConductorMessages
from celaje.common.service.log_levels import LogMessages

Row = dict[str, Any]


class VolumeConductorMessages(ConductorMessages):
    topic = "volume-conductor"

    @call(timeout="rpc_response_timeout")
    def passphrase(self, key_id: str) -> str:
        """What opens LUKS for the key, asked by a worker that encrypts: it has no database, and no journal
        may hold the answer. Raises KeyLost."""
        raise NotImplementedError


class VolumeSchedulerMessages(LogMessages):
    topic = "volume-scheduler"

    @call(timeout="rpc_response_timeout")
    def select_backend(self, request: Row) -> Row:
        """The best back end for a volume: {"backend": "host@backend#pool", "removed": [{"filter", "backend",
        "reason"}], "enabled": names of all filters, "weights": {pool: weight}}. `request`: size in GiB,
        availability_zone, extra_specs, hints, pinned (the only back end that may be taken, `host@backend`),
        excluded (names of pools). Raises NoValidBackend."""
        raise NotImplementedError

    @call(timeout="rpc_response_timeout")
    def check_extension(self, backend: str, added: int, extra_specs: Row) -> None:
        """Whether the pool has room for `added` GiB more. Raises NoValidBackend."""
        raise NotImplementedError

    @call(timeout="rpc_response_timeout")
    def list_pools(self) -> list[Row]:
        """What every pool reported last: [{"name", "capabilities"}]."""
        raise NotImplementedError

    @fanout(may_be_lost=True)
    def update_capabilities(self, host: str, availability_zone: str, capabilities: Row) -> None:
        """A worker's report about its back end `host` (`name@backend`)."""


class VolumeWorkerMessages(LogMessages):
    """Steps. Each is idempotent by the id of its volume or snapshot; `attached` tells that a host has the
    volume open."""

    topic = "volume-worker"

    @call(timeout="rpc_response_timeout")
    def create_volume(self, volume: Row) -> Row:
        """An empty volume. The reply holds what the row is to keep (`provider_location` ...)."""
        raise NotImplementedError

    @call(timeout="volume_worker_timeout")
    def create_volume_from_image(self, volume: Row, image: Row) -> Row:
        """Fetches the image as the user of the context, and writes it."""
        raise NotImplementedError

    @call(timeout="volume_worker_timeout")
    def create_volume_from_snapshot(self, volume: Row, snapshot: Row) -> Row:
        raise NotImplementedError

    @call(timeout="volume_worker_timeout")
    def create_cloned_volume(self, volume: Row, source: Row) -> Row:
        raise NotImplementedError

    @call(timeout="volume_worker_timeout")
    def delete_volume(self, volume: Row) -> None:
        """Nothing happens when it is gone."""

    @call(timeout="volume_worker_timeout")
    def extend_volume(self, volume: Row, new_size: int, attached: bool) -> Row:
        """{"extended_by": "backend"}, or "host" when nothing was done because the host that holds the volume
        open has to do it."""
        raise NotImplementedError

    @call(timeout="volume_worker_timeout")
    def upload_volume(self, volume: Row, image: Row) -> None:
        """Send the volume's data to the image {"id", "disk_format"}, which waits for it."""

    @call(timeout="volume_worker_timeout")
    def revert_to_snapshot(self, volume: Row, snapshot: Row) -> None:
        """The volume has the snapshot's data again."""

    @call(timeout="rpc_response_timeout")
    def list_volumes(self) -> list[Row]:
        """What lies at the back end, whoever knows of it: [{"id", "size" in GiB}]."""
        raise NotImplementedError

    @call(timeout="rpc_response_timeout")
    def list_snapshots(self) -> list[Row]:
        raise NotImplementedError

    @call(timeout="volume_worker_timeout")
    def create_snapshot(self, snapshot: Row, attached: bool) -> Row:
        """Raises NotImplementedHere for an attached volume that the driver cannot copy meanwhile."""
        raise NotImplementedError

    @call(timeout="rpc_response_timeout")
    def prepare_copy(self, volume: Row, copy_id: str) -> Row | None:
        """Where the host that has the volume open is to copy it to: {"file", "format"}; None when the back
        end reads an attached volume by itself. Raises NotImplementedHere when neither can."""
        raise NotImplementedError

    @call(timeout="rpc_response_timeout")
    def discard_copy(self, volume: Row, copy_id: str) -> None:
        """Nothing happens when it is gone."""

    @call(timeout="volume_worker_timeout")
    def create_group_snapshot(self, snapshots: list[Row]) -> list[Row]:
        """Snapshots of one moment: {"snapshot", "attached"} each, the replies in their order. Raises
        NotImplementedHere when some are attached and the driver cannot stop them all at once."""
        raise NotImplementedError

    @call(timeout="volume_worker_timeout")
    def delete_snapshot(self, snapshot: Row) -> None:
        """Nothing happens when it is gone."""

    @call(timeout="rpc_response_timeout")
    def initialize_connection(self, volume: Row, connector: Row) -> Row:
        """What the host of `connector` needs: {"driver_volume_type": str, "data": {...}}."""
        raise NotImplementedError

    @call(timeout="rpc_response_timeout")
    def terminate_connection(self, volume: Row, connector: Row | None) -> None:
        """None: from all hosts."""

    @fanout(may_be_lost=True)
    def report_capabilities(self) -> None:
        """A scheduler that has just started asks all workers for their reports."""


class VolumeBackupMessages(LogMessages):
    """Steps of a backup worker, which may be on any host. `connection` is what the volume's worker answered
    for that host, `size` the volume's in GiB."""

    topic = "volume-backup"

    @call(timeout="backup_worker_timeout")
    def create_backup(self, connection: Row, size: int, backup: Row, parent: Row | None) -> Row:
        """The volume's data to where backups are kept: {"object_count"}. `parent`: the backup that this one
        adds to. Raises BackupUnwanted when it is deleted meanwhile."""
        raise NotImplementedError

    @call(timeout="backup_worker_timeout")
    def restore_backup(self, connection: Row, size: int, backup: Row) -> None:
        """The backup's data into a volume that nobody has open."""

    @call(timeout="backup_worker_timeout")
    def delete_backup(self, backup: Row) -> None:
        """Nothing happens when it is gone; who is just making it stops."""

    @call(timeout="rpc_response_timeout")
    def look_at_backup(self, backup: Row) -> Row:
        """Whether its data is where backups are kept: {"size" in GiB, "object_count"}. Raises BackupLost."""
        raise NotImplementedError
