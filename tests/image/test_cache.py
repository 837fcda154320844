"""The image cache: queued, fetched, read, pruned, cleared."""

import pytest
from tests.cloud import until
from tests.image.scene import Personas, change, make, send, small_cloud
from tests.image.web_server import REACHABLE, WebServer

ON = {("paste_deploy", "flavor"): "keystone+cachemanagement", (None, "image_cache_max_size"): 100}


@pytest.fixture
def glance(tmp_path):
    shown = {(None, "show_multiple_locations"): True}
    cloud = small_cloud(tmp_path / "state", {**ON, **REACHABLE, **shown})
    yield Personas(cloud)
    cloud.stop(grace=5)


def active(client, data):
    image = make(client)
    send(client, image["id"], data).ok(204)
    return image["id"]


def cached(admin):
    body = admin.get("/v2/cache").ok(200)
    return {row["image_id"]: row for row in body["cached_images"]}


def fetched(admin, image_id):
    return until(lambda: cached(admin).get(image_id), what="the image in the cache")


def test_a_life_in_the_cache(glance):
    admin, me = glance.admin(), glance.member()
    image_id = active(me, b"data")
    assert me.get("/v2/cache").status == 403 and me.put(f"/v2/cache/{image_id}").status == 403
    assert admin.put("/v2/cache/nothing").status == 404
    assert admin.put(f"/v2/cache/{make(me)['id']}").status == 400
    admin.put(f"/v2/cache/{image_id}").ok(202)
    row = fetched(admin, image_id)
    assert (row["size"], row["hits"]) == (4, 0) and row["last_modified"] > 1e9
    path = f"/v2/images/{image_id}/file"
    assert me.get(path).body == b"data"
    assert me.get(path, headers={"Range": "bytes=1-2"}).body == b"at"
    assert cached(admin)[image_id]["hits"] == 2
    assert admin.delete("/v2/cache", headers={"x-image-cache-clear-target": "odd"}).status == 400
    admin.delete("/v2/cache", headers={"x-image-cache-clear-target": "queue"}).ok(204)
    assert image_id in cached(admin)
    admin.delete("/v2/cache").ok(204)
    assert cached(admin) == {}
    admin.put(f"/v2/cache/{image_id}").ok(202)
    fetched(admin, image_id)
    admin.delete(f"/v2/cache/{image_id}").ok(204)
    assert cached(admin) == {}
    admin.put(f"/v2/cache/{image_id}").ok(202)
    fetched(admin, image_id)
    me.delete(f"/v2/images/{image_id}").ok(204)
    assert cached(admin) == {} and not list((glance.service.ground.state / "image-cache").iterdir())


def test_the_least_recently_read_goes_first(glance):
    admin = glance.admin()
    ids = [active(admin, bytes([65 + number]) * 40) for number in range(3)]
    for image_id in ids[:2]:
        admin.put(f"/v2/cache/{image_id}").ok(202)
        fetched(admin, image_id)
    assert len(admin.get(f"/v2/images/{ids[0]}/file").body) == 40
    admin.put(f"/v2/cache/{ids[2]}").ok(202)
    fetched(admin, ids[2])
    until(lambda: set(cached(admin)) == {ids[0], ids[2]})


def test_what_lies_far_away_is_cached_by_reading_it(glance):
    server = WebServer()
    server.pages["/one"] = b"far away"
    admin = glance.admin()
    image = make(admin)
    place = {"url": f"{server.url}/one", "metadata": {}}
    change(admin, image["id"], {"op": "add", "path": "/locations/-", "value": place}).ok(200)
    assert admin.get(f"/v2/images/{image['id']}/file").body == b"far away"
    fetched(admin, image["id"])
    server.close()
    assert admin.get(f"/v2/images/{image['id']}/file").body == b"far away"


def test_spoilt_data_is_not_cached(glance):
    admin = glance.admin()
    image_id = active(admin, b"whole")
    (glance.service.ground.state / "images").joinpath(
        next(glance.service.stores.by_name["file"].list())[0]
    ).write_bytes(b"spoil")
    admin.put(f"/v2/cache/{image_id}").ok(202)
    until(lambda: admin.get("/v2/cache").ok() == {"cached_images": [], "queued_images": []})


def test_where_there_is_none(tmp_path):
    cloud = small_cloud(tmp_path / "state")
    glance = Personas(cloud)
    assert glance.admin().get("/v2/cache").status == 404
    ids = [one["id"] for one in glance.admin().get("/").body["versions"]]
    assert "v2.17" in ids and "v2.14" not in ids
    cloud.stop(grace=5)
