"""Locations by JSON patch, and the newer POST and GET locations."""

import hashlib
import threading

import pytest
from tests.cloud import until
from tests.image.scene import Personas, change, flows_ended, make, send, small_cloud
from tests.image.web_server import REACHABLE, WebServer


@pytest.fixture
def server():
    made = WebServer()
    made.pages["/one"] = made.pages["/one?again"] = b"data of one"
    yield made
    made.close()


@pytest.fixture
def glance(tmp_path):
    shown = {(None, "show_multiple_locations"): True, (None, "show_image_direct_url"): True}
    cloud = small_cloud(tmp_path / "state", {**REACHABLE, **shown})
    yield Personas(cloud)
    cloud.stop(grace=5)


def shown(client, image):
    return client.get(f"/v2/images/{image['id']}").ok(200)


def place(server, path="/one", **metadata):
    return {"url": f"{server.url}{path}", "metadata": metadata}


def add(client, image, location, at="-"):
    return change(client, image["id"], {"op": "add", "path": f"/locations/{at}", "value": location})


def replace(client, image, locations):
    return change(client, image["id"], {"op": "replace", "path": "/locations", "value": locations})


def test_an_image_of_what_lies_on_the_web(glance, server):
    me = glance.member()
    image = make(me)
    assert image["locations"] == []
    found = add(me, image, place(server, foo="bar")).ok(200)
    assert (found["status"], found["size"], found["os_hash_value"]) == ("active", 11, None)
    assert found["locations"][0]["metadata"]["foo"] == "bar" and found["direct_url"] == f"{server.url}/one"
    assert me.get(f"/v2/images/{image['id']}/file").body == b"data of one"
    part = me.get(f"/v2/images/{image['id']}/file", headers={"Range": "bytes=0-3"})
    assert part.status == 503  # this server gives no parts
    me.delete(f"/v2/images/{image['id']}").ok(204)
    flows_ended(glance.service)


def test_at_creation(glance, server):
    me = glance.member()
    body = {"disk_format": "raw", "container_format": "bare", "locations": [place(server)]}
    assert me.post("/v2/images", body).status == 403  # they come by a patch
    assert me.post("/v2/images", {**body, "locations": []}).status == 403
    assert me.get("/v2/images").ok()["images"] == []


def test_none_at_all(glance, server):
    me = glance.member()
    image = make(me)
    assert replace(me, image, []).status == 403
    add(me, image, place(server)).ok(200)
    assert replace(me, image, []).status == 403


def test_of_a_deactivated_image(glance, server):
    me = glance.member()
    image = make(me)
    add(me, image, place(server)).ok(200)
    glance.admin().post(f"/v2/images/{image['id']}/actions/deactivate").ok(204)
    for found in (shown(me, image), me.get("/v2/images").ok()["images"][0]):
        assert found["locations"] == [] and "direct_url" not in found
    assert len(shown(glance.admin(), image)["locations"]) == 1


def test_several(glance, server):
    me, admin = glance.member(), glance.admin()
    image = make(me)
    add(me, image, place(server)).ok()
    add(me, image, place(server, "/one#new", speed="fast")).ok()
    assert add(me, image, place(server)).status == 400  # it has it
    add(me, image, place(server, "/one?again"), at=0).ok()
    urls = [one["url"] for one in shown(me, image)["locations"]]
    assert urls == [f"{server.url}{path}" for path in ("/one?again", "/one", "/one#new")]
    assert add(me, image, place(server, "/one#4"), at=9).status == 400
    remove = {"op": "remove", "path": "/locations/1"}
    assert change(me, image["id"], remove).status == 403
    change(admin, image["id"], remove).ok()
    found = shown(me, image)["locations"]
    assert [one["url"] for one in found] == [urls[0], urls[2]]
    found[0]["metadata"]["date"] = "2015-10-15"
    replace(me, image, found).ok()
    assert shown(me, image)["locations"] == found
    assert replace(me, image, found[:1]).status == 400
    assert replace(me, image, [found[0], place(server, "/one#new3")]).status == 400
    assert shown(me, image)["locations"] == found
    change(admin, image["id"], remove).ok()
    assert change(admin, image["id"], {"op": "remove", "path": "/locations/0"}).status == 403


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://info.cern.ch",
        "http://169.254.169.254/latest",
        "swift+config://x/y",
        "http://127.0.0.1:1/",
    ],
)
def test_no_location(glance, url):
    me = glance.member()
    image = make(me)
    assert add(me, image, {"url": url, "metadata": {}}).status == 400
    assert me.post(f"/v2/images/{image['id']}/locations", {"url": url}).status in (202, 400)
    flows_ended(glance.service)
    assert shown(me, image)["status"] == "queued"


