"""Volumes through the REST API: life, states, who sees what, what each microversion shows."""

import pytest


def test_an_empty_volume_becomes_available_and_goes_again(lab, volumes, settled, gone):
    made = volumes.create(2, name="data", description="of mine", metadata={"a": "b"})
    assert made["status"] == "creating"
    assert made["attachments"] == []

    found = settled(made["id"])

    assert found["size"] == 2
    assert found["os-vol-host-attr:host"] == "node@fast#fast"
    assert found["volume_type"] == "__DEFAULT__"
    assert lab.driver().state.volumes[made["id"]].size == 2

    assert volumes.delete(f"/volumes/{made['id']}").status == 202
    gone(made["id"])
    assert lab.driver().state.volumes == {}


def test_a_project_s_volumes_are_its_own(lab, volumes):
    made = volumes.create(1)
    stranger = lab.client("stranger")
    assert stranger.get(f"/volumes/{made['id']}").status == 404
    assert stranger.delete(f"/volumes/{made['id']}").status == 404
    assert stranger.get("/volumes").body["volumes"] == []
    assert lab.client("admin").get(f"/volumes/{made['id']}").status == 200


def test_readers_read_and_members_write(lab, volumes):
    made = volumes.create(1)
    reader = lab.client("reader")
    assert reader.get("/volumes/detail").status == 200
    assert reader.post("/volumes", {"volume": {"size": 1}}).status == 403
    assert reader.delete(f"/volumes/{made['id']}").status == 403
    assert volumes.act(made["id"], "os-reset_status", {"status": "error"}).status == 403
    assert volumes.get("/os-services").status == 403


def test_both_forms_of_the_url(lab, volumes):
    made = volumes.create(1)
    assert volumes.get(f"/v3/volumes/{made['id']}").status == 200
    assert volumes.at("3.0").get(f"/v3/volumes/{made['id']}").status == 200
    wrong = volumes.get(f"/v3/{'f' * 32}/volumes")
    assert wrong.status == 400
    assert "Malformed request url" in wrong.words


@pytest.mark.parametrize(
    "volume",
    [
        {},
        {"size": 0},
        {"size": -1},
        {"size": "x"},
        {"size": True},
        {"size": 2**40},
        {"size": 1, "name": "x" * 256},
        {"size": 1, "metadata": {"k": 1}},
        {"size": 1, "unknown": 1},
        {"size": 1, "availability_zone": "moon"},
        {"size": 1, "multiattach": True},
        {"size": 1, "snapshot_id": "no uuid"},
    ],
)
def test_wrong_bodies_are_refused(volumes, volume):
    answer = volumes.post("/volumes", {"volume": volume})
    assert answer.status == 400, answer.words
    assert answer.body["badRequest"]["code"] == 400


def test_unknown_things_are_not_found(volumes):
    missing = "00000000-0000-4000-8000-000000000000"
    assert volumes.get(f"/volumes/{missing}").status == 404
    assert volumes.post("/volumes", {"volume": {"size": 1, "volume_type": "no"}}).status == 404
    assert volumes.post("/volumes", {"volume": {"snapshot_id": missing}}).status == 404
    assert volumes.post("/volumes", {"volume": {"source_volid": missing}}).status == 404
    assert volumes.act(missing, "os-nothing").status == 400


def test_what_the_microversions_add(lab, volumes, settled):
    made = settled(volumes.create(1)["id"])
    admin = lab.client("admin")

    def keys(version, client=volumes):
        return set(client.at(version).get(f"/volumes/{made['id']}").body["volume"])

    assert {"group_id"} == keys("3.13") - keys("3.12")
    assert {"provider_id"} == keys("3.21", admin) - keys("3.20", admin)
    assert "provider_id" not in keys("3.71")
    assert {"shared_targets", "service_uuid"} == keys("3.48") - keys("3.47")
    assert {"cluster_name"} == keys("3.61", admin) - keys("3.60", admin)
    assert {"volume_type_id"} == keys("3.63") - keys("3.62")
    assert {"consumes_quota"} == keys("3.65") - keys("3.64")
    assert "os-vol-host-attr:host" in keys("3.0", admin) - keys("3.0")
    assert volumes.at("3.52").post("/volumes", {"volume": {"size": 1, "x": 1}}).status == 202
    assert volumes.at("3.72").get("/volumes").status == 406
    assert volumes.at("3.11").get("/volumes/summary").status == 404


