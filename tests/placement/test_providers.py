"""Providers, inventories, aggregates, traits, resource classes: what they take, refuse and answer."""

import pytest

from celaje.common import clock


def code(answer):
    return answer.body["errors"][0]["code"]


def detail(answer):
    return answer.body["errors"][0]["detail"]


def generation(api, uuid):
    return api.get(f"/resource_providers/{uuid}").ok()["generation"]


def names(answer):
    return [row["name"] for row in answer.ok()["resource_providers"]]


def test_the_version_document_is_open(placement):
    document = placement.anonymous().get("/").ok()["versions"][0]
    assert (document["id"], document["min_version"], document["max_version"]) == ("v1.0", "1.0", "1.39")
    assert placement.anonymous().get("/resource_providers").status == 401


def test_microversions_out_of_range(api):
    refused = api.at("1.40").get("/resource_providers")
    assert refused.status == 406
    assert refused.body["errors"][0]["max_version"] == "1.39"
    assert api.at("2.0").get("/resource_providers").status == 406
    assert api.at("one").get("/resource_providers").status == 400
    answer = api.at("latest").get("/resource_providers")
    assert answer.headers["openstack-api-version"] == "placement 1.39"


@pytest.mark.parametrize("persona", ["member", "reader"])
def test_users_are_kept_out(placement, persona):
    assert placement.client(persona).get("/resource_providers").status == 403
    assert placement.client(persona).post("/resource_providers", {"name": "n"}).status == 403


def test_create_show_rename_delete(api):
    uuid = clock.new_uuid()
    made = api.post("/resource_providers", {"name": "n1", "uuid": uuid.replace("-", "")})
    assert made.status == 200
    assert made.headers["location"] == f"/placement/resource_providers/{uuid}"
    assert made.headers["cache-control"] == "no-cache"
    assert made.headers["last-modified"].endswith("GMT")
    assert made.body["uuid"] == uuid
    assert made.body["root_provider_uuid"] == uuid
    assert made.body["parent_provider_uuid"] is None
    rels = [link["rel"] for link in made.body["links"]]
    assert rels == ["self", "inventories", "usages", "aggregates", "traits", "allocations"]
    old = api.at("1.0").get(f"/resource_providers/{uuid}")
    assert set(old.body) == {"uuid", "name", "generation", "links"}
    assert len(old.body["links"]) == 3
    assert "last-modified" not in old.headers
    assert api.put(f"/resource_providers/{uuid}", {"name": "n2"}).ok(200)["name"] == "n2"
    assert api.delete(f"/resource_providers/{uuid}").status == 204
    gone = api.get(f"/resource_providers/{uuid}")
    assert gone.status == 404
    assert gone.body["errors"][0]["request_id"].startswith("req-")


def test_names_and_uuids_are_unique(api):
    api.post("/resource_providers", {"name": "n"}).ok()
    taken = api.post("/resource_providers", {"name": "n"})
    assert taken.status == 409
    assert code(taken) == "placement.duplicate_name"
    assert detail(taken) == "Conflicting resource provider name: n already exists."
    other = api.post("/resource_providers", {"name": "other"}).ok()["uuid"]
    assert api.put(f"/resource_providers/{other}", {"name": "n"}).status == 409
    assert api.post("/resource_providers", {"name": "third", "uuid": other}).status == 409


@pytest.mark.parametrize("body", [{}, {"name": 1}, {"name": "n", "more": 1}, {"name": "n", "uuid": "x"}, []])
def test_bad_bodies(api, body):
    refused = api.post("/resource_providers", body)
    assert refused.status == 400
    assert detail(refused).startswith("JSON does not validate: ")


def test_trees(api, provider):
    root = provider("root")
    child = provider("child", parent=root)
    leaf = provider("leaf", parent=child)
    assert api.get(f"/resource_providers/{leaf}").ok()["root_provider_uuid"] == root
    assert names(api.get(f"/resource_providers?in_tree={child}")) == ["root", "child", "leaf"]
    blocked = api.delete(f"/resource_providers/{root}")
    assert blocked.status == 409
    assert code(blocked) == "placement.resource_provider.cannot_delete_parent"
    loop = {"name": "root", "parent_provider_uuid": leaf}
    assert api.put(f"/resource_providers/{root}", loop).status == 400
    away = {"name": "child", "parent_provider_uuid": None}
    assert api.at("1.36").put(f"/resource_providers/{child}", away).status == 400
    assert api.put(f"/resource_providers/{child}", away).ok()["root_provider_uuid"] == child
    assert api.get(f"/resource_providers/{leaf}").ok()["root_provider_uuid"] == child
    assert (
        api.post("/resource_providers", {"name": "x", "parent_provider_uuid": clock.new_uuid()}).status == 400
    )


