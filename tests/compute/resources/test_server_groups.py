"""Server groups: through the API of a small cloud."""

import pytest
from tests.compute.resources.speaking import message, name, speaking


def test_server_groups_by_microversion(user):
    old = {"server_group": {"name": "g", "policies": ["anti-affinity"]}}
    made = user.post("/v2.1/os-server-groups", old).ok()["server_group"]
    assert set(made) == {"id", "name", "policies", "members", "metadata"}
    new = speaking(user, "2.64")
    body = {"server_group": {"name": "g", "policy": "anti-affinity", "rules": {"max_server_per_host": "3"}}}
    group = new.post("/v2.1/os-server-groups", body).ok()["server_group"]
    assert set(group) == {"id", "name", "policy", "rules", "members", "project_id", "user_id"}
    assert group["rules"] == {"max_server_per_host": 3}
    path = f"/v2.1/os-server-groups/{group['id']}"
    assert new.get(path).ok()["server_group"] == group
    assert user.get(path).ok()["server_group"]["policies"] == ["anti-affinity"]
    assert new.delete(path).status == 204
    missing = new.get(path)
    assert (missing.status, message(missing)) == (404, f"Instance group {group['id']} could not be found.")


@pytest.mark.parametrize(
    ("version", "body"),
    [
        ("2.1", {"name": "g", "policies": ["soft-affinity"]}),
        ("2.15", {"name": "g", "policies": []}),
        ("2.15", {"name": "g", "policies": ["affinity", "anti-affinity"]}),
        ("2.64", {"name": "g", "policies": ["affinity"]}),
        ("2.64", {"name": "g", "policy": "affinity", "rules": {"max_server_per_host": 1}}),
        ("2.64", {"name": "g", "policy": "anti-affinity", "rules": {"max_server_per_host": 0}}),
        ("2.64", {"policy": "affinity"}),
    ],
)
def test_bad_server_groups(user, version, body):
    assert speaking(user, version).post("/v2.1/os-server-groups", {"server_group": body}).status == 400


def test_server_groups_of_others(admin, user):
    body = {"server_group": {"name": name(), "policies": ["affinity"]}}
    made = admin.post("/v2.1/os-server-groups", body).ok()["server_group"]
    path = f"/v2.1/os-server-groups/{made['id']}"
    assert user.get(path).status == 404
    assert user.delete(path).status == 404
    listed = user.get("/v2.1/os-server-groups?all_projects=1").ok()["server_groups"]
    assert made["id"] not in [group["id"] for group in listed]
    theirs = user.post("/v2.1/os-server-groups", body).ok()["server_group"]
    everything = admin.get("/v2.1/os-server-groups?all_projects=1").ok()["server_groups"]
    assert theirs["id"] in [group["id"] for group in everything]
    assert admin.delete(path).status == 204


def test_the_quota_of_server_groups(admin, user):
    path = f"/v2.1/os-quota-sets/{user.project_id}"
    used = len(user.get("/v2.1/os-server-groups").ok()["server_groups"])
    admin.put(path, {"quota_set": {"server_groups": used}}).ok()
    body = {"server_group": {"name": "g", "policies": ["affinity"]}}
    refused = user.post("/v2.1/os-server-groups", body)
    assert (refused.status, message(refused)) == (403, "Quota exceeded, too many server groups.")
    if used:
        assert admin.put(path, {"quota_set": {"server_groups": used - 1}}).status == 400
        assert admin.put(path, {"quota_set": {"server_groups": used - 1, "force": True}}).status == 200
    admin.delete(path)
