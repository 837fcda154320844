"""Data on its way between sources and stores: what the steps of imports and copies do.

A source says where the data is, as a flow's argument: {"kind": "staged", "id"}, {"kind": "web", "uri"},
{"kind": "glance", "region", "image_id", "interface"}, or {"kind": "stored", "store", "url", "hash"}.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any

from celaje.common import clock
from celaje.common.db import Database, Transaction
from celaje.image.conductor.remote import RemoteImages
from celaje.image.db import images
from celaje.image.db import uploads as rows
from celaje.image.errors import HashMismatch, ImageGone
from celaje.image.stores.base import HASH_ALGORITHM, Store
from celaje.image.uploads import Checked
from celaje.image.web import Web

Source = dict[str, Any]

# Seconds between two notes of how much has come.
_NOTE = 2.0


class Watched(Iterator[bytes]):
    """Chunks that are counted while they flow: `note(count)` now and then, which may raise to end it."""

    def __init__(self, chunks: Iterable[bytes], note: Callable[[int], None]):
        self._chunks = iter(chunks)
        self._note = note
        self._count = 0
        self._due = clock.monotonic() + _NOTE

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        self._count += len(chunk)
        if clock.monotonic() >= self._due:
            self._note(self._count)
            self._due = clock.monotonic() + _NOTE
        return chunk


class Transfer:
    def __init__(
        self,
        database: Database,
        stores: Mapping[str, Store],
        web: Web,
        remote: RemoteImages,
        *,
        strict: bool,
    ):
        self._database = database
        self._stores = stores
        self._web = web
        self._remote = remote
        self._strict = strict

    def bring(self, image: dict[str, Any], source: Source, data_id: str, store: str) -> dict[str, Any]:
        """The source's data into a store, inspected on its way. `image` has id, disk_format,
        container_format, limit. Returns what was stored and the virtual_size. Raises ImageGone."""
        with self._open(source) as reading:
            watched = Watched(reading, lambda count: self._note(image["id"], data_id, count))
            checked = Checked(watched, image, strict=self._strict)
            stored = self._stores[store].write(data_id, checked, image["limit"], size=reading.size)
        promised = source.get("hash")
        if promised is not None and stored.hash_value != promised:
            self._stores[store].delete(stored.location)
            raise HashMismatch(url=source["url"], algorithm=stored.hash_algo, found=stored.hash_value)
        return {**asdict(stored), "virtual_size": checked.virtual_size}

    def stage(self, image: dict[str, Any], source: Source, data_id: str) -> None:
        """The source's data into the staging area as it is; what it is shows when it goes to a store."""
        with self._open(source) as reading:
            watched = Watched(reading, lambda count: self._note(image["id"], data_id, count))
            self._stores["staging"].write(data_id, watched, image["limit"], size=reading.size)

    def digest(self, image_id: str, store: str, url: str, algorithm: str | None) -> dict[str, Any]:
        """Size, MD5 and the digest by `algorithm` of what lies at a location."""
        checksum = hashlib.md5(usedforsecurity=False)
        digest = hashlib.new(algorithm or HASH_ALGORITHM)
        size = 0
        with self._stores[store].read(url) as reading:
            for chunk in Watched(reading, lambda _: self._still_there(image_id)):
                checksum.update(chunk)
                digest.update(chunk)
                size += len(chunk)
        return {"size": size, "checksum": checksum.hexdigest(), "hash": digest.hexdigest()}

    def size_of(self, store: str, url: str) -> int | None:
        return self._stores[store].size(url)

    def _open(self, source: Source) -> AbstractContextManager[Any]:
        kind = source["kind"]
        if kind == "web":
            return self._web.open(source["uri"])
        if kind == "glance":
            return self._remote.read(source)
        if kind == "staged":
            staging = self._stores["staging"]
            return staging.read(staging.location(source["id"]))
        return self._stores[source["store"]].read(source["url"])

    def _note(self, image_id: str, data_id: str, count: int) -> None:
        def unit(tx: Transaction) -> bool:
            return rows.progress(tx, data_id, count) and images.status(tx, image_id) is not None

        if not self._database.write(unit):
            raise ImageGone(image_id=image_id)

    def _still_there(self, image_id: str) -> None:
        if self._database.read(images.status, image_id) is None:
            raise ImageGone(image_id=image_id)
