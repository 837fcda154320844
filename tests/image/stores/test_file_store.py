import errno
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from oslo_config import cfg

from celaje.common import clock, errors
from celaje.image.stores import base, file

ID = "6bbe1fc5-1f4f-4a1c-9dd1-0a2c4b1de3a1"
OTHER = "6bbe1fc5-1f4f-4a1c-9dd1-0a2c4b1de3a2"


@pytest.fixture
def store(tmp_path):
    return file.FileStore(tmp_path / "images")


def names(store):
    return sorted(path.name for path in store._folder.iterdir())


def test_write_gives_size_and_checksums(store):
    data = os.urandom(300_000)
    stored = store.write(ID, [data[:1], data[1:200_000], b"", data[200_000:]])
    assert stored == base.Stored(
        f"file://{store._folder}/{ID}",
        300_000,
        hashlib.md5(data).hexdigest(),
        "sha512",
        hashlib.sha512(data).hexdigest(),
    )
    assert store.path(stored.location).read_bytes() == data
    assert names(store) == [ID]


def test_read_whole_and_parts(store):
    data = os.urandom(200_000)
    location = store.write(ID, [data]).location
    whole = store.read(location)
    assert (whole.size, whole.length, b"".join(whole)) == (200_000, 200_000, data)
    part = store.read(location, 70_000, 100_000)
    assert (part.size, part.length, b"".join(part)) == (200_000, 100_000, data[70_000:170_000])
    assert b"".join(store.read(location, 199_999, 50)) == data[-1:]
    assert b"".join(store.read(location, 200_000)) == b""
    for offset, length in ((200_001, None), (-1, None), (0, -1)):
        with pytest.raises(base.BadRange):
            store.read(location, offset, length)


def test_a_reading_that_is_given_up_closes_its_file(store):
    location = store.write(ID, [b"x" * 200_000]).location
    before = len(os.listdir("/proc/self/fd"))
    with store.read(location) as reading:
        next(iter(reading))
        assert len(os.listdir("/proc/self/fd")) == before + 1
    assert len(os.listdir("/proc/self/fd")) == before
    store.read(location).close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_limit(store):
    assert store.write(ID, [b"x" * 10, b"y" * 10], limit=20).size == 20
    with pytest.raises(base.ImageTooLarge, match="20 bytes") as caught:
        store.write(OTHER, [b"x" * 10, b"y" * 11], limit=20)
    assert isinstance(caught.value, errors.TooLarge)
    with pytest.raises(base.ImageTooLarge):
        store.write(OTHER, iter(int, 1), limit=20, size=21)
    assert names(store) == [ID]


def test_no_room(store, monkeypatch):
    with pytest.raises(base.StorageFull):
        store.write(ID, [b"x"], size=store.capacity().total + 1)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(file, "_write_all", full)
    with pytest.raises(base.StorageFull) as caught:
        store.write(ID, [b"x"])
    assert isinstance(caught.value, errors.TooLarge)
    assert names(store) == []


def test_a_full_disk_on_the_sending_side_is_not_ours(store):
    def chunks():
        raise OSError(errno.ENOSPC, "No space left on device")
        yield b""

    with pytest.raises(OSError, match="No space left"):
        store.write(ID, chunks())


def test_a_client_that_breaks_off_leaves_nothing(store):
    def chunks():
        yield b"x" * 100
        raise ConnectionResetError("client went away")

    with pytest.raises(ConnectionResetError):
        store.write(ID, chunks())
    assert names(store) == []


def test_writing_again_replaces_and_readers_keep_what_they_read(store):
    location = store.write(ID, [b"old" * 50_000]).location
    reading = store.read(location)
    assert store.write(ID, [b"new"]).location == location
    assert b"".join(reading) == b"old" * 50_000
    assert b"".join(store.read(location)) == b"new"


def test_a_write_that_fails_keeps_the_data_before_it(store):
    location = store.write(ID, [b"old"]).location
    with pytest.raises(base.ImageTooLarge):
        store.write(ID, [b"too long"], limit=3)
    assert b"".join(store.read(location)) == b"old"


