"""Flavors, key pairs, quotas, places, aggregates, server groups, usage: through the API of a small cloud."""

import uuid

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from tests.cloud import LabCloud, until

HOSTS = ["node-1", "node-2"]
# ssh-keygen's own words for the key: MD5 of its blob.
PUBLIC_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl someone@somewhere"
)
FINGERPRINT = "65:96:2d:fc:e8:d5:a9:11:64:0c:0f:ea:00:6e:5b:bd"


@pytest.fixture(scope="module")
def small_cloud(tmp_path_factory):
    overrides = {"compute": {(None, "fake_hosts"): HOSTS}}
    cloud = LabCloud.at(
        tmp_path_factory.mktemp("cloud") / "state", overrides, services=("identity", "placement", "compute")
    ).begin()
    yield cloud
    cloud.stop(grace=5)


def speaking(client, version):
    """The same client, asking for a microversion."""

    class Versioned:
        def __getattr__(self, method):
            def call(path, body=None, **kwargs):
                headers = {"OpenStack-API-Version": f"compute {version}"}
                arguments = (path, body) if method in ("post", "put") else (path,)
                return getattr(client, method)(*arguments, headers=headers, **kwargs)

            return call

    return Versioned()


@pytest.fixture(scope="module")
def admin(small_cloud):
    client = small_cloud.as_user("compute")
    until(lambda: len(client.get("/v2.1/os-hypervisors").ok()["hypervisors"]) == 2)
    return client


@pytest.fixture(scope="module")
def user(small_cloud):
    return small_cloud.as_user("compute", "demo", "demo")


def message(answer):
    return next(iter(answer.body.values()))["message"]


def name(prefix="t"):
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def new_flavor(admin, version="2.1", **more):
    body = {"name": name("f"), "ram": 64, "vcpus": 1, "disk": 1, **more}
    return speaking(admin, version).post("/v2.1/flavors", {"flavor": body}).ok(200)["flavor"]


# Flavors


def test_a_flavor_by_microversion(admin, user):
    made = new_flavor(admin, ram="128", swap=0, rxtx_factor="2.5", id=7001)
    assert (made["id"], made["ram"], made["swap"], made["rxtx_factor"]) == ("7001", 128, "", 2.5)
    base = set(made)
    assert base == {
        "id",
        "name",
        "ram",
        "vcpus",
        "disk",
        "swap",
        "rxtx_factor",
        "links",
        "os-flavor-access:is_public",
        "OS-FLV-DISABLED:disabled",
        "OS-FLV-EXT-DATA:ephemeral",
    }

    def shown(version):
        return speaking(user, version).get("/v2.1/flavors/7001").ok()["flavor"]

    assert set(shown("2.55")) == base | {"description"}
    assert set(shown("2.61")) == base | {"description", "extra_specs"}
    assert shown("2.75")["swap"] == 0
    assert set(shown("2.102")) == (base | {"description", "extra_specs"}) - {
        "rxtx_factor",
        "OS-FLV-DISABLED:disabled",
    }
    assert made["links"][0] == {"rel": "self", "href": "http://127.0.0.1:5000/compute/v2.1/flavors/7001"}
    assert admin.delete("/v2.1/flavors/7001").status == 202
    gone = admin.get("/v2.1/flavors/7001")
    assert (gone.status, message(gone)) == (404, "Flavor 7001 could not be found.")


@pytest.mark.parametrize(
    "change",
    [
        {"ram": 0},
        {"ram": "0"},
        {"ram": 2**31},
        {"vcpus": "two"},
        {"disk": -1},
        {"name": " blank"},
        {"name": ""},
        {"name": "n" * 256},
        {"id": "a/b"},
        {"rxtx_factor": 0},
        {"more": 1},
        {"os-flavor-access:is_public": "maybe"},
        {"description": "too early"},
    ],
)
def test_bad_flavors(admin, change):
    body = {"name": name(), "ram": 64, "vcpus": 1, "disk": 1, **change}
    answer = admin.post("/v2.1/flavors", {"flavor": body})
    assert answer.status == 400
    assert answer.body["badRequest"]["code"] == 400


