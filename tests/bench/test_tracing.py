"""What it costs to write down what can be seen later: requests and operations with journal and trails, and
without, in turns in one run.

The steps of a flow stay written down either way: they are what makes a flow survive, not what shows it.
"""

import itertools
import statistics
import time
from contextlib import contextmanager, nullcontext

import pytest

from celaje.common import trail
from tests.bench.figures import Theme
from tests.bench.lab import BenchLab

# Turns of both kinds; operations of one turn, which is to be longer than the journal gathers rows for
# (request_journal.DELAY): else each turn's end forces a commit that a cloud at work never makes.
TURNS, REQUESTS, SERVERS = 16, 400, 24
UNLIMITED = {("quota", name): -1 for name in ("instances", "cores", "ram", "server_groups")}


@pytest.fixture
def lab(tmp_path):
    overrides = {
        "compute": {**UNLIMITED, (None, "fake_hosts"): [f"host-{number:02d}" for number in range(40)]}
    }
    made = BenchLab.at(tmp_path / "state", overrides)
    yield made
    made.cloud.stop(5)


@contextmanager
def unseen(cloud):
    """Nothing but the flows' own rows is written down, and the line of each request in the log, as any
    service has it."""
    journals = [service._requests for service in cloud.running.values()]
    kept = [journal._kept for journal in journals]
    for journal in journals:
        journal._kept = 0
    trail.keep(False)
    yield
    trail.keep(True)
    for journal, number in zip(journals, kept, strict=True):
        journal._kept = number


def written(cloud):
    for service in cloud.running.values():
        service._requests.write()


def spent(cloud, work, count):
    """Seconds and processor seconds of `count` times, with the writing down that comes after."""
    begun, used = time.perf_counter(), time.process_time()
    for _ in range(count):
        work()
    written(cloud)
    return time.perf_counter() - begun, time.process_time() - used


def compared(cloud, work, count, turns=TURNS):
    """Seconds of one seen, and unseen; how much more of them, and of the processor's.

    A short turn of this, a short turn of that, many times: of what else the machine does both get their
    share, and the middle of the pairs' ratios is told."""
    spent(cloud, work, count)
    taken = {True: [], False: []}
    for turn in range(turns):
        for seen in (turn % 2 == 0, turn % 2 == 1):
            with nullcontext() if seen else unseen(cloud):
                taken[seen].append([part / count for part in spent(cloud, work, count)])
    seen, plain = (statistics.median(one for one, _ in taken[kind]) for kind in (True, False))
    more = [
        statistics.median(a[part] / b[part] for a, b in zip(taken[True], taken[False], strict=True))
        for part in (0, 1)
    ]
    return seen, plain, *more


@pytest.mark.bench
@pytest.mark.timeout(600)
def test_what_seeing_costs(lab):
    server = lab.create()
    numbers = itertools.count()

    def read():
        lab.user.get(f"/v2.1/servers/{server}").ok(200)

    def change():
        lab.user.put(f"/v2.1/servers/{server}", {"server": {"name": f"vm{next(numbers)}"}}).ok(200)

    def create():
        made = lab.post().ok(202)["server"]["id"]
        lab.end_of_flow("compute", made)

    with Theme("tracing") as figures:
        for what, work, count, most in (
            ("GET one server", read, REQUESTS, 1.05),
            ("PUT one server (its name)", change, REQUESTS, 1.05),
            ("server create to ACTIVE", create, SERVERS, 1.10),
        ):
            seen, plain, ratio, processor = compared(lab.cloud, work, count)
            figures.add(
                f"{what}, journalled and traced",
                seen * 1e3,
                "ms",
                limit=plain * 1e3,
                of="the same unseen",
                hold=f"<= {most - 1:.0%} more",
                held=ratio <= most,
                note=f"{ratio - 1:+.1%} in the middle, {processor - 1:+.1%} of the processor",
            )
