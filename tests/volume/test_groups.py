"""Group types, groups, group snapshots."""

import pytest


@pytest.fixture
def admin(lab, volumes):
    return lab.client("admin")


@pytest.fixture
def kinds(admin):
    """A group type and two volume types."""
    group_type = admin.post("/group_types", {"group_type": {"name": "together"}})
    assert group_type.status == 202, group_type.words
    gold, silver = (
        admin.post("/types", {"volume_type": {"name": name}}).body["volume_type"]["id"]
        for name in ("gold", "silver")
    )
    return {"group_type": group_type.body["group_type"]["id"], "gold": gold, "silver": silver}


def shown(client, path, key):
    answer = client.get(path)
    return answer.body[key] if answer.status == 200 else None


def settle(until, client, path, key, status="available"):
    return until(
        lambda: (found := shown(client, path, key)) and found["status"] == status and found,
    )


@pytest.fixture
def group(volumes, kinds, until):
    body = {"group_type": "together", "volume_types": [kinds["gold"], "silver"], "name": "ours"}
    answer = volumes.post("/groups", {"group": body})
    assert answer.status == 202, answer.words
    made = answer.body["group"]
    assert made == {"id": made["id"], "name": "ours"}
    return settle(until, volumes, f"/groups/{made['id']}", "group")


def test_life_of_a_group_type(admin, volumes):
    made = admin.post("/group_types", {"group_type": {"name": "a", "group_specs": {"x": "1"}}}).body[
        "group_type"
    ]
    path = f"/group_types/{made['id']}"
    assert made["group_specs"] == {"x": "1"} and made["is_public"] is True
    assert admin.post("/group_types", {"group_type": {"name": "a"}}).status == 409
    assert volumes.post("/group_types", {"group_type": {"name": "b"}}).status == 403
    assert volumes.at("3.10").get("/group_types").status == 404
    assert "group_specs" not in volumes.get(path).body["group_type"]
    assert admin.post(f"{path}/group_specs", {"group_specs": {"y": "2"}}).status == 202
    assert admin.put(f"{path}/group_specs/y", {"y": "3"}).body == {"y": "3"}
    assert admin.get(f"{path}/group_specs").body == {"group_specs": {"x": "1", "y": "3"}}
    assert admin.delete(f"{path}/group_specs/y").status == 202
    assert admin.get(f"{path}/group_specs/y").status == 404
    assert (
        admin.put(path, {"group_type": {"is_public": False, "name": "c"}}).body["group_type"]["name"] == "c"
    )
    assert volumes.get(path).status == 404
    assert admin.get("/group_types?is_public=false").body["group_types"][0]["id"] == made["id"]
    assert admin.delete(path).status == 202
    assert admin.get(path).status == 404


def test_life_of_a_group(admin, volumes, kinds, group, settled, gone, until):
    path = f"/groups/{group['id']}"
    assert group["group_type"] == kinds["group_type"]
    assert group["volume_types"] == [kinds["gold"], kinds["silver"]]
    assert volumes.post("/volumes", {"volume": {"size": 1, "group_id": group["id"]}}).status == 400
    first = volumes.create(1, volume_type="gold", group_id=group["id"])
    second = volumes.create(2, volume_type="silver")
    assert settled(first["id"])["group_id"] == group["id"]
    settled(second["id"])
    assert volumes.put(path, {"group": {"add_volumes": second["id"], "name": "both"}}).status == 202
    listed = volumes.get(f"{path}?list_volume=true").body["group"]
    assert (listed["name"], set(listed["volumes"])) == ("both", {first["id"], second["id"]})
    assert volumes.put(path, {"group": {"add_volumes": second["id"]}}).status == 400
    assert len(volumes.get(f"/volumes?group_id={group['id']}").body["volumes"]) == 2
    assert volumes.delete(f"/volumes/{first['id']}").status == 400, "it belongs to a group"
    assert volumes.put(path, {"group": {"remove_volumes": second["id"]}}).status == 202
    assert admin.delete(f"/group_types/{kinds['group_type']}").status == 400
    assert volumes.post(f"{path}/action", {"delete": {"delete-volumes": False}}).status == 400
    assert volumes.post(f"{path}/action", {"delete": {"delete-volumes": True}}).status == 202
    gone(first["id"])
    until(lambda: volumes.get(path).status == 404)
    assert volumes.volume(second["id"])["group_id"] is None


