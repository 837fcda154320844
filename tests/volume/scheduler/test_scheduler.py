"""Filters, weights and the scheduler that runs them, without any service around."""

import pytest

from celaje.common import clock
from celaje.common.clock import VirtualClock
from celaje.common.conf import load
from celaje.common.errors import ConfigurationError
from celaje.common.outage import Outage
from celaje.volume.conf import OPTIONS
from celaje.volume.errors import NoValidBackend
from celaje.volume.scheduler import extra_specs, filters, weighers
from celaje.volume.scheduler.pools import Pool
from celaje.volume.scheduler.scheduler import Scheduler


def pool(name="node@a#a", zone="nova", **capabilities):
    known = {"total_capacity_gb": 100, "free_capacity_gb": 100, "allocated_capacity_gb": 0}
    return Pool(name, zone, {**known, **capabilities}, seen=0.0)


@pytest.mark.parametrize(
    ("capability", "wanted", "fits"),
    [
        ("ssd", "ssd", True),
        ("ssd", "hdd", False),
        (True, "<is> True", True),
        ("false", "<is> True", False),
        (False, "<is> False", True),
        ("ssd,hdd", "<in> hdd", True),
        ("ssd", "<in> hdd", False),
        ("b", "<or> a <or> b", True),
        ("c", "<or> a <or> b", False),
        (10, "= 9", True),
        (8, "= 9", False),
        (10, ">= 10", True),
        (10, "<= 9", False),
        (10, "== 10.0", True),
        (10, "!= 10", False),
        ("x", ">= 10", False),
        ("abc", "s== abc", True),
        ("abc", "s!= abc", False),
        ("b", "s>= a", True),
        ("b", "s< a", False),
        (None, "s== a", False),
        (5, ">=", False),
    ],
)
def test_the_language_of_extra_specs(capability, wanted, fits):
    assert extra_specs.matches(capability, wanted) is fits


def test_scopes_of_extra_specs():
    assert extra_specs.unmet({"a": "1"}, {"capabilities:a": "1", "vendor:b": "2"}) is None
    assert extra_specs.unmet({"deep": {"er": "x"}}, {"capabilities:deep:er": "x"}) is None
    assert "is not among" in extra_specs.unmet({}, {"a": "1"})
    assert extra_specs.unmet({"protocols": ["iscsi", "nbd"]}, {"protocols": "nbd"}) is None


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ('[">=", "$free_capacity_gb", 50]', None),
        ('[">", "$free_capacity_gb", 100]', "refuses it"),
        ('["and", ["=", "$host", "node@a#a"], ["<", "$total_capacity_gb", 101]]', None),
        ('["or", ["=", "$capabilities.colour", "red"], ["in", "$colour", "blue", "green"]]', None),
        ('["not", ["=", "$colour", "green"]]', "refuses it"),
        ('[">", "$nothing", 1]', "refuses it"),
        ("[]", None),
        ('["like", "a", "b"]', "no operator"),
        ("{broken", "no JSON"),
        ('["not", ' * 100 + "1" + "]" * 100, "nested too deeply"),
    ],
)
def test_queries(query, refusal):
    found = filters.JsonFilter().refuses(pool(colour="green"), {"hints": {"query": query}})
    assert (found is None) if refusal is None else refusal in found


def test_next_to_a_server():
    request = {"hints": {"instance_host": "node"}}
    assert filters.InstanceLocalityFilter().refuses(pool(), request) is None
    assert "is not on node" in filters.InstanceLocalityFilter().refuses(pool("other@a#a"), request)
    assert filters.InstanceLocalityFilter().refuses(pool("other@a#a"), {"hints": {}}) is None


