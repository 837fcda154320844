"""Consistency groups: groups of a reserved type, in the words of the API that was there before."""

import pytest


@pytest.fixture
def kind(lab):
    made = lab.client("admin").post("/types", {"volume_type": {"name": "gold"}})
    return made.body["volume_type"]["id"]


def settle(until, client, path, key):
    def look():
        answer = client.get(path)
        return answer.status == 200 and answer.body[key]["status"] == "available" and answer.body[key]

    return until(look)


@pytest.fixture
def group(volumes, kind, until):
    answer = volumes.post(
        "/consistencygroups", {"consistencygroup": {"name": "ours", "volume_types": f"{kind},"}}
    )
    assert answer.status == 202, answer.words
    made = answer.body["consistencygroup"]
    assert made == {"id": made["id"], "name": "ours"}
    return settle(until, volumes, f"/consistencygroups/{made['id']}", "consistencygroup")


def gone(until, client, path):
    assert until(lambda: client.get(path).status == 404)


def test_life(volumes, kind, group, settled, until):
    path = f"/consistencygroups/{group['id']}"
    assert group["volume_types"] == [kind]
    member = settled(volumes.create(1, volume_type="gold", consistencygroup_id=group["id"])["id"])
    assert member["consistencygroup_id"] == group["id"]
    listed = volumes.at("3.0").get("/consistencygroups/detail").body["consistencygroups"]
    assert listed == [volumes.at("3.0").get(path).body["consistencygroup"]]
    assert set(listed[0]) == {
        "id", "name", "description", "status", "created_at", "availability_zone", "volume_types",
    }  # fmt: skip
    # It is a group that the API of groups does not touch.
    assert volumes.get("/groups").body == {"groups": []}
    refused = volumes.get(f"/groups/{group['id']}")
    assert refused.status == 400 and "reserved for migrating CGs" in refused.words
    body = {"consistencygroup": {"name": "renamed", "remove_volumes": member["id"]}}
    assert volumes.put(f"{path}/update", body).status == 202
    assert volumes.get(f"/volumes/{member['id']}").body["volume"]["consistencygroup_id"] is None
    assert volumes.put(path, {"consistencygroup": {"add_volumes": member["id"]}}).status == 202
    assert volumes.get(path).body["consistencygroup"]["name"] == "renamed"
    taken = volumes.post("/cgsnapshots", {"cgsnapshot": {"consistencygroup_id": group["id"], "name": "s"}})
    assert taken.status == 202 and set(taken.body["cgsnapshot"]) == {"id", "name"}
    snapshot_path = f"/cgsnapshots/{taken.body['cgsnapshot']['id']}"
    snapshot = settle(until, volumes, snapshot_path, "cgsnapshot")
    assert snapshot["consistencygroup_id"] == group["id"]
    assert volumes.get("/cgsnapshots/detail").body["cgsnapshots"] == [snapshot]
    assert volumes.get("/group_snapshots").body == {"group_snapshots": []}
    copies = []
    for source in ({"cgsnapshot_id": snapshot["id"]}, {"source_cgid": group["id"]}):
        copy = volumes.post(
            "/consistencygroups/create_from_src", {"consistencygroup-from-src": {"name": "copy", **source}}
        )
        assert copy.status == 202, copy.words
        copies.append(copy.body["consistencygroup"]["id"])
        settle(until, volumes, f"/consistencygroups/{copies[-1]}", "consistencygroup")
    assert volumes.delete(snapshot_path).status == 202
    gone(until, volumes, snapshot_path)
    assert "delete-volumes" in volumes.post(f"{path}/delete").words
    for each in (*copies, group["id"]):
        body = {"consistencygroup": {"force": True}}
        assert volumes.post(f"/consistencygroups/{each}/delete", body).status == 202
        gone(until, volumes, f"/consistencygroups/{each}")
    assert volumes.get("/volumes").body["volumes"] == []


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("", {"consistencygroup": {"volume_types": ","}}, "volume_types must be provided"),
        ("", {"consistencygroup": {"volume_types": ["a"]}}, "volume_types"),
        ("/create_from_src", {"consistencygroup-from-src": {}}, "Either 'cgsnapshot_id' or 'source_cgid'"),
        (
            "/create_from_src",
            {"consistencygroup-from-src": {"cgsnapshot_id": "a", "source_cgid": "b"}},
            "Cannot provide both",
        ),
    ],
)
def test_refusals(volumes, path, body, words):
    refused = volumes.post(f"/consistencygroups{path}", body)
    assert refused.status == 400 and words in refused.words


def test_an_update_says_something(volumes, group):
    path = f"/consistencygroups/{group['id']}/update"
    for version in ("3.5", "3.6"):
        refused = volumes.at(version).put(path, {"consistencygroup": {}})
        assert refused.status == 400 and "remove_volumes" in refused.words


def test_attached_volumes_need_a_driver_that_stops_them_together(
    lab, volumes, group, settled, until, monkeypatch
):
    volume = settled(volumes.create(1, volume_type="gold", consistencygroup_id=group["id"])["id"])
    server = "11111111-2222-4333-8444-555555555555"
    wanted = {"volume_uuid": volume["id"], "instance_uuid": server, "connector": {"host": "node"}}
    attachment = volumes.post("/attachments", {"attachment": wanted}).body["attachment"]["id"]
    volumes.post(f"/attachments/{attachment}/action", {"os-complete": {}})
    settled(volume["id"], "in-use")
    monkeypatch.setattr(type(lab.driver()), "copies_groups_attached", False)
    body = {"cgsnapshot": {"consistencygroup_id": group["id"]}}
    taken = volumes.post("/cgsnapshots", body).body["cgsnapshot"]["id"]
    assert until(lambda: volumes.get(f"/cgsnapshots/{taken}").body["cgsnapshot"]["status"] == "error")
    monkeypatch.setattr(type(lab.driver()), "copies_groups_attached", True)
    taken = volumes.post("/cgsnapshots", body).body["cgsnapshot"]["id"]
    settle(until, volumes, f"/cgsnapshots/{taken}", "cgsnapshot")
