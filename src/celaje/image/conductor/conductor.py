"""What the image flows work with: the database, the flows and the stores. Made by the service."""

import errno
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from celaje.common.db import Database, Transaction
from celaje.common.errors import Unavailable
from celaje.common.flow import Engine, Flows
from celaje.common.service import Conductor
from celaje.image.db import images, uploads
from celaje.image.stores.base import Store
from celaje.image.uploads import Checked


class ImageConductor(Conductor):
    """`stores` by name, the staging area among them."""

    def __init__(
        self,
        database: Database,
        flows: Flows,
        stores: Mapping[str, Store],
        *,
        default_store: str,
        strict: bool,
    ):
        self.database = database
        self.flows = flows
        self.stores = stores
        self.default_store = default_store
        self.strict = strict
        self.engine: Engine | None = None

    def remove_data(self, store: str, data_id: str) -> None:
        """Remove what lies, or may lie, under this id. A disk that refuses now is asked again later."""
        self.remove_location(store, self.stores[store].location(data_id))

    def remove_abandoned(self, store: str, upload_id: str) -> None:
        """Remove an upload's data, unless it has become an image's or another flow answers for it."""

        def kept(tx: Transaction) -> bool:
            row = uploads.get(tx, upload_id)
            return images.has_location(tx, upload_id) or (row is not None and row["flow_id"] != upload_id)

        if not self.database.read(kept):
            self.remove_data(store, upload_id)

    def remove_location(self, store: str, url: str) -> None:
        try:
            self.stores[store].delete(url)
        except OSError as error:
            name = errno.errorcode.get(error.errno or 0, "error")
            raise Unavailable(f"Store {store} did not remove {url} ({name}).") from error

    def copy_staged(self, image: dict[str, Any], staged: str, data_id: str, store: str) -> dict[str, Any]:
        """Staged data into a store, inspected on its way. `image` has disk_format, container_format, limit.
        Returns what was stored and the virtual_size."""
        source = self.stores["staging"]
        with source.read(source.location(staged)) as reading:
            checked = Checked(reading, image, strict=self.strict)
            stored = self.stores[store].write(data_id, checked, image["limit"], size=reading.size)
        return {**asdict(stored), "virtual_size": checked.virtual_size}
