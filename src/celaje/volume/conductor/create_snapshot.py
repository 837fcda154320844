"""Flow snapshot.create."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.volume.conductor.still_copy import hold_still, let_go
from celaje.volume.db import messages
from celaje.volume.db.tables import SNAPSHOTS
from celaje.volume.states import SNAPSHOTS as STATES

Row = dict[str, Any]


def creation_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    snapshot_id = flow_row["arguments"]["snapshot"]["row_id"]
    if STATES.move(tx, SNAPSHOTS, snapshot_id, "error", held_by=flow_row["id"], updated_at=clock.now()):
        messages.from_failure(
            tx, flow_row, error, resource=("VOLUME_SNAPSHOT", snapshot_id), action="009", detail="013"
        )


@flow("snapshot.create", deadline="snapshot_create_deadline", way_out=creation_failed)
def create_snapshot(run: Run, snapshot: Row, volume: Row, attached: bool) -> None:
    worker = run.conductor.worker_of(volume)
    run.undo(worker.delete_snapshot, snapshot=snapshot)
    copy = hold_still(run, volume, snapshot["row_id"]) if attached else None
    kept = run.step(worker.create_snapshot, snapshot={**snapshot, "copy_id": copy}, attached=attached)
    let_go(run, volume, copy)
    run.done(snapshot_made, snapshot["row_id"], run.id, kept)


def snapshot_made(tx: Transaction, snapshot_id: str, flow_id: str, kept: Row) -> None:
    values = {key: kept[key] for key in ("provider_location", "provider_id") if kept.get(key)}
    STATES.move(
        tx,
        SNAPSHOTS,
        snapshot_id,
        "available",
        held_by=flow_id,
        sources=("creating",),
        progress="100%",
        updated_at=clock.now(),
        **values,
    )
