"""A volume's content of one moment, while a server writes to it: for snapshots, backups, clones, uploads.

Called by flows of this service. Where the back end cannot copy what is open, its worker makes an empty file,
and the compute service, who holds the volume open, is asked by its os-assisted-volume-snapshots to fill it.
It answers with the snapshot action os-update_snapshot_status, which signals the flow.
"""

from typing import Any

from celaje.common.flow import Run
from celaje.volume.errors import CopyFailed

Row = dict[str, Any]


def copied(copy_id: str) -> str:
    """The signal's name."""
    return f"copied {copy_id}"


def hold_still(run: Run, volume: Row, copy_id: str) -> str | None:
    """`copy_id`: the snapshot, volume or backup that it is for, whose row the flow holds. Returns it, to be
    given as "copy_id" with the volume (or snapshot) to the step that reads its data, or None when the back
    end reads it by itself. The flow calls `let_go` when it is done."""
    worker = run.conductor.worker_of(volume)
    run.undo(worker.discard_copy, volume=volume, copy_id=copy_id)
    target = run.step(worker.prepare_copy, volume=volume, copy_id=copy_id)
    if target is None:
        return None
    compute = run.conductor.clients.compute.as_service()
    run.step(compute.assist_snapshot, volume["id"], copy_id, target["file"], target["format"])
    answer = run.wait(copied(copy_id))
    if answer["error"]:
        raise CopyFailed(volume_id=volume["id"])
    return copy_id


def let_go(run: Run, volume: Row, copy_id: str | None) -> None:
    if copy_id is not None:
        run.step(run.conductor.worker_of(volume).discard_copy, volume=volume, copy_id=copy_id)


def asks_host(steps: list[Row]) -> bool:
    """Whether a flow with this journal waits for a copy, or has."""
    name = "prepare_copy"
    return any(step["name"].endswith(name) and step["kind"] == "step" and step["result"] for step in steps)
