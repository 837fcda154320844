"""A server's life through the API: build, show, change, power, delete."""

import pytest
from tests.cloud import Client, until
from tests.compute.lab import LATEST

from celaje.common import clock
from celaje.common.tokens import Token, seconds
from celaje.compute.db.tables import SERVERS


def test_a_server_is_built_with_port_and_config_drive_and_deleted_without_a_trace(lab):
    answer = lab.post(
        networks="auto",
        metadata={"role": "web"},
        tags=["blue"],
        config_drive=True,
        user_data="aGVsbG8=",
        hostname="web-1",
        description="the web",
    )
    created = answer.ok(202)["server"]
    assert set(created) == {"id", "links", "OS-DCF:diskConfig", "security_groups", "adminPass"}
    assert answer.headers["location"].endswith(f"/v2.1/servers/{created['id']}")
    server = lab.until_status(created["id"], "ACTIVE")
    (address,) = server["addresses"]["private"]
    assert address["addr"].startswith("10.0.0.")
    assert address["OS-EXT-IPS:type"] == "fixed"
    assert server["metadata"] == {"role": "web"}
    assert server["tags"] == ["blue"]
    assert server["config_drive"] == "True"
    assert server["description"] == "the web"
    assert server["OS-EXT-SRV-ATTR:hostname"] == "web-1"
    assert server["OS-EXT-STS:power_state"] == 1
    assert server["OS-EXT-AZ:availability_zone"] == "nova"
    assert server["security_groups"] == [{"name": "default"}]
    guest = lab.guests[created["id"]]
    assert "openstack/latest/user_data" in guest["config_drive"]
    assert list(guest["interfaces"].values()) == [address["OS-EXT-IPS-MAC:mac_addr"]]
    lab.check()
    lab.delete(created["id"])
    assert created["id"] not in lab.guests
    lab.check()


def test_power_actions_lead_where_they_should(lab):
    server_id = lab.create()
    for action, value, status in (
        ("os-stop", None, "SHUTOFF"),
        ("os-start", None, "ACTIVE"),
        ("reboot", {"type": "SOFT"}, "ACTIVE"),
        ("pause", None, "PAUSED"),
        ("unpause", None, "ACTIVE"),
        ("suspend", None, "SUSPENDED"),
        ("resume", None, "ACTIVE"),
        ("reboot", {"type": "HARD"}, "ACTIVE"),
    ):
        assert lab.act(server_id, action, value).status == 202, action
        lab.until_status(server_id, status)
    boots = lab.act(server_id, "os-getConsoleOutput", {"length": 50}).ok(200)["output"].count("boot of vm")
    assert boots == 4  # built, started, two reboots
    assert lab.act(server_id, "os-start").status == 409
    lab.delete(server_id)
    lab.check()


def test_an_action_that_the_state_forbids_says_so(lab):
    server_id = lab.create()
    answer = lab.act(server_id, "unpause")
    assert answer.status == 409
    assert answer.body["conflictingRequest"]["message"] == (
        f"Cannot 'unpause' instance {server_id} while it is in vm_state active"
    )
    lab.delete(server_id)


def test_a_locked_server_is_let_alone_by_its_owner(lab):
    server_id = lab.create()
    assert lab.act(server_id, "lock", {"locked_reason": "mine"}).status == 202
    shown = lab.show(server_id)
    assert (shown["locked"], shown["locked_reason"]) == (True, "mine")
    assert lab.act(server_id, "os-stop").status == 409
    assert lab.user.delete(f"/v2.1/servers/{server_id}").status == 409
    assert lab.act(server_id, "unlock").status == 202
    lab.delete(server_id)


def stranger(lab):
    """A member of a project that is not demo."""
    now = seconds(clock.now())
    token = Token(
        user_id="stranger",
        scope="project",
        scope_id="elsewhere",
        roles=(("m", "member"), ("r", "reader")),
        issued_at=now,
        expires_at=now + 600,
    )
    return Client(lab.cloud.transport_to("compute"), lab.cloud.tokens.seal(token), "elsewhere")


def test_another_projects_server_is_not_there(lab):
    server_id = lab.create()
    other, path = stranger(lab), f"/v2.1/servers/{server_id}"
    attachment = {"volumeAttachment": {"volumeId": server_id}}
    for answer in (
        other.get(path),
        other.put(path, {"server": {"name": "mine"}}),
        other.delete(path),
        other.post(f"{path}/action", {"os-stop": None}),
        other.post(f"{path}/action", {"os-getConsoleOutput": {}}),
        other.get(f"{path}/metadata"),
        other.get(f"{path}/os-interface"),
        other.get(f"{path}/os-instance-actions"),
        other.post(f"{path}/os-volume_attachments", attachment),
    ):
        assert answer.status == 404, answer.body
    for listed in (other.get("/v2.1/servers"), other.get("/v2.1/servers/detail")):
        assert listed.ok()["servers"] == []
    assert other.get(f"/v2.1/servers?marker={server_id}").status == 400
    assert lab.show(server_id)["status"] == "ACTIVE"
    listed = lab.admin.get("/v2.1/servers").ok()["servers"]
    assert server_id not in [one["id"] for one in listed]
    everything = lab.admin.get("/v2.1/servers?all_tenants=1").ok()["servers"]
    assert server_id in [one["id"] for one in everything]
    assert lab.user.get("/v2.1/servers?all_tenants=1").status == 403
    lab.delete(server_id)