def test_delete_is_idempotent(store):
    location = store.write(ID, [b"x"]).location
    store.delete(location)
    store.delete(location)
    with pytest.raises(base.DataNotFound):
        store.read(location)
    assert list(store.list()) == []


@pytest.mark.parametrize("image_id", ["", "../x", "a/b", ".", ID + "\n", ID[:-1], "/etc/passwd", "x\0"])
def test_bad_ids(store, image_id):
    with pytest.raises(base.BadImageId):
        store.write(image_id, [b"x"])


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "file://{folder}/../" + ID,
        "file://{folder}/sub/" + ID,
        "file://{folder}/%2e%2e/" + ID,
        "file://{folder}/" + ID + "?x=1",
        "file://host{folder}/" + ID,
        "http://{folder}/" + ID,
        "{folder}/" + ID,
        "file://{folder}/.secret",
        "file://{folder}/x%00y",
        "",
    ],
)
def test_nothing_outside_of_the_folder(store, location):
    location = location.format(folder=store._folder)
    for operation in (store.read, store.delete, store.path):
        with pytest.raises(base.BadLocation):
            operation(location)


def test_links_are_not_followed(store, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (store._folder / ID).symlink_to(tmp_path / "secret")
    with pytest.raises(base.BadLocation):
        store.read(f"file://{store._folder}/{ID}")
    assert list(store.list()) == []


def test_list_names_images_only(store):
    locations = {each: store.write(each, [b"x"]).location for each in (OTHER, ID)}
    (store._folder / "README").write_text("x")
    assert list(store.list()) == sorted(locations.items())


def test_folder_with_odd_characters(tmp_path):
    store = file.FileStore(tmp_path / "im ages#1?%20")
    location = store.write(ID, [b"x"]).location
    assert b"".join(store.read(location)) == b"x"


def test_thin_leaves_holes(tmp_path):
    store = file.FileStore(tmp_path, thin=True)
    stored = store.write(ID, [b"x" * 4096, *[bytes(1 << 20)] * 8])
    path = store.path(stored.location)
    assert path.stat().st_size == stored.size == 4096 + (8 << 20)
    assert path.stat().st_blocks * 512 < 1 << 20
    assert stored.checksum == hashlib.md5(path.read_bytes()).hexdigest()


def test_capacity(store):
    capacity = store.capacity()
    assert 0 < capacity.free <= capacity.total


def test_from_options(tmp_path):
    conf = cfg.ConfigOpts()
    conf.register_opts(file.OPTIONS, group="glance_store")
    conf([], default_config_files=[])
    conf.set_override("filesystem_store_datadir", str(tmp_path / "s"), group="glance_store")
    store = file.FileStore.from_options(conf.glance_store, name="fast")
    assert store.path(store.write(ID, [b"x"]).location).stat().st_mode & 0o777 == 0o640
    assert store.name == "fast"


def test_a_killed_writer_leaves_no_image_and_sweep_knows_the_dead(store):
    code = f"""
import sys
from celaje.image.stores import file
def chunks():
    yield b"x" * 100000
    print("written", flush=True)
    sys.stdin.read()
file.FileStore({str(store._folder)!r}).write({ID!r}, chunks())
"""
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    try:
        assert writer.stdout.readline() == b"written\n"
        assert store.sweep() == 0, "its writer lives"
        writer.send_signal(signal.SIGKILL)
    finally:
        writer.kill()
        writer.communicate(timeout=30)
    assert list(store.list()) == []
    (left,) = store._folder.iterdir()
    assert left.name.endswith(file.PARTIAL)
    assert store.sweep() == 1
    assert names(store) == []


def test_temporary_names_come_from_the_clock(store):
    seen = []

    def chunks():
        seen.extend(Path(store._folder).iterdir())
        yield b"x"

    with clock.installed(clock.VirtualClock(seed=3)):
        expected = clock.VirtualClock(seed=3).uuid()
        store.write(ID, chunks())
    assert [path.name for path in seen] == [f".{ID}.{expected}{file.PARTIAL}"]
