"""The workers' image cache, against a real image service."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from celaje.common import errors
from celaje.common.clients.image import ImageClient
from celaje.common.image_cache import ImageCache, ImageCorrupt
from tests.image.scene import Personas, make, send, small_cloud


@pytest.fixture(scope="module")
def glance(tmp_path_factory):
    cloud = small_cloud(tmp_path_factory.mktemp("cache") / "state")
    yield Personas(cloud)
    cloud.stop(grace=5)


class Counting(ImageClient):
    """Counts what is asked; `near` False: the store is on another host."""

    near = True

    def as_service(self):
        return self

    def locations(self, image_id):
        return super().locations(image_id) if self.near else []

    def read(self, image_id):
        self.reads = getattr(self, "reads", 0) + 1
        return super().read(image_id)


@pytest.fixture
def client(glance):
    ground = glance.service.ground
    return Counting(ground.transport_to("image"), ground.credentials, own=True)


def stored(glance, data):
    me = glance.member()
    image = make(me)
    send(me, image["id"], data).ok(204)
    return me.get(f"/v2/images/{image['id']}").ok()


def test_on_the_same_host_nothing_is_streamed(glance, client, tmp_path):
    cache = ImageCache(tmp_path / "cache")
    image = stored(glance, b"local")
    path = cache.fetch(client, image)
    assert path.read_bytes() == b"local" and not hasattr(client, "reads")
    glance.member().delete(f"/v2/images/{image['id']}").ok(204)
    assert cache.fetch(client, image) == path and path.read_bytes() == b"local"


def test_from_afar_it_is_downloaded_once(glance, client, tmp_path):
    client.near = False
    cache = ImageCache(tmp_path / "cache")
    image = stored(glance, b"far" * 100_000)
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: cache.fetch(client, image), range(16)))
    assert len(paths) == 1 and client.reads == 1
    assert paths.pop().read_bytes() == b"far" * 100_000


def test_data_that_is_not_what_was_said(glance, client, tmp_path):
    client.near = False
    cache = ImageCache(tmp_path / "cache")
    image = stored(glance, b"true")
    client.read = lambda image_id: [b"fals"]
    with pytest.raises(ImageCorrupt):
        cache.fetch(client, image)
    del client.read
    assert cache.fetch(client, image).read_bytes() == b"true"
    assert not [name for name in os.listdir(cache.folder) if name.endswith(".part")]


def test_a_location_that_lies_is_not_taken(glance, client, tmp_path):
    cache = ImageCache(tmp_path / "cache")
    image = stored(glance, b"true")
    liar, link = tmp_path / "liar", tmp_path / "link"
    liar.write_bytes(b"fals")
    link.symlink_to(liar)
    for target in (liar, link, tmp_path / "nothing", tmp_path):
        client.locations = lambda image_id, target=target: [{"url": f"file://{target}", "metadata": {}}]
        path = cache.fetch(client, image)
        assert path.read_bytes() == b"true"
        path.unlink()
    assert client.reads == 4


def test_a_transfer_that_breaks_off_leaves_nothing(glance, client, tmp_path):
    client.near = False
    cache = ImageCache(tmp_path / "cache")
    image = stored(glance, b"whole")

    def broken(image_id):
        yield b"wh"
        raise errors.Unavailable("gone")

    client.read = broken
    with pytest.raises(errors.Unavailable):
        cache.fetch(client, image)
    assert cache.clean() == 0 and not [p for p in cache.folder.iterdir() if not p.name.endswith(".lock")]


def test_what_was_not_used_for_longest_goes_first(glance, client, tmp_path):
    busy = set()
    cache = ImageCache(tmp_path / "cache", largest=25, in_use=busy.__contains__)
    images = [stored(glance, bytes([number]) * 10) for number in range(3)]
    first = cache.fetch(client, images[0])
    second = cache.fetch(client, images[1])
    cache.fetch(client, images[0])
    third = cache.fetch(client, images[2])
    assert first.exists() and third.exists() and not second.exists()
    busy.add(first)
    again = cache.fetch(client, images[1])
    assert first.exists() and again.exists() and not third.exists()


def test_what_cannot_be_fetched(glance, client, tmp_path):
    cache = ImageCache(tmp_path / "cache")
    queued = make(glance.member())
    for image in (queued, {**queued, "id": "../../etc/passwd"}, {**queued, "checksum": "../x"}):
        with pytest.raises(errors.Invalid):
            cache.fetch(client, image)


def test_the_client_finds_what_it_made(glance, client):
    image_id = "12345678-1234-1234-1234-123456789abc"
    body = {"id": image_id, "name": "snapshot", "disk_format": "raw", "container_format": "bare"}
    assert client.create(body)["status"] == "queued"
    assert client.create(body)["id"] == image_id
    with pytest.raises(errors.Invalid):
        client.upload(image_id, [b"da"], size=4)
    client.upload(image_id, [b"da", b"ta"], size=4)
    client.upload(image_id, [b"again"])
    assert b"".join(client.read(image_id)) == b"data"
    assert client.show(image_id)["size"] == 4
    assert [image["id"] for image in client.find(name="snapshot")] == [image_id]
    changed = client.update(image_id, [{"op": "add", "path": "/base", "value": "x"}])
    assert changed["base"] == "x"
    client.delete(image_id)
    client.delete(image_id)
    with pytest.raises(errors.NotFound):
        client.show(image_id)


def test_an_upload_beside_another_one_waits(glance, client):
    from tests.image.scene import Gate

    image = client.create({"disk_format": "raw", "container_format": "bare"})
    gate = Gate()
    thread = threading.Thread(target=lambda: client.upload(image["id"], gate))
    thread.start()
    assert gate.reached.wait(10)
    with pytest.raises(errors.Unavailable):
        client.upload(image["id"], [b"x"])
    gate.go_on.set()
    thread.join(10)
    assert b"".join(client.read(image["id"])) == b"firstsecond"
