"""Images through the real WSGI application: create, show, list, change, delete, members, tags, actions."""

import pytest
from tests.image.scene import change, make, send


def names(answer):
    return [image["name"] for image in answer.ok(200)["images"]]


def test_a_new_image_is_shown_as_glance_shows_it(glance):
    me = glance.member()
    answer = me.post("/v2/images", {"name": "one", "hw_disk_bus": "scsi", "tags": ["b", "a", "b"]})
    image = answer.ok(201)
    assert image["status"] == "queued" and image["visibility"] == "shared" and image["owner"] == "blue"
    assert image["hw_disk_bus"] == "scsi" and image["tags"] == ["a", "b"]
    assert image["size"] is None and image["checksum"] is None and image["min_ram"] == 0
    assert image["file"] == f"/v2/images/{image['id']}/file" and image["schema"] == "/v2/schemas/image"
    assert image["created_at"].endswith("Z") and "flow_id" not in image
    assert answer.headers["location"].endswith(f"/image/v2/images/{image['id']}")
    assert answer.headers["openstack-image-import-methods"] == "glance-direct,web-download"
    assert me.get(f"/v2/images/{image['id']}").ok(200) == image


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"disk_format": "floppy"}, 400),
        ({"container_format": "box"}, 400),
        ({"name": "x" * 256}, 400),
        ({"min_ram": -1}, 400),
        ({"min_disk": 2**31}, 400),
        ({"id": "not-a-uuid"}, 400),
        ({"foo": 1}, 400),
        ({"foo": None}, 400),
        ({"tags": ["x" * 256]}, 400),
        ({"visibility": "friends"}, 400),
        ({"foo": "a\0b"}, 400),
        ({"x" * 256: "v"}, 400),
        ([], 400),
        ({"status": "active"}, 403),
        ({"checksum": "0" * 32}, 403),
        ({"self": "/v2"}, 403),
        ({"deleted": "true"}, 403),
        ({"os_glance_stage": "x"}, 403),
        ({"owner": "red"}, 403),
        ({"visibility": "public"}, 403),
        ({"locations": [{"url": "file:///etc/passwd", "metadata": {}}]}, 403),
        ({f"p{number}": "v" for number in range(129)}, 413),
        ({"tags": [f"t{number}" for number in range(129)]}, 413),
    ],
)
def test_what_cannot_be_created(glance, body, status):
    assert glance.member().post("/v2/images", body).status == status


def test_an_id_is_taken_once(glance):
    first = make(glance.member())
    assert glance.member().post("/v2/images", {"id": first["id"]}).status == 409
    assert glance.member("red").post("/v2/images", {"id": first["id"]}).status == 409


def test_reader_may_look_but_not_touch(glance):
    image = make(glance.member())
    reader = glance.reader()
    assert reader.get(f"/v2/images/{image['id']}").status == 200
    assert reader.post("/v2/images", {"name": "x"}).status == 403
    assert change(reader, image["id"], {"op": "replace", "path": "/name", "value": "x"}).status == 403
    assert reader.delete(f"/v2/images/{image['id']}").status == 403
    assert send(reader, image["id"]).status == 403
    assert reader.get(f"/v2/images/{image['id']}/locations").status == 403


def test_another_projects_image_is_not_there(glance):
    image = make(glance.member(), visibility="private")
    red = glance.member("red")
    path = f"/v2/images/{image['id']}"
    assert red.get(path).status == 404
    assert red.delete(path).status == 404
    assert change(red, image["id"], {"op": "replace", "path": "/name", "value": "x"}).status == 404
    assert send(red, image["id"]).status == 404
    assert red.get(f"{path}/file").status == 404
    assert glance.admin().get(path).status == 200
    assert glance.worker().get(path).status == 404


def test_without_a_token(glance):
    client = glance.admin()
    client.token = None
    assert client.get("/v2/images").status == 401
    assert client.get("/").status == 300
    assert client.get("/versions").ok(200)["versions"][0]["status"] == "CURRENT"


def test_public_and_community(glance):
    admin, red = glance.admin(), glance.member("red")
    public = make(admin, visibility="public", name="pub")
    community = make(glance.member(), visibility="community", name="com")
    for image in (public, community):
        assert red.get(f"/v2/images/{image['id']}").status == 200
        assert red.delete(f"/v2/images/{image['id']}").status == 403
    assert "pub" in names(red.get("/v2/images?limit=1000"))
    assert "com" not in names(red.get("/v2/images?limit=1000"))
    assert "com" in names(red.get("/v2/images?visibility=community&limit=1000"))
    assert "com" in names(glance.member().get("/v2/images?limit=1000"))


