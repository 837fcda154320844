"""Places with servers on them: what can no longer be taken apart, and what reports say."""

import pytest
from tests.cloud import until

VERSION = {"OpenStack-API-Version": "compute 2.90"}


@pytest.fixture(scope="module")
def admin(shared_cloud):
    return shared_cloud.as_user("compute")


@pytest.fixture(scope="module")
def server(shared_cloud, admin):
    images = shared_cloud.as_user("image")
    image = images.post("/v2/images", {"name": "i", "disk_format": "raw", "container_format": "bare"}).ok(
        201
    )["id"]
    octets = {"Content-Type": "application/octet-stream", "Content-Length": "3"}
    images.request("PUT", f"/v2/images/{image}/file", raw=b"abc", headers=octets).ok(204)
    until(lambda: images.get(f"/v2/images/{image}").ok()["status"] == "active")
    group = admin.post(
        "/v2.1/os-server-groups", {"server_group": {"name": "g", "policies": ["affinity"]}}
    ).ok()["server_group"]["id"]
    body = {
        "server": {"name": "s", "imageRef": image, "flavorRef": "42", "networks": "none"},
        "os:scheduler_hints": {"group": group},
    }
    made = admin.post("/v2.1/servers", body, headers=VERSION).ok(202)["server"]["id"]

    def built():
        shown = admin.get(f"/v2.1/servers/{made}").ok()["server"]
        assert shown["status"] != "ERROR", shown.get("fault")
        return shown if shown["status"] == "ACTIVE" else None

    shown = until(built)
    return {"id": made, "host": shown["OS-EXT-SRV-ATTR:host"], "group": group}


def test_a_host_with_servers_keeps_its_zone(admin, server):
    body = {"aggregate": {"name": "zoned", "availability_zone": "elsewhere"}}
    aggregate = admin.post("/v2.1/os-aggregates", body).ok()["aggregate"]["id"]
    action = f"/v2.1/os-aggregates/{aggregate}/action"
    refused = admin.post(action, {"add_host": {"host": server["host"]}})
    assert refused.status == 409
    assert "contain instances in this zone" in refused.body["conflictingRequest"]["message"]
    clear = {"set_metadata": {"metadata": {"availability_zone": None}}}
    admin.post(action, clear).ok()
    admin.post(action, {"add_host": {"host": server["host"]}}).ok()
    zone = {"set_metadata": {"metadata": {"availability_zone": "elsewhere"}}}
    assert admin.post(action, zone).status == 400
    assert (
        admin.put(f"/v2.1/os-aggregates/{aggregate}", {"aggregate": {"availability_zone": "x"}}).status == 409
    )
    admin.post(action, {"remove_host": {"host": server["host"]}}).ok()
    admin.delete(f"/v2.1/os-aggregates/{aggregate}").ok()


def test_a_compute_service_with_servers_stays(admin, server):
    path = f"/v2.1/os-services?binary=nova-compute&host={server['host']}"
    service = admin.get(path, headers=VERSION).ok()["services"][0]["id"]
    assert admin.delete(f"/v2.1/os-services/{service}", headers=VERSION).status == 409


def test_what_shows_the_server(shared_cloud, admin, server):
    group = admin.get(f"/v2.1/os-server-groups/{server['group']}").ok()["server_group"]
    assert group["members"] == [server["id"]]
    hypervisors = admin.get("/v2.1/os-hypervisors?with_servers=true", headers=VERSION).ok()["hypervisors"]
    found = {one["hypervisor_hostname"]: one["servers"] for one in hypervisors}
    assert [one["uuid"] for one in found[server["host"]]] == [server["id"]]
    usage = admin.get("/v2.1/os-simple-tenant-usage?start=2026-01-01T00:00:00&detailed=1").ok()[
        "tenant_usages"
    ]
    assert [one["instance_id"] for one in usage[0]["server_usages"]] == [server["id"]]
    assert usage[0]["server_usages"][0]["flavor"] == "m1.nano"
    absolute = admin.get("/v2.1/limits").ok()["limits"]["absolute"]
    assert (absolute["totalInstancesUsed"], absolute["totalRAMUsed"]) == (1, 192)
    claimed = shared_cloud.as_user("placement").get(f"/allocations/{server['id']}").ok()["allocations"]
    assert [one["resources"]["MEMORY_MB"] for one in claimed.values()] == [192]