class TestCapacity:
    @pytest.mark.parametrize(
        ("capabilities", "size", "fits"),
        [
            ({}, 100, True),
            ({}, 101, False),
            ({"reserved_percentage": 10}, 90, True),
            ({"reserved_percentage": 10}, 91, False),
            ({"total_capacity_gb": 0, "free_capacity_gb": 0}, 1, False),
            ({"total_capacity_gb": "infinite", "free_capacity_gb": "infinite"}, 10**6, True),
            ({"total_capacity_gb": "unknown", "free_capacity_gb": 5, "reserved_percentage": 1}, 1, False),
            ({"thin_provisioning_support": True, "max_over_subscription_ratio": 2.0}, 200, True),
            ({"thin_provisioning_support": True, "max_over_subscription_ratio": 2.0}, 201, False),
            ({"thin_provisioning_support": True, "max_over_subscription_ratio": 0.5}, 1, False),
            (
                {
                    "thin_provisioning_support": True,
                    "max_over_subscription_ratio": 2.0,
                    "provisioned_capacity_gb": 150,
                },
                51,
                False,
            ),
            ({"thin_provisioning_support": True, "max_over_subscription_ratio": "auto"}, 2000, True),
        ],
    )
    def test_room(self, capabilities, size, fits):
        assert (filters.CapacityFilter().refuses(pool(**capabilities), {"size": size}) is None) is fits

    def test_a_thick_type_is_not_over_subscribed(self):
        thin = pool(thin_provisioning_support=True, max_over_subscription_ratio=5.0)
        request = {"size": 101, "extra_specs": {"provisioning:type": "thick"}}
        assert filters.CapacityFilter().refuses(thin, request)
        assert filters.CapacityFilter().refuses(thin, {"size": 101}) is None

    def test_what_was_placed_since_the_report_counts(self):
        taken = pool()
        taken.promised = 60
        assert "40 GiB can be promised" in filters.CapacityFilter().refuses(taken, {"size": 41})


def test_zones():
    refuses = filters.AvailabilityZoneFilter().refuses
    assert refuses(pool(zone="a"), {}) is None
    assert refuses(pool(zone="a"), {"availability_zone": "b"})
    assert refuses(pool(zone="a"), {"extra_specs": {"RESKEY:availability_zones": "b, a"}}) is None
    assert refuses(pool(zone="c"), {"extra_specs": {"RESKEY:availability_zones": "b, a"}})


def test_weights_spread_or_fill():
    pools = [pool("n@a#a", free_capacity_gb=10), pool("n@b#b", free_capacity_gb=90)]
    spread = weighers.weigh([weighers.CapacityWeigher(1.0)], pools, {})
    assert [each.name for _, each in spread] == ["n@b#b", "n@a#a"]
    fill = weighers.weigh([weighers.CapacityWeigher(-1.0)], pools, {})
    assert [each.name for _, each in fill] == ["n@a#a", "n@b#b"]


def test_an_unknown_capacity_comes_last_either_way():
    pools = [pool("n@a#a", free_capacity_gb="unknown"), pool("n@b#b", free_capacity_gb=1)]
    for multiplier in (1.0, -1.0):
        order = weighers.weigh([weighers.CapacityWeigher(multiplier)], pools, {})
        assert order[-1][1].name == "n@a#a"


def test_allocated_capacity_prefers_the_least_used():
    pools = [pool("n@a#a", allocated_capacity_gb=50), pool("n@b#b", allocated_capacity_gb=5)]
    order = weighers.weigh([weighers.AllocatedCapacityWeigher(-1.0)], pools, {})
    assert order[0][1].name == "n@b#b"


def test_names_of_filters_and_weighers_are_checked():
    with pytest.raises(ConfigurationError, match="NoSuchFilter"):
        filters.chosen(["NoSuchFilter"])
    with pytest.raises(ConfigurationError, match="NoSuchWeigher"):
        weighers.chosen(["NoSuchWeigher"], None)


@pytest.fixture
def scheduler():
    conf = load("volume", OPTIONS, overrides={(None, "scheduler_driver_init_wait_time"): 0.01})
    asked = []
    found = Scheduler(conf, lambda: asked.append(1))
    found.asked = asked
    return found


def report(scheduler, name, total=100, **more):
    numbers = {"total_capacity_gb": total, "free_capacity_gb": total, **more}
    scheduler.update_capabilities(f"node@{name}", "nova", {"pools": [{"pool_name": name, **numbers}]})


def test_a_new_scheduler_asks_the_workers(scheduler):
    with pytest.raises(NoValidBackend, match="No volume worker has reported"):
        scheduler.select_backend({"size": 1})
    assert scheduler.asked == [1]


