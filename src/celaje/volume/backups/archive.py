"""The form of a backup: blocks by hash, objects of changed extents, a manifest that is written last.

Volume's worker calls it with a raw file. A backup is there when its manifest is; what a killed worker left
without one is removed by the next attempt. An incremental backup holds the blocks whose SHA-256 differs from
its parent's; restoring goes from the full one up, and looks at every sum on the way.

Objects below `<container>/<backup's id>/`: `data-<n>`, `hashes` (32 bytes a block, zeros for one of zeros),
and `manifest.json`, whose members are those of Manifest.
"""

import bz2
import hashlib
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec

from celaje.common import errors
from celaje.volume.backups.store import BackupLost, BackupStore, BackupUnwanted

MANIFEST, HASHES = "manifest.json", "hashes"
NOTHING = bytes(32)
LONGEST_CHAIN = 1000


class Object(msgspec.Struct):
    """`extents` are [offset, length] in the volume; the object is their bytes in this order, compressed."""

    name: str
    sha256: str
    extents: list[tuple[int, int]]


class Manifest(msgspec.Struct):
    """`parent` is the prefix of the backup that this one adds to; `zeros` are extents that became zero."""

    version: int
    id: str
    volume_id: str
    size: int
    block_size: int
    compression: str
    parent: str | None
    objects: list[Object]
    zeros: list[tuple[int, int]]
    hashes: str
    stored: int


COMPRESSIONS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes, int], bytes]]] = {
    "none": (lambda data: data, lambda data, length: data),
    "zlib": (
        lambda data: zlib.compress(data, 1),
        lambda data, length: zlib.decompressobj().decompress(data, length + 1),
    ),
    "bz2": (bz2.compress, lambda data, length: bz2.BZ2Decompressor().decompress(data, length + 1)),
}
_OTHER_NAMES = {"off": "none", "no": "none", "gzip": "zlib", "bzip2": "bz2"}


def compression_named(name: str) -> str:
    found = _OTHER_NAMES.get(name, name)
    if found not in COMPRESSIONS:
        known = ", ".join((*COMPRESSIONS, *_OTHER_NAMES))
        raise errors.ConfigurationError(f"backup_compression_algorithm: {name} is not one of {known}.")
    return found


def prefix_of(container: str, backup_id: str) -> str:
    safe = quote(container, safe="")
    return f"{safe.replace('.', '%2E')}/{backup_id}"


