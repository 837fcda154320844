"""Retype, migrate, revert, reimage, upload, manage: on real files, with the real image service beside."""

import pytest
from tests.cloud import LabCloud, until

GIB = 1024**3
NEWEST = {"OpenStack-API-Version": "volume 3.71"}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cloud")
    volume = {(None, "enabled_backends"): ["one", "two"], (None, "quota_volumes"): 50}
    for name in ("one", "two"):
        volume[name, "volume_driver"] = "file"
        volume[name, "volumes_dir"] = str(folder / name)
    cloud = LabCloud.at(folder / "state", {"volume": volume}, services=("identity", "image", "volume"))
    cloud.start()
    yield cloud
    cloud.stop(grace=5)


@pytest.fixture(scope="module")
def admin(cloud):
    return cloud.as_user("volume")


def act(client, volume_id, action, value, status=202):
    answer = client.post(f"/v3/volumes/{volume_id}/action", {action: value}, headers=NEWEST)
    assert answer.status == status, answer
    return answer.body


def show(client, volume_id):
    return client.get(f"/v3/volumes/{volume_id}", headers=NEWEST).ok()["volume"]


def settle(client, volume_id, status="available", **fields):
    def look():
        found = show(client, volume_id)
        wanted = {"status": status, **fields}
        return found if all(found[key] == value for key, value in wanted.items()) else None

    return until(look, what=str(wanted_of(status, fields)))


def wanted_of(status, fields):
    return {"status": status, **fields}


def make(client, **fields):
    body = {"volume": {"size": 1, **fields}}
    made = client.post("/v3/volumes", body, headers=NEWEST).ok(202)["volume"]
    return settle(client, made["id"])


def make_type(client, name, **specs):
    body = {"volume_type": {"name": name, "extra_specs": specs}}
    return client.post("/v3/types", body).ok(200)["volume_type"]


def file_of(cloud, volume):
    """Where the volume's data lies."""
    section = volume["os-vol-host-attr:host"].partition("@")[2].partition("#")[0]
    data = volume["os-vol-mig-status-attr:name_id"] or volume["id"]
    driver = cloud.running["volume"].workers[section].driver
    (found,) = driver._folder.glob(f"volume-{data}.*")
    return found


def write(cloud, volume, text):
    with open(file_of(cloud, volume), "rb+") as file:
        file.seek(4096)
        file.write(text)


def read(cloud, volume, length):
    with open(file_of(cloud, volume), "rb") as file:
        file.seek(4096)
        return file.read(length)


@pytest.fixture(scope="module")
def types(admin):
    return {name: make_type(admin, f"on-{name}", volume_backend_name=name) for name in ("one", "two")}


@pytest.fixture(scope="module", autouse=True)
def raw(cloud):
    """Files whose bytes a test can find again."""
    for worker in cloud.running["volume"].workers.values():
        worker.driver._format = "raw"


def test_a_volume_moves_with_its_data(cloud, admin, types):
    volume = make(admin)
    write(cloud, volume, b"what was written")
    before = file_of(cloud, volume)
    here = volume["os-vol-host-attr:host"]
    target = here.replace("one", "two") if "one" in here else here.replace("two", "one")
    act(admin, volume["id"], "os-migrate_volume", {"host": target})
    moved = settle(admin, volume["id"], migration_status="success")
    assert moved["os-vol-host-attr:host"] == target
    assert moved["os-vol-mig-status-attr:name_id"]
    assert read(cloud, moved, 16) == b"what was written"
    until(lambda: not before.exists(), what="its former file is gone")
    # What carried it is gone, too.
    assert cloud.as_user("image").get("/v2/images?os_hidden=true").ok()["images"] == []
    # And it can be used and deleted as ever.
    act(admin, volume["id"], "os-extend", {"new_size": 2})
    settle(admin, volume["id"], size=2)
    path = file_of(cloud, moved)
    admin.delete(f"/v3/volumes/{volume['id']}").ok(202)
    until(lambda: not path.exists())


