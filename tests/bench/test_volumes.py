"""Volumes from the request to `available` on the simulated driver, the disk's commit beside them."""

import pytest

from tests.bench.counting import counting
from tests.bench.figures import Theme
from tests.bench.lab import BenchLab, fsync_milliseconds, median, rate
from tests.compute.lab import VOLUME

ROUNDS = 60


@pytest.mark.bench
def test_volumes(tmp_path, monkeypatch):
    overrides = {"volume": {(None, "quota_volumes"): -1, (None, "quota_gigabytes"): -1}}
    lab = BenchLab.at(tmp_path / "state", overrides)

    def create(_):
        made = lab.volume.post("/v3/volumes", {"volume": {"size": 1}}, headers=VOLUME).ok(202)["volume"]
        lab.end_of_flow("volume", made["id"])
        return made["id"]

    def promise(_):
        lab.volume.post("/v3/volumes", {"volume": {"size": 1}}, headers=VOLUME).ok(202)

    for number in range(20):
        create(number)
    try:
        with Theme("volume") as figures:
            commit = fsync_milliseconds(tmp_path)
            one = median(create, ROUNDS)
            with counting(lab.cloud, monkeypatch) as counts:
                for number in range(ROUNDS):
                    create(number)
            figures.add(
                "create to available, p50",
                one,
                "ms",
                limit=commit,
                of="a bare commit",
                hold="<= 8 ms",
                held=one <= 8,
                note=counts.each(ROUNDS),
            )
            at_once = rate(create)
            figures.add("200 created, 16 at once", at_once, "/s", hold=">= 200/s", held=at_once >= 200)
            answered = median(promise, ROUNDS)
            figures.add("create, until the 202", answered, "ms", limit=commit, of="a bare commit")
        # What was timed has come to pass.
        last = create(0)
        assert lab.show_volume(last)["status"] == "available"
    finally:
        lab.cloud.stop(5)
