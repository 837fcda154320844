"""The scheduler alone: filters, weights, groups of alike hosts, the record of a decision."""

import pytest

from celaje.common import clock
from celaje.common.clock import VirtualClock
from celaje.common.conf import load
from celaje.common.errors import ConfigurationError, NoValidHost, Unavailable
from celaje.common.outage import Outage
from celaje.compute.conf import OPTIONS
from celaje.compute.scheduler.scheduler import ComputeScheduler

SPEC = {"resources": [1.0, 512.0, 1.0], "extra_specs": {}, "image": None, "group": None}


@pytest.fixture
def virtual():
    with clock.installed(VirtualClock()) as installed:
        yield installed


def report(vcpus=8, memory_mb=8192, disk_gb=100, used=(0, 0, 0), node=None, host="", **more):
    resources = {
        "vcpus": vcpus,
        "memory_mb": memory_mb,
        "disk_gb": disk_gb,
        "vcpus_used": used[0],
        "memory_mb_used": used[1],
        "disk_gb_used": used[2],
        "running_servers": 0,
        "hypervisor_type": "fake",
        "hypervisor_version": 1,
        "cpu_info": {},
        "traits": ["COMPUTE_A"],
        "image_formats": ["raw", "qcow2"],
        **more,
    }
    return {
        "nodes": {node or host: resources},
        "connector": {"host": host},
        "ratios": {"vcpus": 1.0, "memory_mb": 1.0, "disk_gb": 1.0},
        "reserved": {"vcpus": 0, "memory_mb": 0, "disk_gb": 0},
    }


def scheduler(hosts, aggregates=(), disabled=(), published=None, **options):
    overrides = {("filter_scheduler", key): value for key, value in options.items()}
    names = hosts if published is None else published
    facts = {
        "aggregates": list(aggregates),
        "disabled": list(disabled),
        "providers": {f"{name}/{name}": f"rp-{name}" for name in names},
    }
    made = ComputeScheduler(load("compute", OPTIONS, overrides=overrides), lambda: facts)
    made.update_hosts("worker", {name: report(host=name, **sizes) for name, sizes in hosts.items()})
    made.refresh_host_facts()
    return made


def chosen(made, **spec):
    return [host["host"] for host in made.select_destinations({**SPEC, **spec})["hosts"]]


def zone(name, *hosts, **metadata):
    return {"name": name, "hosts": list(hosts), "metadata": {"availability_zone": name, **metadata}}


def test_the_emptiest_host_is_taken_first_and_a_decision_counts_at_once(virtual):
    made = scheduler({"a": {"used": (4, 4096, 50)}, "b": {}, "c": {"used": (6, 6144, 60)}})
    asked = {"resources": [1.0, 1024.0, 12.0]}
    assert chosen(made, **asked) == ["b", "a", "c"]
    for _ in range(4):
        chosen(made, **asked)
    assert chosen(made, **asked)[0] == "a", "b is fuller than a by now"
    flavor = {"vcpus": 5, "memory_mb": 5120, "root_gb": 60, "ephemeral_gb": 0, "swap": 0}
    made.return_resources("b", "b", flavor)
    assert chosen(made, **asked)[0] == "b"


def test_a_weight_can_be_turned_round(virtual):
    made = scheduler({"a": {"used": (4, 4096, 50)}, "b": {}}, ram_weight_multiplier=-5.0)
    assert chosen(made)[0] == "a"


def test_full_hosts_are_out_and_the_record_has_the_numbers(virtual):
    made = scheduler({"a": {"used": (8, 0, 0)}, "b": {"memory_mb": 256}})
    virtual.advance(100)
    made.update_hosts("worker", {"a": report(host="a", used=(8, 0, 0)), "b": report(host="b", memory_mb=256)})
    with pytest.raises(NoValidHost) as refused:
        chosen(made)
    (entry,) = refused.value.details["filters"]
    assert entry["name"] == "ResourcesFilter"
    assert (entry["before"], entry["after"]) == (2, 0)
    words = {one["host"]: one["why"] for one in entry["removed"]}
    assert words == {
        "a": "VCPU 0 free of 8, 1 asked",
        "b": "MEMORY_MB 256 free of 256, 512 asked",
    }


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"availability_zone": "north"}, {"a"}),
        ({"availability_zone": "nova"}, {"b", "c"}),
        ({"availability_zone": None}, {"a", "b", "c"}),
        ({"same_hosts": ["b"]}, {"b"}),
        ({"same_hosts": []}, set()),
        ({"different_hosts": ["b", "c"]}, {"a"}),
        ({"ignore_hosts": ["a"]}, {"b", "c"}),
        ({"force_hosts": ["c"]}, {"c"}),
        ({"force_hosts": ["c"], "force_nodes": ["x"]}, set()),
        ({"extra_specs": {"trait:COMPUTE_A": "required"}}, {"a", "b", "c"}),
        ({"extra_specs": {"trait:COMPUTE_A": "forbidden"}}, set()),
        ({"extra_specs": {"trait:HW_B": "required"}}, {"b"}),
        ({"extra_specs": {"capabilities:hypervisor_type": "QEMU"}}, {"c"}),
        ({"image": {"disk_format": "vmdk"}}, set()),
        ({"image": {"disk_format": "raw", "properties": {"img_hv_type": "qemu"}}}, {"c"}),
        ({"group": {"policy": "anti-affinity", "rules": None, "hosts": {"a": 1}}}, {"b", "c"}),
        (
            {"group": {"policy": "anti-affinity", "rules": {"max_server_per_host": 2}, "hosts": {"a": 1}}},
            {"a", "b", "c"},
        ),
        ({"group": {"policy": "affinity", "rules": None, "hosts": {"a": 1}}}, {"a"}),
        ({"group": {"policy": "affinity", "rules": None, "hosts": {}}}, {"a", "b", "c"}),
    ],
)
def test_filters(virtual, spec, expected):
    made = scheduler(
        {"a": {}, "b": {"traits": ["COMPUTE_A", "HW_B"]}, "c": {"hypervisor_type": "QEMU"}},
        [zone("north", "a")],
    )
    virtual.advance(60)
    made.update_hosts("w", {})
    if not expected:
        with pytest.raises(NoValidHost):
            chosen(made, **spec)
    else:
        assert set(chosen(made, **spec)) == expected


