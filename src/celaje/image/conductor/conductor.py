"""What the image flows work with: the database, the flows and the stores. Made by the service."""

import errno
from typing import TYPE_CHECKING

from celaje.common.db import Database, Transaction
from celaje.common.errors import Unavailable
from celaje.common.flow import Engine, Flows
from celaje.common.service import Conductor
from celaje.image.db import images, uploads
from celaje.image.stores.base import Store
from celaje.image.stores.opening import Stores

if TYPE_CHECKING:
    from celaje.image.conductor.remote import RemoteImages
    from celaje.image.conductor.reworking import Reworking
    from celaje.image.conductor.transfer import Transfer


class ImageConductor(Conductor):
    """`stores` by name, the staging area among them; `opened` those that clients know, with their order."""

    def __init__(  # noqa: PLR0917
        self,
        database: Database,
        flows: Flows,
        opened: Stores,
        staging: Store,
        transfer: "Transfer",
        remote: "RemoteImages",
        reworking: "Reworking",
    ):
        self.database = database
        self.flows = flows
        self.opened = opened
        self.stores = {**opened.by_name, "staging": staging}
        self.transfer = transfer
        self.remote = remote
        self.reworking = reworking
        self.engine: Engine | None = None

    def remove_data(self, store: str, data_id: str) -> None:
        """Remove what lies, or may lie, under this id. A disk that refuses now is asked again later."""
        if not self.stores[store].read_only:
            self.remove_location(store, self.stores[store].location(data_id))

    def remove_abandoned(self, store: str, upload_id: str) -> None:
        """Remove an upload's data, unless it has become an image's or another flow answers for it."""

        def kept(tx: Transaction) -> bool:
            row = uploads.get(tx, upload_id)
            return images.has_location(tx, upload_id) or (row is not None and row["flow_id"] != upload_id)

        if not self.database.read(kept):
            self.remove_data(store, upload_id)

    def remove_location(self, store: str, url: str) -> None:
        if store not in self.stores:
            raise Unavailable(f"There is no store {store} in the configuration any more, which has {url}.")
        try:
            self.stores[store].delete(url)
        except OSError as error:
            name = errno.errorcode.get(error.errno or 0, "error")
            raise Unavailable(f"Store {store} did not remove {url} ({name}).") from error