def test_flavors_are_the_administrators_business(user):
    assert (
        user.post("/v2.1/flavors", {"flavor": {"name": "n", "ram": 1, "vcpus": 1, "disk": 1}}).status == 403
    )
    assert user.delete("/v2.1/flavors/1").status == 403
    assert user.post("/v2.1/flavors/1/os-extra_specs", {"extra_specs": {"a": "b"}}).status == 403


def test_names_and_ids_of_flavors_are_unique(admin):
    made = new_flavor(admin)
    same_name = {"name": made["name"], "ram": 1, "vcpus": 1, "disk": 0}
    taken = admin.post("/v2.1/flavors", {"flavor": same_name})
    assert (taken.status, message(taken)) == (409, f"Flavor with name {made['name']} already exists.")
    same_id = {"name": name(), "id": made["id"], "ram": 1, "vcpus": 1, "disk": 0}
    assert admin.post("/v2.1/flavors", {"flavor": same_id}).status == 409


def test_description_of_a_flavor(admin):
    made = new_flavor(admin, "2.55", description="first")
    path = f"/v2.1/flavors/{made['id']}"
    body = {"flavor": {"description": None}}
    assert speaking(admin, "2.55").put(path, body).ok()["flavor"]["description"] is None
    assert speaking(admin, "2.54").put(path, body).status == 404


def test_private_flavors(admin, user):
    made = new_flavor(admin, **{"os-flavor-access:is_public": False})
    path = f"/v2.1/flavors/{made['id']}"

    def listed(client, query=""):
        return made["id"] in [flavor["id"] for flavor in client.get(f"/v2.1/flavors{query}").ok()["flavors"]]

    assert user.get(path).status == 404
    assert not listed(user)
    assert not listed(user, "?is_public=None")
    assert listed(admin, "?is_public=None")
    assert listed(admin, "?is_public=false")
    assert not listed(admin)
    tenant = {"tenant": user.project_id}
    granted = admin.post(f"{path}/action", {"addTenantAccess": tenant}).ok()
    assert granted == {"flavor_access": [{"flavor_id": made["id"], "tenant_id": user.project_id}]}
    assert admin.post(f"{path}/action", {"addTenantAccess": tenant}).status == 409
    assert user.get(path).status == 200
    assert listed(user)
    assert admin.get(f"{path}/os-flavor-access").ok() == granted
    assert admin.post(f"{path}/action", {"removeTenantAccess": tenant}).ok() == {"flavor_access": []}
    assert admin.post(f"{path}/action", {"removeTenantAccess": tenant}).status == 404
    assert admin.post(f"{path}/action", {"unknown": tenant}).status == 400
    assert admin.get("/v2.1/flavors/1/os-flavor-access").status == 404
    assert speaking(admin, "2.7").post("/v2.1/flavors/1/action", {"addTenantAccess": tenant}).status == 409


def test_extra_specs(admin, user):
    made = new_flavor(admin)
    path = f"/v2.1/flavors/{made['id']}/os-extra_specs"
    body = {"extra_specs": {"hw:cpu_policy": "shared", "mine": 5}}
    assert admin.post(path, body).ok() == {"extra_specs": {"hw:cpu_policy": "shared", "mine": "5"}}
    assert user.get(path).ok()["extra_specs"]["mine"] == "5"
    assert user.get(f"{path}/mine").ok() == {"mine": "5"}
    assert admin.put(f"{path}/mine", {"mine": "6"}).ok() == {"mine": "6"}
    assert admin.put(f"{path}/mine", {"other": "6"}).status == 400
    assert admin.delete(f"{path}/mine").status == 200
    assert admin.delete(f"{path}/mine").status == 404
    detail = speaking(user, "2.61").get("/v2.1/flavors/detail").ok()["flavors"]
    assert [f["extra_specs"] for f in detail if f["id"] == made["id"]] == [{"hw:cpu_policy": "shared"}]


