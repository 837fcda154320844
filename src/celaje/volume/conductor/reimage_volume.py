"""Flow volume.reimage: a volume is written anew from an image; its former data is gone.

Compute, which rebuilds a server on its volume, waits for the external event volume-reimaged.
"""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.volume.db import attachments, messages
from celaje.volume.db.tables import VOLUMES
from celaje.volume.states import VOLUMES as STATES

Row = dict[str, Any]


def reimage_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    volume_id = flow_row["arguments"]["volume"]["id"]
    moved = STATES.move(
        tx,
        VOLUMES,
        volume_id,
        "error",
        sources=("downloading",),
        held_by=flow_row["id"],
        updated_at=clock.now(),
    )
    if moved:
        messages.from_failure(tx, flow_row, error, resource=("VOLUME", volume_id), action="016", detail="001")


@flow("volume.reimage", deadline="volume_create_deadline", way_out=reimage_failed)
def reimage_volume(run: Run, volume: Row, image: Row, servers: list[str]) -> None:
    """`image`: {"id", "metadata"}, the latter for the volume's row; `servers` have it attached."""
    worker = run.conductor.worker_of(volume)
    # Should it fail, an empty volume is there to be deleted or written again.
    run.undo(worker.create_volume, volume=volume)
    try:
        run.step(worker.delete_volume, volume=volume)
        kept = run.step(worker.create_volume_from_image, volume=volume, image={"id": image["id"]})
    except CelajeError:
        _tell(run, servers, volume["id"], "failed")
        raise
    _tell(run, servers, volume["id"], "completed")
    changed = {key: kept[key] for key in ("provider_location", "provider_id") if kept.get(key)}
    changed |= {"image_metadata": image["metadata"], "bootable": True}
    run.done(reimaged, volume["id"], run.id, changed)


def _tell(run: Run, servers: list[str], volume_id: str, status: str) -> None:
    if servers:
        compute = run.conductor.clients.compute.as_service()
        events = [
            {"name": "volume-reimaged", "server_uuid": server, "tag": volume_id, "status": status}
            for server in servers
        ]
        run.step(compute.server_external_events, events, "2.93")


def reimaged(tx: Transaction, volume_id: str, flow_id: str, changed: Row) -> None:
    attachments.give_back(tx, volume_id, flow_id, "downloading", **changed)
