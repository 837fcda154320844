"""Imports from the web and from another region, copies between stores, deletion from one, tasks."""

import hashlib
import threading

import pytest
from tests.cloud import until
from tests.image.scene import OCTETS, Gate, Personas, flows_ended, make, send, small_cloud
from tests.image.web_server import REACHABLE, WebServer

STORES = {
    ("glance_store", "enabled_backends"): {"fast": "file", "cheap": "file", "web": "http"},
    ("glance_store", "default_backend"): "fast",
    ("fast", "weight"): 10,
    (None, "enabled_import_methods"): ["glance-direct", "web-download", "copy-image", "glance-download"],
}


@pytest.fixture
def server():
    made = WebServer()
    yield made
    made.close()


@pytest.fixture
def glance(tmp_path):
    cloud = small_cloud(tmp_path / "state", {**STORES, **REACHABLE})
    yield Personas(cloud)
    cloud.stop(grace=5)


def import_by(client, image_id, name, **more):
    method = {"name": name, **more.pop("method", {})}
    return client.post(f"/v2/images/{image_id}/import", {"method": method, **more})


def shown(client, image):
    return client.get(f"/v2/images/{image['id']}").ok(200)


def ended(client, image):
    """The image's last task, once it has ended."""

    def look():
        found = client.get(f"/v2/images/{image['id']}/tasks").ok(200)["tasks"]
        return found[-1] if found and found[-1]["status"] in ("success", "failure") else None

    return until(look, what="the task to end")


def files(glance):
    state = glance.service.ground.state
    return sorted(
        path for part in ("stores", "staging") for path in (state / part).rglob("*") if path.is_file()
    )


def staged(client, data=b"data", **body):
    image = make(client, **body)
    client.request("PUT", f"/v2/images/{image['id']}/stage", raw=data, headers=OCTETS).ok(204)
    return image


def test_web_download(glance, server):
    me = glance.member()
    server.pages["/image"] = data = b"from the web" * 1000
    image = make(me)
    answer = import_by(me, image["id"], "web-download", method={"uri": f"{server.url}/image"})
    answer.ok(202)
    task = ended(me, image)
    assert task["status"] == "success" and task["type"] == "api_image_import"
    assert task["request_id"] == answer.headers["x-openstack-request-id"]
    assert task["input"]["import_req"]["method"]["uri"].endswith("/image")
    found = shown(me, image)
    assert found["status"] == "active" and found["size"] == len(data) and found["stores"] == "fast"
    assert found["os_hash_value"] == hashlib.sha512(data).hexdigest()
    assert found["os_glance_failed_import"] == "" and "os_glance_import_task" not in found
    assert me.get(f"/v2/images/{image['id']}/file").body == data


def test_web_download_into_several_stores_asks_the_server_once(glance, server):
    me = glance.member()
    server.pages["/image"] = b"data"
    image = make(me)
    import_by(me, image["id"], "web-download", method={"uri": f"{server.url}/image"}, all_stores=True).ok(202)
    assert ended(me, image)["status"] == "success"
    assert shown(me, image)["stores"] == "fast,cheap"
    assert len(server.asked) == 1 and len(files(glance)) == 2


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (None, "not found"),
        (b"QFI\xfb\0\0\0\3" + b"\xff" * 600, "qcow2"),
        (lambda handler: handler.plain(302, b"", Location="http://169.254.169.254/"), "elsewhere"),
    ],
)
def test_a_download_that_fails_leaves_nothing(glance, server, page, words):
    me = glance.member()
    server.pages["/image"] = page
    image = make(me)
    import_by(me, image["id"], "web-download", method={"uri": f"{server.url}/image"}).ok(202)
    task = ended(me, image)
    assert task["status"] == "failure" and words in task["message"]
    found = shown(me, image)
    assert found["status"] == "queued" and found["os_glance_failed_import"] == "fast"
    assert files(glance) == []
    server.pages["/image"] = b"better"
    import_by(me, image["id"], "web-download", method={"uri": f"{server.url}/image"}).ok(202)
    until(lambda: shown(me, image)["status"] == "active")


def test_what_is_refused_at_once(glance, server):
    me = glance.member()
    image = make(me)
    web = {"uri": f"{server.url}/image"}
    assert import_by(me, image["id"], "web-download").status == 400
    assert import_by(me, image["id"], "web-download", method={"uri": "http://169.254.169.254/"}).status == 400
    assert import_by(me, image["id"], "web-download", method={"uri": "file:///etc/passwd"}).status == 400
    assert import_by(me, image["id"], "web-download", method=web, stores=["nowhere"]).status == 409
    assert import_by(me, image["id"], "web-download", method=web, stores=["web"]).status == 409
    assert (
        import_by(me, image["id"], "web-download", method=web, stores=["fast"], all_stores=True).status == 400
    )
    assert import_by(me, image["id"], "glance-direct").status == 409
    assert import_by(glance.admin(), image["id"], "copy-image", stores=["cheap"]).status == 409
    assert import_by(me, image["id"], "by-pigeon").status == 400
    plain = me.post("/v2/images", {}).ok(201)
    assert import_by(me, plain["id"], "web-download", method=web).status == 409
    send(me, image["id"]).ok(204)
    assert import_by(me, image["id"], "web-download", method=web).status == 409
    assert server.asked == []


