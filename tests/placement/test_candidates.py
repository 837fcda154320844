"""Allocation candidates: trees, sharing providers, groups; and the reshaper."""

import pytest

from celaje.common import clock

SHARES = "MISC_SHARES_VIA_AGGREGATE"


def requests(answer):
    return [
        {uuid: part["resources"] for uuid, part in one["allocations"].items()}
        for one in answer.ok()["allocation_requests"]
    ]


def test_flat_providers(api, provider, claim, consumers):
    one = provider("one", {"VCPU": 4, "MEMORY_MB": 1024}, traits=["COMPUTE_NODE"])
    two = provider("two", {"VCPU": 8, "MEMORY_MB": 2048})
    provider("no-memory", {"VCPU": 8})
    answer = api.get("/allocation_candidates?resources=VCPU:2,MEMORY_MB:512")
    resources = {"VCPU": 2, "MEMORY_MB": 512}
    assert requests(answer) == [{one: resources}, {two: resources}]
    assert answer.body["allocation_requests"][0]["mappings"] == {"": [one]}
    summary = answer.body["provider_summaries"][one]
    assert summary == {
        "resources": {"VCPU": {"capacity": 4, "used": 0}, "MEMORY_MB": {"capacity": 1024, "used": 0}},
        "traits": ["COMPUTE_NODE"],
        "parent_provider_uuid": None,
        "root_provider_uuid": one,
    }
    assert set(answer.body["provider_summaries"]) == {one, two}
    claim(consumers.one, {one: {"VCPU": 3}})
    assert requests(api.get("/allocation_candidates?resources=VCPU:2,MEMORY_MB:512")) == [{two: resources}]
    assert len(requests(api.get("/allocation_candidates?resources=VCPU:1&limit=1"))) == 1
    assert requests(api.get("/allocation_candidates?resources=VCPU:1&required=COMPUTE_NODE")) == [
        {one: {"VCPU": 1}}
    ]
    without = requests(api.get("/allocation_candidates?resources=VCPU:1&required=!COMPUTE_NODE"))
    assert one not in {uuid for found in without for uuid in found}


def test_old_forms(api, provider):
    one = provider("one", {"VCPU": 4, "DISK_GB": 10})
    old = api.at("1.10").get("/allocation_candidates?resources=VCPU:1").ok()
    assert old["allocation_requests"] == [
        {"allocations": [{"resource_provider": {"uuid": one}, "resources": {"VCPU": 1}}]}
    ]
    assert old["provider_summaries"] == {one: {"resources": {"VCPU": {"capacity": 4, "used": 0}}}}
    assert api.at("1.9").get("/allocation_candidates?resources=VCPU:1").status == 404


def test_a_candidate_can_be_claimed_as_it_is(api, provider, consumers):
    host = provider("host", {"VCPU": 4})
    numa = provider("numa", {"MEMORY_MB": 1024}, parent=host)
    query = "resources=VCPU:1&resources_MEM=MEMORY_MB:512&group_policy=none"
    found = api.get(f"/allocation_candidates?{query}").ok()["allocation_requests"]
    assert found == [
        {
            "allocations": {host: {"resources": {"VCPU": 1}}, numa: {"resources": {"MEMORY_MB": 512}}},
            "mappings": {"": [host], "_MEM": [numa]},
        }
    ]
    body = {
        **found[0],
        "project_id": "p",
        "user_id": "u",
        "consumer_generation": None,
        "consumer_type": "INSTANCE",
    }
    assert api.put(f"/allocations/{consumers.one}", body).status == 204
    assert set(api.get(f"/allocations/{consumers.one}").ok()["allocations"]) == {host, numa}


def test_trees_are_known_since_1_29(api, provider):
    host = provider("host", {"VCPU": 4})
    numa = provider("numa", {"MEMORY_MB": 1024}, parent=host)
    query = "/allocation_candidates?resources=VCPU:1,MEMORY_MB:512"
    assert requests(api.get(query)) == [{host: {"VCPU": 1}, numa: {"MEMORY_MB": 512}}]
    assert requests(api.at("1.28").get(query)) == []


def test_sharing_providers(api, provider):
    shelf = clock.new_uuid()
    near = provider("near", {"VCPU": 4}, aggregates=[shelf])
    provider("far", {"VCPU": 4})
    pool = provider("pool", {"DISK_GB": 100}, traits=[SHARES], aggregates=[shelf])
    found = requests(api.get("/allocation_candidates?resources=VCPU:1,DISK_GB:10"))
    assert found == [{near: {"VCPU": 1}, pool: {"DISK_GB": 10}}]


def test_groups(api, provider):
    host = provider("host", {"VCPU": 8})
    cards = [
        provider(f"card{number}", {"SRIOV_NET_VF": 2}, parent=host, traits=traits)
        for number, traits in enumerate((["HW_NIC_SRIOV"], []))
    ]
    base = "/allocation_candidates?resources=VCPU:1&resources1=SRIOV_NET_VF:1&resources2=SRIOV_NET_VF:1"
    assert api.get(base).status == 400  # no group_policy
    isolated = requests(api.get(f"{base}&group_policy=isolate"))
    assert (
        isolated == [{host: {"VCPU": 1}, cards[0]: {"SRIOV_NET_VF": 1}, cards[1]: {"SRIOV_NET_VF": 1}}] * 2
    )  # the groups may be swapped, which the mappings show
    free = requests(api.get(f"{base}&group_policy=none"))
    assert {host: {"VCPU": 1}, cards[0]: {"SRIOV_NET_VF": 2}} in free
    required = requests(api.get(f"{base}&group_policy=none&required1=HW_NIC_SRIOV&required2=HW_NIC_SRIOV"))
    assert required == [{host: {"VCPU": 1}, cards[0]: {"SRIOV_NET_VF": 2}}]
    # Three of one card would be more than it has.
    assert requests(api.get("/allocation_candidates?resources1=SRIOV_NET_VF:3")) == []