@pytest.mark.parametrize(
    ("key", "value", "status"),
    [
        ("hw:cpu_policy", "shared", 200),
        ("hw:cpu_policy", "wrong", 400),
        ("hw:cpu_polici", "shared", 400),
        ("hw:numa_cpus.0", "0-3", 200),
        ("trait:CUSTOM_A", "required", 200),
        ("trait1:CUSTOM_A", "perhaps", 400),
        ("quota:disk_read_iops_sec", "100", 200),
        ("own:thing", "anything", 200),
    ],
)
def test_extra_specs_are_checked_since_2_86(admin, key, value, status):
    made = new_flavor(admin)
    path = f"/v2.1/flavors/{made['id']}/os-extra_specs"
    assert admin.post(path, {"extra_specs": {key: value}}).status == 200
    assert speaking(admin, "2.86").post(path, {"extra_specs": {key: value}}).status == status


def test_pages_and_filters_of_flavors(admin):
    for number in range(3):
        new_flavor(admin, ram=700000 + number, id=f"page-{number}")
    first = admin.get("/v2.1/flavors?minRam=700000&limit=2").ok()
    assert [flavor["id"] for flavor in first["flavors"]] == ["page-0", "page-1"]
    assert first["flavors_links"][0]["href"].endswith("minRam=700000&limit=2&marker=page-1")
    last = admin.get("/v2.1/flavors?minRam=700000&limit=2&marker=page-1").ok()
    assert [flavor["id"] for flavor in last["flavors"]] == ["page-2"]
    assert "flavors_links" not in last
    falling = admin.get("/v2.1/flavors?minRam=700000&sort_key=memory_mb&sort_dir=desc").ok()["flavors"]
    assert [flavor["id"] for flavor in falling] == ["page-2", "page-1", "page-0"]
    for bad in ("limit=x", "limit=-1", "marker=none-such", "sort_key=secret", "minRam=x", "is_public=maybe"):
        assert admin.get(f"/v2.1/flavors?{bad}").status == 400, bad
    assert admin.get("/v2.1/flavors?unknown=1").status == 200
    assert speaking(admin, "2.75").get("/v2.1/flavors?unknown=1").status == 400


# Key pairs


def test_a_key_pair_is_imported(user):
    key = name()
    made = user.post("/v2.1/os-keypairs", {"keypair": {"name": key, "public_key": PUBLIC_KEY}}).ok(200)[
        "keypair"
    ]
    assert set(made) == {"name", "public_key", "fingerprint", "user_id"}
    assert made["fingerprint"] == FINGERPRINT
    shown = speaking(user, "2.2").get(f"/v2.1/os-keypairs/{key}").ok()["keypair"]
    assert shown["type"] == "ssh"
    assert {"id", "created_at", "deleted", "deleted_at", "updated_at"} < set(shown)
    twice = user.post("/v2.1/os-keypairs", {"keypair": {"name": key, "public_key": PUBLIC_KEY}})
    assert (twice.status, message(twice)) == (409, f"Key pair '{key}' already exists.")
    assert user.delete(f"/v2.1/os-keypairs/{key}").status == 202
    assert speaking(user, "2.2").delete(f"/v2.1/os-keypairs/{key}").status == 404


def test_a_key_pair_is_made_before_2_92(user):
    key = name()
    made = speaking(user, "2.2").post("/v2.1/os-keypairs", {"keypair": {"name": key}}).ok(201)["keypair"]
    private = serialization.load_pem_private_key(made["private_key"].encode(), None)
    public = private.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    assert made["public_key"].startswith(public.decode())
    assert "private_key" not in user.get(f"/v2.1/os-keypairs/{key}").ok()["keypair"]
    assert speaking(user, "2.92").post("/v2.1/os-keypairs", {"keypair": {"name": name()}}).status == 400
    assert speaking(user, "2.2").delete(f"/v2.1/os-keypairs/{key}").status == 204


def test_an_x509_key_pair(user):
    body = {"keypair": {"name": name(), "type": "x509"}}
    made = speaking(user, "2.2").post("/v2.1/os-keypairs", body).ok(201)["keypair"]
    certificate = x509.load_pem_x509_certificate(made["public_key"].encode())
    assert certificate.subject.rfc4514_string() == f"CN={made['user_id']}"
    assert len(made["fingerprint"]) == 59
    imported = {"name": name(), "type": "x509", "public_key": made["public_key"]}
    again = speaking(user, "2.2").post("/v2.1/os-keypairs", {"keypair": imported}).ok(201)["keypair"]
    assert again["fingerprint"] == made["fingerprint"]


