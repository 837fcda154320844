"""Flow volume.delete: snapshots first if they go with it, then the volume."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.volume.db import attachments, messages, snapshots, transfers, volumes
from celaje.volume.db.tables import SNAPSHOTS, VOLUMES
from celaje.volume.keys import KeyManager
from celaje.volume.states import SNAPSHOTS as SNAPSHOT_STATES
from celaje.volume.states import VOLUMES as STATES

Row = dict[str, Any]


def deletion_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    """Into `error_deleting`, from where it can be tried again; a volume that a host still holds open is
    available as before."""
    volume_id = flow_row["arguments"]["volume"]["id"]
    now = clock.now()
    goal = "available" if type(error).__name__ == "VolumeInUse" else "error_deleting"
    for snapshot in flow_row["arguments"]["snapshots"]:
        SNAPSHOT_STATES.move(
            tx, SNAPSHOTS, snapshot["row_id"], "error_deleting", held_by=flow_row["id"], updated_at=now
        )
    if STATES.move(tx, VOLUMES, volume_id, goal, held_by=flow_row["id"], updated_at=now):
        messages.from_failure(tx, flow_row, error, resource=("VOLUME", volume_id), action="100", detail="001")


@flow("volume.delete", deadline="volume_delete_deadline", way_out=deletion_failed)
def delete_volume(run: Run, volume: Row, snapshots: list[Row], connected: bool) -> None:
    """`volume` and `snapshots` as drivers want them; `connected`: attachments go with it (force)."""
    worker = run.conductor.worker_of(volume)
    for snapshot in snapshots:
        run.step(worker.delete_snapshot, snapshot=snapshot)
        run.note(remove_snapshot, snapshot["row_id"], run.id)
    if connected:
        run.step(worker.terminate_connection, volume=volume, connector=None)
    run.step(worker.delete_volume, volume=volume)
    run.done(remove_volume, volume["id"], run.id, run.conductor.keys)


def remove_snapshot(tx: Transaction, snapshot_id: str, flow_id: str) -> None:
    row = snapshots.get(tx, snapshot_id)
    if row is not None and row["flow_id"] == flow_id:
        snapshots.remove(tx, snapshot_id)


def remove_volume(tx: Transaction, volume_id: str, flow_id: str, keys: KeyManager) -> None:
    row = volumes.get(tx, volume_id)
    if row is not None and row["flow_id"] == flow_id:
        for attachment in attachments.of_volume(tx, volume_id):
            attachments.remove(tx, attachment["id"])
        transfers.forget(tx, volume_id)
        if row["encryption_key_id"] is not None:
            keys.delete(tx, row["encryption_key_id"])
        volumes.remove(tx, volume_id)
