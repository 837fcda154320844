"""Flows backup.create and backup.import: data goes to where backups are kept, or is found there."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.volume.backups.store import BackupUnwanted
from celaje.volume.conductor.backup_connection import connect, connector_of, disconnect
from celaje.volume.conductor.still_copy import hold_still, let_go
from celaje.volume.db import attachments, messages
from celaje.volume.db.tables import BACKUPS, SNAPSHOTS
from celaje.volume.states import BACKUPS as STATES
from celaje.volume.states import SNAPSHOTS as SNAPSHOT_STATES

Row = dict[str, Any]


def creation_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    arguments = flow_row["arguments"]
    backup_id = arguments["backup"]["id"]
    _give_back(tx, flow_row["id"], arguments.get("volume"), arguments.get("snapshot"))
    moved = STATES.move(
        tx,
        BACKUPS,
        backup_id,
        "error",
        held_by=flow_row["id"],
        fail_reason=error.message[:2000],
        updated_at=clock.now(),
    )
    if moved:
        messages.from_failure(
            tx, flow_row, error, resource=("VOLUME_BACKUP", backup_id), action="013", detail="020"
        )


@flow("backup.create", deadline="backup_create_deadline", way_out=creation_failed)
def create_backup(
    run: Run, backup: Row, volume: Row, snapshot: Row | None, parent: Row | None, *, attached: bool
) -> None:
    """`volume` is backing-up, or `snapshot` if the data is one's."""
    there = run.conductor.backup.to(backup["host"])
    run.undo(there.delete_backup, backup=backup)
    still = _still(run, backup, volume, snapshot) if snapshot or attached else volume
    connector = connector_of(backup)
    connection = connect(run, still, connector)
    found = {"connection": connection, "size": backup["size"]}
    kept = run.step(there.create_backup, **found, backup=backup, parent=parent)
    disconnect(run, still, connector)
    if still is not volume:
        run.step(run.conductor.worker_of(volume).delete_volume, volume=still)
    run.done(backup_made, run.id, backup["id"], {"volume": volume, "snapshot": snapshot}, kept)


def _still(run: Run, backup: Row, volume: Row, snapshot: Row | None) -> Row:
    """A volume of this moment's content (or the snapshot's), for as long as the backup takes: no row knows
    it."""
    worker = run.conductor.worker_of(volume)
    passing = {"id": run.new_uuid(), "name_id": None, "provider_location": None, "size": backup["size"]}
    still = {**volume, **passing}
    if snapshot is not None:
        run.undo(worker.delete_volume, volume=still)
        kept = run.step(worker.create_volume_from_snapshot, volume=still, snapshot=snapshot)
    else:
        copy = hold_still(run, volume, backup["id"])
        run.undo(worker.delete_volume, volume=still)
        kept = run.step(worker.create_cloned_volume, volume=still, source={**volume, "copy_id": copy})
        let_go(run, volume, copy)
    return {**still, "provider_location": kept.get("provider_location")}


def backup_made(tx: Transaction, flow_id: str, backup_id: str, copied: Row, kept: Row) -> None:
    _give_back(tx, flow_id, copied["volume"], copied["snapshot"])
    made = STATES.move(
        tx,
        BACKUPS,
        backup_id,
        "available",
        sources=("creating",),
        held_by=flow_id,
        object_count=kept["object_count"],
        updated_at=clock.now(),
    )
    if not made:
        # Deleted by force meanwhile: what was written since is removed.
        raise BackupUnwanted(name=backup_id)


def _give_back(tx: Transaction, flow_id: str, volume: Row | None, snapshot: Row | None) -> None:
    """What was copied is in the state that it had, or that it has come to have meanwhile."""
    if snapshot is not None:
        SNAPSHOT_STATES.move(
            tx, SNAPSHOTS, snapshot["id"], "available", sources=("backing-up",), held_by=flow_id
        )
    elif volume is not None:
        attachments.give_back(tx, volume["id"], flow_id, "backing-up")


@flow("backup.import", deadline="backup_create_deadline", way_out=creation_failed)
def import_backup(run: Run, backup: Row) -> None:
    """The row is a record's; it becomes a backup when its data is there."""
    found = run.step(run.conductor.backup.to(backup["host"]).look_at_backup, backup=backup)
    run.done(backup_found, run.id, backup["id"], found)


def backup_found(tx: Transaction, flow_id: str, backup_id: str, found: Row) -> None:
    STATES.move(
        tx,
        BACKUPS,
        backup_id,
        "available",
        sources=("creating",),
        held_by=flow_id,
        size=found["size"],
        object_count=found["object_count"],
        updated_at=clock.now(),
    )
