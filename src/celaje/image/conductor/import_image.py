"""glance-direct: staged data becomes the image's."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.flow import Run, flow
from celaje.image.conductor.upload_image import queue_again
from celaje.image.db import uploads
from celaje.image.stores.base import Stored
from celaje.image.uploads import activate


@flow("image.import", deadline="import_deadline", way_out=queue_again)
def import_image(run: Run, image: dict[str, Any], staged: str, data_id: str, store: str) -> None:
    conductor = run.conductor
    run.undo(conductor.remove_data, "staging", staged)
    run.undo(conductor.remove_data, store, data_id)
    copied = run.step(conductor.copy_staged, image, staged, data_id, store)

    def finish(tx: Transaction) -> None:
        found = Stored(**{key: value for key, value in copied.items() if key != "virtual_size"})
        activate(tx, image["id"], data_id, store, found, copied["virtual_size"], "importing")
        uploads.delete(tx, staged, data_id)
        # Another flow removes the staged bytes: from here on nothing of this one may be undone.
        url = conductor.stores["staging"].location(staged)
        conductor.flows.submit(
            tx,
            "image.delete",
            resource=("image", image["id"]),
            arguments={"data": [["staging", url]]},
            request=run.request,
        )

    run.done(finish)
