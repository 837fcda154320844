"""Backups as they lie in the store: what is kept, what is put together again, and every kind of damage."""

import pytest

from celaje.common import clock, errors
from celaje.volume.backups import archive
from celaje.volume.backups.archive import Archive, prefix_of
from celaje.volume.backups.store import BackupLost, FileStore

KIB = 1024
SIZE = 8 * 1024 * KIB


class Disk:
    """A raw file, and its backups."""

    def __init__(self, folder, **options):
        self.folder = folder
        self.path = folder / "disk"
        self.store = FileStore(folder / "store")
        settings = {"object_size": 256 * KIB, "block_size": 4 * KIB, "compression": "zlib", **options}
        self.archive = Archive(self.store, **settings)
        with open(self.path, "wb") as file:
            file.truncate(SIZE)

    def put(self, offset, data):
        with open(self.path, "rb+") as file:
            file.seek(offset)
            file.write(data)

    def backup(self, parent=None):
        identifier = clock.new_uuid()
        prefix = prefix_of("volumebackups", identifier)
        self.archive.write(prefix, identifier, "v", self.path, parent)
        return prefix

    def restored(self, prefix, size=SIZE):
        target = self.folder / f"restored-{clock.new_uuid()}"
        with open(target, "wb") as file:
            file.truncate(size)
        self.archive.restore(prefix, target)
        return target.read_bytes()

    def data(self, prefix):
        return sum(length for each in self.archive.manifest(prefix).objects for _, length in each.extents)


@pytest.fixture
def disk(tmp_path):
    return Disk(tmp_path)


@pytest.mark.parametrize("compression", ["none", "zlib", "bz2", "gzip"])
def test_full_backup_keeps_what_is_not_zero(tmp_path, compression):
    disk = Disk(tmp_path, compression=compression)
    disk.put(100 * KIB + 7, b"one" * 1000)
    disk.put(SIZE - 5, b"end")
    prefix = disk.backup()
    assert disk.restored(prefix) == disk.path.read_bytes()
    assert disk.data(prefix) == 8 * KIB


def test_incremental_backups_keep_what_changed(disk):
    disk.put(0, b"a" * 600 * KIB)
    full = disk.backup()
    states = [disk.path.read_bytes()]
    disk.put(40 * KIB, b"b" * 4 * KIB)
    disk.put(4096 * KIB, b"c")
    second = disk.backup(full)
    states.append(disk.path.read_bytes())
    disk.put(0, bytes(400 * KIB))  # what becomes zero, too
    third = disk.backup(second)
    states.append(disk.path.read_bytes())
    assert (disk.data(full), disk.data(second), disk.data(third)) == (600 * KIB, 8 * KIB, 0)
    for prefix, state in zip((full, second, third), states, strict=True):
        assert disk.restored(prefix) == state


def test_a_volume_that_grew(disk):
    disk.put(0, b"a" * KIB)
    full = disk.backup()
    with open(disk.path, "rb+") as file:
        file.truncate(SIZE + 10 * KIB + 3)
    disk.put(SIZE + 9 * KIB, b"more")
    grown = disk.backup(full)
    assert disk.restored(grown, SIZE + 10 * KIB + 3) == disk.path.read_bytes()
    with pytest.raises(errors.Invalid, match="does not fit"):
        disk.restored(grown)
    larger = disk.restored(full, SIZE * 2)
    assert larger[:KIB] == b"a" * KIB and not any(larger[KIB:])


def test_a_target_with_something_in_it_is_noticed(disk):
    prefix = disk.backup()
    target = disk.folder / "used"
    target.write_bytes(b"x" * SIZE)
    with pytest.raises(BackupLost, match="not what was backed up"):
        disk.archive.restore(prefix, target)


def test_done_twice_is_done_once(disk):
    disk.put(0, b"first")
    prefix = disk.backup()
    known = disk.archive.manifest(prefix)
    disk.put(0, b"later")
    assert disk.archive.write(prefix, known.id, "v", disk.path, None) == known
    assert disk.restored(prefix)[:5] == b"first"


def test_what_a_killed_worker_left_is_removed(disk):
    disk.put(0, b"a" * KIB)
    prefix = disk.backup()
    known = disk.archive.manifest(prefix)
    (disk.folder / "store" / prefix / "manifest.json").unlink()
    disk.store.put(f"{prefix}/data-000099", b"left over")
    disk.archive.write(prefix, known.id, "v", disk.path, None)
    assert not disk.store.has(f"{prefix}/data-000099")
    disk.store.remove(prefix)
    disk.store.remove(prefix)
    assert not disk.store.has(f"{prefix}/manifest.json")


@pytest.mark.parametrize("name", ["data-000000", "hashes", "manifest.json"])
@pytest.mark.parametrize("damage", ["gone", "short", "bent"])
def test_damage_is_told_and_never_restored(disk, name, damage):
    disk.put(0, bytes(range(256)) * 1000)
    prefix = disk.backup()
    path = disk.folder / "store" / prefix / name
    data = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    elif damage == "short":
        path.write_bytes(data[: len(data) // 2])
    else:
        data[len(data) // 2] ^= 0x55
        path.write_bytes(data)
    with pytest.raises(BackupLost):
        disk.restored(prefix)


def test_a_chain_that_lost_its_parent_or_bites_its_tail(disk):
    disk.put(0, b"a" * KIB)
    full = disk.backup()
    disk.put(0, b"b" * KIB)
    second = disk.backup(full)
    path = disk.folder / "store" / full / "manifest.json"
    words = path.read_text()
    path.write_text(words.replace('"parent":null', f'"parent":"{second}"'))
    with pytest.raises(BackupLost, match="no end"):
        disk.restored(second)
    disk.store.remove(full)
    with pytest.raises(BackupLost):
        disk.restored(second)


def test_a_parent_of_other_blocks(disk, tmp_path):
    full = disk.backup()
    disk.archive = Archive(disk.store, object_size=64 * KIB, block_size=8 * KIB, compression="none")
    with pytest.raises(errors.DriverError, match="make a full backup"):
        disk.backup(full)


@pytest.mark.parametrize("container", ["..", ".", "a/b", "a b", "äö", "../../etc", "x" * 60])
def test_containers_are_no_paths(disk, container):
    prefix = prefix_of(container, "id")
    disk.store.put(f"{prefix}/x", b"1")
    assert (disk.folder / "store" / prefix / "x").resolve().is_relative_to(disk.folder / "store")


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a\n"])
def test_names_are_validated(disk, name):
    with pytest.raises(errors.Invalid):
        disk.store.put(name, b"")


def test_settings_are_checked(tmp_path):
    for settings in ({"object_size": 1000}, {"compression": "lzma"}, {"block_size": 100, "object_size": 100}):
        with pytest.raises(errors.ConfigurationError):
            Disk(tmp_path, **settings)


def test_runs():
    assert archive._runs(iter([1, 2, 3, 7, 9, 10])) == [(1, 3), (7, 1), (9, 2)]
