"""The tasks API's `import`: an image is made, and gets its data from a URL. It exists from the start of the
task, and goes away with a failed one."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.image.conductor.import_image import bring_to_all
from celaje.image.db import images, uploads
from celaje.image.stores.base import Stored
from celaje.image.uploads import Copy, activate

Row = dict[str, Any]


def image_goes(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    image = images.get(tx, flow_row["resource_id"], lock=True)
    if image is not None and image["flow_id"] == flow_row["id"]:
        images.delete(tx, image["id"])
    uploads.delete_of_flow(tx, flow_row["id"])


@flow("image.task_import", deadline="import_deadline", way_out=image_goes)
def import_by_task(run: Run, image: Row, source: Row, targets: list[list[str]], input: Row) -> None:
    copies, _ = bring_to_all(run, image, source, targets, must_succeed=True)

    def finish(tx: Transaction) -> None:
        store, data_id, copied = copies[0]
        stored = Stored(**{key: value for key, value in copied.items() if key != "virtual_size"})
        found = [Copy(data_id, store, copied["location"])]
        ordered = run.conductor.opened.ordered
        activate(tx, image["id"], found, stored, copied["virtual_size"], "importing", ordered)
        uploads.delete_of_flow(tx, run.id)

    run.done(finish, result={"image_id": image["id"]})
