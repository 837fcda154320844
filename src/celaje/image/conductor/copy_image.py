"""copy-image: an active image's data into further stores. The image stays readable meanwhile."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import CelajeError, Conflict
from celaje.common.flow import Run, flow
from celaje.image.conductor.import_image import bring_to_all
from celaje.image.db import images, uploads
from celaje.image.errors import ImageGone

Row = dict[str, Any]


def copy_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    """The image is as it was; what had been copied is removed by the undo steps."""
    stores = ",".join(store for store, _ in flow_row["arguments"]["targets"])
    _release(tx, flow_row["resource_id"], flow_row["id"], stores)


@flow("image.copy", deadline="import_deadline", way_out=copy_failed)
def copy_image(  # noqa: PLR0917
    run: Run, image: Row, source: Row, targets: list[list[str]], must_succeed: bool, input: Row
) -> None:
    copies, failed = bring_to_all(run, image, source, targets, must_succeed)

    def finish(tx: Transaction) -> None:
        if images.status(tx, image["id"]) is None:
            raise ImageGone(image_id=image["id"])
        there = {row["store"] for row in images.locations(tx, [image["id"]])}
        for store, data_id, copied in copies:
            if store in there:
                raise Conflict(f"The image {image['id']} has come to the store {store} meanwhile.")
            images.add_location(tx, image["id"], data_id, store, copied["location"])
        images.name_stores(tx, image["id"], run.conductor.opened.ordered)
        _release(tx, image["id"], run.id, ",".join(failed))

    run.done(finish, result={"image_id": image["id"]})


def _release(tx: Transaction, image_id: str, flow_id: str, failed: str) -> None:
    uploads.delete_of_flow(tx, flow_id)
    images.release(tx, image_id, flow_id)
    images.note_import(tx, image_id, import_task=None, importing_to_stores="", failed_import=failed)