def test_inventories_and_generations(api, provider, claim, consumers):
    host = provider(inventories={"VCPU": 4})
    path = f"/resource_providers/{host}/inventories"
    assert api.get(path).ok()["inventories"]["VCPU"] == {
        "total": 4,
        "reserved": 0,
        "min_unit": 1,
        "max_unit": 2147483647,
        "step_size": 1,
        "allocation_ratio": 1.0,
    }
    stale = api.put(path, {"resource_provider_generation": 1, "inventories": {}})
    assert stale.status == 409
    assert code(stale) == "placement.concurrent_update"
    assert claim(consumers.one, {host: {"VCPU": 1}}).status == 204
    now = generation(api, host)
    in_use = api.put(path, {"resource_provider_generation": now, "inventories": {"DISK_GB": {"total": 1}}})
    assert in_use.status == 409
    assert code(in_use) == "placement.inventory.inuse"
    assert f"Inventory for 'VCPU' on resource provider '{host}' in use" in detail(in_use)
    assert generation(api, host) == now
    assert set(api.get(path).ok()["inventories"]) == {"VCPU"}
    assert api.delete(f"{path}/VCPU").status == 409
    assert api.delete(path).status == 409
    assert api.at("1.4").delete(path).status == 405
    api.delete(f"/allocations/{consumers.one}").ok()
    assert api.delete(path).status == 204


def test_one_inventory(api, provider):
    host = provider()
    path = f"/resource_providers/{host}/inventories"
    made = api.post(path, {"resource_class": "VCPU", "total": 8})
    assert made.status == 201
    assert made.headers["location"] == f"/placement{path}/VCPU"
    assert api.post(path, {"resource_class": "VCPU", "total": 8}).status == 409
    assert api.post(path, {"resource_class": "CUSTOM_NONE", "total": 8}).status == 400
    now = generation(api, host)
    changed = api.put(f"{path}/VCPU", {"total": 16, "resource_provider_generation": now}).ok()
    assert (changed["total"], changed["resource_provider_generation"]) == (16, now + 1)
    assert api.put(f"{path}/VCPU", {"total": 1, "resource_provider_generation": now}).status == 409
    assert api.put(f"{path}/DISK_GB", {"total": 1, "resource_provider_generation": now + 1}).status == 400
    assert api.get(f"{path}/DISK_GB").status == 404
    assert api.delete(f"{path}/VCPU").status == 204
    assert api.delete(f"{path}/VCPU").status == 404


def test_reserved_may_be_all_since_1_26(api, provider):
    host = provider()
    body = {
        "resource_provider_generation": generation(api, host),
        "inventories": {"VCPU": {"total": 4, "reserved": 4}},
    }
    assert api.at("1.25").put(f"/resource_providers/{host}/inventories", body).status == 400
    assert api.at("1.26").put(f"/resource_providers/{host}/inventories", body).status == 200
    body["inventories"]["VCPU"]["reserved"] = 5
    body["resource_provider_generation"] += 1
    assert api.put(f"/resource_providers/{host}/inventories", body).status == 400


def test_a_number_too_big_for_a_database_is_refused(api, provider):
    host = provider()
    body = {"resource_provider_generation": 2**70, "inventories": {}}
    assert api.put(f"/resource_providers/{host}/inventories", body).status == 400


def test_a_provider_in_use_stays(api, provider, claim, consumers):
    host = provider(inventories={"VCPU": 4})
    claim(consumers.one, {host: {"VCPU": 1}})
    refused = api.delete(f"/resource_providers/{host}")
    assert refused.status == 409
    assert code(refused) == "placement.resource_provider.inuse"
    api.delete(f"/allocations/{consumers.one}").ok()
    assert api.delete(f"/resource_providers/{host}").status == 204


def test_aggregates(api, provider):
    host = provider()
    path = f"/resource_providers/{host}/aggregates"
    ours = clock.new_uuid()
    assert api.at("1.0").get(path).status == 404
    assert api.at("1.1").put(path, [ours]).ok() == {"aggregates": [ours]}
    now = generation(api, host)
    body = {"aggregates": [], "resource_provider_generation": now}
    assert api.put(path, body).ok()["resource_provider_generation"] == now + 1
    assert api.put(path, body).status == 409
    assert api.put(path, {"aggregates": [], "resource_provider_generation": "1"}).status == 400