class Archive:
    """object_size: bytes of a volume in one object at most; block_size: what is hashed and compared."""

    def __init__(self, store: BackupStore, *, object_size: int, block_size: int, compression: str):
        if block_size < 512 or object_size % block_size:
            raise errors.ConfigurationError(
                "backup_file_size must be a multiple of backup_sha_block_size_bytes, and that 512 at least."
            )
        self.store = store
        self._object_size = object_size
        self._block_size = block_size
        self._compression = compression_named(compression)

    def write(
        self,
        prefix: str,
        backup_id: str,
        volume_id: str,
        content: Path,
        parent: str | None,
        *,
        unwanted: Callable[[], bool] = lambda: False,
    ) -> Manifest:
        """Nothing to do when it is there. Raises BackupLost when the parent is not, BackupUnwanted once
        `unwanted()` says so."""
        if self.store.has(f"{prefix}/{MANIFEST}"):
            return self.manifest(prefix)
        self.store.remove(prefix)
        size = content.stat().st_size
        before = self._parents_hashes(parent)
        hashes = bytearray()
        writer = _Writer(self.store, prefix, self._compression, self._object_size)
        for number, block in _blocks(content, size, self._block_size):
            if unwanted():
                raise BackupUnwanted(name=prefix)
            hashes += NOTHING * (number - len(hashes) // 32)
            digest = hashlib.sha256(block).digest() if block.count(0) < len(block) else NOTHING
            hashes += digest
            if digest != NOTHING and digest != before(number):
                writer.add(number * self._block_size, block)
        count = -(-size // self._block_size)
        hashes += NOTHING * (count - len(hashes) // 32)
        zeros = _runs(
            number
            for number in range(count if parent else 0)
            if hashes[number * 32 : number * 32 + 32] == NOTHING and before(number) != NOTHING
        )
        writer.flush()
        self.store.put(f"{prefix}/{HASHES}", zlib.compress(hashes, 1))
        found = Manifest(
            version=1,
            id=backup_id,
            volume_id=volume_id,
            size=size,
            block_size=self._block_size,
            compression=self._compression,
            parent=parent,
            objects=writer.objects,
            zeros=[(first * self._block_size, length * self._block_size) for first, length in zeros],
            hashes=hashlib.sha256(hashes).hexdigest(),
            stored=writer.stored,
        )
        self.store.put(f"{prefix}/{MANIFEST}", msgspec.json.encode(found))
        return found

    def _parents_hashes(self, parent: str | None) -> Callable[[int], bytes]:
        if parent is None:
            return lambda number: NOTHING
        manifest = self.manifest(parent)
        if manifest.block_size != self._block_size:
            raise errors.DriverError(
                f"The parent was made with blocks of {manifest.block_size} bytes, "
                f"backup_sha_block_size_bytes is {self._block_size} now: make a full backup."
            )
        hashes = self._hashes(parent, manifest)
        return lambda number: hashes[number * 32 : number * 32 + 32] or NOTHING

    def manifest(self, prefix: str) -> Manifest:
        name = f"{prefix}/{MANIFEST}"
        try:
            found = msgspec.json.decode(self.store.get(name), type=Manifest)
        except msgspec.DecodeError as error:
            raise BackupLost(name=name, reason=str(error)) from error
        if found.version != 1 or found.compression not in COMPRESSIONS or found.block_size < 512:
            raise BackupLost(name=name, reason="it is of a form that is not known here")
        return found

    def _hashes(self, prefix: str, manifest: Manifest) -> bytes:
        name = f"{prefix}/{HASHES}"
        length = -(-manifest.size // manifest.block_size) * 32
        try:
            found = zlib.decompressobj().decompress(self.store.get(name), length + 1)
        except zlib.error as error:
            raise BackupLost(name=name, reason=str(error)) from error
        if hashlib.sha256(found).hexdigest() != manifest.hashes:
            raise BackupLost(name=name, reason="its checksum is another")
        return found

    def restore(self, prefix: str, target: Path) -> int:
        """Fill `target`, an empty sparse file at least as large as the volume was; returns that size."""
        chain = self._chain(prefix)
        last = chain[-1][1]
        with open(target, "rb+", buffering=0) as file:
            if os.fstat(file.fileno()).st_size < last.size:
                raise errors.Invalid(f"A backup of {last.size} bytes does not fit.")
            for name, manifest in chain:
                self._apply(name, manifest, file.fileno())
            os.fsync(file.fileno())
        self._compare(prefix, last, target)
        return last.size

    def _chain(self, prefix: str) -> list[tuple[str, Manifest]]:
        """The backup and what it adds to, the full one first."""
        found: list[tuple[str, Manifest]] = []
        name: str | None = prefix
        while name is not None:
            if len(found) > LONGEST_CHAIN or any(name == known for known, _ in found):
                raise BackupLost(name=prefix, reason="its chain of parents has no end")
            manifest = self.manifest(name)
            found.append((name, manifest))
            name = manifest.parent
        return found[::-1]

    def _apply(self, prefix: str, manifest: Manifest, file: int) -> None:
        for offset, length in manifest.zeros:
            _write_zeros(file, offset, length)
        for each in manifest.objects:
            data = self._data(f"{prefix}/{each.name}", each, manifest.compression)
            position = 0
            for offset, length in each.extents:
                os.pwrite(file, data[position : position + length], offset)
                position += length

    def _data(self, name: str, of: Object, compression: str) -> bytes:
        length = sum(length for _, length in of.extents)
        try:
            data = COMPRESSIONS[compression][1](self.store.get(name), length)
        except (zlib.error, OSError, ValueError) as error:
            raise BackupLost(name=name, reason=str(error)) from error
        if hashlib.sha256(data).hexdigest() != of.sha256 or len(data) != length:
            raise BackupLost(name=name, reason="its checksum is another")
        return data

    def _compare(self, prefix: str, manifest: Manifest, target: Path) -> None:
        """What was put together from the whole chain must be what was backed up, block by block."""
        wanted = self._hashes(prefix, manifest)
        next_number = 0
        for number, block in _blocks(target, manifest.size, manifest.block_size):
            digest = hashlib.sha256(block).digest() if block.count(0) < len(block) else NOTHING
            skipped = wanted[next_number * 32 : number * 32]
            if skipped.count(0) != len(skipped) or wanted[number * 32 : number * 32 + 32] != digest:
                raise BackupLost(name=prefix, reason="what it restores is not what was backed up")
            next_number = number + 1
        rest = wanted[next_number * 32 :]
        if rest.count(0) != len(rest):
            raise BackupLost(name=prefix, reason="what it restores is not what was backed up")


class _Writer:
    """Collects extents into objects."""

    def __init__(self, store: BackupStore, prefix: str, compression: str, object_size: int):
        self._store, self._prefix = store, prefix
        self._compression = compression
        self._object_size = object_size
        self._data = bytearray()
        self._extents: list[tuple[int, int]] = []
        self.objects: list[Object] = []
        self.stored = 0

    def add(self, offset: int, block: bytes) -> None:
        if self._extents and sum(self._extents[-1]) == offset:
            start, length = self._extents[-1]
            self._extents[-1] = (start, length + len(block))
        else:
            self._extents.append((offset, len(block)))
        self._data += block
        if len(self._data) >= self._object_size:
            self.flush()

    def flush(self) -> None:
        if not self._data:
            return
        name = f"data-{len(self.objects):06d}"
        data = bytes(self._data)
        packed = COMPRESSIONS[self._compression][0](data)
        self._store.put(f"{self._prefix}/{name}", packed)
        self.objects.append(Object(name, hashlib.sha256(data).hexdigest(), self._extents))
        self.stored += len(packed)
        self._data, self._extents = bytearray(), []


def _blocks(path: Path, size: int, block_size: int) -> Iterator[tuple[int, bytes]]:
    """Number and content of the blocks that are not holes of the file."""
    with open(path, "rb", buffering=0) as file:
        descriptor = file.fileno()
        number, count = 0, -(-size // block_size)
        while number < count:
            try:
                start = os.lseek(descriptor, number * block_size, os.SEEK_DATA)
            except OSError:
                return
            end = os.lseek(descriptor, start, os.SEEK_HOLE)
            number = max(number, start // block_size)
            while number < count and number * block_size < end:
                length = min(block_size, size - number * block_size)
                yield number, os.pread(descriptor, length, number * block_size)
                number += 1


def _runs(numbers: Iterator[int]) -> list[tuple[int, int]]:
    """[first, length] of consecutive numbers."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and sum(found[-1]) == number:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((number, 1))
    return found


def _write_zeros(file: int, offset: int, length: int) -> None:
    end = min(offset + length, os.fstat(file).st_size)
    zeros = bytes(1 << 20)
    while offset < end:
        offset += os.pwrite(file, zeros[: min(len(zeros), end - offset)], offset)
