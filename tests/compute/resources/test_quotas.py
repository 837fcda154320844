"""Quotas and limits: through the API of a small cloud."""

import pytest
from tests.compute.resources.speaking import speaking


def test_quota_sets(admin, user):
    path = f"/v2.1/os-quota-sets/{user.project_id}"
    defaults = user.get(f"{path}/defaults").ok()["quota_set"]
    assert defaults["instances"] == 10
    assert defaults["injected_file_path_bytes"] == 255
    assert user.get(path).ok()["quota_set"] == defaults
    assert set(speaking(user, "2.57").get(path).ok()["quota_set"]) == {
        "id",
        "instances",
        "cores",
        "ram",
        "metadata_items",
        "key_pairs",
        "server_groups",
        "server_group_members",
    }
    changed = admin.put(path, {"quota_set": {"cores": "40", "ram": -1}}).ok()["quota_set"]
    assert (changed["cores"], changed["ram"], changed["instances"]) == (40, -1, 10)
    assert "id" not in changed
    detail = admin.get(f"{path}/detail").ok()["quota_set"]
    assert detail["cores"] == {"limit": 40, "in_use": 0, "reserved": 0}
    assert user.get("/v2.1/limits").ok()["limits"]["absolute"]["maxTotalCores"] == 40
    assert admin.put(f"{path}?user_id=u1", {"quota_set": {"cores": 41}}).status == 400
    assert admin.put(f"{path}?user_id=u1", {"quota_set": {"cores": 5}}).ok()["quota_set"]["cores"] == 5
    assert admin.get(f"{path}?user_id=u1").ok()["quota_set"]["cores"] == 5
    assert admin.get(path).ok()["quota_set"]["cores"] == 40
    assert admin.delete(path).status == 202
    assert user.get(path).ok()["quota_set"] == defaults


@pytest.mark.parametrize("body", [{"cores": -2}, {"cores": "x"}, {"cores": 2**31}, {"nonsense": 1}])
def test_bad_quotas(admin, user, body):
    assert admin.put(f"/v2.1/os-quota-sets/{user.project_id}", {"quota_set": body}).status == 400


def test_quotas_of_others(admin, user):
    assert user.get(f"/v2.1/os-quota-sets/{admin.project_id}").status == 403
    assert user.put(f"/v2.1/os-quota-sets/{user.project_id}", {"quota_set": {"cores": 1}}).status == 403
    assert user.get(f"/v2.1/limits?tenant_id={admin.project_id}").status == 403
    assert admin.get(f"/v2.1/limits?tenant_id={user.project_id}").status == 200


def test_quota_classes_change_the_defaults(admin, user):
    path = "/v2.1/os-quota-class-sets/default"
    assert "server_groups" not in admin.get(path).ok()["quota_class_set"]
    before = speaking(admin, "2.57").get(path).ok()["quota_class_set"]["server_groups"]
    body = {"quota_class_set": {"server_groups": before + 1}}
    speaking(admin, "2.50").put(path, body).ok()
    shown = user.get(f"/v2.1/os-quota-sets/{user.project_id}").ok()["quota_set"]
    assert shown["server_groups"] == before + 1
    speaking(admin, "2.50").put(path, {"quota_class_set": {"server_groups": before}}).ok()


def test_limits_by_microversion(user):
    def absolute(version):
        return set(speaking(user, version).get("/v2.1/limits").ok()["limits"]["absolute"])

    assert "maxTotalFloatingIps" in absolute("2.35")
    assert "maxTotalFloatingIps" not in absolute("2.36")
    assert "maxImageMeta" not in absolute("2.39")
    assert "maxPersonality" not in absolute("2.57")