def test_the_time_of_an_outage_makes_no_worker_look_dead():
    with clock.installed(VirtualClock()) as virtual:
        outage = Outage()
        scheduler = Scheduler(load("volume", OPTIONS), lambda: None, outage)
        report(scheduler, "a")
        virtual.advance(30)
        outage.begin()
        virtual.advance(300)
        assert scheduler.select_backend({"size": 1})["backend"] == "node@a#a"
        outage.end()
        virtual.advance(59)
        assert scheduler.select_backend({"size": 1})["backend"] == "node@a#a"
        virtual.advance(31)
        with pytest.raises(NoValidBackend, match="its worker is down"):
            scheduler.select_backend({"size": 1})


def test_decisions_are_remembered_until_the_next_report(scheduler):
    report(scheduler, "a")
    report(scheduler, "b")
    chosen = [scheduler.select_backend({"size": 10})["backend"] for _ in range(4)]
    assert sorted(chosen) == ["node@a#a", "node@a#a", "node@b#b", "node@b#b"]


def test_a_refusal_tells_who_removed_whom_with_which_numbers(scheduler):
    report(scheduler, "small", 1)
    report(scheduler, "tried")
    with pytest.raises(NoValidBackend) as caught:
        scheduler.select_backend({"size": 10, "excluded": ["node@tried#tried"]})
    removed = {row["backend"]: row for row in caught.value.details["filters"]}
    assert removed["node@small#small"]["filter"] == "CapacityFilter"
    assert "10 GiB are asked for, 1 GiB can be promised" in removed["node@small#small"]["reason"]
    assert "tried for this volume already" in removed["node@tried#tried"]["reason"]


def test_hints_and_pins(scheduler):
    report(scheduler, "a")
    report(scheduler, "b")
    assert scheduler.select_backend({"size": 1, "pinned": "node@b"})["backend"] == "node@b#b"
    hints = {"different_backends": ["node@a"]}
    assert filters.DifferentBackendFilter().refuses(pool("node@a#a"), {"hints": hints})
    assert filters.SameBackendFilter().refuses(pool("node@b#b"), {"hints": {"same_backends": ["node@a"]}})


def test_a_silent_worker_gets_nothing(scheduler):
    report(scheduler, "a")
    scheduler._pools["node@a#a"].seen -= 61
    with pytest.raises(NoValidBackend, match="its worker is down"):
        scheduler.select_backend({"size": 1})


class TestFormulas:
    def test_a_back_end_refuses_by_its_own_formula(self, scheduler):
        refuses = filters.DriverFilter().refuses
        request = {"size": 5, "extra_specs": {"level": "gold"}, "volume": {"name": "x"}}
        assert refuses(pool(), request) is None
        assert refuses(pool(filter_function="volume.size < 10 and extra.level == 'gold'"), request) is None
        assert "refuses: volume.size > 5" in refuses(pool(filter_function="volume.size > 5"), request)
        assert "nothing is not known" in refuses(pool(filter_function="stats.nothing"), request)

    @pytest.mark.parametrize(
        ("formula", "goodness"),
        [
            (None, 0),
            ("volume.size * 10", 50),
            ("volume.size * 100", 0),
            ("0 - 1", 0),
            ("stats.none", 0),
            ("'text'", 0),
        ],
    )
    def test_goodness(self, formula, goodness):
        weigher = weighers.GoodnessWeigher(1.0)
        assert weigher.raw(pool(goodness_function=formula), {"size": 5}) == goodness

    def test_the_best_and_the_emptiest_win(self):
        conf = load(
            "volume",
            OPTIONS,
            overrides={
                (None, "scheduler_default_filters"): ["DriverFilter", "CapacityFilter"],
                (None, "scheduler_default_weighers"): ["GoodnessWeigher", "VolumeNumberWeigher"],
            },
        )
        scheduler = Scheduler(conf, lambda: None)
        report(scheduler, "good", goodness_function="90", filter_function="volume.size < 50")
        report(scheduler, "better", goodness_function="90", total_volumes=0)
        report(scheduler, "full", goodness_function="90", total_volumes=10)
        report(scheduler, "poor", goodness_function="10")
        first = scheduler.select_backend({"size": 60})
        assert first["backend"] == "node@better#better"
        assert first["removed"][0]["filter"] == "DriverFilter"
        # Now it holds one more than the other good one.
        assert scheduler.select_backend({"size": 1})["backend"] == "node@good#good"
