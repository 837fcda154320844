"""What the image service asks of a store. Called by image's API (upload, download, import, delete).

A store knows bytes, ids and locations; formats, rights and states are the service's.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celaje.common import errors

# Of 64 KiB, which glance_store takes, a download spends its time between the chunks.
CHUNK = 256 * 1024
HASH_ALGORITHM = "sha512"
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class StorageFull(errors.TooLarge):
    """The store has no room for the image: Glance answers 413."""

    text = "There is not enough disk space on the image storage media."


class ImageTooLarge(errors.TooLarge):
    """The data is longer than the limit (image_size_cap, or what is left of the quota)."""

    text = "The image is larger than the limit of {limit} bytes."


class DataNotFound(errors.NotFound):
    """Nothing lies at the location."""

    text = "The image's data was not found at {location}."


class BadImageId(errors.Invalid):
    text = "{image_id} is not an image id: it must be a UUID."


class BadLocation(errors.Invalid):
    """A location that this store did not make: another scheme, or outside of its folder."""

    text = "{location} is not a location in the store {store}."


class BadRange(errors.Invalid):
    text = "Bytes from {offset} are not within the image of {size} bytes."


@dataclass(frozen=True)
class Stored:
    """What was written: `location` is a URL, `checksum` MD5 and `hash_value` by `hash_algo`, both in hex
    (the image's properties checksum, os_hash_algo, os_hash_value)."""

    location: str
    size: int
    checksum: str
    hash_algo: str
    hash_value: str


@dataclass(frozen=True)
class Capacity:
    """Bytes; `free` is what we may still write."""

    total: int
    free: int


class Reading:
    """An image being read: `size` of the whole image, `length` of the part (None: nobody knows it before the
    end); iterate once for its chunks.

    Close it (or use it as a context) when the client goes away before the end.
    """

    def __init__(self, size: int | None, length: int | None, chunks: Iterator[bytes]):
        self.size = size
        self.length = length
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        getattr(self._chunks, "close", lambda: None)()

    def __enter__(self) -> "Reading":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ReadOnly(errors.Invalid):
    text = "The store {store} is only read."


class Digests:
    """Both checksums and the size, computed while the bytes flow."""

    def __init__(self, hash_algo: str = HASH_ALGORITHM):
        self.size = 0
        self.hash_algo = hash_algo
        self._checksum = hashlib.md5(usedforsecurity=False)
        self._hash = hashlib.new(hash_algo)

    def update(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self._checksum.update(chunk)
        self._hash.update(chunk)

    def stored(self, location: str) -> Stored:
        return Stored(location, self.size, self._checksum.hexdigest(), self.hash_algo, self._hash.hexdigest())


class Store:
    """One place for images. All methods may be called from many threads at once."""

    #: The store's identifier as in `/info/stores` and the `X-Image-Meta-Store` header.
    name: str = ""
    #: The driver, as `enabled_backends` names it.
    kind: str = ""
    description: str = ""
    #: Of several stores that hold an image, the one with the greatest weight is read.
    weight: int = 0
    #: A store that is only read takes no data and deletes none: it holds what was there before the image.
    read_only: bool = False

    def properties(self) -> dict[str, Any]:
        """What `/info/stores/detail` shows of it."""
        return {}

    def accepts(self, url: str) -> bool:
        """Whether a client may name `url` as an image's location in this store."""
        return False

    def size(self, location: str) -> int | None:
        """Bytes of what lies there; None if the store cannot tell. Raises DataNotFound, BadLocation."""
        with self.read(location) as reading:
            return reading.size

    def write(
        self, image_id: str, chunks: Iterable[bytes], limit: int | None = None, *, size: int | None = None
    ) -> Stored:
        """Take the chunks to their end and make them visible at once, or not at all.

        limit: most bytes to accept. size: the length if it is known, to refuse early. Data that lay there
        under this id is replaced, so that an import that is taken up again can write once more.
        Raises BadImageId, ImageTooLarge, StorageFull, and whatever `chunks` raises.
        """
        raise NotImplementedError

    def read(self, location: str, offset: int = 0, length: int | None = None) -> Reading:
        """The bytes from `offset`, at most `length`. Raises BadLocation, DataNotFound, BadRange at once."""
        raise NotImplementedError

    def delete(self, location: str) -> None:
        """Remove the data; nothing happens when it is gone. Raises BadLocation."""
        raise NotImplementedError

    def location(self, image_id: str) -> str:
        """Where data of this id lies, or would lie. Raises BadImageId."""
        raise NotImplementedError

    def sweep(self) -> int:
        """Remove what writers that died left behind; returns how many. Safe beside living writers."""
        return 0

    def path(self, location: str) -> Path | None:
        """The local file behind the location, for a reader on this host; None when there is none."""
        return None

    def list(self) -> Iterator[tuple[str, str]]:
        """(image id, location) of all that is stored, for the check on orphans."""
        raise NotImplementedError

    def capacity(self) -> Capacity:
        raise NotImplementedError


def checked_id(image_id: str) -> str:
    if not UUID.fullmatch(image_id):
        raise BadImageId(image_id=image_id)
    return image_id