def test_a_group_is_copied(lab, volumes, group, settled, until):
    members = [volumes.create(1, volume_type=name, group_id=group["id"]) for name in ("gold", "silver")]
    for member in members:
        settled(member["id"])
    taken = volumes.post("/group_snapshots", {"group_snapshot": {"group_id": group["id"], "name": "s"}})
    assert taken.status == 202, taken.words
    snapshot_id = taken.body["group_snapshot"]["id"]
    settle(until, volumes, f"/group_snapshots/{snapshot_id}", "group_snapshot")
    parts = volumes.get("/snapshots/detail").body["snapshots"]
    assert {part["group_snapshot_id"] for part in parts} == {snapshot_id}
    assert {part["volume_id"] for part in parts} == {member["id"] for member in members}
    assert volumes.delete(f"/snapshots/{parts[0]['id']}").status == 400
    for source in ({"group_snapshot_id": snapshot_id}, {"source_group_id": group["id"]}):
        answer = volumes.post("/groups/action", {"create-from-src": {"name": "copy", **source}})
        assert answer.status == 202, answer.words
        copy = settle(until, volumes, f"/groups/{answer.body['group']['id']}", "group")
        assert {key: copy[key] for key in source} == source
        copies = volumes.get(f"/volumes/detail?group_id={copy['id']}").body["volumes"]
        assert sorted(each["volume_type"] for each in copies) == ["gold", "silver"]
        contents = lab.driver().state.volumes
        assert all(each["status"] == "available" and each["id"] in contents for each in copies)
    assert volumes.post(f"/groups/{group['id']}/action", {"delete": {"delete-volumes": True}}).status == 400
    assert volumes.delete(f"/group_snapshots/{snapshot_id}").status == 202
    until(lambda: volumes.get(f"/group_snapshots/{snapshot_id}").status == 404)
    assert volumes.get("/snapshots").body["snapshots"] == []


def test_a_copy_that_fails_leaves_nothing_at_the_back_end(lab, volumes, group, settled, until):
    member = volumes.create(1, volume_type="gold", group_id=group["id"])
    settled(member["id"])
    lab.driver().state.add_rules([{"operation": "create_cloned_volume", "error": "no more"}])
    answer = volumes.post("/groups/action", {"create-from-src": {"source_group_id": group["id"]}})
    failed = settle(until, volumes, f"/groups/{answer.body['group']['id']}", "group", "error")
    (copy,) = volumes.get(f"/volumes/detail?group_id={failed['id']}").body["volumes"]
    assert copy["status"] == "error"
    assert set(lab.driver().state.volumes) == {member["id"]}
    deleted = volumes.post(f"/groups/{failed['id']}/action", {"delete": {"delete-volumes": True}})
    assert deleted.status == 202
    until(lambda: volumes.get(f"/groups/{failed['id']}").status == 404)


def test_a_snapshot_that_fails_takes_the_others_back(lab, volumes, group, settled, until):
    for name in ("gold", "silver"):
        settled(volumes.create(1, volume_type=name, group_id=group["id"])["id"])
    lab.driver().state.add_rules([{"operation": "create_snapshot", "error": "no more", "skip": 1}])
    taken = volumes.post("/group_snapshots", {"group_snapshot": {"group_id": group["id"]}})
    path = f"/group_snapshots/{taken.body['group_snapshot']['id']}"
    settle(until, volumes, path, "group_snapshot", "error")
    assert {each["status"] for each in volumes.get("/snapshots/detail").body["snapshots"]} == {"error"}
    assert lab.driver().state.snapshots == {}
    assert volumes.delete(path).status == 202
    until(lambda: volumes.get(path).status == 404)


def test_states_quotas_and_replication(lab, admin, volumes, group):
    path = f"/groups/{group['id']}"
    assert volumes.post(f"{path}/action", {"reset_status": {"status": "error"}}).status == 403
    assert admin.post(f"{path}/action", {"reset_status": {"status": "odd"}}).status == 400
    assert admin.post(f"{path}/action", {"reset_status": {"status": "error"}}).status == 202
    assert volumes.get(path).body["group"]["status"] == "error"
    assert volumes.post(f"{path}/action", {"enable_replication": {}}).status == 400
    assert admin.get(f"/os-quota-sets/{volumes.project_id}?usage=true").body["quota_set"]["groups"] == {
        "limit": 10,
        "in_use": 1,
        "reserved": 0,
    }
    admin.put(f"/os-quota-sets/{volumes.project_id}", {"quota_set": {"groups": 1}})
    body = {"group": {"group_type": "together", "volume_types": ["gold"]}}
    assert volumes.post("/groups", body).status == 413
    assert lab.client("stranger").get(path).status == 404
    assert volumes.post(f"{path}/action", {"delete": {}}).status == 202
    assert volumes.get(path).status == 404
