"""An image's data: what comes in, what is refused, what is left after each way of failing."""

import hashlib
import threading

import pytest
from tests.cloud import until
from tests.image.scene import OCTETS, Gate, flows_ended, make, send, stored_files

from celaje.common.disk_format import empty_qcow2


def status(client, image):
    return client.get(f"/v2/images/{image['id']}").ok()["status"]


def is_as_before(glance, client, image):
    """The upload that failed left nothing, and the image may be sent again."""
    assert client.get(f"/v2/images/{image['id']}").ok()["size"] is None
    assert status(client, image) == "queued"
    flows_ended(glance.service)
    assert stored_files(glance.service) == []
    return True


def test_data_comes_back_with_its_digests(own_glance):
    me = own_glance.member()
    image = make(me)
    data = bytes(range(256)) * 5000
    chunks = [data[at : at + 70_000] for at in range(0, len(data), 70_000)]
    send(me, image["id"], chunks).ok(204)
    shown = me.get(f"/v2/images/{image['id']}").ok()
    assert shown["status"] == "active" and shown["size"] == shown["virtual_size"] == len(data)
    assert shown["checksum"] == hashlib.md5(data).hexdigest()
    assert shown["os_hash_algo"] == "sha512" and shown["os_hash_value"] == hashlib.sha512(data).hexdigest()
    assert shown["stores"] == "file"
    answer = me.get(f"/v2/images/{image['id']}/file")
    assert answer.body == data and answer.headers["content-md5"] == shown["checksum"]
    assert answer.headers["content-length"] == str(len(data))
    assert send(me, image["id"]).status == 409
    assert me.delete(f"/v2/images/{image['id']}").status == 204
    flows_ended(own_glance.service)
    assert stored_files(own_glance.service) == []


@pytest.mark.parametrize(
    ("header", "status", "body", "content_range"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=10-", 416, None, None),
        ("bytes=5-2", 416, None, None),
        ("bytes=-0", 416, None, None),
        ("bytes=-", 416, None, None),
        ("lines=1-2", 416, None, None),
        ("bytes=1-2,4-5", 400, None, None),
    ],
)
def test_ranges(glance, header, status, body, content_range):
    me = glance.member()
    image = make(me)
    send(me, image["id"], b"0123456789").ok(204)
    answer = me.get(f"/v2/images/{image['id']}/file", headers={"Range": header})
    assert answer.status == status
    if body is not None:
        assert answer.body == body and answer.headers["content-range"] == content_range


def test_no_data_is_204(glance):
    me = glance.member()
    assert me.get(f"/v2/images/{make(me)['id']}/file").status == 204


def test_what_is_refused_before_the_first_byte(own_glance):
    me = own_glance.member()
    bare = me.post("/v2/images", {"name": "no formats"}).ok()
    assert send(me, bare["id"]).status == 400
    image = make(me)
    assert me.request("PUT", f"/v2/images/{image['id']}/file", raw=b"x").status == 415
    assert send(me, image["id"], headers={"X-Image-Meta-Store": "moon"}).status == 400
    assert send(me, image["id"], [b"x"], headers={"X-OpenStack-Image-Size": "many"}).status == 400
    assert is_as_before(own_glance, me, image)


def test_a_disk_that_is_not_what_it_says(own_glance):
    me = own_glance.member()
    inside = empty_qcow2(1 << 30)
    for declared, data in (("raw", inside), ("qcow2", b"just bytes" * 100), ("vmdk", inside)):
        image = make(me, disk_format=declared)
        assert send(me, image["id"], [data]).status == 415
        assert is_as_before(own_glance, me, image)
    image = make(me, disk_format="qcow2")
    send(me, image["id"], inside).ok(204)
    assert me.get(f"/v2/images/{image['id']}").ok()["virtual_size"] == 1 << 30


def test_a_backing_file_is_refused_whatever_is_configured(own_glance):
    own_glance.service.conf.set("image_format", "require_image_format_match", False)
    me = own_glance.member()
    data = bytearray(empty_qcow2(1 << 20))
    name = b"/etc/shadow"
    data[8:20] = (512).to_bytes(8, "big") + len(name).to_bytes(4, "big")
    data[512 : 512 + len(name)] = name
    image = make(me, disk_format="qcow2")
    answer = send(me, image["id"], bytes(data))
    assert answer.status == 415 and is_as_before(own_glance, me, image)


def test_more_than_the_cap(own_glance):
    own_glance.service.conf.set(None, "image_size_cap", 1000)
    me = own_glance.member()
    image = make(me)
    assert send(me, image["id"], b"x" * 1001).status == 413  # told by Content-Length
    assert send(me, image["id"], [b"x" * 600, b"x" * 600]).status == 413  # found while it flows
    assert is_as_before(own_glance, me, image)
    send(me, image["id"], [b"x" * 600, b"x" * 400]).ok(204)


def test_the_owners_storage_quota(own_glance):
    own_glance.service.conf.set(None, "user_storage_quota", "1 KB")
    me = own_glance.member()
    first, second = make(me), make(me)
    send(me, first["id"], b"x" * 1000).ok(204)
    assert send(me, second["id"], [b"x" * 25]).status == 413
    assert status(me, second) == "queued"
    send(me, second["id"], [b"x" * 24]).ok(204)
    assert send(me, make(me)["id"], [b"x"]).status == 413
    send(own_glance.member("red"), make(own_glance.member("red"))["id"], b"x" * 1000).ok(204)
    me.delete(f"/v2/images/{first['id']}").ok(204)
    send(me, make(me)["id"], b"x" * 1000).ok(204)


