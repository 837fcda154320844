"""`celaje why`: the reason of each kind of refusal, by the request's id; of failures, by the resource's."""

import json

from tests.cloud import until
from tests.journals.conftest import celaje, past  # noqa: F401


def refused(past, service, answer):  # noqa: F811
    assert answer.status >= 400
    past.cloud.running[service]._requests.write()
    return answer.headers["x-openstack-request-id"]


def facts(celaje, identifier):  # noqa: F811
    (reason, *_) = json.loads(celaje("why", identifier, "--json"))
    return reason, {fact["name"]: fact["words"] for fact in reason["facts"]}


def test_all_is_well(past, celaje):  # noqa: F811
    assert "Nothing failed" in celaje("why", past.volume_id)
    assert "in-use" in celaje("why", past.volume_id)
    assert "No journal knows" in celaje("why", "nobody")


def test_a_server_in_error_names_each_filter(past, celaje):  # noqa: F811
    page = celaje("why", past.failed)
    assert max(map(len, page.splitlines())) <= 80
    assert "ResourcesFilter  1 → 0" in page
    assert "VCPU 255 free of 256, 512 asked" in page
    reason, found = facts(celaje, past.failed)
    assert reason["kind"] == "failed"
    assert found["cause"] == "NoValidHost"
    assert found["undone"] == "placement.release"
    assert "→ error" in found["its states"]
    assert reason["verdict"]["filters"][-1]["after"] == 0


def test_a_request_that_policy_refused_names_rule_and_role(past, celaje):  # noqa: F811
    demo = past.cloud.as_user("volume", "demo", "demo")
    reason, found = facts(
        celaje, refused(past, "volume", demo.post("/v3/types", {"volume_type": {"name": "t"}}))
    )
    assert found["rule"] == "volume_extension:type_create"
    assert found["missing"] == "the role admin"
    assert "member" in found["token"]
    assert "default" in found["check"]
    assert reason["kind"] == "forbidden"


def test_a_request_beyond_a_quota_names_limit_usage_and_what_was_asked(past, celaje):  # noqa: F811
    limits = {"quota_set": {"gigabytes": 3}}
    past.volume.put(f"/v3/os-quota-sets/{past.volume.project_id}", limits).ok()
    try:
        answer = past.volume.post("/v3/volumes", {"volume": {"size": 100}})
        _, found = facts(celaje, refused(past, "volume", answer))
        assert "limit 3, in use" in found["quota gigabytes"]
        assert "asked for 100 more" in found["quota gigabytes"]
    finally:
        past.volume.put(
            f"/v3/os-quota-sets/{past.volume.project_id}", {"quota_set": {"gigabytes": 1000}}
        ).ok()


def test_every_service_tells_the_numbers_of_its_quotas(past, celaje):  # noqa: F811
    network, compute = past.cloud.as_user("network"), past.compute
    network.put(f"/v2.0/quotas/{network.project_id}", {"quota": {"network": 0}}).ok()
    _, found = facts(
        celaje, refused(past, "network", network.post("/v2.0/networks", {"network": {"name": "n"}}))
    )
    assert found["quota network"].startswith("limit 0, in use ")
    project = compute.project_id
    before = compute.get(f"/v2.1/os-quota-sets/{project}/detail").ok()["quota_set"]["instances"]
    used = before["in_use"]
    compute.put(f"/v2.1/os-quota-sets/{project}", {"quota_set": {"instances": used}}).ok()
    try:
        flavor = compute.get("/v2.1/flavors").ok()["flavors"][0]["id"]
        body = {"server": {"name": "x", "flavorRef": flavor, "imageRef": past.image, "networks": "none"}}
        answer = compute.post("/v2.1/servers", body, headers={"OpenStack-API-Version": "compute 2.87"})
        _, found = facts(celaje, refused(past, "compute", answer))
        assert found["quota instances"] == f"limit {used}, in use {used}, asked for 1 more"
    finally:
        compute.put(f"/v2.1/os-quota-sets/{project}", {"quota_set": {"instances": before["limit"]}}).ok()