def test_same_subtree_and_root_required(api, provider):
    host = provider("host", {"VCPU": 8}, traits=["COMPUTE_NODE"])
    numa0 = provider("numa0", {"MEMORY_MB": 1024}, parent=host, traits=["HW_NUMA_ROOT"])
    numa1 = provider("numa1", {"MEMORY_MB": 1024}, parent=host, traits=["HW_NUMA_ROOT"])
    card = provider("card", {"FPGA": 1}, parent=numa1)
    query = (
        "/allocation_candidates?resources_MEM=MEMORY_MB:256&resources_ACC=FPGA:1&required_NUMA=HW_NUMA_ROOT"
        "&group_policy=none&same_subtree=_MEM,_ACC,_NUMA"
    )
    assert requests(api.get(query)) == [{numa1: {"MEMORY_MB": 256}, card: {"FPGA": 1}}]
    apart = requests(api.get("/allocation_candidates?resources=MEMORY_MB:256,FPGA:1"))
    assert {numa0: {"MEMORY_MB": 256}, card: {"FPGA": 1}} in apart
    rooted = "/allocation_candidates?resources=VCPU:1&root_required="
    assert len(requests(api.get(f"{rooted}COMPUTE_NODE"))) == 1
    assert requests(api.get(f"{rooted}!COMPUTE_NODE")) == []
    assert requests(api.get(f"/allocation_candidates?resources=FPGA:1&in_tree={host}")) == [
        {card: {"FPGA": 1}}
    ]


def test_the_limit_of_the_option_holds(placement, api, provider):
    placement.service.conf.set("placement", "max_allocation_candidates", 2)
    for number in range(4):
        provider(f"host{number}", {"VCPU": 1})
    assert len(requests(api.get("/allocation_candidates?resources=VCPU:1"))) == 2
    assert len(requests(api.get("/allocation_candidates?resources=VCPU:1&limit=3"))) == 2


@pytest.mark.parametrize(
    ("version", "query"),
    [
        ("1.39", ""),
        ("1.39", "required=COMPUTE_NODE"),
        ("1.39", "resources=VCPU:1&limit=0"),
        ("1.39", "resources=VCPU:1&limit=x"),
        ("1.39", "resources=VCPU:1&nonsense=1"),
        ("1.39", "resources=CUSTOM_NONE:1"),
        ("1.39", "resources=VCPU:1&required=CUSTOM_NONE"),
        ("1.39", "resources=VCPU:1&required1=COMPUTE_NODE"),
        ("1.39", "resources=VCPU:1&group_policy=some"),
        ("1.39", "resources=VCPU:1&same_subtree=_A"),
        ("1.39", "resources=VCPU:1&root_required=CUSTOM_NONE"),
        ("1.32", "resources_A=VCPU:1"),
        ("1.24", "resources1=VCPU:1"),
        ("1.15", "resources=VCPU:1&limit=1"),
        ("1.34", "resources=VCPU:1&root_required=COMPUTE_NODE"),
    ],
)
def test_bad_requests(api, version, query):
    assert api.at(version).get(f"/allocation_candidates?{query}").status == 400


def test_the_reshaper_moves_inventory_with_its_allocations(api, placement, provider, claim, consumers):
    host = provider("host", {"VCPU": 4, "VGPU": 2})
    child = provider("child", parent=host)
    claim(consumers.one, {host: {"VCPU": 1, "VGPU": 2}}).ok(204)

    def generation(uuid):
        return api.get(f"/resource_providers/{uuid}").ok()["generation"]

    body = {
        "inventories": {
            host: {"resource_provider_generation": generation(host), "inventories": {"VCPU": {"total": 4}}},
            child: {"resource_provider_generation": generation(child), "inventories": {"VGPU": {"total": 2}}},
        },
        "allocations": {
            consumers.one: {
                "allocations": {host: {"resources": {"VCPU": 1}}, child: {"resources": {"VGPU": 2}}},
                "project_id": "p1",
                "user_id": "u1",
                "consumer_generation": 1,
                "consumer_type": "INSTANCE",
            }
        },
    }
    assert placement.client("admin").post("/reshaper", body).status == 403
    left_behind = {**body, "allocations": {}}
    refused = api.post("/reshaper", left_behind)
    assert refused.status == 409
    assert refused.body["errors"][0]["code"] == "placement.inventory.inuse"
    assert set(api.get(f"/resource_providers/{host}/inventories").ok()["inventories"]) == {"VCPU", "VGPU"}
    assert api.post("/reshaper", body).status == 204
    assert set(api.get(f"/resource_providers/{host}/inventories").ok()["inventories"]) == {"VCPU"}
    assert api.get(f"/resource_providers/{child}/usages").ok()["usages"] == {"VGPU": 2}
    assert api.post("/reshaper", body).status == 409
