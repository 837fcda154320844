"""Flavors, their access and their extra specs: through the API of a small cloud."""

import pytest
from tests.compute.resources.speaking import message, name, new_flavor, speaking


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