def test_members_see_a_shared_image_and_say_yes_or_no(glance):
    owner, red, green = glance.member(), glance.member("red"), glance.member("green")
    image = make(owner, name="shared one")
    members = f"/v2/images/{image['id']}/members"
    assert red.get(f"/v2/images/{image['id']}").status == 404
    added = owner.post(members, {"member": "red"}).ok(200)
    assert added["status"] == "pending" and added["schema"] == "/v2/schemas/member"
    assert owner.post(members, {"member": "red"}).status == 409
    owner.post(members, {"member": "green"}).ok(200)
    assert red.get(f"/v2/images/{image['id']}").status == 200
    assert "shared one" not in names(red.get("/v2/images"))
    assert names(red.get("/v2/images?member_status=pending&visibility=shared")) == ["shared one"]
    # Only the member itself decides.
    assert owner.put(f"{members}/red", {"status": "accepted"}).status == 403
    assert green.put(f"{members}/red", {"status": "accepted"}).status in (403, 404)
    assert red.put(f"{members}/red", {"status": "perhaps"}).status == 400
    assert red.put(f"{members}/red", {"status": "accepted"}).ok(200)["status"] == "accepted"
    assert "shared one" in names(red.get("/v2/images"))
    # A member sees itself, the owner all.
    assert [row["member_id"] for row in red.get(members).ok(200)["members"]] == ["red"]
    assert {row["member_id"] for row in owner.get(members).ok(200)["members"]} == {"red", "green"}
    assert red.get(f"{members}/green").status == 404
    assert red.post(members, {"member": "yellow"}).status == 403
    assert red.delete(f"{members}/red").status == 403
    assert owner.delete(f"{members}/red").status == 204
    assert owner.delete(f"{members}/red").status == 404
    assert red.get(f"/v2/images/{image['id']}").status == 404
    for body in ({}, {"member": ""}, {"member": 1}, {"member": "x" * 256}, [], {"member": "a\0"}):
        assert owner.post(members, body).status == 400


def test_only_shared_images_have_members(glance):
    image = make(glance.member(), visibility="private")
    assert glance.member().post(f"/v2/images/{image['id']}/members", {"member": "red"}).status == 403


def test_tags_come_and_go(glance):
    me = glance.member()
    image = make(me, tags=["old"])
    path = f"/v2/images/{image['id']}/tags"
    assert me.put(f"{path}/new").status == 204
    assert me.put(f"{path}/new").status == 204
    assert me.get(f"/v2/images/{image['id']}").ok()["tags"] == ["new", "old"]
    assert me.delete(f"{path}/old").status == 204
    assert me.delete(f"{path}/old").status == 404
    assert me.put(f"{path}/{'x' * 256}").status == 400
    assert glance.reader().put(f"{path}/x").status == 403


def test_patch_changes_what_may_be_changed(glance):
    me = glance.member()
    image = make(me, foo="bar")
    changed = change(
        me,
        image["id"],
        {"op": "replace", "path": "/name", "value": "new"},
        {"op": "add", "path": "/a~1b~0c", "value": "deep"},
        {"op": "remove", "path": "/foo"},
        {"op": "replace", "path": "/tags", "value": ["z", "y", "z"]},
        {"op": "replace", "path": "/min_ram", "value": 512},
    ).ok(200)
    assert changed["name"] == "new" and changed["a/b~c"] == "deep" and "foo" not in changed
    assert changed["tags"] == ["y", "z"] and changed["min_ram"] == 512
    assert me.get(f"/v2/images/{image['id']}").ok() == changed


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        ({"op": "replace", "path": "/status", "value": "active"}, 403),
        ({"op": "replace", "path": "/id", "value": "x"}, 403),
        ({"op": "replace", "path": "/deleted", "value": "x"}, 403),
        ({"op": "add", "path": "/os_glance_x", "value": "x"}, 403),
        ({"op": "replace", "path": "/owner", "value": "red"}, 403),
        ({"op": "replace", "path": "/visibility", "value": "public"}, 403),
        ({"op": "remove", "path": "/name"}, 403),
        ({"op": "add", "path": "/locations/-", "value": {"url": "file:///x", "metadata": {}}}, 403),
        ({"op": "replace", "path": "/missing", "value": "x"}, 409),
        ({"op": "remove", "path": "/missing"}, 409),
        ({"op": "replace", "path": "/min_ram", "value": "much"}, 400),
        ({"op": "add", "path": "/foo", "value": 1}, 400),
        ({"op": "add", "path": "/foo"}, 400),
        ({"op": "move", "path": "/foo", "from": "/bar"}, 400),
        ({"op": "add", "path": "foo", "value": "x"}, 400),
        ({"op": "add", "path": "/foo/bar", "value": "x"}, 400),
        ({"op": "add", "path": "/foo~2", "value": "x"}, 400),
        ({"op": "add", "path": "/", "value": "x"}, 400),
        ({"op": "add", "path": "//", "value": "x"}, 400),
        ({"op": "add", "path": 5, "value": "x"}, 400),
        ("add", 400),
    ],
)
def test_patch_refuses_and_leaves_the_image_alone(glance, operation, status):
    me = glance.member()
    image = make(me)
    fine = {"op": "add", "path": "/fine", "value": "x"}
    assert change(me, image["id"], fine, operation).status == status
    assert me.get(f"/v2/images/{image['id']}").ok() == image


