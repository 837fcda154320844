"""Creating a volume when things go wrong: drivers that fail, workers that are down, no room, deadlines."""

import pytest

from celaje.common.flow import run
from celaje.volume.db import backends


def messages(client):
    return [row["user_message"] for row in client.get("/messages").body["messages"]]


def test_a_failing_back_end_is_cleaned_and_the_next_one_tried(lab, settled):
    lab.start(enabled_backends=["fast", "slow"])
    client = lab.client()
    # Both are equal, so the first by name is taken first.
    lab.driver("fast").state.add_rules(
        [{"operation": "create_volume", "error": "broken", "after_effect": True}]
    )
    made = client.create(1)
    found = settled(made["id"])
    assert found["os-vol-host-attr:host"] == "node@slow#slow"
    assert lab.driver("fast").state.volumes == {}
    assert list(lab.driver("slow").state.volumes) == [made["id"]]
    assert messages(client) == []


def test_when_all_fail_the_volume_is_in_error_and_lies_nowhere(lab, settled, gone):
    lab.start(enabled_backends=["fast", "slow"])
    client = lab.client()
    for name in ("fast", "slow"):
        lab.driver(name).state.add_rules(
            [{"operation": "create_volume", "error": f"{name} is broken", "after_effect": True}]
        )
    made = client.create(1)
    found = settled(made["id"], "error")
    assert found["os-vol-host-attr:host"] is None
    assert lab.driver("fast").state.volumes == lab.driver("slow").state.volumes == {}
    assert "slow is broken" in messages(lab.client("admin"))[0]
    # A project is told what failed, not of which back ends the cloud is made.
    assert messages(client) == ["create volume from backend storage:Driver failed to create the volume."]
    assert client.delete(f"/volumes/{made['id']}").status == 202
    gone(made["id"])


def test_the_last_attempt_is_taken_back_too(lab, settled):
    lab.start(scheduler_max_attempts=1)
    lab.driver().state.add_rules([{"operation": "create_volume", "error": "broken", "after_effect": True}])
    made = lab.client().create(1)
    assert settled(made["id"], "error")["os-vol-host-attr:host"] is None
    assert lab.driver().state.volumes == {}


def test_what_could_not_be_taken_back_keeps_its_place(lab, settled, gone, monkeypatch):
    """So that deleting the volume tries again, and the pool's room stays claimed until then."""
    monkeypatch.setattr(run, "_delay", lambda tries: 0.01)
    lab.start(scheduler_max_attempts=1)
    state = lab.driver().state
    state.add_rules([{"operation": "create_volume", "error": "broken", "after_effect": True}])
    state.add_rules([{"operation": "delete_volume", "error": "stuck", "times": 5}])
    made = lab.client().create(1)
    found = settled(made["id"], "error")
    assert found["os-vol-host-attr:host"] == "node@fast#fast"
    assert list(state.volumes) == [made["id"]]
    assert lab.client().delete(f"/volumes/{made['id']}").status == 202
    gone(made["id"])
    assert state.volumes == {}


def test_without_room_nobody_is_asked_and_the_numbers_are_told(lab, settled):
    lab.overrides = {("fast", "fake_total_capacity_gb"): 3.0}
    lab.start()
    client = lab.client()
    settled(client.create(2)["id"])
    settled(client.create(2)["id"], "error")
    assert len(lab.driver().state.volumes) == 1
    (message,) = messages(lab.client("admin"))
    assert "Could not find any available weighted backend." in message
    assert "2 GiB are asked for" in message


def test_two_schedulers_may_disagree_but_the_ledger_decides(lab, settled, until):
    """A scheduler whose report is old places a volume where there is no room any more."""
    lab.overrides = {("fast", "fake_total_capacity_gb"): 3.0}
    lab.start()
    client = lab.client()
    settled(client.create(2)["id"])
    for server in lab.service._servers:
        scheduler = server._endpoint
        if type(scheduler).__name__ == "Scheduler":
            for pool in scheduler._pools.values():
                pool.promised = 0
                pool.capabilities["free_capacity_gb"] = 3.0
                pool.capabilities["provisioned_capacity_gb"] = 0
    until(lambda: lab.service.database.read(lambda tx: backends._get.one(tx, pool="node@fast#fast")))
    settled(client.create(2)["id"], "error")
    assert len(lab.driver().state.volumes) == 1
    allocated = lab.service.database.read(lambda tx: backends.allocated(tx, "node@fast#fast"))
    assert allocated == 2


