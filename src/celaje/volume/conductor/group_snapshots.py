"""Flows group_snapshot.create and group_snapshot.delete: the snapshots of a group's volumes, together."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.volume.conductor.create_snapshot import snapshot_made
from celaje.volume.conductor.delete_volume import remove_snapshot
from celaje.volume.conductor.still_copy import hold_still, let_go
from celaje.volume.db import groups, messages
from celaje.volume.db.tables import GROUP_SNAPSHOTS, SNAPSHOTS
from celaje.volume.states import GROUP_SNAPSHOTS as GROUP_STATES
from celaje.volume.states import SNAPSHOTS as STATES

Row = dict[str, Any]


def _failed(tx: Transaction, flow_row: Row, error: CelajeError, goal: str, action: str) -> None:
    arguments, now = flow_row["arguments"], clock.now()
    for each in arguments["snapshots"]:
        STATES.move(tx, SNAPSHOTS, each["snapshot"]["row_id"], goal, held_by=flow_row["id"], updated_at=now)
    group_snapshot_id = arguments["group_snapshot_id"]
    moved = GROUP_STATES.move(
        tx, GROUP_SNAPSHOTS, group_snapshot_id, goal, held_by=flow_row["id"], updated_at=now
    )
    if moved:
        messages.from_failure(
            tx, flow_row, error, resource=("GROUP_SNAPSHOT", group_snapshot_id), action=action, detail="001"
        )


def creation_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    _failed(tx, flow_row, error, "error", "108")


@flow("group_snapshot.create", deadline="snapshot_create_deadline", way_out=creation_failed)
def create_group_snapshot(
    run: Run, group_snapshot_id: str, snapshots: list[Row], consistent: bool = False
) -> None:
    """`snapshots`: {"snapshot", "volume" as drivers want them, "attached"}, one a volume. `consistent`: of
    one moment; a group lies on one pool, so that one worker makes them in one step."""
    made = []
    if consistent:
        worker = run.conductor.worker_of(snapshots[0]["volume"])
        for each in snapshots:
            run.undo(worker.delete_snapshot, snapshot=each["snapshot"])
        wanted = [{"snapshot": each["snapshot"], "attached": each["attached"]} for each in snapshots]
        kept_of = run.step(worker.create_group_snapshot, snapshots=wanted)
        made = [(each["snapshot"]["row_id"], kept) for each, kept in zip(snapshots, kept_of, strict=True)]
        snapshots = []
    for each in snapshots:
        snapshot = each["snapshot"]
        worker = run.conductor.worker_of(each["volume"])
        run.undo(worker.delete_snapshot, snapshot=snapshot)
        attached, volume = each["attached"], each["volume"]
        copy = hold_still(run, volume, snapshot["row_id"]) if attached else None
        kept = run.step(worker.create_snapshot, snapshot={**snapshot, "copy_id": copy}, attached=attached)
        let_go(run, volume, copy)
        made.append((snapshot["row_id"], kept))
    run.done(group_snapshot_made, group_snapshot_id, run.id, made)


def group_snapshot_made(
    tx: Transaction, group_snapshot_id: str, flow_id: str, made: list[tuple[str, Row]]
) -> None:
    for snapshot_id, kept in made:
        snapshot_made(tx, snapshot_id, flow_id, kept)
    GROUP_STATES.move(
        tx,
        GROUP_SNAPSHOTS,
        group_snapshot_id,
        "available",
        sources=("creating",),
        held_by=flow_id,
        updated_at=clock.now(),
    )


def deletion_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    _failed(tx, flow_row, error, "error_deleting", "109")


@flow("group_snapshot.delete", deadline="snapshot_delete_deadline", way_out=deletion_failed)
def delete_group_snapshot(run: Run, group_snapshot_id: str, snapshots: list[Row]) -> None:
    for each in snapshots:
        if each["volume"]["host"]:
            worker = run.conductor.worker_of(each["volume"])
            run.step(worker.delete_snapshot, snapshot=each["snapshot"])
        run.note(remove_snapshot, each["snapshot"]["row_id"], run.id)
    run.done(remove_group_snapshot, group_snapshot_id, run.id)


def remove_group_snapshot(tx: Transaction, group_snapshot_id: str, flow_id: str) -> None:
    row = groups.get_snapshot(tx, group_snapshot_id)
    if row is not None and row["flow_id"] == flow_id:
        groups.remove_snapshot(tx, group_snapshot_id)