def test_update_and_metadata(volumes, settled):
    made = settled(volumes.create(1, metadata={"a": "1"})["id"])
    path = f"/volumes/{made['id']}"
    renamed = volumes.put(path, {"volume": {"name": " new ", "description": None}}).body["volume"]
    assert renamed["name"] == "new"
    assert volumes.put(path, {"volume": {}}).status == 400
    assert volumes.put(path, {"volume": {"size": 2}}).status == 400

    assert volumes.post(f"{path}/metadata", {"metadata": {"b": "2"}}).body["metadata"] == {"a": "1", "b": "2"}
    first = volumes.get(f"{path}/metadata")
    assert first.headers["etag"]
    assert volumes.put(f"{path}/metadata", {"metadata": {"c": "3"}}).body["metadata"] == {"c": "3"}
    stale = volumes.put(f"{path}/metadata", {"metadata": {}}, headers={"If-Match": first.headers["etag"]})
    assert stale.status == 412
    assert volumes.put(f"{path}/metadata/c", {"meta": {"c": "4"}}).body == {"meta": {"c": "4"}}
    assert volumes.put(f"{path}/metadata/c", {"meta": {"d": "4"}}).status == 400
    assert volumes.delete(f"{path}/metadata/c").status == 200
    assert volumes.delete(f"{path}/metadata/c").status == 404


def test_lists_filter_sort_and_page(volumes, settled):
    for number in range(5):
        volumes.create(number + 1, name=f"v{number}", metadata={"n": str(number)})
    listed = volumes.get("/volumes/detail?sort=size:asc&limit=2").body
    assert [row["name"] for row in listed["volumes"]] == ["v0", "v1"]
    names = []
    path = "/volumes?sort=size:desc&limit=2"
    while path:
        body = volumes.get(path).body
        names += [row["name"] for row in body["volumes"]]
        links = body.get("volumes_links")
        path = "/v3/" + links[0]["href"].split("/v3/")[1] if links else None
    assert names == ["v4", "v3", "v2", "v1", "v0"]

    def filtered(query):
        return [row["name"] for row in volumes.get(f"/volumes?{query}").body["volumes"]]

    assert filtered("name=v3") == ["v3"]
    assert filtered("metadata={'n': '2'}") == ["v2"]
    assert filtered("name~=3") == ["v3"]
    assert filtered("bootable=true") == []
    assert filtered("created_at=gt:2099-01-01T00:00:00") == []
    assert volumes.get("/volumes?with_count=true&limit=1").body["count"] == 5
    assert volumes.get("/volumes?nonsense=1").status == 400
    assert volumes.at("3.30").get("/volumes?nonsense=1").status == 200
    assert volumes.get("/volumes?limit=-1").status == 400
    assert volumes.get("/volumes?marker=no").status == 404
    assert volumes.get("/volumes?sort=secret").status == 400
    summary = volumes.get("/volumes/summary").body["volume-summary"]
    assert (summary["total_count"], summary["total_size"]) == (5, 15)
    assert summary["metadata"] == {"n": ["0", "1", "2", "3", "4"]}


def test_administrators_see_all_projects(lab, volumes):
    volumes.create(1)
    lab.client("stranger").create(1)
    admin = lab.client("admin")
    assert len(admin.get("/volumes").body["volumes"]) == 1
    assert len(admin.get("/volumes?all_tenants=1").body["volumes"]) == 2
    assert len(volumes.get("/volumes?all_tenants=1").body["volumes"]) == 1


