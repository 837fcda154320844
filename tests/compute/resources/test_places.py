"""Services, hypervisors, zones, aggregates: through the API of a small cloud."""

import uuid

from tests.cloud import until
from tests.compute.resources.speaking import HOSTS, message, name, speaking


def services(client, version="2.53", **filters):
    query = "&".join(f"{key}={value}" for key, value in filters.items())
    return speaking(client, version).get(f"/v2.1/os-services?{query}").ok()["services"]


def test_services(admin, user):
    binaries = {row["binary"] for row in services(admin)}
    assert binaries == {"nova-conductor", "nova-scheduler", "nova-compute"}
    rows = services(admin, binary="nova-compute", host="node-1")
    assert len(rows) == 1
    assert (rows[0]["state"], rows[0]["status"], rows[0]["zone"]) == ("up", "enabled", "nova")
    assert "forced_down" not in services(admin, "2.10")[0]
    assert isinstance(services(admin, "2.52")[0]["id"], int)
    assert user.get("/v2.1/os-services").status == 403


def test_a_service_is_disabled_and_forced_down(admin):
    row = services(admin, binary="nova-compute", host="node-2")[0]
    path = f"/v2.1/os-services/{row['id']}"
    new = speaking(admin, "2.53")
    changed = new.put(path, {"status": "disabled", "disabled_reason": "broken"}).ok()["service"]
    assert (changed["status"], changed["disabled_reason"]) == ("disabled", "broken")
    assert new.put(path, {"forced_down": True}).ok()["service"]["state"] == "down"
    zones = admin.get("/v2.1/os-availability-zone/detail").ok()["availabilityZoneInfo"]
    assert [zone["hosts"].keys() for zone in zones if zone["zoneName"] == "nova"] == [{"node-1"}]
    new.put(path, {"status": "enabled", "forced_down": False}).ok()
    old = speaking(admin, "2.11")
    named = {"host": "node-2", "binary": "nova-compute"}
    why = {**named, "disabled_reason": "why"}
    assert old.put("/v2.1/os-services/disable-log-reason", why).ok()["service"] == {
        **why,
        "status": "disabled",
    }
    assert old.put("/v2.1/os-services/disable-log-reason", named).status == 400
    assert old.put("/v2.1/os-services/enable", named).ok()["service"]["status"] == "enabled"
    assert old.put("/v2.1/os-services/explode", named).status == 404
    assert old.put("/v2.1/os-services/enable", {**named, "host": "nowhere"}).status == 404
    assert new.put(path, {}).status == 400
    assert new.put(path, {"status": "enabled", "disabled_reason": "no"}).status == 400
    assert new.put("/v2.1/os-services/1", {"status": "enabled"}).status == 400
    assert new.put(f"/v2.1/os-services/{uuid.uuid4()}", {"status": "enabled"}).status == 404
    conductor = services(admin, binary="nova-conductor")[0]
    assert new.put(f"/v2.1/os-services/{conductor['id']}", {"status": "disabled"}).status == 400


def test_hypervisors_by_microversion(admin, user):
    rows = admin.get("/v2.1/os-hypervisors/detail").ok()["hypervisors"]
    assert [row["hypervisor_hostname"] for row in rows] == HOSTS
    first = rows[0]
    assert isinstance(first["cpu_info"], str)
    assert first["free_ram_mb"] == first["memory_mb"] - first["memory_mb_used"]
    new = speaking(admin, "2.88")
    row = new.get("/v2.1/os-hypervisors/detail").ok()["hypervisors"][0]
    assert set(row) == {
        "id",
        "hypervisor_hostname",
        "state",
        "status",
        "hypervisor_type",
        "hypervisor_version",
        "host_ip",
        "service",
        "uptime",
    }
    assert new.get(f"/v2.1/os-hypervisors/{row['id']}").ok()["hypervisor"]["id"] == row["id"]
    assert admin.get(f"/v2.1/os-hypervisors/{first['id']}").ok()["hypervisor"]["id"] == first["id"]
    assert new.get(f"/v2.1/os-hypervisors/{first['id']}").status == 400
    assert new.get(f"/v2.1/os-hypervisors/{uuid.uuid4()}").status == 404
    assert admin.get("/v2.1/os-hypervisors/x").status == 404
    assert admin.get("/v2.1/os-hypervisors/statistics").ok()["hypervisor_statistics"]["count"] == 2
    assert new.get("/v2.1/os-hypervisors/statistics").status in (400, 404)
    assert " up " in admin.get(f"/v2.1/os-hypervisors/{first['id']}/uptime").ok()["hypervisor"]["uptime"]
    assert user.get("/v2.1/os-hypervisors").status == 403


