"""Decisions a second over 10,000 hosts, by the scheduler of a running cloud's kind and settings."""

import heapq
import statistics
import time

import pytest

from celaje.common.conf import load
from celaje.compute.conf import OPTIONS
from celaje.compute.scheduler.scheduler import ComputeScheduler
from tests.bench.figures import Theme
from tests.compute.test_scheduler import report

HOSTS, DECISIONS, TURNS = 10_000, 300, 5
SIZES = ((16, 32768), (32, 65536), (64, 262144), (96, 393216))


def hosts(fill):
    """A thousand hosts a report, as workers send them; `fill(number)` says how full one is."""
    for begin in range(0, HOSTS, 1000):
        made = {}
        for number in range(begin, begin + 1000):
            vcpus, memory = SIZES[number % len(SIZES)]
            used = fill(number) / 100
            name = f"host-{number:05d}"
            made[name] = report(
                vcpus, memory, 2000, (int(vcpus * used), int(memory * used), int(2000 * used)), host=name
            )
        yield f"worker-{begin}", made


def scheduler(fill):
    names = [f"host-{number:05d}" for number in range(HOSTS)]
    providers = {f"{name}/{name}": f"rp-{name}" for name in names}
    facts = {"aggregates": [], "disabled": [], "providers": providers}
    made = ComputeScheduler(load("compute", OPTIONS), lambda: facts)
    for worker, reported in hosts(fill):
        made.update_hosts(worker, reported)
    made.refresh_host_facts()
    return made


def spec(number):
    return {
        "resources": [1.0 + number % 4, 512.0 * (1 + number % 4), 1.0],
        "extra_specs": {},
        "image": None,
        "group": None,
    }


def rate(decide):
    begun = time.perf_counter()
    for number in range(DECISIONS):
        decide(number)
    return DECISIONS / (time.perf_counter() - begun)


@pytest.mark.bench
def test_decisions_over_ten_thousand_hosts():
    free = [float(SIZES[number % len(SIZES)][1]) for number in range(HOSTS)]

    def plain(_):
        # What one pass over all hosts costs in this language: compare, weigh, take the best.
        fitting = [number for number, memory in enumerate(free) if memory >= 512.0]
        free[heapq.nlargest(1, fitting, free.__getitem__)[0]] -= 512.0

    with Theme("scheduling") as figures:
        for what, fill in (
            ("alike hosts, empty at first", lambda number: 0),
            ("hosts all filled differently", lambda number: (number * 7919) % 61),
        ):
            made = scheduler(fill)
            for number in range(50):
                made.select_destinations(spec(number))
            own, limit = [], []
            for _ in range(TURNS):
                own.append(rate(lambda number, made=made: made.select_destinations(spec(number))))
                limit.append(rate(plain))
            figure = statistics.median(own)
            figures.add(
                f"decisions over 10,000 hosts, {what}",
                figure,
                "/s",
                limit=statistics.median(limit),
                of="one plain pass over 10,000 numbers",
                hold=">= 1,000/s",
                held=figure >= 1000,
            )