def test_two_uploads_cannot_share_what_is_left(own_glance):
    own_glance.service.conf.set(None, "user_storage_quota", "10B")
    me = own_glance.member()
    slow, fast = make(me), make(me)
    gate = Gate(b"xxx", b"xxxx")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(send(me, slow["id"], gate)))
    thread.start()
    assert gate.reached.wait(10)
    send(me, fast["id"], b"yyyyyy").ok(204)
    gate.go_on.set()
    thread.join(10)
    assert answers[0].status == 413 and status(me, slow) == "queued"
    flows_ended(own_glance.service)
    assert len(stored_files(own_glance.service)) == 1


def test_a_client_that_breaks_off(own_glance):
    me = own_glance.member()
    image = make(me)

    def broken():
        yield b"first"
        raise ConnectionResetError("the client is gone")

    assert send(me, image["id"], broken()).status == 400
    assert is_as_before(own_glance, me, image)
    answer = send(me, image["id"], [b"four"], headers={"X-OpenStack-Image-Size": "5"})
    assert answer.status == 400 and "4 bytes" in answer.body["message"]
    assert is_as_before(own_glance, me, image)


def test_deleted_while_the_data_comes(own_glance):
    me = own_glance.member()
    image = make(me)
    gate = Gate()
    answers = []
    thread = threading.Thread(target=lambda: answers.append(send(me, image["id"], gate)))
    thread.start()
    assert gate.reached.wait(10)
    assert status(me, image) == "saving"
    assert send(me, image["id"]).status == 409
    me.delete(f"/v2/images/{image['id']}").ok(204)
    gate.go_on.set()
    thread.join(10)
    assert answers[0].status == 410
    flows_ended(own_glance.service)
    assert stored_files(own_glance.service) == []


def test_staged_data_is_imported(own_glance):
    me = own_glance.member()
    image = make(me)
    path = f"/v2/images/{image['id']}"
    order = {"method": {"name": "glance-direct"}}
    assert me.post(f"{path}/import", order).status == 409
    assert me.post(f"{path}/import", {"method": {"name": "web-download"}}).status == 400
    assert me.post(f"{path}/import", {}).status == 400
    assert me.request("PUT", f"{path}/stage", raw=b"staged", headers=OCTETS).status == 204
    assert status(me, image) == "uploading"
    assert me.request("PUT", f"{path}/stage", raw=b"again", headers=OCTETS).status == 409
    me.post(f"{path}/import", order).ok(202)
    until(lambda: status(me, image) == "active")
    assert me.get(f"{path}/file").body == b"staged"
    flows_ended(own_glance.service)
    assert len(stored_files(own_glance.service)) == 1
    assert own_glance.service.reconcile() == []


def test_an_import_of_something_else_queues_the_image(own_glance):
    me = own_glance.member()
    image = make(me, disk_format="qcow2")
    path = f"/v2/images/{image['id']}"
    me.request("PUT", f"{path}/stage", raw=b"no qcow2 at all", headers=OCTETS).ok(204)
    me.post(f"{path}/import", {"method": {"name": "glance-direct"}}).ok(202)
    until(lambda: status(me, image) == "queued")
    assert is_as_before(own_glance, me, image)


def test_staged_and_then_deleted(own_glance):
    me = own_glance.member()
    image = make(me)
    me.request("PUT", f"/v2/images/{image['id']}/stage", raw=b"staged", headers=OCTETS).ok(204)
    me.delete(f"/v2/images/{image['id']}").ok(204)
    flows_ended(own_glance.service)
    assert stored_files(own_glance.service) == []


def test_a_store_that_refuses_to_delete_is_asked_again(own_glance, monkeypatch):
    service = own_glance.service
    me = own_glance.member()
    image = make(me)
    send(me, image["id"]).ok(204)
    asked = []
    store = service.stores.by_name["file"]
    real = store.delete

    def stubborn(location):
        asked.append(location)
        if len(asked) == 1:
            raise OSError(5, "the disk does not answer")
        real(location)

    monkeypatch.setattr(store, "delete", stubborn)
    me.delete(f"/v2/images/{image['id']}").ok(204)
    assert me.get(f"/v2/images/{image['id']}").status == 404
    flows_ended(service)
    assert len(asked) == 2 and stored_files(service) == []


def test_direct_url_and_locations(own_glance):
    me = own_glance.member()
    image = make(me)
    send(me, image["id"]).ok(204)
    path = f"/v2/images/{image['id']}"
    assert "direct_url" not in me.get(path).ok()
    own_glance.service.conf.set(None, "show_image_direct_url", True)
    url = me.get(path).ok()["direct_url"]
    assert url.startswith("file:///")
    assert me.get(f"{path}/locations").status == 403
    found = own_glance.admin().get(f"{path}/locations").ok()
    assert found == [{"url": url, "metadata": {"store": "file"}}]


def test_flows_of_uploads_end(own_glance):
    me = own_glance.member()
    image = make(me)
    send(me, image["id"]).ok(204)
    flows_ended(own_glance.service)
    table = own_glance.service.flow_tables.flows
    rows = own_glance.service.database.read(lambda tx: tx.execute(table.select()).mappings().all())
    assert [(row["name"], row["state"]) for row in rows] == [("image.upload", "done")]


@pytest.mark.parametrize("announced", ["99", "x", "-4"])
def test_another_size_than_announced(glance, announced):
    me = glance.member()
    image = make(me)
    assert send(me, image["id"], b"data", {"X-OpenStack-Image-Size": announced}).status == 400
    assert me.get(f"/v2/images/{image['id']}").ok()["status"] == "queued"