def test_deleted_while_it_is_downloaded(glance, server):
    me = glance.member()
    go_on = threading.Event()

    def slow(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        handler.wfile.write(b"first")
        go_on.wait(30)
        handler.wfile.write(b"after")

    server.pages["/image"] = slow
    image = make(me)
    import_by(me, image["id"], "web-download", method={"uri": f"{server.url}/image"}).ok(202)
    until(lambda: server.asked)
    me.delete(f"/v2/images/{image['id']}").ok(204)
    go_on.set()
    flows_ended(glance.service)
    assert me.get(f"/v2/images/{image['id']}").status == 404
    until(lambda: files(glance) == [])


def test_glance_direct_into_named_stores(glance):
    me = glance.member()
    image = staged(me)
    import_by(me, image["id"], "glance-direct", stores=["cheap", "fast"]).ok(202)
    assert ended(me, image)["status"] == "success"
    # The weightiest first, whatever was asked.
    assert shown(me, image)["stores"] == "fast,cheap"
    until(lambda: len(files(glance)) == 2)


def test_a_store_that_fails(glance):
    me = glance.member()
    cheap = glance.service.stores.by_name["cheap"]

    def full(*_, **__):
        from celaje.image.stores.base import StorageFull

        raise StorageFull

    cheap.write = full
    image = staged(me)
    import_by(me, image["id"], "glance-direct", all_stores=True, all_stores_must_succeed=False).ok(202)
    assert ended(me, image)["status"] == "success"
    found = shown(me, image)
    assert (found["status"], found["stores"], found["os_glance_failed_import"]) == ("active", "fast", "cheap")
    image = staged(me)
    import_by(me, image["id"], "glance-direct", all_stores=True).ok(202)
    assert ended(me, image)["status"] == "failure"
    found = shown(me, image)
    assert found["status"] == "queued" and found["os_glance_failed_import"] == "fast,cheap"
    until(lambda: len(files(glance)) == 1)


def test_upload_into_a_store(glance):
    me = glance.member()
    image = make(me)
    assert send(me, image["id"], headers={"X-Image-Meta-Store": "web"}).status == 400
    assert send(me, image["id"], headers={"X-Image-Meta-Store": "nowhere"}).status == 400
    send(me, image["id"], headers={"X-Image-Meta-Store": "cheap"}).ok(204)
    assert shown(me, image)["stores"] == "cheap"


def test_copy_image(glance):
    me, admin = glance.member(), glance.admin()
    image = make(me)
    send(me, image["id"], b"copied").ok(204)
    assert import_by(me, image["id"], "copy-image", stores=["cheap"]).status == 403
    assert import_by(admin, image["id"], "copy-image", stores=["fast"]).status == 409
    import_by(admin, image["id"], "copy-image", all_stores=True).ok(202)
    assert ended(me, image)["status"] == "success"
    found = shown(me, image)
    assert found["stores"] == "fast,cheap" and found["os_glance_importing_to_stores"] == ""
    import_by(admin, image["id"], "copy-image", all_stores=True).ok(202)  # nothing left to do
    # Read from where it still is.
    fast = glance.service.stores.by_name["fast"]
    for _, url in fast.list():
        fast.delete(url)
    assert me.get(f"/v2/images/{image['id']}/file").body == b"copied"


def test_a_copy_of_spoilt_data_is_refused(glance):
    me, admin = glance.member(), glance.admin()
    image = make(me)
    send(me, image["id"], b"whole").ok(204)
    files(glance)[0].write_bytes(b"spoil")
    import_by(admin, image["id"], "copy-image", stores=["cheap"]).ok(202)
    assert ended(me, image)["status"] == "failure"
    found = shown(me, image)
    assert (found["status"], found["stores"], found["os_glance_failed_import"]) == ("active", "fast", "cheap")
    assert len(files(glance)) == 1


def test_delete_from_one_store(glance):
    me, admin = glance.member(), glance.admin()
    image = staged(me)
    import_by(me, image["id"], "glance-direct", all_stores=True).ok(202)
    until(lambda: shown(me, image)["status"] == "active")
    path = f"/v2/stores/fast/{image['id']}"
    assert me.delete(path).status == 403
    assert admin.delete(f"/v2/stores/nowhere/{image['id']}").status == 409
    admin.delete(path).ok(204)
    assert shown(me, image)["stores"] == "cheap"
    assert admin.delete(path).status == 404
    assert admin.delete(f"/v2/stores/cheap/{image['id']}").status == 403
    assert me.get(f"/v2/images/{image['id']}/file").body == b"data"
    until(lambda: len(files(glance)) == 1)


def test_info_stores(glance):
    found = glance.member().get("/v2/info/stores").ok()["stores"]
    assert found == [
        {"id": "fast", "weight": 10, "default": "true"},
        {"id": "cheap"},
        {"id": "web", "read-only": "true"},
    ]
    assert glance.member().get("/v2/info/stores/detail").status == 403
    detail = glance.admin().get("/v2/info/stores/detail").ok()["stores"]
    assert [store["type"] for store in detail] == ["file", "file", "http"]
    assert detail[0]["properties"]["data_dir"].endswith("/stores/fast")


def test_glance_download(glance):
    me = as_admin(glance)
    source = make(me, hw_cpu_cores="5", speed="88mph", disk_format="raw", container_format="ovf")
    send(me, source["id"], b"remote").ok(204)
    image = make(me, hw_cpu_cores="1", disk_format="qcow2")
    method = {"glance_image_id": source["id"], "glance_region": "RegionOne"}
    import_by(me, image["id"], "glance-download", method=method).ok(202)
    task = ended(me, image)
    assert task["status"] == "success", task
    found = shown(me, image)
    assert (found["disk_format"], found["container_format"], found["hw_cpu_cores"]) == ("raw", "ovf", "5")
    assert "speed" not in found
    assert me.get(f"/v2/images/{image['id']}/file").body == b"remote"


@pytest.mark.parametrize("region", ["RegionOne", "nowhere"])
def test_glance_download_of_what_is_not_there(glance, region):
    me = as_admin(glance)
    image = make(me)
    method = {"glance_image_id": "36d4b546-64a2-4bb9-bdd0-ba676aa48f2c", "glance_region": region}
    assert (
        import_by(me, image["id"], "glance-download", method={**method, "glance_image_id": "x"}).status == 400
    )
    import_by(me, image["id"], "glance-download", method=method).ok(202)
    assert ended(me, image)["status"] == "failure"
    assert shown(me, image)["status"] == "queued"


def as_admin(glance):
    """With a token that identity has given."""
    return glance._cloud.as_user("image")


def test_tasks(glance, server):
    admin, me = glance.admin(), glance.member()
    server.pages["/image"] = b"by task"
    given = {
        "import_from": f"{server.url}/image",
        "import_from_format": "raw",
        "image_properties": {"name": "tasked", "disk_format": "raw", "container_format": "bare"},
    }
    assert me.post("/v2/tasks", {"type": "import", "input": given}).status == 403
    assert admin.post("/v2/tasks", {"type": "import", "input": {}}).status == 400
    assert admin.post("/v2/tasks", {"type": "clone", "input": given}).status == 400
    bad = {**given, "import_from": "http://169.254.169.254/"}
    assert admin.post("/v2/tasks", {"type": "import", "input": bad}).status == 400
    task = admin.post("/v2/tasks", {"type": "import", "input": given}).ok(201)
    assert task["status"] in ("pending", "processing", "success") and task["input"] == given
    path = f"/v2/tasks/{task['id']}"
    done = until(lambda: (t := admin.get(path).ok())["status"] == "success" and t)
    image = admin.get(f"/v2/images/{done['result']['image_id']}").ok()
    assert (image["name"], image["status"], image["visibility"]) == ("tasked", "active", "private")
    assert done["expires_at"] and done["owner"] == "admin"
    given["import_from"] += "/nothing"
    task = admin.post("/v2/tasks", {"type": "import", "input": given}).ok(201)
    failed = until(lambda: (t := admin.get(f"/v2/tasks/{task['id']}").ok())["status"] == "failure" and t)
    assert "not found" in failed["message"] and failed["result"] is None
    assert len(admin.get("/v2/images?name=tasked").ok()["images"]) == 1
    listed = admin.get("/v2/tasks?status=failure&sort_key=created_at&sort_dir=asc").ok()["tasks"]
    assert [one["id"] for one in listed] == [task["id"]] and "input" not in listed[0]
    first = admin.get("/v2/tasks?limit=1").ok()
    second = admin.get(first["next"]).ok()
    assert [first["tasks"][0]["id"], second["tasks"][0]["id"]] == [task["id"], done["id"]]
    assert admin.get("/v2/tasks?status=odd").status == 400
    assert admin.get("/v2/tasks/nothing").status == 404
    assert admin.delete(path).status == 405
    assert me.get("/v2/tasks").status == 403


def test_a_deleted_id_is_not_given_again(glance):
    me = glance.member()
    image = make(me)
    me.delete(f"/v2/images/{image['id']}").ok(204)
    assert me.post("/v2/images", {"id": image["id"]}).status == 409


def test_one_copy_at_a_time(glance):
    me, admin = glance.member(), glance.admin()
    image = make(me)
    send(me, image["id"], b"copied").ok(204)
    cheap = glance.service.stores.by_name["cheap"]
    real, gate = cheap.write, Gate()

    def slow(data_id, chunks, *args, **kwargs):
        gate.reached.set()
        assert gate.go_on.wait(30)
        return real(data_id, chunks, *args, **kwargs)

    cheap.write = slow
    import_by(admin, image["id"], "copy-image", stores=["cheap"]).ok(202)
    assert gate.reached.wait(10)
    assert import_by(admin, image["id"], "copy-image", stores=["cheap"]).status == 409
    assert shown(me, image)["os_glance_importing_to_stores"] == "cheap"
    assert me.get(f"/v2/images/{image['id']}/file").body == b"copied"
    gate.go_on.set()
    assert ended(me, image)["status"] == "success"