def test_update_changes_what_it_may(lab):
    server_id = lab.create()
    body = {"server": {"name": "new", "description": None, "accessIPv4": "192.0.2.1"}}
    shown = lab.user.put(f"/v2.1/servers/{server_id}", body, headers=LATEST).ok(200)["server"]
    assert (shown["name"], shown["description"], shown["accessIPv4"]) == ("new", None, "192.0.2.1")
    refused = lab.user.put(f"/v2.1/servers/{server_id}", {"server": {"nme": "x"}}, headers=LATEST)
    assert refused.status == 400
    pin = {"server": {"pinned_availability_zone": "nova"}}
    assert (
        lab.user.put(f"/v2.1/servers/{server_id}", pin, headers=LATEST).ok()["server"][
            "pinned_availability_zone"
        ]
        == "nova"
    )
    elsewhere = {"server": {"pinned_availability_zone": "mars"}}
    assert lab.user.put(f"/v2.1/servers/{server_id}", elsewhere, headers=LATEST).status == 409
    lab.delete(server_id)


@pytest.mark.parametrize(
    ("minor", "has", "lacks"),
    [
        (1, {"image", "flavor"}, {"locked", "host_status", "description", "tags"}),
        (9, {"locked"}, {"description"}),
        (19, {"locked", "description"}, {"tags"}),
        (26, {"tags"}, {"trusted_image_certificates"}),
        (63, {"trusted_image_certificates"}, {"server_groups"}),
        (71, {"server_groups"}, {"locked_reason"}),
        (73, {"locked_reason"}, {"OS-EXT-SRV-ATTR:hostname"}),
        (90, {"OS-EXT-SRV-ATTR:hostname"}, {"pinned_availability_zone"}),
        (96, {"pinned_availability_zone"}, {"scheduler_hints"}),
        (100, {"scheduler_hints"}, {"host_status", "OS-EXT-SRV-ATTR:host"}),
    ],
)
def test_a_microversion_shows_its_keys_and_no_later_ones(lab, minor, has, lacks):
    if not getattr(lab, "shown_id", None):
        lab.shown_id = lab.create()
    answer = lab.user.get(
        f"/v2.1/servers/{lab.shown_id}", headers={"OpenStack-API-Version": f"compute 2.{minor}"}
    )
    shown = answer.ok()["server"]
    assert has <= set(shown)
    assert not lacks & set(shown)
    assert ("original_name" in shown["flavor"]) == (minor >= 47)
    assert ("properties" in shown["image"]) == (minor >= 98)
    assert answer.headers["openstack-api-version"] == f"compute 2.{minor}"


def test_several_at_once_share_a_reservation(lab):
    answer = lab.post(max_count=3, min_count=2, return_reservation_id=True, name="many")
    reservation = answer.ok(202)["reservation_id"]
    found = until(
        lambda: [
            one
            for one in lab.user.get(f"/v2.1/servers/detail?reservation_id={reservation}").ok()["servers"]
            if one["status"] == "ACTIVE"
        ],
        20,
    )
    until(lambda: len(lab.user.get("/v2.1/servers?name=many-").ok()["servers"]) == 3, 5)
    assert {one["name"] for one in found} <= {"many-1", "many-2", "many-3"}
    for row in lab.rows(SERVERS, SERVERS.c.reservation_id == reservation):
        lab.until_status(row["id"], "ACTIVE")
        lab.delete(row["id"])
    lab.check()


def test_pages_lead_through_all_servers_in_order(lab):
    ids = [lab.create(name=f"page-{number}") for number in range(3)]
    first = lab.user.get("/v2.1/servers?limit=2&name=page-&sort_key=display_name&sort_dir=asc").ok()
    assert [one["name"] for one in first["servers"]] == ["page-0", "page-1"]
    href = first["servers_links"][0]["href"]
    rest = lab.user.get(href.partition("/compute")[2]).ok()
    assert [one["name"] for one in rest["servers"]] == ["page-2"]
    assert "servers_links" not in rest
    for server_id in ids:
        lab.delete(server_id)


