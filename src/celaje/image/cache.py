"""A host's cache of images: files that are read in the place of a remote store. Called by the download and by
the handlers of /v2/cache; which images are there stands in the database.

An image is fetched by a thread of its own, one after the other, and appears when it is whole and its digest
is the image's. Ids are never given twice, so what is cached cannot be an older image's.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from oslo_config import cfg

from celaje.common.db import Database, Transaction
from celaje.common.errors import CelajeError
from celaje.image.db import cache as rows
from celaje.image.db import images
from celaje.image.stores.base import HASH_ALGORITHM, DataNotFound, Reading
from celaje.image.stores.file import FileStore

log = logging.getLogger(__name__)

OPTIONS = [
    cfg.StrOpt("image_cache_dir", help="Folder of the image cache; by default below state_path."),
    cfg.IntOpt(
        "image_cache_max_size",
        default=10 << 30,
        min=1,
        help="Bytes that the cache may hold; the least recently read images go first.",
    ),
]


class ImageCache:
    """`open_image` gives a reading of an active image's data from its stores."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        host: str,
        max_size: int,
        open_image: Callable[[list[dict[str, Any]]], Reading],
    ):
        self._database = database
        self._files = FileStore(folder, name="cache")
        self._host = host
        self._max_size = max_size
        self._open = open_image
        self._lock = threading.Lock()
        self._fetcher: ThreadPoolExecutor | None = None

    def read(self, image_id: str, offset: int, length: int | None) -> Reading | None:
        """From here, if it is here."""
        row = self._database.read(rows.get, self._host, image_id)
        if row is None or not row["cached"]:
            return None
        try:
            reading = self._files.read(self._files.location(image_id), offset, length)
        except DataNotFound:
            self.remove(image_id)
            return None
        self._database.write(rows.hit, self._host, image_id)
        return reading

    def queue(self, image_id: str) -> None:
        """Fetch it soon; nothing happens if it is here, or on its way."""
        if self._database.write(rows.queue, self._host, image_id):
            self._fetch_soon(image_id)

    def entries(self) -> list[dict[str, Any]]:
        return self._database.read(rows.entries, self._host)

    def remove(self, image_id: str) -> None:
        self._database.write(rows.remove, self._host, image_id)
        self._files.delete(self._files.location(image_id))

    def clear(self, *, cached: bool, queued: bool) -> None:
        if queued:
            self._database.write(rows.clear, self._host, False)
        if cached:
            for image_id in self._database.write(rows.clear, self._host, True):
                self._files.delete(self._files.location(image_id))

    def start(self) -> None:
        """What another life has left: go on with what waits, drop what no row or no image knows."""
        self._files.sweep()
        self.drop_lost()
        found = self.entries()
        known = {row["image_id"] for row in found if row["cached"]}
        self._drop(image_id for image_id, _ in self._files.list() if image_id not in known)
        for row in found:
            if not row["cached"]:
                self._fetch_soon(row["image_id"])

    def stop(self) -> None:
        with self._lock:
            if self._fetcher is not None:
                self._fetcher.shutdown(wait=False, cancel_futures=True)

    def drop_lost(self) -> None:
        """Images that were deleted, here or by another API."""
        self._drop(self._database.read(rows.of_lost_images, self._host))

    def _drop(self, image_ids: Iterable[str]) -> None:
        for image_id in image_ids:
            self.remove(image_id)

    def _fetch_soon(self, image_id: str) -> None:
        with self._lock:
            if self._fetcher is None:
                self._fetcher = ThreadPoolExecutor(1, thread_name_prefix="image cache")
            self._fetcher.submit(self._fetch, image_id)

    def _fetch(self, image_id: str) -> None:
        try:
            self._bring(image_id)
            self._prune()
        except (CelajeError, OSError) as error:
            log.warning("image %s could not be cached: %s", image_id, error)
            self.remove(image_id)
        except Exception:
            log.exception("image %s could not be cached", image_id)
            self.remove(image_id)

    def _bring(self, image_id: str) -> None:
        def query(tx: Transaction) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
            return images.get(tx, image_id), images.locations(tx, [image_id])

        image, locations = self._database.read(query)
        if image is None or image["status"] != "active":
            raise DataNotFound(location=f"image {image_id}")
        with self._open(locations) as reading:
            stored = self._files.write(image_id, reading, self._max_size, size=reading.size)
        spoilt = image["os_hash_algo"] == HASH_ALGORITHM and stored.hash_value != image["os_hash_value"]
        if spoilt or not self._database.write(rows.arrived, self._host, image_id, stored.size):
            self._files.delete(stored.location)
        if spoilt:
            raise DataNotFound(location=f"image {image_id}, as its digest says it,")

    def _prune(self) -> None:
        """The least recently read go until the rest fits."""
        found = [row for row in self.entries() if row["cached"]]
        total = sum(row["size"] for row in found)
        for row in found:
            if total <= self._max_size:
                return
            self.remove(row["image_id"])
            total -= row["size"]
