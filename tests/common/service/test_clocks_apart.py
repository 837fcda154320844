"""Two machines whose clocks are two minutes apart, on one database: who is up, and when a flow ends."""

import datetime
from types import SimpleNamespace

import pytest

from celaje.common import clock
from celaje.common.clock import VirtualClock
from celaje.common.db import Database, fetch_all, new_metadata
from celaje.common.db.shared_time import SharedTime
from celaje.common.flow import Engine, Flows, flow, flow_tables
from celaje.common.service import ServiceRecords, service_table
from tests.servers import databases

METADATA = new_metadata()
SERVICES = service_table(METADATA)
TABLES = flow_tables(METADATA)


@pytest.fixture
def virtual():
    with clock.installed(VirtualClock()) as found:
        yield found


def spoiled(tx, flow_row, error):
    """Nothing is left of it."""


@flow("jar.fill", deadline=100, way_out=spoiled)
def fill(run):
    run.wait("filled", timeout=50)


@pytest.fixture
def machine(virtual, tmp_path):
    """Makes one whose clock is `ahead` by so many seconds; it has heard the server's time unless `deaf`."""
    url = databases.url_in(tmp_path, "apart")
    opened = []

    def start(ahead, *, deaf=False):
        database = Database(url, service="apart")
        if not opened:
            METADATA.create_all(database.engine)
        opened.append(database)
        database.time = SharedTime(lambda: clock.now() + datetime.timedelta(seconds=ahead))
        if not deaf:
            database.time.told(clock.now(), clock.monotonic(), clock.monotonic())
        flows = Flows(database, TABLES, [fill])
        return SimpleNamespace(
            database=database,
            records=ServiceRecords(SERVICES, 60, now=database.now),
            flows=flows,
            engine=Engine(flows, None, owner=f"machine {ahead:+}"),
        )

    yield start
    for database in opened:
        database.close()


def report(machine, boot="a"):
    return machine.database.write(
        lambda tx: machine.records.report(
            tx, binary="worker", host="h", topic="worker", availability_zone="z", details={"boot": boot}
        )
    )


def up(machine):
    (row,) = machine.database.read(machine.records.list)
    (receiver,) = machine.database.read(machine.records.receivers, "worker")
    assert receiver.up is machine.records.is_up(row)
    return receiver.up


def state(machine):
    (row,) = machine.database.read(lambda tx: fetch_all(tx, TABLES.flows.select()))
    return row["state"], row["owner"]


def test_who_has_been_heard_lately_is_up_for_everybody(machine, virtual):
    ahead, behind = machine(60), machine(-60)
    for reporter in (ahead, behind):
        report(reporter)
        virtual.advance(59)
        assert up(ahead) and up(behind)
    virtual.advance(2)
    assert not up(ahead) and not up(behind)


def test_without_the_servers_time_they_would_not_agree(machine, virtual):
    """What the shared time is for."""
    ahead, behind = machine(60, deaf=True), machine(-60, deaf=True)
    report(behind)
    assert not up(ahead)
    report(ahead)
    virtual.advance(100)
    assert up(behind)


def test_each_life_is_news_once_whichever_machine_hears_of_it(machine, virtual):
    ahead, behind = machine(60), machine(-60)
    assert report(behind)
    for conductor in (ahead, behind, ahead):
        virtual.advance(10)
        assert not report(conductor)
    assert report(ahead, "b")


def test_a_flow_ends_at_its_deadline_whoever_runs_it(machine, virtual):
    behind, ahead = machine(-60), machine(60)
    flow_id = behind.database.write(lambda tx: behind.flows.submit(tx, "jar.fill"))
    ahead.engine.execute(flow_id)
    assert state(ahead) == ("waiting", None)
    virtual.advance(49)
    ahead.engine.execute(flow_id)
    assert state(ahead) == ("waiting", None)
    virtual.advance(1)
    behind.engine.execute(flow_id)
    assert state(ahead)[0] == "failed"


def test_a_signal_wakes_a_flow_on_the_other_machine(machine, virtual):
    behind, ahead = machine(-60), machine(60)
    flow_id = ahead.database.write(lambda tx: ahead.flows.submit(tx, "jar.fill"))
    ahead.engine.execute(flow_id)
    ahead.database.write(lambda tx: ahead.flows.signal(tx, flow_id, "filled"))
    behind.engine.execute(flow_id)
    assert state(ahead)[0] == "done"