def test_filters(lab):
    server_id = lab.create(name="needle", networks="auto", tags=["hay"], metadata={})
    address = lab.show(server_id)["addresses"]["private"][0]["addr"]

    def found(query, client=lab.user, headers=LATEST):
        answer = client.get(f"/v2.1/servers?{query}", headers=headers).ok()["servers"]
        return server_id in [one["id"] for one in answer]

    assert found("name=needle") and found("name=^ne.*le$") and not found("name=^needl$")
    assert found("status=active") and not found("status=SHUTOFF")
    assert found(f"ip={address}") and not found("ip=192.0.2")
    assert found("tags=hay") and not found("not-tags=hay") and not found("tags=hay,straw")
    assert found("tags-any=hay,straw")
    assert found(f"image={lab.image_id}") and found("flavor=42") and not found("flavor=1")
    assert found("changes-since=2020-01-01T00:00:00Z")
    assert not found("changes-since=2999-01-01T00:00:00Z")
    # Only administrators filter by host; who may not gets the filter ignored.
    host = lab.show(server_id, lab.admin)["OS-EXT-SRV-ATTR:host"]
    assert found(f"all_tenants=1&host={host}", lab.admin)
    assert not found("all_tenants=1&host=nowhere", lab.admin)
    assert found("host=nowhere")
    assert lab.user.get("/v2.1/servers?status=nonsense", headers=LATEST).status == 400
    assert lab.user.get("/v2.1/servers?nonsense=1", headers=LATEST).status == 400
    assert lab.user.get("/v2.1/servers?nonsense=1").status == 200
    assert lab.user.get("/v2.1/servers?limit=-1").status == 400
    assert lab.user.get("/v2.1/servers?marker=nothing").status == 400
    assert lab.user.get("/v2.1/servers?name=(").status == 400
    lab.delete(server_id)
    gone = lab.admin.get("/v2.1/servers/detail?all_tenants=1&deleted=true&name=needle").ok()["servers"]
    assert [one["status"] for one in gone] == ["DELETED"]


@pytest.mark.parametrize(
    "wanted",
    [
        {"flavorRef": "nothing"},
        {"imageRef": "11111111-2222-3333-4444-555555555555"},
        {"imageRef": "not-a-uuid"},
        {"imageRef": ""},
        {"key_name": "nothing"},
        {"networks": "all"},
        {"networks": [{"uuid": "11111111-2222-3333-4444-555555555555"}]},
        {"networks": [{"port": "11111111-2222-3333-4444-555555555555"}]},
        {"name": ""},
        {"name": " x"},
        {"name": "x" * 256},
        {"metadata": {"k": 1}},
        {"metadata": {"k" * 256: "v"}},
        {"min_count": 3, "max_count": 2},
        {"min_count": 0},
        {"availability_zone": "mars"},
        {"user_data": "not base64!"},
        {"unknown": True},
        {"tags": ["a,b"]},
        {"security_groups": [{"name": "default"}]},
        {"block_device_mapping_v2": [{"source_type": "volume", "destination_type": "volume"}]},
        {
            "imageRef": "",
            "block_device_mapping_v2": [
                {"source_type": "blank", "destination_type": "volume", "volume_size": 1, "boot_index": 1}
            ],
        },
        {
            "block_device_mapping_v2": [
                {
                    "source_type": "volume",
                    "destination_type": "volume",
                    "uuid": "11111111-2222-3333-4444-555555555555",
                }
            ]
        },
        {"flavorRef": None},
        {"adminPass": 1},
        {"hostname": "a b"},
        {"accessIPv4": "300.1.1.1"},
    ],
)
def test_a_request_that_makes_no_sense_is_refused_and_leaves_nothing(lab, wanted):
    before = len(lab.rows(SERVERS))
    answer = lab.post(**wanted)
    assert answer.status == 400, answer.body
    assert "badRequest" in answer.body
    assert len(lab.rows(SERVERS)) == before


def test_only_administrators_name_hosts(lab):
    assert lab.post(availability_zone="nova:host-2").status == 403
    assert lab.post(host="host-2").status == 403
    placed = lab.post(client=lab.admin, availability_zone="nova:host-2").ok(202)["server"]["id"]
    assert lab.until_status(placed, "ACTIVE")["OS-EXT-SRV-ATTR:host"] == "host-2"
    also = lab.post(client=lab.admin, host="host-3").ok(202)["server"]["id"]
    assert lab.until_status(also, "ACTIVE")["OS-EXT-SRV-ATTR:host"] == "host-3"
    for server_id in (placed, also):
        assert lab.admin.delete(f"/v2.1/servers/{server_id}").status == 204
        lab.until_gone(server_id)
    lab.check()