def test_a_list_costs_the_same_however_long(lab, volumes, settled):
    def statements():
        before = lab.service.database.statements
        volumes.get("/volumes/detail")
        return lab.service.database.statements - before

    settled(volumes.create(1)["id"])
    lab.service.periodic.stop()
    one = min(statements() for _ in range(3))
    for made in [volumes.create(1) for _ in range(5)]:
        settled(made["id"])
    assert min(statements() for _ in range(3)) == one


def test_quotas_are_the_rows(lab, volumes, settled, gone):
    admin = lab.client("admin")
    project = volumes.project_id
    assert admin.put(f"/os-quota-sets/{project}", {"quota_set": {"volumes": 2, "gigabytes": 5}}).status == 200
    first = volumes.create(2)
    over = volumes.post("/volumes", {"volume": {"size": 4}})
    assert over.status == 413
    assert over.body["overLimit"]["message"] == (
        "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. "
        "Requested 4G, quota is 5G and 2G has been consumed."
    )
    volumes.create(1)
    over = volumes.post("/volumes", {"volume": {"size": 1}})
    assert over.status == 413
    assert "Maximum number of volumes allowed (2) exceeded for quota 'volumes'." in over.words
    used = volumes.get(f"/os-quota-sets/{project}?usage=true").body["quota_set"]
    assert used["volumes"] == {"limit": 2, "in_use": 2, "reserved": 0}
    assert used["gigabytes"]["in_use"] == 3
    absolute = volumes.get("/limits").body["limits"]["absolute"]
    assert (absolute["maxTotalVolumes"], absolute["totalGigabytesUsed"]) == (2, 3)
    settled(first["id"])
    volumes.delete(f"/volumes/{first['id']}")
    gone(first["id"])
    volumes.create(2)
    assert volumes.get(f"/os-quota-sets/{'b' * 32}").status == 403
    assert admin.put(f"/os-quota-sets/{project}", {"quota_set": {"gigabytes": 1}}).status == 400
    assert admin.put(f"/os-quota-sets/{project}", {"quota_set": {"nonsense": 1}}).status == 400
    per_type = {"quota_set": {"volumes_RED": 1}}
    assert admin.put(f"/os-quota-sets/{project}", per_type).status == 400
    admin.post("/types", {"volume_type": {"name": "RED"}})
    assert admin.put(f"/os-quota-sets/{project}", per_type).status == 200


def test_extending(lab, volumes, settled):
    made = settled(volumes.create(1)["id"])
    assert volumes.act(made["id"], "os-extend", {"new_size": 1}).status == 400
    assert volumes.act(made["id"], "os-extend", {"new_size": 3}).status == 202
    assert settled(made["id"])["size"] == 3
    assert lab.driver().state.volumes[made["id"]].size == 3
    assert volumes.act(made["id"], "os-extend", {"new_size": 2000}).status == 413
    lab.driver().state.add_rules([{"operation": "extend_volume", "error": "no", "times": 1}])
    volumes.act(made["id"], "os-extend", {"new_size": 4})
    failed = settled(made["id"], "error_extending")
    assert failed["size"] == 3
    used = volumes.get(f"/os-quota-sets/{volumes.project_id}?usage=true").body["quota_set"]
    assert used["gigabytes"]["in_use"] == 3


SERVER = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def attached(lab, volumes, settled):
    made = settled(volumes.create(1)["id"])
    body = {"volume_uuid": made["id"], "instance_uuid": SERVER, "connector": {"host": "node"}}
    attachment = volumes.post("/attachments", {"attachment": body}).body["attachment"]
    volumes.post(f"/attachments/{attachment['id']}/action", {"os-complete": {}})
    return settled(made["id"], "in-use")