def test_another_images_file_is_no_location(glance):
    me = glance.member()
    theirs = make(glance.member("green"))
    send(glance.member("green"), theirs["id"], b"secret").ok(204)
    _, url = next(glance.service.stores.by_name["file"].list())
    image = make(me)
    assert add(me, image, {"url": url, "metadata": {}}).status == 400
    assert me.post(f"/v2/images/{image['id']}/locations", {"url": url}).status == 400


def test_promised_digests_by_patch(glance, server):
    me = glance.member()
    image = make(me)
    data = {"checksum": "1" * 32, "os_hash_algo": "sha512", "os_hash_value": "deadbeef" * 16}
    found = add(me, image, {**place(server), "validation_data": data}).ok()
    assert {name: found[name] for name in data} == data
    assert "validation_data" not in found["locations"][0]
    assert add(me, image, {**place(server, "/one#2"), "validation_data": data}).status == 200
    other = {**data, "os_hash_value": "beefdead" * 16}
    assert add(me, image, {**place(server, "/one#3"), "validation_data": other}).status == 409


def test_hidden_locations_cannot_be_changed(tmp_path, server):
    cloud = small_cloud(tmp_path / "state", REACHABLE)
    me = Personas(cloud).member()
    image = make(me)
    assert "locations" not in image
    assert add(me, image, place(server)).status == 403
    assert server.asked == []
    cloud.stop(grace=5)


def post(client, image, url, **validation):
    body = {"url": url, **({"validation_data": validation} if validation else {})}
    return client.post(f"/v2/images/{image['id']}/locations", body)


def test_post_computes_the_digests(glance, server):
    me = glance.member()
    image = make(me)
    post(me, image, f"{server.url}/one").ok(202)
    until(lambda: shown(me, image)["os_hash_value"])
    found = shown(me, image)
    assert (found["status"], found["size"]) == ("active", 11)
    assert found["os_hash_value"] == hashlib.sha512(b"data of one").hexdigest()
    assert found["checksum"] == hashlib.md5(b"data of one").hexdigest()
    assert post(me, image, f"{server.url}/one").status == 409
    assert me.get(f"/v2/images/{image['id']}/locations").status == 403
    listed = glance.admin().get(f"/v2/images/{image['id']}/locations").ok(200)
    assert listed == [{"url": f"{server.url}/one", "metadata": {"store": "http"}}]


def test_post_compares_promised_digests(glance, server):
    me = glance.member()
    image = make(me)
    url = f"{server.url}/one"
    right = hashlib.sha256(b"data of one").hexdigest()
    for wrong in (
        {"os_hash_algo": "sha512", "os_hash_value": right},
        {"os_hash_value": right},
        {"os_hash_algo": "sha123", "os_hash_value": right},
        {"os_hash_algo": "sha256", "os_hash_value": "z" * 64},
    ):
        assert post(me, image, url, **wrong).status == 400
    post(me, image, url, os_hash_algo="sha256", os_hash_value="ab" * 32).ok(202)
    flows_ended(glance.service)
    found = shown(me, image)
    assert (found["status"], found["os_hash_value"], found["locations"]) == ("queued", None, [])
    tasks = me.get(f"/v2/images/{image['id']}/tasks").ok()["tasks"]
    assert tasks[0]["status"] == "failure" and tasks[0]["type"] == "location_import"
    post(me, image, url, os_hash_algo="sha256", os_hash_value=right).ok(202)
    until(lambda: shown(me, image)["status"] == "active")
    assert shown(me, image)["os_hash_algo"] == "sha256"


def test_deleted_while_the_digest_is_computed(glance, server):
    me = glance.member()
    image = make(me)
    go_on = threading.Event()

    def slow(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(b"first")
            go_on.wait(30)
            handler.wfile.write(b"after")

    server.pages["/slow"] = slow
    post(me, image, f"{server.url}/slow").ok(202)
    until(lambda: shown(me, image)["status"] == "active")
    assert shown(me, image)["os_hash_algo"] == "sha512" and shown(me, image)["os_hash_value"] is None
    me.delete(f"/v2/images/{image['id']}").ok(204)
    go_on.set()
    flows_ended(glance.service)
    assert me.get(f"/v2/images/{image['id']}").status == 404


def test_without_secure_hash(tmp_path, server):
    cloud = small_cloud(tmp_path / "state", {**REACHABLE, (None, "do_secure_hash"): False})
    me = Personas(cloud).member()
    image, promised = make(me), make(me)
    post(me, image, f"{server.url}/one").ok(202)
    until(lambda: shown(me, image)["status"] == "active")
    assert (shown(me, image)["size"], shown(me, image)["checksum"]) == (11, None)
    post(me, promised, f"{server.url}/one", os_hash_algo="sha256", os_hash_value="ab" * 32).ok(202)
    until(lambda: shown(me, promised)["status"] == "active")
    assert shown(me, promised)["os_hash_value"] == "ab" * 32
    cloud.stop(grace=5)
