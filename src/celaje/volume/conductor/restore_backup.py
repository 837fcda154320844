"""Flow backup.restore: into a volume that is there. (Into a new one: volume.create with that source.)"""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.volume.conductor.backup_connection import restore
from celaje.volume.db import backups, messages, volumes
from celaje.volume.db.tables import VOLUMES
from celaje.volume.keys import KeyManager
from celaje.volume.states import VOLUMES as STATES

Row = dict[str, Any]


def restoring_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    """Before its data is whole on the backup worker's host nothing of it goes to the volume."""
    arguments = flow_row["arguments"]
    volume_id = arguments["volume"]["id"]
    backups.release(tx, arguments["backup"]["id"], flow_row["id"])
    moved = STATES.move(
        tx, VOLUMES, volume_id, "error_restoring", held_by=flow_row["id"], updated_at=clock.now()
    )
    if moved:
        messages.from_failure(tx, flow_row, error, resource=("VOLUME", volume_id), action="015", detail="026")


@flow("backup.restore", deadline="backup_restore_deadline", way_out=restoring_failed)
def restore_backup(run: Run, backup: Row, volume: Row) -> None:
    restore(run, backup, volume)
    run.done(backup_restored, run.id, backup["id"], volume["id"], run.conductor.keys)


def backup_restored(tx: Transaction, flow_id: str, backup_id: str, volume_id: str, keys: KeyManager) -> None:
    backups.release(tx, backup_id, flow_id)
    backups.give_back(tx, backup_id, volume_id)
    restored = STATES.move(
        tx,
        VOLUMES,
        volume_id,
        "available",
        sources=("restoring-backup",),
        held_by=flow_id,
        updated_at=clock.now(),
    )
    if restored:
        _change_key(tx, backup_id, volume_id, keys)


def _change_key(tx: Transaction, backup_id: str, volume_id: str, keys: KeyManager) -> None:
    """The data is encrypted as the backup is, so the volume's key becomes equal to the backup's."""
    backup, volume = backups.get(tx, backup_id), volumes.get(tx, volume_id)
    if backup is None or volume is None or backup["encryption_key_id"] is None:
        return
    key_id = keys.copy(
        tx, backup["encryption_key_id"], owner=backup["project_id"], project_id=volume["project_id"]
    )
    keys.delete(tx, volume["encryption_key_id"])
    volumes.change(tx, volume_id, encryption_key_id=key_id)