def test_no_host_that_fits_ends_in_an_error_that_says_why(lab):
    server_id = lab.post(client=lab.admin, host="nowhere").ok(202)["server"]["id"]
    shown = lab.until_status(server_id, "ERROR")
    assert shown["fault"]["message"].startswith("No valid host was found.")
    lab.check()
    assert lab.admin.delete(f"/v2.1/servers/{server_id}").status == 204
    lab.until_gone(server_id)


def test_what_is_done_at_once_is_among_a_servers_actions_too(lab):
    server_id = lab.create()
    path = f"/v2.1/servers/{server_id}/os-instance-actions"
    lab.act(server_id, "lock").ok(202)
    lab.act(server_id, "unlock").ok(202)
    reset = lab.admin.post(f"/v2.1/servers/{server_id}/action", {"os-resetState": {"state": "error"}})
    reset.ok(202)
    listed = lab.user.get(path, headers=LATEST).ok()["instanceActions"]
    assert [one["action"] for one in listed] == ["reset_state", "unlock", "lock", "create"]
    assert listed[0]["request_id"] == reset.headers["x-openstack-request-id"]
    assert [one["message"] for one in listed] == [None] * 4
    shown = lab.user.get(f"{path}/{listed[2]['request_id']}", headers=LATEST).ok()["instanceAction"]
    assert (shown["action"], shown["events"]) == ("lock", [])


def test_what_was_done_with_a_server_is_told_from_the_journal(lab):
    server_id = lab.create()
    lab.act(server_id, "os-stop").ok(202)
    lab.until_status(server_id, "SHUTOFF")
    path = f"/v2.1/servers/{server_id}/os-instance-actions"
    listed = lab.user.get(path, headers=LATEST).ok()["instanceActions"]
    assert [one["action"] for one in listed] == ["stop", "create"]
    shown = lab.user.get(f"{path}/{listed[1]['request_id']}", headers=LATEST).ok()["instanceAction"]
    events = [event["event"] for event in shown["events"]]
    assert events == ["compute-scheduler_select_destinations", "placement_claim", "compute_spawn"]
    assert {event["result"] for event in shown["events"]} == {"Success"}
    assert all("traceback" not in event for event in shown["events"])
    assert lab.user.get(f"{path}/req-nothing", headers=LATEST).status == 404
    lab.delete(server_id)
    assert lab.user.get(path, headers=LATEST).ok()["instanceActions"][0]["action"] == "delete"


def test_metadata_and_tags(lab):
    server_id = lab.create(metadata={"a": "1"})
    base = f"/v2.1/servers/{server_id}"
    assert lab.user.post(f"{base}/metadata", {"metadata": {"b": "2"}}).ok()["metadata"] == {
        "a": "1",
        "b": "2",
    }
    assert lab.user.put(f"{base}/metadata/a", {"meta": {"a": "3"}}).ok() == {"meta": {"a": "3"}}
    assert lab.user.put(f"{base}/metadata/a", {"meta": {"b": "3"}}).status == 400
    assert lab.user.get(f"{base}/metadata/b").ok() == {"meta": {"b": "2"}}
    assert lab.user.delete(f"{base}/metadata/b").status == 204
    assert lab.user.get(f"{base}/metadata/b").status == 404
    assert lab.user.put(f"{base}/metadata", {"metadata": {"z": "0"}}).ok()["metadata"] == {"z": "0"}
    assert lab.user.get(f"{base}/tags").status == 404, "before 2.26"
    assert lab.user.put(f"{base}/tags/x", headers=LATEST).status == 201
    assert lab.user.put(f"{base}/tags/x", headers=LATEST).status == 204
    assert lab.user.put(f"{base}/tags", {"tags": ["p", "q"]}, headers=LATEST).ok() == {"tags": ["p", "q"]}
    assert lab.user.get(f"{base}/tags/p", headers=LATEST).status == 204
    assert lab.user.delete(f"{base}/tags/p", headers=LATEST).status == 204
    assert lab.user.get(f"{base}/tags/p", headers=LATEST).status == 404
    assert lab.user.delete(f"{base}/tags", headers=LATEST).status == 204
    assert lab.user.get(f"{base}/tags", headers=LATEST).ok() == {"tags": []}
    lab.delete(server_id)


def test_quotas_are_the_rows(lab):
    from celaje.compute import quota

    server_id = lab.create(flavorRef="42")
    project = lab.user.project_id
    used = lab.service.database.read(quota.usage, project)
    rows = lab.rows(SERVERS, SERVERS.c.deleted.is_(False), SERVERS.c.project_id == project)
    assert used["instances"] == len(rows)
    assert used["ram"] == sum(row["memory_mb"] for row in rows)
    too_many = lab.post(min_count=50, max_count=60)
    assert too_many.status == 403
    assert too_many.body["forbidden"]["message"].startswith("Quota exceeded for instances")
    assert lab.service.database.read(quota.usage, project) == used
    lab.delete(server_id)
