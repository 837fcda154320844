"""Data on its way into a store: received in the thread of a request, guarded by a flow.

Called by the handlers of PUT file and PUT stage. Who receives renews a lease; when the process dies, the
lease runs out, the flow (conductor/upload_image.py) is told, queues the image again and removes the bytes.
"""

import datetime
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from celaje.common import clock, disk_format
from celaje.common.db import Database, Transaction
from celaje.common.flow import Flows
from celaje.image.db import images
from celaje.image.db import uploads as rows
from celaje.image.db.tables import IMAGES
from celaje.image.errors import BadImageContent, ImageGone, WrongState
from celaje.image.states import IMAGE
from celaje.image.stores.base import Store, Stored

#: Containers whose data is the disk itself; what is in an archive or a bundle is not looked into.
_DISKS = (None, "bare", "ami", "ari", "aki")

GOALS = {"image.upload": "saving", "image.stage": "uploading"}


@dataclass(frozen=True, slots=True)
class Upload:
    """`id` is the guarding flow's and names the data in the store."""

    id: str
    image_id: str
    store: Store


class Checked(Iterator[bytes]):
    """Chunks that are inspected while they flow. The last one is followed by the verdict, so that data of
    another format never becomes visible in the store."""

    def __init__(self, chunks: Iterable[bytes], image: dict[str, Any], *, strict: bool):
        self._chunks = iter(chunks)
        self._declared = image["disk_format"]
        self._strict = strict
        self._inspector = None
        self.virtual_size: int | None = None
        if image["container_format"] in _DISKS:
            self._inspector = disk_format.Inspector()

    def __next__(self) -> bytes:
        try:
            chunk = next(self._chunks)
        except StopIteration:
            self._judge()
            raise
        if self._inspector:
            self._inspector.feed(chunk)
        return chunk

    def _judge(self) -> None:
        if self._inspector is None:
            return
        inspection = self._inspector.result()
        self._inspector = None
        self.virtual_size = inspection.virtual_size
        try:
            disk_format.check(self._declared, inspection)
        except disk_format.FormatMismatch as error:
            if self._strict:
                raise BadImageContent(error.message) from error
        except disk_format.UnsafeImage as error:
            raise BadImageContent(error.message) from error


class Uploads:
    def __init__(self, database: Database, flows: Flows, owner: str, lease: float):
        self._database = database
        self._flows = flows
        self._owner = owner
        self._lease = lease
        self._lock = threading.Lock()
        self._mine: set[str] = set()

    def begin(self, tx: Transaction, flow: str, image: dict[str, Any], store: Store) -> Upload:
        """Take the queued image for one upload; `flow` is image.upload or image.stage."""
        goal = GOALS[flow]
        flow_id = self._flows.submit(
            tx,
            flow,
            resource=("image", image["id"]),
            arguments={"image_id": image["id"], "store": store.name},
        )
        if not IMAGE.move(
            tx, IMAGES, image["id"], goal, sources={"queued"}, flow_id=flow_id, updated_at=clock.now()
        ):
            raise WrongState(status=image["status"], goal=goal)
        rows.insert(
            tx,
            id=flow_id,
            flow_id=flow_id,
            image_id=image["id"],
            owner=self._owner,
            lease_until=self._lease_end(),
            store=store.name,
        )
        return Upload(flow_id, image["id"], store)

    def watch(self, upload: Upload) -> None:
        """From here on this process renews the upload's lease, until `unwatch`."""
        with self._lock:
            self._mine.add(upload.id)

    def unwatch(self, upload: Upload) -> None:
        with self._lock:
            self._mine.discard(upload.id)

    def activate(self, tx: Transaction, upload: Upload, stored: Stored, virtual_size: int | None) -> None:
        """The data is there. Raises ImageGone when the image, or this upload's hold on it, is not."""
        self._still_ours(tx, upload)
        copies = [Copy(upload.id, upload.store.name, stored.location)]
        activate(tx, upload.image_id, copies, stored, virtual_size, "saving", list)
        rows.delete(tx, upload.id)
        self._flows.signal(tx, upload.id, "ended", {"lost": False})

    def staged(self, tx: Transaction, upload: Upload, stored: Stored) -> None:
        """The data waits in the staging area; the flow goes on guarding it until it is imported."""
        self._still_ours(tx, upload)
        images.update(tx, upload.image_id, size=stored.size)
        rows.complete(tx, upload.id, url=stored.location, size=stored.size)

    def give_back(self, tx: Transaction, upload: Upload) -> None:
        """The upload failed and left nothing in the store."""
        if _holds(tx, upload):
            IMAGE.move(
                tx, IMAGES, upload.image_id, "queued", sources={GOALS["image.upload"], GOALS["image.stage"]}
            )
        rows.delete(tx, upload.id)
        self._flows.signal(tx, upload.id, "ended", {"lost": False})

    def _still_ours(self, tx: Transaction, upload: Upload) -> None:
        if not _holds(tx, upload):
            raise ImageGone(image_id=upload.image_id)

    def _lease_end(self) -> datetime.datetime:
        return self._database.now() + datetime.timedelta(seconds=self._lease)

    # What the service does periodically.

    def renew(self) -> None:
        with self._lock:
            mine = list(self._mine)
        if mine:
            self._database.write(rows.renew, mine, self._lease_end())

    def reap(self, *, alone: bool = False) -> int:
        """Tell the flows of lost uploads; returns how many. `alone`: no other process can be receiving."""
        find = (lambda tx: rows.of_others(tx, self._owner)) if alone else (lambda tx: rows.lost(tx, tx.now()))
        if not self._database.read(find):
            return 0

        def unit(tx: Transaction) -> int:
            found = find(tx)
            for row in found:
                self._flows.signal(tx, row["flow_id"], "ended", {"lost": True})
            return len(found)

        return self._database.write(unit)


def _holds(tx: Transaction, upload: Upload) -> bool:
    image = images.get(tx, upload.image_id, lock=True)
    return image is not None and image["flow_id"] == upload.id


@dataclass(frozen=True, slots=True)
class Copy:
    """One store's copy of an image's data, under the name `data_id`."""

    data_id: str
    store: str
    url: str


def activate(  # noqa: PLR0917
    tx: Transaction,
    image_id: str,
    copies: list[Copy],
    stored: Stored,
    virtual_size: int | None,
    source: str,
    ordered: Callable[[list[str]], list[str]],
) -> None:
    """Bring an image from the state `source` into `active` with its data. Raises ImageGone."""
    moved = IMAGE.move(
        tx,
        IMAGES,
        image_id,
        "active",
        sources={source},
        size=stored.size,
        virtual_size=virtual_size,
        checksum=stored.checksum,
        os_hash_algo=stored.hash_algo,
        os_hash_value=stored.hash_value,
        stores=",".join(ordered([copy.store for copy in copies])),
        updated_at=clock.now(),
    )
    if not moved:
        raise ImageGone(image_id=image_id)
    for copy in copies:
        images.add_location(tx, image_id, copy.data_id, copy.store, copy.url)