def test_a_migration_needs_somewhere_to_go(cloud, admin, types):
    volume = make(admin, volume_type="on-one")
    here = volume["os-vol-host-attr:host"]
    act(admin, volume["id"], "os-migrate_volume", {"host": here}, 400)
    act(admin, volume["id"], "os-migrate_volume", {"host": "nobody@nowhere#no"}, 400)
    # Nothing migrates here: whoever swapped them did it for himself, as Cinder sees it.
    other = make(admin)
    told = act(admin, volume["id"], "os-migrate_volume_completion", {"new_volume": other["id"]}, 200)
    assert told == {"save_volume_id": other["id"]}
    # Its type does not allow the other back end, so the scheduler says no and it stays.
    body = {"volume": {"size": 1, "volume_type": "on-two"}}
    other = admin.post("/v3/volumes", body, headers=NEWEST).ok(202)["volume"]
    settle(admin, other["id"])
    act(admin, other["id"], "os-migrate_volume", {"host": here})
    stayed = settle(admin, other["id"], migration_status="error")
    assert stayed["os-vol-host-attr:host"] == here.replace("one", "two")


def test_retype_stays_where_it_can_and_moves_only_on_demand(cloud, admin, types):
    make_type(admin, "anywhere")
    volume = make(admin, volume_type="on-one")
    write(cloud, volume, b"kept")
    act(admin, volume["id"], "os-retype", {"new_type": "nothing"}, 404)
    act(admin, volume["id"], "os-retype", {"new_type": "on-one"}, 400)
    act(admin, volume["id"], "os-retype", {"new_type": "anywhere"})
    stayed = settle(admin, volume["id"], volume_type="anywhere")
    assert stayed["os-vol-host-attr:host"] == volume["os-vol-host-attr:host"]
    act(admin, volume["id"], "os-retype", {"new_type": "on-two", "migration_policy": "never"})
    refused = settle(admin, volume["id"])
    assert refused["volume_type"] == "anywhere"
    (message,) = [
        each
        for each in admin.get("/v3/messages", headers=NEWEST).ok()["messages"]
        if each["resource_uuid"] == volume["id"]
    ]
    assert "retype volume" in message["user_message"]
    act(admin, volume["id"], "os-retype", {"new_type": "on-two", "migration_policy": "on-demand"})
    moved = settle(admin, volume["id"], volume_type="on-two")
    assert "two" in moved["os-vol-host-attr:host"]
    assert read(cloud, moved, 4) == b"kept"


def snapshot(admin, volume_id):
    body = {"snapshot": {"volume_id": volume_id}}
    made = admin.post("/v3/snapshots", body, headers=NEWEST).ok(202)["snapshot"]
    return settled_snapshot(admin, made["id"])


def settled_snapshot(admin, snapshot_id, status="available"):
    def look():
        found = admin.get(f"/v3/snapshots/{snapshot_id}").ok()["snapshot"]
        return found if found["status"] == status else None

    return until(look)


def test_a_volume_reverts_to_its_latest_snapshot(cloud, admin):
    volume = make(admin)
    act(admin, volume["id"], "revert", {"snapshot_id": volume["id"]}, 400)
    write(cloud, volume, b"before")
    first, second = snapshot(admin, volume["id"]), snapshot(admin, volume["id"])
    write(cloud, volume, b"after!")
    act(admin, volume["id"], "revert", {"snapshot_id": first["id"]}, 400)
    act(admin, volume["id"], "revert", {"snapshot_id": second["id"]})
    settle(admin, volume["id"])
    settled_snapshot(admin, second["id"])
    assert read(cloud, volume, 6) == b"before"
    act(admin, volume["id"], "os-extend", {"new_size": 2})
    settle(admin, volume["id"], size=2)
    act(admin, volume["id"], "revert", {"snapshot_id": second["id"]}, 400)


def upload_image(cloud, data):
    images = cloud.as_user("image")
    body = {"name": "disk", "disk_format": "raw", "container_format": "bare"}
    made = images.post("/v2/images", body).ok(201)
    octets = {"Content-Type": "application/octet-stream"}
    images.request("PUT", f"/v2/images/{made['id']}/file", raw=data, headers=octets).ok(204)
    return made["id"]


def test_a_volume_is_written_anew(cloud, admin):
    volume = make(admin)
    write(cloud, volume, b"old data")
    image_id = upload_image(cloud, b"\0" * 4096 + b"new data" + b"\0" * 504)
    act(admin, volume["id"], "os-reimage", {"image_id": image_id})
    found = settle(admin, volume["id"], bootable="true")
    assert read(cloud, found, 8) == b"new data"
    assert found["volume_image_metadata"]["image_id"] == image_id
    act(admin, volume["id"], "os-reserve", None)
    act(admin, volume["id"], "os-reimage", {"image_id": image_id}, 400)
    act(admin, volume["id"], "os-reimage", {"image_id": image_id, "reimage_reserved": True}, 400)


