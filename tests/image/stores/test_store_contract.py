"""What every store that takes data must do. A new one adds itself to `store`."""

import hashlib
import os
from types import SimpleNamespace

import pytest

from celaje.common import clock
from celaje.image.stores import base
from celaje.image.stores.file import FileStore
from celaje.image.stores.rbd import RbdStore

pytestmark = pytest.mark.timeout(300)


def options(ceph):
    return SimpleNamespace(
        rbd_store_pool=ceph.new_pool(),
        rbd_store_user="cinder",
        rbd_store_ceph_conf=str(ceph.conf),
        rbd_store_chunk_size=8,
        rados_connect_timeout=-1,
        rbd_transfer_timeout=120,
    )


@pytest.fixture(params=["file", pytest.param("rbd", marks=pytest.mark.ceph)])
def store(request, tmp_path):
    if request.param == "rbd":
        return RbdStore(options(request.getfixturevalue("ceph")))
    return FileStore(tmp_path / "images")


def content(store, location, *part):
    with store.read(location, *part) as reading:
        return b"".join(reading)


def ids(store):
    return [image_id for image_id, _ in store.list()]


@pytest.mark.parametrize("size", [0, 1, 300_001, 9 << 20])
def test_what_goes_in_comes_out(store, size):
    image_id, data = clock.new_uuid(), os.urandom(size)
    stored = store.write(image_id, [data[:1000], b"", data[1000:]])
    assert (stored.size, stored.checksum) == (size, hashlib.md5(data).hexdigest())
    assert (stored.hash_algo, stored.hash_value) == ("sha512", hashlib.sha512(data).hexdigest())
    assert stored.location == store.location(image_id)
    assert content(store, stored.location) == data
    assert store.size(stored.location) == size
    assert list(store.list()) == [(image_id, stored.location)]


def test_parts(store):
    data = os.urandom(3 << 20)
    location = store.write(clock.new_uuid(), [data]).location
    with store.read(location, 70_000, 100_000) as part:
        assert (part.size, part.length) == (len(data), 100_000)
        assert b"".join(part) == data[70_000:170_000]
    assert content(store, location, (2 << 20) + 5) == data[(2 << 20) + 5 :]
    assert content(store, location, len(data)) == b""
    for offset, length in ((len(data) + 1, None), (-1, None), (0, -1)):
        with pytest.raises(base.BadRange):
            store.read(location, offset, length)


def test_a_reading_that_is_given_up_leaves_nothing_open(store):
    location = store.write(clock.new_uuid(), [bytes(5 << 20)]).location
    before = len(os.listdir("/proc/self/fd"))
    with store.read(location) as reading:
        next(iter(reading))
    assert len(os.listdir("/proc/self/fd")) == before


def test_data_that_breaks_off_is_not_there(store):
    def broken():
        yield bytes(1 << 20)
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        store.write(clock.new_uuid(), broken())
    assert ids(store) == []


def test_data_over_the_limit_is_not_there(store):
    with pytest.raises(base.ImageTooLarge):
        store.write(clock.new_uuid(), [bytes(1000), bytes(1000)], 1999)
    with pytest.raises(base.ImageTooLarge):
        store.write(clock.new_uuid(), [], 1999, size=2000)
    with pytest.raises(base.StorageFull):
        store.write(clock.new_uuid(), [], size=1 << 60)
    assert ids(store) == []


def test_written_again(store):
    image_id = clock.new_uuid()
    store.write(image_id, [b"the first attempt, which was longer"])
    location = store.write(image_id, [b"the second"]).location
    assert content(store, location) == b"the second"


def test_deleted_twice(store):
    location = store.write(clock.new_uuid(), [b"data"]).location
    store.delete(location)
    store.delete(location)
    assert ids(store) == []
    for look in (store.read, store.size):
        with pytest.raises(base.DataNotFound):
            look(location)


@pytest.mark.parametrize("image_id", ["", "../../etc/passwd", "a/b", "volume", "x\0"])
def test_ids_are_validated(store, image_id):
    for operation in (store.location, lambda image_id: store.write(image_id, [b"data"])):
        with pytest.raises(base.BadImageId):
            operation(image_id)


def test_locations_of_others(store):
    own = store.location(clock.new_uuid())
    for url in ("", "file:///etc/passwd", "rbd://a/b/c/d", "http://host/x", own + "/more", own[:-1] + "?"):
        with pytest.raises(base.BadLocation):
            store.delete(url)


def test_capacity(store):
    found = store.capacity()
    assert 0 < found.free <= found.total


@pytest.mark.ceph
def test_what_a_volume_stands_on_goes_when_the_volume_is_gone(ceph):
    store = RbdStore(options(ceph))
    pool = store.properties()["pool"]
    image_id = clock.new_uuid()
    location = store.write(image_id, [bytes(1 << 20)]).location
    ceph.rbd("clone", f"{pool}/{image_id}@snap", f"{pool}/volume")
    store.delete(location)
    assert ids(store) == [] and store.sweep() == 0
    with pytest.raises(base.DataNotFound):
        store.read(location)
    ceph.rbd("rm", "--no-progress", f"{pool}/volume")
    assert store.sweep() == 1
    assert ceph.rbd("trash", "ls", pool) == ""