@pytest.mark.parametrize(
    "change",
    [
        {"public_key": "nonsense"},
        {"public_key": "ssh-rsa AAAA"},
        {"public_key": ""},
        {"name": "a/b"},
        {"name": " a"},
        {"name": "a.b"},
        {"type": "ssh"},
        {"user_id": "u"},
    ],
)
def test_bad_key_pairs(user, change):
    body = {"name": name(), "public_key": PUBLIC_KEY, **change}
    assert user.post("/v2.1/os-keypairs", {"keypair": body}).status == 400


def test_key_pairs_of_others(admin, user):
    key = name()
    theirs = {"name": key, "public_key": PUBLIC_KEY, "user_id": "somebody"}
    assert speaking(user, "2.10").post("/v2.1/os-keypairs", {"keypair": theirs}).status == 403
    assert speaking(admin, "2.10").post("/v2.1/os-keypairs", {"keypair": theirs}).status == 201
    listed = speaking(admin, "2.10").get("/v2.1/os-keypairs?user_id=somebody").ok()["keypairs"]
    assert [one["keypair"]["name"] for one in listed] == [key]
    assert speaking(user, "2.10").get("/v2.1/os-keypairs?user_id=somebody").status == 403
    assert user.get(f"/v2.1/os-keypairs/{key}").status == 404
    assert speaking(admin, "2.10").delete(f"/v2.1/os-keypairs/{key}?user_id=somebody").status == 204


def test_pages_of_key_pairs(admin):
    def call(path):
        return speaking(admin, "2.35").get(path).ok()

    for letter in "abc":
        body = {"name": f"pg-{letter}", "public_key": PUBLIC_KEY, "user_id": "pages"}
        speaking(admin, "2.35").post("/v2.1/os-keypairs", {"keypair": body}).ok()
    first = call("/v2.1/os-keypairs?user_id=pages&limit=2")
    assert [one["keypair"]["name"] for one in first["keypairs"]] == ["pg-a", "pg-b"]
    assert "marker=pg-b" in first["keypairs_links"][0]["href"]
    assert len(call("/v2.1/os-keypairs?user_id=pages&limit=2&marker=pg-b")["keypairs"]) == 1
    assert speaking(admin, "2.35").get("/v2.1/os-keypairs?marker=none-such").status == 400


def test_the_quota_of_key_pairs(admin, user):
    path = f"/v2.1/os-quota-sets/{user.project_id}"
    count = len(user.get("/v2.1/os-keypairs").ok()["keypairs"])
    admin.put(path, {"quota_set": {"key_pairs": count}}).ok()
    refused = user.post("/v2.1/os-keypairs", {"keypair": {"name": name(), "public_key": PUBLIC_KEY}})
    assert (refused.status, message(refused)) == (403, "Quota exceeded, too many key pairs.")
    assert admin.delete(path).status == 202
    assert (
        user.post("/v2.1/os-keypairs", {"keypair": {"name": name(), "public_key": PUBLIC_KEY}}).status == 200
    )


# Quotas and limits


def test_quota_sets(admin, user):
    path = f"/v2.1/os-quota-sets/{user.project_id}"
    defaults = user.get(f"{path}/defaults").ok()["quota_set"]
    assert defaults["instances"] == 10
    assert defaults["injected_file_path_bytes"] == 255
    assert user.get(path).ok()["quota_set"] == defaults
    assert set(speaking(user, "2.57").get(path).ok()["quota_set"]) == {
        "id",
        "instances",
        "cores",
        "ram",
        "metadata_items",
        "key_pairs",
        "server_groups",
        "server_group_members",
    }
    changed = admin.put(path, {"quota_set": {"cores": "40", "ram": -1}}).ok()["quota_set"]
    assert (changed["cores"], changed["ram"], changed["instances"]) == (40, -1, 10)
    assert "id" not in changed
    detail = admin.get(f"{path}/detail").ok()["quota_set"]
    assert detail["cores"] == {"limit": 40, "in_use": 0, "reserved": 0}
    assert user.get("/v2.1/limits").ok()["limits"]["absolute"]["maxTotalCores"] == 40
    assert admin.put(f"{path}?user_id=u1", {"quota_set": {"cores": 41}}).status == 400
    assert admin.put(f"{path}?user_id=u1", {"quota_set": {"cores": 5}}).ok()["quota_set"]["cores"] == 5
    assert admin.get(f"{path}?user_id=u1").ok()["quota_set"]["cores"] == 5
    assert admin.get(path).ok()["quota_set"]["cores"] == 40
    assert admin.delete(path).status == 202
    assert user.get(path).ok()["quota_set"] == defaults


