"""The ledger: claims, what refuses them, generations, and that many at once never overcommit."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from celaje.common import clock


def code(answer):
    return answer.body["errors"][0]["code"]


def detail(answer):
    return answer.body["errors"][0]["detail"]


def usages(api, uuid):
    return api.get(f"/resource_providers/{uuid}/usages").ok()["usages"]


def test_a_claim_is_counted_and_given_back(api, provider, claim, consumers):
    host = provider(inventories={"VCPU": 8, "MEMORY_MB": 4096})
    assert claim(consumers.one, {host: {"VCPU": 2, "MEMORY_MB": 1024}}).status == 204
    assert usages(api, host) == {"VCPU": 2, "MEMORY_MB": 1024}
    shown = api.get(f"/allocations/{consumers.one}").ok()
    assert shown == {
        "allocations": {host: {"resources": {"VCPU": 2, "MEMORY_MB": 1024}, "generation": 4}},
        "project_id": "p1",
        "user_id": "u1",
        "consumer_generation": 1,
        "consumer_type": "INSTANCE",
    }
    assert api.delete(f"/allocations/{consumers.one}").status == 204
    assert usages(api, host) == {"VCPU": 0, "MEMORY_MB": 0}
    assert api.delete(f"/allocations/{consumers.one}").status == 404
    assert api.get(f"/allocations/{consumers.one}").ok() == {"allocations": {}}


def test_capacity_is_total_less_reserved_times_ratio(provider, claim, consumers):
    host = provider(inventories={"VCPU": {"total": 4, "reserved": 1, "allocation_ratio": 2.0}})
    assert claim(consumers.one, {host: {"VCPU": 6}}).status == 204
    refused = claim(consumers.two, {host: {"VCPU": 1}})
    assert refused.status == 409
    assert "would exceed the capacity" in detail(refused)
    assert code(refused) == "placement.undefined_code"


@pytest.mark.parametrize("amount", [3, 30, 7])
def test_units_and_steps_are_kept(provider, claim, consumers, amount):
    record = {"total": 100, "min_unit": 4, "max_unit": 20, "step_size": 4}
    host = provider(inventories={"DISK_GB": record})
    refused = claim(consumers.one, {host: {"DISK_GB": amount}})
    assert refused.status == 409
    assert "violate inventory constraints" in detail(refused)
    assert claim(consumers.one, {host: {"DISK_GB": 8}}).status == 204


def test_what_is_not_there(provider, claim, consumers):
    host = provider(inventories={"VCPU": 8})
    assert claim(consumers.one, {clock.new_uuid(): {"VCPU": 1}}).status == 400
    unknown = claim(consumers.one, {host: {"CUSTOM_NONE": 1}})
    assert unknown.status == 400
    assert "No such resource class CUSTOM_NONE" in detail(unknown)
    assert claim(consumers.one, {host: {"MEMORY_MB": 1}}).status == 409
    assert claim("nonsense", {host: {"VCPU": 1}}).status == 400


def test_a_refused_claim_leaves_nothing(api, provider, claim, consumers):
    host = provider(inventories={"VCPU": 2, "MEMORY_MB": 10})
    before = api.get(f"/resource_providers/{host}").ok()["generation"]
    assert claim(consumers.one, {host: {"VCPU": 1, "MEMORY_MB": 11}}).status == 409
    assert usages(api, host) == {"VCPU": 0, "MEMORY_MB": 0}
    assert api.get(f"/resource_providers/{host}").ok()["generation"] == before
    assert api.get(f"/allocations/{consumers.one}").ok() == {"allocations": {}}


def test_consumer_generations_tell_who_came_second(api, provider, claim, consumers):
    host = provider(inventories={"VCPU": 8})
    assert claim(consumers.one, {host: {"VCPU": 1}}).status == 204
    again = claim(consumers.one, {host: {"VCPU": 2}})
    assert again.status == 409
    assert code(again) == "placement.concurrent_update"
    assert "expected 1 but got None" in detail(again)
    assert claim(consumers.one, {host: {"VCPU": 2}}, generation=1).status == 204
    assert usages(api, host) == {"VCPU": 2}
    assert claim(consumers.two, {host: {"VCPU": 1}}, generation=5).status == 409
    # A made-up generation must not be taken for "does not matter".
    assert claim(consumers.one, {host: {"VCPU": 3}}, generation=-1).status == 409
    assert claim(consumers.one, {}, generation=2).status == 204
    assert usages(api, host) == {"VCPU": 0}


def test_what_a_consumer_gives_back_counts_for_itself(provider, claim, consumers):
    host = provider(inventories={"VCPU": 4})
    assert claim(consumers.one, {host: {"VCPU": 4}}).status == 204
    assert claim(consumers.one, {host: {"VCPU": 3}}, generation=1).status == 204
    assert claim(consumers.two, {host: {"VCPU": 1}}).status == 204


def test_an_inventory_that_shrank_can_be_moved_within_but_not_filled(api, provider, claim, consumers):
    host = provider(inventories={"VCPU": 4})
    assert claim(consumers.one, {host: {"VCPU": 4}}).status == 204
    generation = api.get(f"/resource_providers/{host}").ok()["generation"]
    body = {"resource_provider_generation": generation, "inventories": {"VCPU": {"total": 2}}}
    api.put(f"/resource_providers/{host}/inventories", body).ok()
    assert claim(consumers.two, {host: {"VCPU": 1}}).status == 409
    assert claim(consumers.one, {host: {"VCPU": 3}}, generation=1).status == 204  # 4 > 3: no worse
    assert claim(consumers.one, {host: {"VCPU": 4}}, generation=2).status == 409


def test_several_consumers_all_or_nothing(api, provider, consumers):
    host = provider(inventories={"VCPU": 4})
    other = provider("other", inventories={"VCPU": 4})

    def part(provider_uuid, amount, generation=None):
        allocations = {provider_uuid: {"resources": {"VCPU": amount}}} if amount else {}
        return {
            "allocations": allocations,
            "project_id": "p1",
            "user_id": "u1",
            "consumer_generation": generation,
            "consumer_type": "INSTANCE",
        }

    assert api.post("/allocations", {consumers.one: part(host, 3)}).status == 204
    too_much = {consumers.two: part(host, 1), consumers.three: part(host, 1)}
    assert api.post("/allocations", too_much).status == 409
    assert usages(api, host) == {"VCPU": 3}
    # A move: the one gives back what the other takes, in one request.
    move = {consumers.one: part(other, 3, 1), consumers.two: part(host, 4)}
    assert api.post("/allocations", move).status == 204
    assert usages(api, host) == {"VCPU": 4}
    assert usages(api, other) == {"VCPU": 3}
    assert api.post("/allocations", {consumers.one: part(other, 0, 2)}).status == 204
    assert usages(api, other) == {"VCPU": 0}


def test_many_at_once_never_overcommit(placement, provider):
    host = provider(inventories={"VCPU": 10})
    answers = []
    start = threading.Barrier(8)

    def worker():
        client = placement.client()
        start.wait(10)
        for _ in range(5):
            body = {
                "allocations": {host: {"resources": {"VCPU": 1}}},
                "project_id": "p1",
                "user_id": "u1",
                "consumer_generation": None,
                "consumer_type": "INSTANCE",
            }
            answers.append(client.put(f"/allocations/{clock.new_uuid()}", body).status)

    threads = [threading.Thread(target=worker) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(answers) == 40
    assert answers.count(204) == 10
    assert answers.count(409) == 30
    assert usages(placement.client(), host) == {"VCPU": 10}


def test_old_forms(api, provider, consumers):
    host = provider(inventories={"VCPU": 8})
    old = {"allocations": [{"resource_provider": {"uuid": host}, "resources": {"VCPU": 1}}]}
    assert api.at("1.0").put(f"/allocations/{consumers.one}", old).status == 204
    assert api.at("1.8").put(f"/allocations/{consumers.one}", old).status == 400
    owner = {"project_id": "p", "user_id": "u"}
    assert api.at("1.8").put(f"/allocations/{consumers.one}", {**old, **owner}).status == 204
    new = {"allocations": {host: {"resources": {"VCPU": 2}}}, **owner}
    assert api.at("1.12").put(f"/allocations/{consumers.one}", new).status == 204
    assert api.at("1.27").put(f"/allocations/{consumers.one}", {**new, "allocations": {}}).status == 400
    assert api.at("1.28").put(f"/allocations/{consumers.one}", new).status == 400
    assert api.at("1.12").post("/allocations", {consumers.one: new}).status == 404
    assert set(api.at("1.11").get(f"/allocations/{consumers.one}").ok()) == {"allocations"}
    assert api.at("1.12").get(f"/allocations/{consumers.one}").ok()["user_id"] == "u"


def test_allocations_of_a_provider(api, provider, claim, consumers):
    host = provider(inventories={"VCPU": 8})
    claim(consumers.one, {host: {"VCPU": 1}})
    body = api.get(f"/resource_providers/{host}/allocations").ok()
    assert body == {
        "allocations": {consumers.one: {"resources": {"VCPU": 1}, "consumer_generation": 1}},
        "resource_provider_generation": 4,
    }


def test_usages_of_a_project_by_type(api, placement, provider, claim, consumers):
    host = provider(inventories={"VCPU": 8})
    claim(consumers.one, {host: {"VCPU": 1}})
    claim(consumers.two, {host: {"VCPU": 2}}, kind="MIGRATION", user="u2")
    claim(consumers.three, {host: {"VCPU": 3}}, project="p2")
    assert api.get("/usages?project_id=p1").ok()["usages"] == {
        "INSTANCE": {"VCPU": 1, "consumer_count": 1},
        "MIGRATION": {"VCPU": 2, "consumer_count": 1},
    }
    everything = api.get("/usages?project_id=p1&consumer_type=all").ok()["usages"]
    assert everything == {"all": {"VCPU": 3, "consumer_count": 2}}
    assert api.at("1.9").get("/usages?project_id=p1&user_id=u2").ok()["usages"] == {"VCPU": 2}
    assert api.at("1.37").get("/usages?project_id=p1&consumer_type=all").status == 400
    assert api.get("/usages").status == 400
    reader = placement.client("reader", "p1")
    assert reader.get("/usages?project_id=p1").status == 200
    assert reader.get("/usages?project_id=p2").status == 403


amounts = st.fixed_dictionaries({}, optional={"VCPU": st.integers(1, 6), "MEMORY_MB": st.integers(1, 60)})
steps = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 1), amounts, st.booleans()), min_size=1, max_size=12
)


@settings(max_examples=25)
@given(steps=steps)
def test_usages_are_the_sum_of_allocations_and_within_capacity(api, provider, steps):
    """Whatever is claimed, replaced and released: an own model of the ledger predicts every answer."""
    capacity = {"VCPU": 9, "MEMORY_MB": 96}
    record = {"VCPU": {"total": 6, "allocation_ratio": 1.5}, "MEMORY_MB": {"total": 100, "reserved": 4}}
    hosts = [provider(clock.new_uuid(), inventories=record) for _ in range(2)]
    ids = [clock.new_uuid() for _ in range(4)]
    model: dict[str, tuple[str, dict[str, int]]] = {}
    generations: dict[str, int] = {}
    for who, where, resources, stale in steps:
        consumer, host = ids[who], hosts[where]
        generation = generations.get(consumer)
        if stale:
            generation = (generation or 0) + 7
        allocations = {host: {"resources": resources}} if resources else {}
        body = {
            "allocations": allocations,
            "project_id": "p",
            "user_id": "u",
            "consumer_generation": generation,
            "consumer_type": "INSTANCE",
        }
        answer = api.put(f"/allocations/{consumer}", body)
        others = [r for c, (h, r) in model.items() if h == host and c != consumer]
        fits = all(
            sum(other.get(name, 0) for other in others) + amount <= capacity[name]
            for name, amount in resources.items()
        )
        assert answer.status == (204 if fits and not stale else 409)
        if answer.status == 204:
            model.pop(consumer, None)
            generations[consumer] = generations.get(consumer, 0) + 1
            if resources:
                model[consumer] = (host, resources)
            else:
                generations.pop(consumer)
        for uuid in hosts:
            expected = {
                name: sum(r.get(name, 0) for h, r in model.values() if h == uuid) for name in capacity
            }
            assert usages(api, uuid) == expected
            assert all(expected[name] <= capacity[name] for name in capacity)
