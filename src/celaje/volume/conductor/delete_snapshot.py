"""Flow snapshot.delete."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.volume.conductor.delete_volume import remove_snapshot
from celaje.volume.db import messages
from celaje.volume.db.tables import SNAPSHOTS
from celaje.volume.states import SNAPSHOTS as STATES

Row = dict[str, Any]


def deletion_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    snapshot_id = flow_row["arguments"]["snapshot"]["row_id"]
    moved = STATES.move(
        tx, SNAPSHOTS, snapshot_id, "error_deleting", held_by=flow_row["id"], updated_at=clock.now()
    )
    if moved:
        messages.from_failure(
            tx, flow_row, error, resource=("VOLUME_SNAPSHOT", snapshot_id), action="010", detail="016"
        )


@flow("snapshot.delete", deadline="snapshot_delete_deadline", way_out=deletion_failed)
def delete_snapshot(run: Run, snapshot: Row, volume: Row) -> None:
    run.step(run.conductor.worker_of(volume).delete_snapshot, snapshot=snapshot)
    run.done(remove_snapshot, snapshot["row_id"], run.id)