def test_traits(api, provider):
    assert api.put("/traits/CUSTOM_GOLD").status == 201
    assert api.put("/traits/CUSTOM_GOLD").status == 204
    assert api.put("/traits/GOLD").status == 400
    assert api.put("/traits/CUSTOM_gold").status == 400
    assert api.get("/traits/CUSTOM_GOLD").status == 204
    assert api.get("/traits/HW_CPU_X86_AVX2").status == 204
    assert api.get("/traits/CUSTOM_NONE").status == 404
    assert api.delete("/traits/HW_CPU_X86_AVX2").status == 400
    assert api.get("/traits?name=startswith:CUSTOM_").ok() == {"traits": ["CUSTOM_GOLD"]}
    assert api.get("/traits?name=in:CUSTOM_GOLD,COMPUTE_NODE").ok()["traits"] == [
        "COMPUTE_NODE",
        "CUSTOM_GOLD",
    ]
    assert api.get("/traits?name=GOLD").status == 400
    host = provider(traits=["CUSTOM_GOLD"])
    assert api.get("/traits?associated=true").ok() == {"traits": ["CUSTOM_GOLD"]}
    assert api.delete("/traits/CUSTOM_GOLD").status == 409
    path = f"/resource_providers/{host}/traits"
    unknown = {"traits": ["CUSTOM_NONE"], "resource_provider_generation": generation(api, host)}
    assert api.put(path, unknown).status == 400
    assert api.put(path, {**unknown, "traits": [], "resource_provider_generation": 0}).status == 409
    assert api.delete(path).status == 204
    assert api.get(path).ok()["traits"] == []
    assert api.delete("/traits/CUSTOM_GOLD").status == 204


def test_resource_classes(api, provider):
    assert api.put("/resource_classes/CUSTOM_FPGA").status == 201
    assert api.put("/resource_classes/CUSTOM_FPGA").status == 204
    assert api.put("/resource_classes/VCPU").status == 400
    listed = [row["name"] for row in api.get("/resource_classes").ok()["resource_classes"]]
    assert {"VCPU", "MEMORY_MB", "DISK_GB", "CUSTOM_FPGA"} <= set(listed)
    host = provider(inventories={"CUSTOM_FPGA": 1})
    assert api.delete("/resource_classes/CUSTOM_FPGA").status == 409
    renamed = api.at("1.6").put("/resource_classes/CUSTOM_FPGA", {"name": "CUSTOM_CARD"})
    assert renamed.ok()["name"] == "CUSTOM_CARD"
    assert set(api.get(f"/resource_providers/{host}/inventories").ok()["inventories"]) == {"CUSTOM_CARD"}
    assert api.delete("/resource_classes/VCPU").status == 400
    assert api.get("/resource_classes/CUSTOM_FPGA").status == 404


def test_filters_of_the_list(api, provider, claim, consumers):
    shelf, rack = clock.new_uuid(), clock.new_uuid()
    big = provider("big", {"VCPU": 16, "DISK_GB": 100}, traits=["STORAGE_DISK_SSD"], aggregates=[shelf, rack])
    provider("small", {"VCPU": 2}, aggregates=[shelf])
    provider("bare")

    def found(query, version="1.39"):
        return names(api.at(version).get(f"/resource_providers?{query}"))

    assert found("name=small") == ["small"]
    assert found(f"uuid={big}") == ["big"]
    assert found("resources=VCPU:2") == ["big", "small"]
    assert found("resources=VCPU:2,DISK_GB:10") == ["big"]
    claim(consumers.one, {big: {"VCPU": 15}})
    assert found("resources=VCPU:2") == ["small"]
    assert found(f"member_of={shelf}") == ["big", "small"]
    assert found(f"member_of=in:{shelf},{rack}&member_of={rack}") == ["big"]
    assert found(f"member_of=!{rack}") == ["small", "bare"]
    assert found("required=STORAGE_DISK_SSD") == ["big"]
    assert found("required=!STORAGE_DISK_SSD") == ["small", "bare"]
    assert found("required=in:STORAGE_DISK_SSD,STORAGE_DISK_HDD") == ["big"]


@pytest.mark.parametrize(
    ("version", "query"),
    [
        ("1.39", "nonsense=1"),
        ("1.3", "resources=VCPU:1"),
        ("1.39", "resources=VCPU"),
        ("1.39", "resources=VCPU:0"),
        ("1.39", "resources=VCPU:x"),
        ("1.39", "resources="),
        ("1.39", "resources=CUSTOM_NONE:1"),
        ("1.39", "required="),
        ("1.39", "required=CUSTOM_NONE"),
        ("1.38", "required=in:COMPUTE_NODE,HW_CPU_X86_AVX2"),
        ("1.21", "required=!COMPUTE_NODE"),
        ("1.39", "required=COMPUTE_NODE,!COMPUTE_NODE"),
        ("1.39", "member_of=x"),
        ("1.39", "in_tree=x"),
        ("1.39", "uuid=x"),
    ],
)
def test_bad_filters(api, version, query):
    assert api.at(version).get(f"/resource_providers?{query}").status == 400