class TestExtendingThroughTheHost:
    @pytest.fixture(autouse=True)
    def through_host(self, lab, volumes):
        lab.driver().extends_attached_through_host = True

    def test_compute_does_it_and_says_so(self, lab, volumes, attached, settled, until):
        assert volumes.at("3.41").act(attached["id"], "os-extend", {"new_size": 2}).status == 400
        assert volumes.act(attached["id"], "os-extend", {"new_size": 2}).status == 202
        until(lambda: lab.compute.events)
        assert lab.compute.events[0] == {
            "name": "volume-extended",
            "server_uuid": SERVER,
            "tag": attached["id"],
        }
        by_compute = lab.client("service")
        shown = lab.client("admin").volume(attached["id"])
        assert (shown["status"], shown["metadata"]["extend_new_size"]) == ("extending", "2")
        assert by_compute.act(attached["id"], "os-extend_volume_completion", {"error": False}).status == 202
        assert settled(attached["id"], "in-use")["size"] == 2

    def test_compute_could_not(self, lab, volumes, attached, settled, until):
        volumes.act(attached["id"], "os-extend", {"new_size": 2})
        until(lambda: lab.compute.events)
        lab.client("service").act(attached["id"], "os-extend_volume_completion", {"error": True})
        assert settled(attached["id"], "error_extending")["size"] == 1
        (message,) = volumes.get("/messages").body["messages"]
        assert "Compute service failed to extend volume" in message["user_message"]

    def test_only_an_extending_volume_can_be_completed(self, lab, attached):
        answer = lab.client("service").act(attached["id"], "os-extend_volume_completion", {"error": False})
        assert answer.status == 400


def test_a_volume_in_use_is_not_deleted(lab, volumes, attached, gone):
    assert volumes.delete(f"/volumes/{attached['id']}").status == 400
    assert volumes.delete(f"/volumes/{attached['id']}?force=true").status == 403
    assert lab.client("admin").delete(f"/volumes/{attached['id']}?force=true").status == 202
    gone(attached["id"])
    assert volumes.get("/attachments").body["attachments"] == []


def test_flags_and_states_set_by_operators(lab, volumes, settled, gone):
    made = settled(volumes.create(1)["id"])
    assert volumes.act(made["id"], "os-set_bootable", {"bootable": True}).status == 200
    assert volumes.volume(made["id"])["bootable"] == "true"
    assert volumes.act(made["id"], "os-update_readonly_flag", {"readonly": True}).status == 202
    assert volumes.volume(made["id"])["metadata"]["readonly"] == "True"
    admin = lab.client("admin")
    assert admin.act(made["id"], "os-reset_status", {"status": "lost"}).status == 400
    assert admin.act(made["id"], "os-reset_status", {"status": "deleting"}).status == 202
    settled(made["id"], "deleting")
    assert admin.act(made["id"], "os-force_delete", {}).status == 400
    assert admin.act(made["id"], "os-reset_status", {"status": "error"}).status == 202
    assert volumes.delete(f"/volumes/{made['id']}").status == 202
    gone(made["id"])


def test_the_legacy_way_of_attaching(lab, volumes, settled):
    made = settled(volumes.create(1)["id"])
    act = volumes.act
    assert act(made["id"], "os-reserve").status == 202
    assert act(made["id"], "os-reserve").status == 400
    assert act(made["id"], "os-unreserve").status == 202
    settled(made["id"])
    act(made["id"], "os-reserve")
    info = act(made["id"], "os-initialize_connection", {"connector": {"host": "node"}})
    assert info.status == 200
    assert info.body["connection_info"]["driver_volume_type"] == "fake"
    assert info.body["connection_info"]["data"]["access_mode"] == "rw"
    assert act(made["id"], "os-attach", {"instance_uuid": SERVER, "mountpoint": "/dev/vdb"}).status == 202
    assert volumes.volume(made["id"])["attachments"][0]["server_id"] == SERVER
    assert act(made["id"], "os-begin_detaching").status == 202
    assert act(made["id"], "os-roll_detaching").status == 202
    settled(made["id"], "in-use")
    act(made["id"], "os-begin_detaching")
    assert act(made["id"], "os-terminate_connection", {"connector": {"host": "node"}}).status == 202
    assert lab.driver().state.volumes[made["id"]].connections == []
    assert act(made["id"], "os-detach", {}).status == 202
    settled(made["id"])


def test_discovery(lab, volumes):
    everything = volumes.get("/")
    assert everything.status == 300
    assert everything.body["versions"][0]["version"] == "3.71"
    assert volumes.get("/v3/").status == 200
    assert volumes.get("/v3/").body["versions"][0]["min_version"] == "3.0"


