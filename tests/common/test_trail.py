"""Trails: what a piece of work has called, with times, over threads, messages and REST."""

import pytest

from celaje.common import clock, trail
from celaje.common.clock import VirtualClock
from celaje.common.db import Transaction
from tests.cloud import until


@pytest.fixture
def time():
    with clock.installed(VirtualClock()) as virtual:
        yield virtual


class Driver:
    flavour = "sweet"

    def spawn(self, time):
        time.advance(2)
        return "spawned"

    def fail(self):
        raise OSError("no disk")


def test_a_driver_is_watched_while_a_trail_is_kept(time):
    driver = trail.watched(Driver())
    driver.spawn(time)  # nobody keeps a trail: nothing to keep, nothing to fail
    with trail.kept() as kept:
        time.advance(1)
        assert driver.spawn(time) == "spawned"
        with pytest.raises(OSError, match="no disk"):
            driver.fail()
    assert kept.whole() == [
        {"kind": "driver", "name": "spawn", "at": 1.0, "took": 2.0, "to": "Driver"},
        {"kind": "driver", "name": "fail", "at": 3.0, "took": 0.0, "to": "Driver", "error": "OSError"},
    ]


def test_a_watched_driver_is_the_driver(time):
    inner = Driver()
    driver = trail.watched(inner)
    driver.flavour = "sour"
    assert (inner.flavour, driver.flavour) == ("sour", "sour")


def test_a_trail_within_a_trail_is_its_own(time):
    with trail.kept() as outer:
        with trail.kept() as inner:
            trail.note("rest", "GET /", clock.monotonic())
        assert trail.current() is outer
    assert len(inner.hops) == 1
    assert outer.whole() is None
    assert trail.current() is None


def test_a_loop_does_not_fill_the_journal(time):
    with trail.kept() as kept:
        for _ in range(trail.LONGEST + 5):
            trail.note("rest", "GET /", clock.monotonic())
    assert len(kept.whole()) == trail.LONGEST + 1
    assert kept.whole()[-1]["name"] == "5 more"


def test_state_changes_are_told_once_committed(cloud):
    database = cloud.running["volume"].database

    def moves(tx: Transaction) -> None:
        tx.moved("volume", "v1", "available")

    def refused(tx: Transaction) -> None:
        tx.moved("volume", "v1", "error")
        raise ValueError

    with trail.kept() as kept:
        database.write(moves)
        with pytest.raises(ValueError):
            database.write(refused)
    assert kept.hops == [{"kind": "state", "name": "volume", "id": "v1", "state": "available"}]


def test_a_step_tells_wait_worker_and_driver(cloud):
    """A volume's creation: the scheduler's and the worker's time, and the driver's within it."""
    answer = cloud.as_user("volume").post("/v3/volumes", {"volume": {"size": 1}})
    volume = answer.ok(202)["volume"]["id"]
    service = cloud.running["volume"]
    found = until(lambda: _ended(service, volume))
    steps = service.database.read(service.flows.steps, found["id"])
    select, claim, create = steps
    (call,) = select["trail"]
    assert (call["to"], call["timeout"]) == ("volume-scheduler", 60.0)
    assert 0 <= call["waited"] <= call["took"]
    assert claim["trail"] is None
    (call,) = create["trail"]
    assert call["to"] == create["target"]
    assert call["worked"] <= call["took"]
    assert [(hop["kind"], hop["name"]) for hop in call["hops"]] == [("driver", "create_volume")]
    assert found["trail"] == [{"kind": "state", "name": "volume", "id": volume, "state": "available"}]
    assert found["created_at"] <= found["claimed_at"] <= found["finished_at"]


def _ended(service, resource_id):
    flows = service.flows.tables.flows
    rows = service.database.read(
        lambda tx: [
            dict(row)
            for row in tx.execute(flows.select().where(flows.c.resource_id == resource_id)).mappings()
        ]
    )
    return next((row for row in rows if row["finished_at"]), None)