@pytest.mark.parametrize("body", [{"cores": -2}, {"cores": "x"}, {"cores": 2**31}, {"nonsense": 1}])
def test_bad_quotas(admin, user, body):
    assert admin.put(f"/v2.1/os-quota-sets/{user.project_id}", {"quota_set": body}).status == 400


def test_quotas_of_others(admin, user):
    assert user.get(f"/v2.1/os-quota-sets/{admin.project_id}").status == 403
    assert user.put(f"/v2.1/os-quota-sets/{user.project_id}", {"quota_set": {"cores": 1}}).status == 403
    assert user.get(f"/v2.1/limits?tenant_id={admin.project_id}").status == 403
    assert admin.get(f"/v2.1/limits?tenant_id={user.project_id}").status == 200


def test_quota_classes_change_the_defaults(admin, user):
    path = "/v2.1/os-quota-class-sets/default"
    assert "server_groups" not in admin.get(path).ok()["quota_class_set"]
    before = speaking(admin, "2.57").get(path).ok()["quota_class_set"]["server_groups"]
    body = {"quota_class_set": {"server_groups": before + 1}}
    speaking(admin, "2.50").put(path, body).ok()
    shown = user.get(f"/v2.1/os-quota-sets/{user.project_id}").ok()["quota_set"]
    assert shown["server_groups"] == before + 1
    speaking(admin, "2.50").put(path, {"quota_class_set": {"server_groups": before}}).ok()


def test_limits_by_microversion(user):
    def absolute(version):
        return set(speaking(user, version).get("/v2.1/limits").ok()["limits"]["absolute"])

    assert "maxTotalFloatingIps" in absolute("2.35")
    assert "maxTotalFloatingIps" not in absolute("2.36")
    assert "maxImageMeta" not in absolute("2.39")
    assert "maxPersonality" not in absolute("2.57")


# Services, hypervisors, zones, aggregates


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


# Server groups


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


# Usage, extensions, who may


def test_usage_of_nothing(admin, user):
    path = f"/v2.1/os-simple-tenant-usage/{user.project_id}"
    assert user.get(f"{path}?start=2026-01-01T00:00:00").ok() == {"tenant_usage": {}}
    assert user.get(f"{path}?start=yesterday").status == 400
    assert user.get(f"{path}?start=2099-01-01T00:00:00").status == 400
    assert user.get("/v2.1/os-simple-tenant-usage").status == 403
    assert user.get(f"/v2.1/os-simple-tenant-usage/{admin.project_id}").status == 403
    assert admin.get("/v2.1/os-simple-tenant-usage?start=2026-01-01T00:00:00").ok() == {"tenant_usages": []}


def test_extensions(user):
    aliases = [one["alias"] for one in user.get("/v2.1/extensions").ok()["extensions"]]
    assert "os-keypairs" in aliases
    assert user.get("/v2.1/extensions/os-keypairs").ok()["extension"]["name"] == "Keypairs"
    assert user.get("/v2.1/extensions/os-nonsense").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/v2.1/flavors",
        "/v2.1/os-keypairs",
        "/v2.1/limits",
        "/v2.1/os-services",
        "/v2.1/os-hypervisors",
        "/v2.1/os-aggregates",
        "/v2.1/os-server-groups",
        "/v2.1/os-availability-zone",
        "/v2.1/extensions",
    ],
)
def test_nothing_without_a_token(small_cloud, path):
    assert small_cloud.anonymous("compute").get(path).status == 401
