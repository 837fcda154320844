"""Flow backup.delete."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.volume.db import backups, messages
from celaje.volume.db.tables import BACKUPS
from celaje.volume.keys import KeyManager
from celaje.volume.states import BACKUPS as STATES

Row = dict[str, Any]


def deletion_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    backup_id = flow_row["arguments"]["backup"]["id"]
    moved = STATES.move(
        tx,
        BACKUPS,
        backup_id,
        "error_deleting",
        held_by=flow_row["id"],
        fail_reason=error.message[:2000],
        updated_at=clock.now(),
    )
    if moved:
        messages.from_failure(
            tx, flow_row, error, resource=("VOLUME_BACKUP", backup_id), action="014", detail="025"
        )


@flow("backup.delete", deadline="backup_delete_deadline", way_out=deletion_failed)
def delete_backup(run: Run, backup: Row) -> None:
    run.step(run.conductor.backup.to(backup["host"]).delete_backup, backup=backup)
    run.done(remove_backup, backup["id"], run.id, run.conductor.keys)


def remove_backup(tx: Transaction, backup_id: str, flow_id: str, keys: KeyManager) -> None:
    row = backups.get(tx, backup_id)
    if row is not None and row["flow_id"] == flow_id:
        if row["encryption_key_id"] is not None:
            keys.delete(tx, row["encryption_key_id"])
        backups.remove(tx, backup_id)
