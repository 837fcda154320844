"""Flow volume.upload_image: a volume becomes an image, by the image service's public API.

The API waits for the checkpoint "registered": from then on its user can look at the image.
"""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.volume.conductor.reclaim_image_keys import KEY_PROPERTY, remember
from celaje.volume.conductor.still_copy import hold_still, let_go
from celaje.volume.db import attachments, messages

Row = dict[str, Any]

REGISTERED = "registered"


def upload_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    """The image is gone with the undo; to the volume nothing has happened."""
    volume_id = flow_row["arguments"]["volume"]["id"]
    if volume_free(tx, volume_id, flow_row["id"]):
        messages.from_failure(tx, flow_row, error, resource=("VOLUME", volume_id), action="003", detail="004")


@flow("volume.upload_image", deadline="volume_upload_deadline", way_out=upload_failed)
def upload_volume(run: Run, volume: Row, image: Row, protected: bool, attached: bool) -> None:
    """`image` is what is registered, with its id; it is protected at the end only, so that a failed upload
    can take it back."""
    conductor = run.conductor
    mine, ours = conductor.clients.image, conductor.clients.image.as_service()
    if image.get(KEY_PROPERTY):
        run.undo_write(conductor.keys.delete, image[KEY_PROPERTY])
    run.undo(ours.delete, image["id"])
    run.step(mine.create, image)
    if image.get(KEY_PROPERTY):
        run.write(remember, image[KEY_PROPERTY], image["id"])
    run.checkpoint(REGISTERED)
    carried = {"id": image["id"], "disk_format": image["disk_format"]}
    copy = hold_still(run, volume, volume["id"]) if attached else None
    source = {**volume, "copy_id": copy}
    run.step(conductor.worker_of(volume).upload_volume, volume=source, image=carried)
    let_go(run, volume, copy)
    if protected:
        change = {"op": "replace", "path": "/protected", "value": True}
        run.step(ours.update, image["id"], [change])
    run.done(volume_free, volume["id"], run.id)


def volume_free(tx: Transaction, volume_id: str, flow_id: str) -> bool:
    return attachments.give_back(tx, volume_id, flow_id, "uploading")
