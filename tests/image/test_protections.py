"""Property protections, by roles and by rules."""

import pytest
from tests.image.scene import Personas, change, small_cloud

from celaje.common.errors import ConfigurationError
from celaje.image.protections import Protections

ROLES = """
[^billing_.*]
create = admin
read = admin,Manager
update = admin
delete = !

[.*]
create = @
read = @
update = @
delete = @
"""
RULES = """
[secret]
create = context_is_admin
read = context_is_admin
update = context_is_admin
delete = context_is_admin
"""


def cloud_with(folder, text, rule_format="roles"):
    path = folder / "protections.conf"
    path.write_text(text)
    values = {
        (None, "property_protection_file"): str(path),
        (None, "property_protection_rule_format"): rule_format,
    }
    return small_cloud(folder / "state", values)


def test_by_roles(tmp_path):
    cloud = cloud_with(tmp_path, ROLES)
    glance = Personas(cloud)
    me, admin = glance.member(), glance.admin()
    assert me.post("/v2/images", {"billing_code": "1"}).status == 403
    image = me.post("/v2/images", {"other": "1"}).ok(201)
    add = {"op": "add", "path": "/billing_code", "value": "7"}
    assert change(me, image["id"], add).status == 403
    assert change(admin, image["id"], add).ok(200)["billing_code"] == "7"
    path = f"/v2/images/{image['id']}"
    assert "billing_code" not in me.get(path).ok() and me.get(path).ok()["other"] == "1"
    assert "billing_code" not in me.get("/v2/images").ok()["images"][0]
    assert glance.of("blue", "manager", "member", "reader").get(path).ok()["billing_code"] == "7"
    # Who may not read it does not lose it by changing something else.
    assert (
        "billing_code" not in change(me, image["id"], {"op": "replace", "path": "/other", "value": "2"}).ok()
    )
    assert change(me, image["id"], {**add, "op": "replace"}).status == 403
    assert change(admin, image["id"], {"op": "remove", "path": "/billing_code"}).status == 403
    found = admin.get(path).ok()
    assert (found["billing_code"], found["other"]) == ("7", "2")
    change(me, image["id"], {"op": "remove", "path": "/other"}).ok()
    cloud.stop(grace=5)


def test_by_rules_and_what_no_section_names(tmp_path):
    cloud = cloud_with(tmp_path, RULES, "policies")
    glance = Personas(cloud)
    assert glance.member().post("/v2/images", {"secret": "1"}).status == 403
    assert glance.admin().post("/v2/images", {"secret": "1"}).ok(201)["secret"] == "1"
    assert glance.admin().post("/v2/images", {"unnamed": "1"}).status == 403
    cloud.stop(grace=5)


@pytest.mark.parametrize(
    "text",
    [
        "[(]\ncreate=@\nread=@\nupdate=@\ndelete=@\n",
        "[a]\ncreate=@\n",
        "[a]\ncreate=@,!\nread=@\nupdate=@\ndelete=@\n",
        "no section",
    ],
)
def test_files_that_say_nothing_clear(tmp_path, text):
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(ConfigurationError):
        Protections(str(path), "roles")
    with pytest.raises(ConfigurationError):
        Protections(str(tmp_path / "none"), "roles")