def test_patch_of_version_2_0(glance):
    me = glance.member()
    image = make(me, foo="bar")
    old = "application/openstack-images-v2.0-json-patch"
    assert change(me, image["id"], {"replace": "/foo", "value": "baz"}, media=old).ok(200)["foo"] == "baz"
    assert change(me, image["id"], {"add": "/foo", "value": "x"}, media=old).status == 409
    assert change(me, image["id"], {"add": "/a", "remove": "/foo"}, media=old).status == 400
    assert change(me, image["id"], {"op": "add", "path": "/a", "value": "x"}, media=old).status == 400
    assert change(me, image["id"], media="application/json").status == 415


def test_formats_are_fixed_once_there_is_data(glance):
    me = glance.member()
    image = make(me)
    replace = {"op": "replace", "path": "/disk_format", "value": "iso"}
    assert change(me, image["id"], replace).status == 200
    change(me, image["id"], {"op": "replace", "path": "/disk_format", "value": "raw"}).ok()
    send(me, image["id"]).ok(204)
    assert change(me, image["id"], replace).status == 403


def test_protected_images_stay(glance):
    me = glance.member()
    image = make(me, protected=True)
    assert me.delete(f"/v2/images/{image['id']}").status == 403
    change(me, image["id"], {"op": "replace", "path": "/protected", "value": False}).ok()
    assert me.delete(f"/v2/images/{image['id']}").status == 204
    assert me.get(f"/v2/images/{image['id']}").status == 404
    assert me.delete(f"/v2/images/{image['id']}").status == 404


def test_deactivated_images_are_read_by_administrators_only(glance):
    me, admin = glance.member(), glance.admin()
    image = make(me)
    path = f"/v2/images/{image['id']}"
    assert admin.post(f"{path}/actions/deactivate").status == 403
    send(me, image["id"]).ok(204)
    assert admin.post(f"{path}/actions/deactivate").status == 204
    assert admin.post(f"{path}/actions/deactivate").status == 204
    assert me.get(path).ok()["status"] == "deactivated"
    assert me.get(f"{path}/file").status == 403
    assert admin.get(f"{path}/file").body == b"data"
    assert admin.post(f"{path}/actions/reactivate").status == 204
    assert me.get(f"{path}/file").body == b"data"


def test_schemas_and_info(glance):
    me = glance.member()
    schema = me.get("/v2/schemas/image").ok(200)
    assert schema["name"] == "image" and "qcow2" in schema["properties"]["disk_format"]["enum"]
    assert me.get("/v2/schemas/images").ok()["properties"]["images"]["items"]["name"] == "image"
    assert me.get("/v2/schemas/member").ok()["name"] == "member"
    assert me.get("/v2/schemas/members").ok()["name"] == "members"
    assert me.get("/v2/info/import").ok()["import-methods"]["value"] == ["glance-direct", "web-download"]
    assert me.get("/v2/info/stores").ok()["stores"] == [{"id": "file", "default": "true"}]
    assert me.get("/v2/info/stores/detail").status == 403
    assert glance.admin().get("/v2/info/stores/detail").ok()["stores"][0]["type"] == "file"