def test_hypervisors_searched_and_paged(admin):
    middle = speaking(admin, "2.53")
    found = middle.get("/v2.1/os-hypervisors?hypervisor_hostname_pattern=node-2&with_servers=true").ok()
    assert [row["hypervisor_hostname"] for row in found["hypervisors"]] == ["node-2"]
    assert middle.get("/v2.1/os-hypervisors?hypervisor_hostname_pattern=xyz").status == 404
    assert middle.get("/v2.1/os-hypervisors?hypervisor_hostname_pattern=node&limit=1").status == 400
    page = middle.get("/v2.1/os-hypervisors?limit=1").ok()
    assert page["hypervisors_links"][0]["rel"] == "next"
    rest = middle.get(f"/v2.1/os-hypervisors?marker={page['hypervisors'][0]['id']}").ok()["hypervisors"]
    assert [row["hypervisor_hostname"] for row in rest] == ["node-2"]
    assert middle.get("/v2.1/os-hypervisors?marker=x").status == 400
    assert len(admin.get("/v2.1/os-hypervisors/node/search").ok()["hypervisors"]) == 2
    assert admin.get("/v2.1/os-hypervisors/node-1/servers").ok()["hypervisors"][0]["state"] == "up"


def test_aggregates_make_zones(admin, user):
    zone = name("zone")
    body = {"aggregate": {"name": name(), "availability_zone": zone}}
    made = admin.post("/v2.1/os-aggregates", body).ok(200)["aggregate"]
    assert "hosts" not in made
    assert "uuid" not in made
    path = f"/v2.1/os-aggregates/{made['id']}"
    assert speaking(admin, "2.41").get(path).ok()["aggregate"]["uuid"]
    action = f"{path}/action"
    assert admin.post(action, {"add_host": {"host": "node-1"}}).ok()["aggregate"]["hosts"] == ["node-1"]
    assert admin.post(action, {"add_host": {"host": "node-1"}}).status == 409
    assert admin.post(action, {"add_host": {"host": "nowhere"}}).status == 404
    zones = user.get("/v2.1/os-availability-zone").ok()["availabilityZoneInfo"]
    assert {"zoneName": zone, "zoneState": {"available": True}, "hosts": None} in zones
    assert services(admin, binary="nova-compute", host="node-1")[0]["zone"] == zone
    assert user.get("/v2.1/os-availability-zone/detail").status == 403
    other = {"aggregate": {"name": name(), "availability_zone": name("zone")}}
    second = admin.post("/v2.1/os-aggregates", other).ok()["aggregate"]
    clash = admin.post(f"/v2.1/os-aggregates/{second['id']}/action", {"add_host": {"host": "node-1"}})
    assert clash.status == 409
    assert "already in availability zone" in message(clash)
    metadata = {"set_metadata": {"metadata": {"ssd": "true", "availability_zone": None}}}
    changed = admin.post(action, metadata).ok()["aggregate"]
    assert (changed["metadata"], changed["availability_zone"]) == ({"ssd": "true"}, None)
    assert admin.delete(path).status == 400
    assert admin.post(action, {"remove_host": {"host": "node-2"}}).status == 404
    assert admin.post(action, {"remove_host": {"host": "node-1"}}).ok()["aggregate"]["hosts"] == []
    renamed = admin.put(path, {"aggregate": {"name": second["name"]}})
    assert renamed.status == 409
    assert admin.put(path, {"aggregate": {"name": name()}}).status == 200
    assert admin.put(path, {"aggregate": {}}).status == 400
    assert admin.delete(path).status == 200
    assert admin.get(path).status == 404
    assert admin.get("/v2.1/os-aggregates/x").status == 400
    assert user.get("/v2.1/os-aggregates").status == 403


def test_schedulers_hear_of_zones(small_cloud, admin):
    zone = name("zone")
    body = {"aggregate": {"name": name(), "availability_zone": zone}}
    made = admin.post("/v2.1/os-aggregates", body).ok()["aggregate"]
    action = f"/v2.1/os-aggregates/{made['id']}/action"
    admin.post(action, {"add_host": {"host": "node-2"}}).ok()
    scheduler = small_cloud.running["compute"].scheduler
    until(lambda: any(zone in group.facts["zones"] for group in scheduler.hosts.groups()))
    admin.post(action, {"remove_host": {"host": "node-2"}}).ok()
