"""Images as block images of a Ceph cluster. Called through base.Store; calls `rbd`.

As glance_store keeps them: an image's data is POOL/ID at its protected snapshot `snap`, without which it is
not there; its location is rbd://FSID/POOL/ID/snap, from which volumes are cloned without a copy.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import IO, Any
from urllib.parse import quote, unquote

from oslo_config import cfg

from celaje.common.ceph import Connection, ImageBusy, Pool, PoolFull
from celaje.image.stores import base

#: Names, meanings and defaults as glance_store's RBD driver has them.
OPTIONS = [
    cfg.StrOpt("rbd_store_pool", default="images", help="Pool of the images."),
    cfg.StrOpt("rbd_store_user", help="Ceph user, without `client.`; its keyring is named in the file."),
    cfg.StrOpt("rbd_store_ceph_conf", default="", help="Ceph's configuration file."),
    cfg.IntOpt("rbd_store_chunk_size", default=8, min=1, max=32, help="MiB of an object of an image."),
    cfg.IntOpt(
        "rados_connect_timeout",
        default=-1,
        help="Seconds in which the cluster must answer; not positive: as Ceph has it.",
    ),
    cfg.IntOpt(
        "rbd_transfer_timeout", default=86400, min=1, help="Seconds for the end of a transfer to be stored."
    ),
]

SNAPSHOT = "snap"
MIB = 1 << 20
_FSID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class RbdStore(base.Store):
    kind = "rbd"

    def __init__(self, options: Any, *, name: str = "rbd", hash_algo: str = base.HASH_ALGORITHM):
        self.name = name
        wait = options.rados_connect_timeout
        connection = Connection(
            conf=options.rbd_store_ceph_conf,
            user=options.rbd_store_user or "",
            connect_timeout=wait if wait > 0 else -1,
        )
        self._pool = Pool(options.rbd_store_pool, connection)
        self._object = options.rbd_store_chunk_size * MIB
        self._timeout = options.rbd_transfer_timeout
        self._hash_algo = hash_algo
        self._known_fsid = ""

    def write(
        self, image_id: str, chunks: Iterable[bytes], limit: int | None = None, *, size: int | None = None
    ) -> base.Stored:
        base.checked_id(image_id)
        if size is not None and limit is not None and size > limit:
            raise base.ImageTooLarge(limit=limit)
        if size is not None and size > self.capacity().free:
            raise base.StorageFull
        digests = base.Digests(self._hash_algo)

        def counted() -> Iterator[bytes]:
            for chunk in chunks:
                digests.update(chunk)
                if limit is not None and digests.size > limit:
                    raise base.ImageTooLarge(limit=limit)
                yield chunk

        self._remove(image_id)
        try:
            self._pool.take(image_id, counted(), self._object, self._timeout)
            self._pool.snap(image_id, SNAPSHOT)
        except BaseException as error:
            self._remove(image_id)
            if isinstance(error, PoolFull):
                raise base.StorageFull from error
            raise
        return digests.stored(self.location(image_id))

    def read(self, location: str, offset: int = 0, length: int | None = None) -> base.Reading:
        image_id = self._image(location)
        found = self._pool.info(image_id, SNAPSHOT)
        if found is None:
            raise base.DataNotFound(location=location)
        size = int(found["size"])
        if offset < 0 or offset > size or (length is not None and length < 0):
            raise base.BadRange(offset=offset, size=size)
        left = size - offset if length is None else min(length, size - offset)
        return base.Reading(size, left, _Chunks(self._pool, image_id, offset, left))

    def size(self, location: str) -> int | None:
        found = self._pool.info(self._image(location), SNAPSHOT)
        if found is None:
            raise base.DataNotFound(location=location)
        return int(found["size"])

    def delete(self, location: str) -> None:
        """Volumes may stand on it: then it goes to Ceph's trash, and from there when the last of them is
        gone (`sweep`)."""
        self._remove(self._image(location))

    def location(self, image_id: str) -> str:
        parts = (self._fsid, self._pool.name, base.checked_id(image_id), SNAPSHOT)
        return "rbd://" + "/".join(quote(part, safe="") for part in parts)

    def list(self) -> Iterator[tuple[str, str]]:
        """What has no snapshot yet is on its way, or the trace of a writer that died: both have a row."""
        for row in self._pool.rows():
            if "snapshot" not in row and base.UUID.fullmatch(row["image"]):
                yield row["image"], self.location(row["image"])

    def sweep(self) -> int:
        return sum(self._pool.purge(entry["id"], SNAPSHOT) for entry in self._trash())

    def _trash(self) -> Iterator[dict[str, Any]]:
        return (entry for entry in self._pool.trash() if base.UUID.fullmatch(entry["name"]))

    def capacity(self) -> base.Capacity:
        stored, free = self._pool.room()
        return base.Capacity(stored + free, free)

    def properties(self) -> dict[str, Any]:
        return {
            "chunk_size": self._object,
            "pool": self._pool.name,
            "user": self._pool.connection.user or None,
        }

    @property
    def _fsid(self) -> str:
        if not self._known_fsid:
            self._known_fsid = self._pool.fsid()
        return self._known_fsid

    def _image(self, location: str) -> str:
        parts = [unquote(part) for part in location.removeprefix("rbd://").split("/")]
        ours = (
            location.startswith("rbd://")
            and len(parts) == 4
            and _FSID.fullmatch(parts[0])
            and parts[1] == self._pool.name
            and base.UUID.fullmatch(parts[2])
            and parts[3] == SNAPSHOT
        )
        if not ours or parts[0] != self._fsid:
            raise base.BadLocation(location=location, store=self.name)
        return parts[2]

    def _remove(self, image_id: str) -> None:
        if self._pool.info(image_id) is None:
            return
        try:
            self._pool.unsnap(image_id, SNAPSHOT)
            self._pool.remove(image_id, self._timeout)
        except ImageBusy:
            self._pool.discard(image_id)


class _Chunks(Iterator[bytes]):
    """Chunks of an export, which is ended with the iterator. What lies before `offset` is read and dropped:
    `rbd` gives an image from its beginning."""

    def __init__(self, pool: Pool, image_id: str, offset: int, left: int):
        self._open = ExitStack()
        self._pipe: IO[bytes] | None = None
        self._start = (pool, image_id)
        self._skip, self._left = offset, left

    def __next__(self) -> bytes:
        if not self._left:
            self.close()
            raise StopIteration
        if self._pipe is None:
            pool, image_id = self._start
            self._pipe = self._open.enter_context(pool.reading(image_id, SNAPSHOT))
            while self._skip:
                self._skip -= len(self._take(self._skip))
        data = self._take(self._left)
        self._left -= len(data)
        return data

    def _take(self, most: int) -> bytes:
        assert self._pipe is not None
        data = self._pipe.read(min(base.CHUNK, most))
        if not data:
            self.close()
            raise base.DataNotFound(location="/".join((self._start[0].name, self._start[1])))
        return data

    def close(self) -> None:
        self._left = 0
        self._open.close()

    def __del__(self) -> None:
        self.close()