def test_aggregates_by_extra_specs(virtual):
    made = scheduler(
        {"a": {}, "b": {}},
        [{"name": "fast", "hosts": ["a"], "metadata": {"ssd": "true"}}],
        enabled_filters=["AggregateInstanceExtraSpecsFilter", "ResourcesFilter"],
    )
    assert chosen(made, extra_specs={"aggregate_instance_extra_specs:ssd": "true"}) == ["a"]


def test_soft_policies_prefer_and_do_not_insist(virtual):
    group = {"policy": "soft-anti-affinity", "rules": None, "hosts": {"a": 1}}
    made = scheduler({"a": {}, "b": {"used": (4, 4096, 50)}})
    assert chosen(made, group=group) == ["b", "a"]
    assert chosen(made, group={**group, "policy": "soft-affinity"})[0] == "a"


def test_disabled_and_unpublished_hosts_are_out(virtual):
    made = scheduler({"a": {}, "b": {}, "c": {}}, disabled=["a"], published=["a", "b"])
    assert chosen(made) == ["b"]


def test_a_scheduler_that_has_just_started_asks_for_patience(virtual):
    made = scheduler({}, published=[])
    with pytest.raises(Unavailable):
        chosen(made)
    virtual.advance(11)
    with pytest.raises(NoValidHost, match="No compute host has reported"):
        chosen(made)


def test_silent_hosts_are_forgotten_until_they_report(virtual):
    made = scheduler({"a": {}, "b": {}})
    virtual.advance(55)
    made.update_hosts("worker", {"b": report(host="b")})
    virtual.advance(10)
    assert chosen(made) == ["b"]
    made.update_hosts("worker", {"a": report(host="a")})
    assert set(chosen(made)) == {"a", "b"}


def test_alike_hosts_are_one_group_and_each_can_still_be_told_apart(virtual):
    made = scheduler({f"h{number}": {} for number in range(200)})
    assert len(list(made.hosts.groups())) == 1
    first = chosen(made)[0]
    assert len(list(made.hosts.groups())) == 2
    assert chosen(made, different_hosts=[f"h{number}" for number in range(199)])[0] == "h199"
    assert chosen(made, force_hosts=[first])[0] == first
    # Every host is filled before any is overfilled.
    for _ in range(199):
        chosen(made)
    assert {node.used for node in made.hosts.nodes.values() if node.host not in (first, "h199")} <= {
        (1.0, 512.0, 1.0),
        (2.0, 1024.0, 2.0),
    }


def test_a_filter_that_does_not_exist_is_named(virtual):
    with pytest.raises(ConfigurationError, match="there is no filter Nonsense"):
        scheduler({}, enabled_filters=["Nonsense"])


def test_ten_thousand_hosts_of_many_kinds_are_all_known(virtual):
    hosts = {f"h{number}": {"used": (number % 7, 512 * (number % 7), 0)} for number in range(10_000)}
    made = scheduler(hosts)
    assert len(made.hosts) == 10_000
    assert len(list(made.hosts.groups())) == 7
    best = chosen(made)[0]
    assert int(best[1:]) % 7 == 0
    made.hosts.forget_silent(clock.monotonic() + 1)
    assert not len(made.hosts) and not list(made.hosts.groups())


def test_a_nudge_that_comes_while_facts_are_fetched_has_them_fetched_again(virtual):
    """Two conductors' news may overtake each other; what was read before a change must not stay."""
    answers = [{"a/a": "rp-a"}, {}]  # popped from the end: the first answer is from before the change
    asked = []

    def facts():
        asked.append(len(asked))
        found = {"aggregates": [], "disabled": [], "providers": answers.pop()}
        if len(asked) == 1:
            made.refresh_host_facts()  # returns at once: one asks already
        return found

    made = ComputeScheduler(load("compute", OPTIONS), facts)
    made.update_hosts("worker", {"a": report(host="a")})
    made.refresh_host_facts()
    assert asked == [0, 1]
    assert chosen(made) == ["a"]


def test_the_time_of_an_outage_silences_no_host(virtual):
    outage = Outage()
    facts = {"aggregates": [], "disabled": [], "providers": {"a/a": "rp-a"}}
    made = ComputeScheduler(load("compute", OPTIONS), lambda: facts, outage)
    made.update_hosts("worker", {"a": report(host="a")})
    made.refresh_host_facts()
    virtual.advance(30)
    outage.begin()
    virtual.advance(300)
    outage.end()
    virtual.advance(59)
    assert chosen(made) == ["a"]
    virtual.advance(31)
    with pytest.raises(NoValidHost):
        chosen(made)


def test_a_conductor_that_does_not_answer_is_asked_again(virtual):
    failing = [True]

    def facts():
        if failing.pop() if failing else False:
            raise Unavailable()
        return {"aggregates": [], "disabled": [], "providers": {"a/a": "rp-a"}}

    made = ComputeScheduler(load("compute", OPTIONS), facts)
    made.update_hosts("worker", {"a": report(host="a")})
    with pytest.raises(Unavailable):
        made.refresh_host_facts()
    made.refresh_host_facts()
    assert chosen(made) == ["a"]