def test_a_request_that_the_state_forbade_tells_the_states(past, celaje):  # noqa: F811
    answer = past.compute.post(f"/v2.1/servers/{past.server}/action", {"unpause": None})
    _, found = facts(celaje, refused(past, "compute", answer))
    assert found["state"] == "vm_state is active"
    assert "→ active" in found[f"{past.server[:8]}… was"]
    answer = past.volume.delete(f"/v3/volumes/{past.volume_id}")
    _, found = facts(celaje, refused(past, "volume", answer))
    assert "→ in-use" in found[f"{past.volume_id[:8]}… was"]


def test_what_is_not_found_and_who_has_no_token(past, celaje):  # noqa: F811
    nowhere = past.volume.get("/v3/volumes/00000000-0000-4000-8000-000000000000")
    _, found = facts(celaje, refused(past, "volume", nowhere))
    assert past.volume.project_id in found["asked by"]
    _, found = facts(celaje, refused(past, "volume", past.cloud.anonymous("volume").get("/v3/volumes")))
    assert "none that holds" in found["token"]


def test_what_a_driver_refused_names_the_driver(past, celaje):  # noqa: F811
    driver = past.cloud.running["volume"].workers["fake"].driver
    driver.state.add_rules([{"operation": "create_snapshot", "error": "the pool is full", "times": 1}])
    body = {"snapshot": {"volume_id": past.volume_id, "name": "s", "force": True}}
    snapshot = past.volume.post("/v3/snapshots", body).ok(202)["snapshot"]["id"]
    until(lambda: "undone" in celaje("why", snapshot))
    page = celaje("why", snapshot)
    assert max(map(len, page.splitlines())) <= 80
    reason, found = facts(celaje, snapshot)
    assert reason["because"] == "the pool is full"
    assert found["driver"].startswith("FakeDriver, in its create_snapshot, after ")
    data = reason["data"]
    assert (data["driver"]["driver"], data["driver"]["operation"]) == ("FakeDriver", "create_snapshot")
    assert (data["resource_id"], data["state"]) == (snapshot, "failed")
    assert data["step"]["target"] == "volume-worker.celaje@fake"


def test_machines_get_the_numbers_as_numbers(past, celaje):  # noqa: F811
    reason, _ = facts(celaje, past.failed)
    assert reason["data"]["flow_id"] and reason["data"]["error"]["class"].endswith("NoValidHost")
    (removed,) = reason["verdict"]["filters"][-1]["removed"]
    assert (removed["host"], removed["alike"]) == ("celaje", 0)
    demo = past.cloud.as_user("volume", "demo", "demo")
    asked = refused(past, "volume", demo.post("/v3/types", {"volume_type": {"name": "t"}}))
    data = facts(celaje, asked)[0]["data"]
    assert (data["request_id"], data["status"], data["method"]) == (asked, 403, "POST")
    assert data["error"]["details"]["action"] == "volume_extension:type_create"
    # What a refusal of a resource rests on is not said twice.
    past.volume.delete(f"/v3/volumes/{past.volume_id}")
    past.cloud.running["volume"]._requests.write()
    _, found = facts(celaje, past.volume_id)
    assert sum(words.startswith("creating") for words in found.values()) == 1


def test_a_volume_that_waits_names_whom_for_and_until_when(past, celaje):  # noqa: F811
    service = past.cloud.running["volume"]
    (worker,) = [server for server in service._servers if server.target.topic == "volume-worker"]
    worker.stop(grace=5)
    volume = past.volume.post("/v3/volumes", {"volume": {"size": 1}}).ok(202)["volume"]["id"]
    until(lambda: "waits for volume-worker.celaje@fake" in celaje("why", volume))
    reason, found = facts(celaje, volume)
    assert reason["kind"] == "waiting"
    assert "cinder-volume on celaje@fake, last heard of" in found["volume has"]
    assert "then it is undone" in found["given up"]
    assert "next try" in found
