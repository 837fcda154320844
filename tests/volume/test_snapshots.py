"""Snapshots, and what they mean for their volume."""

import pytest


@pytest.fixture
def volume(volumes, settled):
    return settled(volumes.create(2)["id"])


@pytest.fixture
def ready(volumes, until):
    def wait(snapshot_id, status="available"):
        def look():
            found = volumes.get(f"/snapshots/{snapshot_id}").body.get("snapshot", {})
            return found if found.get("status") == status else None

        return until(look)

    return wait


def snap(client, volume, **fields):
    answer = client.post("/snapshots", {"snapshot": {"volume_id": volume["id"], **fields}})
    assert answer.status == 202, answer.words
    return answer.body["snapshot"]


def test_life_of_a_snapshot(lab, volumes, volume, ready, until):
    made = snap(volumes, volume, name="before", metadata={"k": "v"})
    found = ready(made["id"])
    assert found["size"] == 2
    assert found["os-extended-snapshot-attributes:progress"] == "100%"
    assert volumes.get("/snapshots/detail?name=before").body["snapshots"][0]["id"] == made["id"]
    renamed = volumes.put(f"/snapshots/{made['id']}", {"snapshot": {"name": "after"}})
    assert renamed.body["snapshot"]["name"] == "after"
    path = f"/snapshots/{made['id']}/metadata"
    assert volumes.post(path, {"metadata": {"l": "w"}}).body == {"metadata": {"k": "v", "l": "w"}}
    assert volumes.delete(f"/snapshots/{made['id']}").status == 202
    until(lambda: volumes.get(f"/snapshots/{made['id']}").status == 404)
    assert lab.driver().state.snapshots == {}


def test_a_volume_with_snapshots_goes_with_them_only(lab, volumes, volume, ready, gone):
    made = snap(volumes, volume)
    ready(made["id"])
    assert volumes.delete(f"/volumes/{volume['id']}").status == 400
    assert volumes.delete(f"/volumes/{volume['id']}?cascade=true").status == 202
    gone(volume["id"])
    assert volumes.get(f"/snapshots/{made['id']}").status == 404
    assert lab.driver().state.snapshots == {} == lab.driver().state.volumes


def test_failures_leave_defined_states(lab, volumes, volume, ready, until):
    lab.driver().state.add_rules(
        [{"operation": "create_snapshot", "error": "no", "after_effect": True, "times": 1}]
    )
    made = snap(volumes, volume)
    ready(made["id"], "error")
    assert lab.driver().state.snapshots == {}
    lab.driver().state.add_rules([{"operation": "delete_snapshot", "error": "stuck", "times": 1}])
    volumes.delete(f"/snapshots/{made['id']}")
    ready(made["id"], "error_deleting")
    assert volumes.delete(f"/snapshots/{made['id']}").status == 202
    until(lambda: volumes.get(f"/snapshots/{made['id']}").status == 404)
    assert len(volumes.get("/messages").body["messages"]) == 2


def test_a_volume_in_use_needs_force_until_3_66(lab, volumes, volume, ready):
    volumes.act(volume["id"], "os-attach", {"host_name": "h", "mountpoint": "/dev/vdb"})
    asked = {"snapshot": {"volume_id": volume["id"]}}
    assert volumes.at("3.65").post("/snapshots", asked).status == 400
    ready(snap(volumes.at("3.65"), volume, force=True)["id"])
    ready(snap(volumes, volume)["id"])
    assert volumes.post("/snapshots", {"snapshot": {"volume_id": volume["id"], "force": False}}).status == 400


def test_snapshots_count(lab, volumes, volume):
    lab.client("admin").put(f"/os-quota-sets/{volumes.project_id}", {"quota_set": {"snapshots": 1}})
    snap(volumes, volume)
    over = volumes.post("/snapshots", {"snapshot": {"volume_id": volume["id"]}})
    assert over.status == 413
    assert "Maximum number of snapshots allowed (1) exceeded" in over.words
    used = volumes.get(f"/os-quota-sets/{volumes.project_id}?usage=true").body["quota_set"]
    assert used["gigabytes"]["in_use"] == 4