def test_what_stands_behind_the_api(lab, volumes, until):
    admin = lab.client("admin")
    binaries = {"cinder-scheduler", "cinder-conductor", "cinder-volume", "cinder-backup"}
    found = {}

    def all_are_there():
        found.update((row["binary"], row) for row in admin.get("/os-services").body["services"])
        return found.keys() >= binaries

    until(all_are_there)
    assert found["cinder-volume"]["host"] == "node@fast"
    assert {row["state"] for row in found.values()} == {"up"}
    (pool,) = admin.get("/scheduler-stats/get_pools?detail=true").body["pools"]
    assert pool["name"] == "node@fast#fast"
    assert pool["capabilities"]["total_capacity_gb"] == 1000.0
    zones = volumes.get("/os-availability-zone").body["availabilityZoneInfo"]
    assert zones == [{"zoneName": "nova", "zoneState": {"available": True}}]
    assert volumes.get("/extensions").status == 200
    filters = volumes.get("/resource_filters?resource=snapshot").body["resource_filters"]
    assert filters[0]["resource"] == "snapshot"


def test_a_disabled_back_end_gets_no_volume(lab, volumes, settled, until):
    admin = lab.client("admin")
    until(lambda: len(admin.get("/os-services?binary=cinder-volume").body["services"]) == 1)
    switch = {"binary": "cinder-volume", "host": "node@fast"}
    assert admin.put("/os-services/disable", switch).status == 200
    made = volumes.create(1)
    settled(made["id"], "error")
    assert admin.put("/os-services/enable", switch).body["status"] == "enabled"
    settled(volumes.create(1)["id"])


def test_what_lists_may_be_filtered_by(lab, volumes, settled):
    volume = settled(volumes.create(1, name="one")["id"])
    admin = lab.client("admin")
    refused = volumes.get("/volumes?colour=red&host=h")
    assert (
        refused.status == 400 and "Invalid filters colour,host are found in query options." in refused.words
    )
    # Before 3.31 what may not be asked is not looked at; administrators may ask anything, and find nothing.
    assert len(volumes.at("3.30").get("/volumes?colour=red").body["volumes"]) == 1
    assert admin.get("/volumes?colour=red").body["volumes"] == []
    assert len(admin.get(f"/volumes?host={volume['os-vol-host-attr:host']}").body["volumes"]) == 1
    assert volumes.get("/backups?snapshot_id=x").status == 400
    assert volumes.at("3.33").get("/volumes?name~=n").status == 400
    assert len(volumes.get("/volumes?name~=n").body["volumes"]) == 1
    snapshot = volumes.post("/snapshots", {"snapshot": {"volume_id": volume["id"]}}).body["snapshot"]
    for zone, found in (("nova", [snapshot["id"]]), ("mars", [])):
        listed = volumes.get(f"/snapshots?availability_zone={zone}").body["snapshots"]
        assert [each["id"] for each in listed] == found
    assert "user_id" not in volumes.get("/snapshots").body["snapshots"][0]
    assert "user_id" in volumes.get("/snapshots/detail").body["snapshots"][0]
    unknown = volumes.get("/volumes?marker=nope")
    assert unknown.status == 404 and "Volume nope could not be found." in unknown.words


def test_the_filters_of_a_file(lab, tmp_path):
    path = tmp_path / "filters.json"
    path.write_text('{"volume": ["name"]}')
    lab.start(resource_query_filters_file=str(path))
    volumes = lab.client()
    assert volumes.get("/resource_filters").body == {
        "resource_filters": [{"resource": "volume", "filters": ["name"]}]
    }
    assert volumes.get("/volumes?name=a").status == 200
    assert volumes.get("/volumes?status=error").status == 400


def test_a_method_that_a_url_does_not_take_is_not_found(volumes):
    for answer in (volumes.put("/volumes", {}), volumes.delete("/volumes"), volumes.post("/limits", {})):
        assert answer.status == 404 and "The resource could not be found." in answer.words
