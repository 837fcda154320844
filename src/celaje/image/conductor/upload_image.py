"""Guards of the states `saving` and `uploading`: they wait for the request's thread that receives the data,
and clean up when it, or the patience for an import, is lost."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.image.db import images, uploads
from celaje.image.db.tables import IMAGES
from celaje.image.errors import UploadLost
from celaje.image.states import IMAGE


def queue_again(tx: Transaction, flow_row: dict[str, Any], error: CelajeError) -> None:
    """The way out: the image may be sent once more. An image that was deleted stays so."""
    image = images.get(tx, flow_row["resource_id"], lock=True)
    if image is not None and image["flow_id"] == flow_row["id"] and IMAGE.passing(image["status"]):
        IMAGE.move(tx, IMAGES, image["id"], "queued", sources={image["status"]}, size=None)
    uploads.delete_of_flow(tx, flow_row["id"])


def release(tx: Transaction, image_id: str, upload_id: str) -> None:
    """From here on a receiver that is alive after all cannot make its data the image's."""
    image = images.get(tx, image_id, lock=True)
    if image is not None and image["flow_id"] == upload_id and IMAGE.passing(image["status"]):
        IMAGE.move(tx, IMAGES, image_id, "queued", sources={image["status"]}, size=None)


def _guard(run: Run, image_id: str, store: str) -> None:
    # Undone in reverse: first the hold on the image, then the bytes, if they did not become the image's.
    run.undo(run.conductor.remove_abandoned, store, run.id)
    run.undo_write(release, image_id, run.id)
    ended = run.wait("ended")
    if ended["lost"]:
        raise UploadLost(image_id=image_id)
    run.done()


@flow("image.upload", deadline="upload_deadline", way_out=queue_again)
def upload_image(run: Run, image_id: str, store: str) -> None:
    _guard(run, image_id, store)


@flow("image.stage", deadline="stage_deadline", way_out=queue_again)
def stage_image(run: Run, image_id: str, store: str) -> None:
    _guard(run, image_id, store)