def test_work_for_a_worker_that_is_down_waits_until_it_is_up(lab, settled, until):
    lab.start(parts=("api", "conductor", "scheduler"))
    front = lab.service
    worker = lab.make(parts=("worker",))
    worker.start()
    client = lab.client()
    settled(client.create(1)["id"])
    worker.kill()

    made = client.create(1)
    flows = front.flow_tables.flows

    def waiting():
        return front.database.read(
            lambda tx: tx.execute(
                flows.select().where(flows.c.resource_id == made["id"], flows.c.state == "waiting")
            ).first()
        )

    assert until(waiting).waiting_on == "volume-worker.node@fast"
    assert client.volume(made["id"])["status"] == "creating"

    again = lab.make(parts=("worker",))
    again.start()
    try:
        settled(made["id"])
    finally:
        again.stop(grace=1)


def test_a_clone_and_a_volume_from_a_snapshot_lie_beside_their_source(lab, settled, until):
    lab.start(enabled_backends=["fast", "slow"])
    client = lab.client()
    source = settled(client.create(2, metadata={"of": "source"})["id"])
    snapshot = client.post("/snapshots", {"snapshot": {"volume_id": source["id"]}}).body["snapshot"]
    until(lambda: client.get(f"/snapshots/{snapshot['id']}").body["snapshot"]["status"] == "available")

    clone = settled(client.create(3, source_volid=source["id"])["id"])
    assert clone["os-vol-host-attr:host"] == source["os-vol-host-attr:host"]
    assert clone["source_volid"] == source["id"]
    assert client.post("/volumes", {"volume": {"size": 1, "source_volid": source["id"]}}).status == 400

    from_snapshot = client.post("/volumes", {"volume": {"snapshot_id": snapshot["id"]}}).body["volume"]
    assert settled(from_snapshot["id"])["size"] == 2
    assert from_snapshot["snapshot_id"] == snapshot["id"]
    state = lab.driver(source["os-vol-host-attr:host"].split("@")[1].split("#")[0]).state
    assert len({volume.content for volume in state.volumes.values()}) == 1


def test_a_volume_past_its_deadline_is_in_error(lab, settled):
    lab.overrides = {("flows", "volume_create_deadline"): 1}
    lab.start(parts=("api", "conductor", "scheduler"))
    worker = lab.make(parts=("worker",))
    worker.start()
    client = lab.client()
    settled(client.create(1)["id"])
    worker.kill()
    made = client.create(1)
    # Nobody ever began it, so nothing has to be taken back, and nobody is waited for.
    settled(made["id"], "error")
    assert "did not end by its deadline" in messages(client)[0]


@pytest.mark.parametrize("operation", ["delete_volume"])
def test_a_failing_deletion_can_be_tried_again(lab, volumes, settled, gone, operation):
    made = settled(volumes.create(1)["id"])
    lab.driver().state.add_rules([{"operation": operation, "error": "stuck", "times": 1}])
    volumes.delete(f"/volumes/{made['id']}")
    settled(made["id"], "error_deleting")
    assert volumes.delete(f"/volumes/{made['id']}").status == 202
    gone(made["id"])


def test_hints_that_need_a_filter_of_their_own(lab, settled):
    lab.start(
        enabled_backends=["fast", "slow"],
        scheduler_default_filters=["CapacityFilter", "JsonFilter", "InstanceLocalityFilter"],
    )
    client, server = lab.client(), "11111111-2222-4333-8444-555555555555"

    def create(**hints):
        body = {"volume": {"size": 1}, "OS-SCH-HNT:scheduler_hints": hints}
        return client.post("/volumes", body)

    for name in ("fast", "slow"):
        made = create(query=f'["=", "$capabilities.volume_backend_name", "{name}"]')
        found = settled(made.body["volume"]["id"])
        assert found["os-vol-host-attr:host"] == f"node@{name}#{name}"
    settled(create(query='[">", "$free_capacity_gb", 1e9]').body["volume"]["id"], "error")
    assert create(query=[">", 1, 2]).status == 400
    assert create(local_to_instance="x").status == 400
    assert create(local_to_instance=server).status == 400
    lab.compute.servers[server] = {"tenant_id": client.project_id, "OS-EXT-SRV-ATTR:host": "node"}
    settled(create(local_to_instance=server).body["volume"]["id"])
    lab.compute.servers[server]["OS-EXT-SRV-ATTR:host"] = "elsewhere"
    settled(create(local_to_instance=server).body["volume"]["id"], "error")
    lab.compute.servers[server]["tenant_id"] = "somebody"
    assert create(local_to_instance=server).status == 400