def test_a_volume_becomes_an_image(cloud, admin):
    volume = make(admin)
    write(cloud, volume, b"for the image")
    asked = {"image_name": "made of a volume", "disk_format": "qcow2", "protected": True}
    shown = act(admin, volume["id"], "os-volume_upload_image", asked)["os-volume_upload_image"]
    assert shown["status"] == "uploading" and shown["volume_type"]["name"] == "__DEFAULT__"
    assert (shown["visibility"], shown["protected"]) == ("private", True)
    images = cloud.as_user("image")
    path = f"/v2/images/{shown['image_id']}"
    settle(admin, volume["id"])
    found = images.get(path).ok()
    assert (found["status"], found["protected"]) == ("active", True)
    assert read(cloud, make(admin, imageRef=shown["image_id"]), 13) == b"for the image"
    change = [{"op": "replace", "path": "/protected", "value": False}]
    patch = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    images.request("PATCH", path, change, headers=patch).ok(200)
    images.delete(path).ok(204)


def test_an_upload_that_fails_leaves_no_image(cloud, admin):
    volume = make(admin)
    asked = {"image_name": "never", "disk_format": "ploop"}
    image_id = act(admin, volume["id"], "os-volume_upload_image", asked)["os-volume_upload_image"]["image_id"]
    settle(admin, volume["id"])
    assert cloud.as_user("image").get(f"/v2/images/{image_id}").status == 404


def test_what_lies_there_is_taken_over_and_left_again(cloud, admin):
    volume = make(admin, name="mine")
    write(cloud, volume, b"stays there")
    kept = snapshot(admin, volume["id"])
    host = volume["os-vol-host-attr:host"]
    act(admin, volume["id"], "os-unmanage", None, 400)
    answer = admin.post(f"/v3/snapshots/{kept['id']}/action", {"os-unmanage": None})
    assert answer.status == 202
    assert admin.get(f"/v3/snapshots/{kept['id']}").status == 404
    reference = {"source-name": f"_snapshot-{kept['id']}"}
    body = {"snapshot": {"volume_id": volume["id"], "ref": reference, "name": "again"}}
    again = admin.post("/v3/manageable_snapshots", body, headers=NEWEST).ok(202)["snapshot"]
    assert settled_snapshot(admin, again["id"])["name"] == "again"
    twice = admin.post("/v3/manageable_snapshots", body, headers=NEWEST).ok(202)["snapshot"]
    settled_snapshot(admin, twice["id"], "error")
    for each in (again, twice):
        admin.delete(f"/v3/snapshots/{each['id']}").ok(202)
        until(lambda one=each: admin.get(f"/v3/snapshots/{one['id']}").status == 404)
    act(admin, volume["id"], "os-unmanage", None)
    assert admin.get(f"/v3/volumes/{volume['id']}").status == 404
    backend = host.partition("#")[0]
    listed = admin.get(f"/v3/manageable_volumes/detail?host={backend}", headers=NEWEST).ok()
    (found,) = [
        each
        for each in listed["manageable-volumes"]
        if each["reference"]["source-name"] == f"volume-{volume['id']}"
    ]
    assert (found["safe_to_manage"], found["size"], found["cinder_id"]) == (True, 1, None)
    body = {"volume": {"host": host, "ref": found["reference"], "name": "taken over"}}
    taken = admin.post("/v3/manageable_volumes", body, headers=NEWEST).ok(202)["volume"]
    assert taken["status"] == "creating"
    taken = settle(admin, taken["id"])
    assert (taken["size"], taken["name"]) == (1, "taken over")
    assert read(cloud, taken, 11) == b"stays there"
    # Not a second time, and not what is not there.
    for reference in (found["reference"], {"source-name": "volume-00000000-0000-4000-8000-000000000000"}):
        body["volume"]["ref"] = reference
        failed = admin.post("/v3/manageable_volumes", body, headers=NEWEST).ok(202)["volume"]
        settle(admin, failed["id"], "error_managing")
        admin.delete(f"/v3/volumes/{failed['id']}").ok(202)
        assert admin.get(f"/v3/volumes/{failed['id']}").status == 404
    assert file_of(cloud, taken).exists()
    body["volume"]["ref"] = {"source-name": "../../etc/passwd"}
    assert admin.post("/v3/manageable_volumes", body, headers=NEWEST).status == 400
    assert admin.get("/v3/manageable_volumes", headers=NEWEST).status == 400
