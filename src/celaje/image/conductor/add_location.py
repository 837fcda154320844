"""POST locations: an image is made of what lies at a URL. Promised digests are checked before it becomes
active; without any, they are computed while it can be used already."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.image.conductor.upload_image import queue_again
from celaje.image.db import images
from celaje.image.db.tables import IMAGES
from celaje.image.errors import HashMismatch, ImageGone
from celaje.image.states import IMAGE
from celaje.image.stores.base import HASH_ALGORITHM

Row = dict[str, Any]


def location_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    """An image that is active already stays so, without digests."""
    queue_again(tx, flow_row, error)
    image = images.get(tx, flow_row["resource_id"])
    if image is not None and image["status"] == "active" and image["os_hash_value"] is None:
        images.update(tx, image["id"], os_hash_algo=None)
    images.note_import(tx, flow_row["resource_id"], import_task=None)


@flow("image.add_location", deadline="import_deadline", way_out=location_failed)
def add_location(  # noqa: PLR0917
    run: Run, image_id: str, store: str, url: str, validation: Row, hashing: bool, input: Row
) -> None:
    """`validation` has os_hash_algo and os_hash_value, or nothing."""
    conductor = run.conductor
    size = run.step(conductor.transfer.size_of, store, url)
    promised = validation.get("os_hash_value")
    algorithm = validation.get("os_hash_algo") or HASH_ALGORITHM
    location_id = run.new_uuid()

    def activate(tx: Transaction, **values: Any) -> None:
        moved = IMAGE.move(
            tx, IMAGES, image_id, "active", sources={"importing"}, held_by=run.id, **{"size": size, **values}
        )
        if not moved:
            raise ImageGone(image_id=image_id)
        images.add_location(tx, image_id, location_id, store, url)
        images.name_stores(tx, image_id, conductor.opened.ordered)
        images.note_import(tx, image_id, import_task=None)

    if not hashing:
        run.done(
            lambda tx: activate(tx, os_hash_algo=algorithm if promised else None, os_hash_value=promised)
        )
        return
    if promised is None:

        def activate_unhashed(tx: Transaction) -> None:
            activate(tx, os_hash_algo=algorithm)

        run.write(activate_unhashed)
    found = run.step(conductor.transfer.digest, image_id, store, url, algorithm)
    if promised is not None and found["hash"] != promised:
        raise HashMismatch(url=url, algorithm=algorithm, found=found["hash"])
    digests = {
        "size": found["size"],
        "checksum": found["checksum"],
        "os_hash_algo": algorithm,
        "os_hash_value": found["hash"],
    }
    if promised is not None:
        run.done(lambda tx: activate(tx, **digests))
    else:
        run.done(lambda tx: images.update(tx, image_id, **digests))
