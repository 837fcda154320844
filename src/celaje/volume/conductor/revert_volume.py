"""Flow volume.revert: a volume gets the data of its latest snapshot again."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.volume.db import messages
from celaje.volume.db.tables import SNAPSHOTS, VOLUMES
from celaje.volume.states import SNAPSHOTS as SNAPSHOT_STATES
from celaje.volume.states import VOLUMES as STATES

Row = dict[str, Any]


def revert_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    """The snapshot is as it was; what the volume holds is not known."""
    arguments = flow_row["arguments"]
    volume_id = arguments["volume"]["id"]
    untouched = error.kind == "not_implemented"
    if _settle(
        tx,
        volume_id,
        arguments["snapshot"]["row_id"],
        flow_row["id"],
        "available" if untouched else "error",
    ):
        messages.from_failure(tx, flow_row, error, resource=("VOLUME", volume_id), action="103", detail="001")


@flow("volume.revert", deadline="volume_revert_deadline", way_out=revert_failed)
def revert_volume(run: Run, volume: Row, snapshot: Row) -> None:
    run.step(run.conductor.worker_of(volume).revert_to_snapshot, volume=volume, snapshot=snapshot)
    run.done(_settle, volume["id"], snapshot["row_id"], run.id, "available")


def _settle(tx: Transaction, volume_id: str, snapshot_id: str, flow_id: str, goal: str) -> bool:
    now = clock.now()
    SNAPSHOT_STATES.move(
        tx, SNAPSHOTS, snapshot_id, "available", sources=("restoring",), held_by=flow_id, updated_at=now
    )
    return STATES.move(tx, VOLUMES, volume_id, goal, sources=("reverting",), held_by=flow_id, updated_at=now)
