"""Data from a source (staged, on the web, another region's) becomes the image's, in one store or several."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.image.conductor.reworking import rework
from celaje.image.conductor.upload_image import queue_again
from celaje.image.db import images, uploads
from celaje.image.stores.base import Stored
from celaje.image.uploads import Copy, activate

Row = dict[str, Any]


def import_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    queue_again(tx, flow_row, error)
    stores = ",".join(store for store, _ in flow_row["arguments"]["targets"])
    images.note_import(
        tx, flow_row["resource_id"], import_task=None, importing_to_stores="", failed_import=stores
    )


@flow("image.import", deadline="import_deadline", way_out=import_failed)
def import_image(  # noqa: PLR0917
    run: Run,
    image: Row,
    source: Row,
    targets: list[list[str]],
    must_succeed: bool,
    input: Row,
    plugins: Row | None = None,
) -> None:
    """`targets` are [store, data id]; `input` is what the task shows as asked for; `plugins` is what is done
    with the data: see reworking.rework, and {"properties"} that the image gets."""
    conductor = run.conductor
    properties: Row = {}
    if source["kind"] == "staged":
        run.undo(conductor.remove_data, "staging", source["id"])
    if source["kind"] == "glance":
        described = run.step(conductor.remote.describe, source)
        properties = described["properties"]
        image = {**image, **{key: described[key] for key in ("disk_format", "container_format")}}
    if plugins:
        properties = {**properties, **plugins["properties"]}
        if plugins["steps"]:
            image, source = rework(run, image, source, plugins)
    staged = source["id"] if source["kind"] == "staged" else None
    copies, failed = bring_to_all(run, image, source, targets, must_succeed)

    def finish(tx: Transaction) -> None:
        first = copies[0][2]
        stored = Stored(**{key: value for key, value in first.items() if key != "virtual_size"})
        found = [Copy(data_id, store, copied["location"]) for store, data_id, copied in copies]
        activate(tx, image["id"], found, stored, first["virtual_size"], "importing", conductor.opened.ordered)
        formats = {key: image[key] for key in ("disk_format", "container_format")}
        images.describe(tx, image["id"], {**formats, "properties": properties})
        images.note_import(
            tx, image["id"], import_task=None, importing_to_stores="", failed_import=",".join(failed)
        )
        uploads.delete_of_flow(tx, run.id)
        if staged is not None:
            # Another flow removes the staged bytes: from here on nothing of this one may be undone.
            url = conductor.stores["staging"].location(staged)
            conductor.flows.submit(
                tx,
                "image.delete",
                resource=("image", image["id"]),
                arguments={"data": [["staging", url]]},
                request=run.request,
            )

    run.done(finish, result={"image_id": image["id"]})


def bring_to_all(
    run: Run, image: Row, source: Row, targets: list[list[str]], must_succeed: bool
) -> tuple[list[tuple[str, str, Row]], list[str]]:
    """One store after the other: the first gets the source's data, the others what the first has. Returns
    (store, data id, what was stored) of those that have it, and the names of those that failed."""
    conductor = run.conductor
    copies: list[tuple[str, str, Row]] = []
    failed: list[str] = []
    problem: CelajeError | None = None
    for number, (store, data_id) in enumerate(targets):
        run.undo(conductor.remove_data, store, data_id)
        try:
            copied = run.step(conductor.transfer.bring, image, source, data_id, store)
        except CelajeError as error:
            if must_succeed:
                raise
            problem = error
            failed.append(store)
        else:
            copies.append((store, data_id, copied))
            source = {
                "kind": "stored",
                "store": store,
                "url": copied["location"],
                "hash": copied["hash_value"],
            }
        if len(targets) > 1:
            left = ",".join(name for name, _ in targets[number + 1 :])
            run.write(note_progress, image["id"], left, ",".join(failed))
    if problem is not None and not copies:
        raise problem
    return copies, failed


def note_progress(tx: Transaction, image_id: str, left: str, failed: str) -> None:
    images.note_import(tx, image_id, importing_to_stores=left, failed_import=failed)
