"""A tiny service with all its parts on the in-process bus: start, report, wake, stop, kill, late outcomes."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import Column, String, Table, bindparam, insert, select, update

from celaje.common import clock, context
from celaje.common.conf import load
from celaje.common.db import DatabaseClosed, Prepared, new_metadata
from celaje.common.fences import Fences
from celaje.common.flow import flow, flow_tables
from celaje.common.messaging import Messages, call, connect
from celaje.common.messaging.inproc import InprocBus
from celaje.common.policy import Policy
from celaje.common.revocations import Revocations
from celaje.common.service import Conductor, ConductorMessages, Ground, Service, service_table
from celaje.common.tokens import KeyRepository, Tokens
from celaje.common.wsgi import Api, dialects

METADATA = new_metadata()
FLOWS = flow_tables(METADATA)
SERVICES = service_table(METADATA)
JARS = Table("jars", METADATA, Column("id", String(36), primary_key=True), Column("status", String(16)))
_add = Prepared(insert(JARS))
_set = Prepared(update(JARS).where(JARS.c.id == bindparam("row")))
_status = Prepared(select(JARS.c.status).where(JARS.c.id == bindparam("row")))


class WorkerMessages(Messages):
    topic = "jar-worker"

    @call(timeout=0.5)
    def fill(self, jar_id: str) -> str: ...


class SchedulerMessages(Messages):
    topic = "jar-scheduler"

    @call(timeout=5)
    def choose(self) -> str: ...


class JarConductorMessages(ConductorMessages):
    topic = "jar-conductor"


def to_status(tx, jar_id, status):
    _set.run(tx, row=jar_id, status=status)


def failed(tx, row, error):
    to_status(tx, row["resource_id"], "error")


@flow("jar.fill", deadline=60, way_out=failed)
def fill_jar(run, jar_id):
    host = run.step(run.conductor.scheduler.choose)
    run.step(run.conductor.worker.to(host).fill, jar_id=jar_id)
    run.done(to_status, jar_id, "full")


class JarConductor(Conductor):
    def __init__(self, service):
        super().__init__(service.database, service.flows, service.records)
        self.scheduler = service.client(SchedulerMessages)
        self.worker = service.client(WorkerMessages)


class Worker:
    """`hold` keeps a step until `go` is set."""

    def __init__(self):
        self.fences, self.filled = Fences(), []
        self.hold, self.begun, self.go = False, threading.Event(), threading.Event()

    def fill(self, jar_id: str) -> str:
        with self.fences.step(jar_id):
            self.begun.set()
            if self.hold:
                assert self.go.wait(20)
            self.filled.append(jar_id)
            return "filled"


class Scheduler:
    def choose(self) -> str:
        return "shelf"


class JarService(Service):
    service_type = "jar"
    metadata = METADATA
    flow_tables = FLOWS
    flows_declared = [fill_jar]
    services_table = SERVICES
    conductor_messages = JarConductorMessages
    conductor_binary = "jar-conductor"

    def build_api(self):
        return Api(
            self,
            [],
            service_type="jar",
            policy=Policy([]),
            dialect=dialects.volume,
            authenticate=self.ground.authentication(),
        )

    def build_conductor(self):
        return JarConductor(self)

    def start_scheduler(self):
        self.serve(SchedulerMessages, Scheduler())
        self.report_as("jar-scheduler", SchedulerMessages)

    def start_workers(self):
        self.worker = Worker()
        self.serve(WorkerMessages, self.worker)
        self.report_as("jar-worker", WorkerMessages, details=lambda: {"shelves": 3})

    def submit(self, jar_id):
        def unit(tx):
            _add.run(tx, id=jar_id, status="filling")
            return self.flows.submit(tx, "jar.fill", resource=("jar", jar_id), arguments={"jar_id": jar_id})

        return self.database.write(unit)

    def status(self, jar_id):
        return self.database.read(_status.value, row=jar_id)


@pytest.fixture
def jars(tmp_path):
    """`jars(*parts)` starts a process with these parts; all share one bus and one state folder."""
    JarService.migrations = tmp_path / "migrations"
    JarService.migrations.mkdir()
    (JarService.migrations / "0001_initial.py").write_text("def upgrade(): pass\n")
    keys = KeyRepository(tmp_path / "keys")
    keys.create()
    bus = connect("inproc://")
    running = []

    def start(*parts, alone=False):
        conf = load(
            "jar",
            {},
            overrides={
                (None, "host"): "shelf",
                (None, "state_path"): str(tmp_path),
                ("flows", "poll_interval"): 60.0,
            },
        )
        ground = Ground(
            conf=conf,
            bus=bus,
            state=Path(tmp_path),
            tokens=Tokens(keys),
            revocations=Revocations(),
            transport_to=lambda name: None,
            alone=alone,
        )
        service = JarService(ground, parts or ("api", "conductor", "scheduler", "worker"))
        running.append(service)
        service.start()
        return service

    yield start
    for service in running:
        if "worker" in service.parts:
            service.worker.go.set()
        service.kill()
    bus.close()


def until(condition, seconds=10.0):
    end = clock.monotonic() + seconds
    tick = threading.Event()
    while not condition():
        assert clock.monotonic() < end, "it did not come to that"
        tick.wait(0.01)


def records(service):
    return {row["binary"]: row for row in service.database.read(service.records.list)}


def test_all_parts_in_one_process(jars):
    service = jars(alone=True)
    flow_id = service.submit("j1")
    assert service.flows.wait(flow_id, 10)["state"] == "done"
    assert service.status("j1") == "full"
    assert service.worker.filled == ["j1"]
    until(lambda: set(records(service)) == {"jar-conductor", "jar-scheduler", "jar-worker"})
    worker = records(service)["jar-worker"]
    assert (worker["host"], worker["topic"], worker["details"]["shelves"]) == ("shelf", "jar-worker", 3)
    assert worker["details"]["boot"] == service.boot
    assert records(service)["jar-conductor"]["availability_zone"] == "internal"
    assert all(service.records.is_up(row) for row in records(service).values())


def test_a_report_again_counts_and_a_new_boot_is_a_coming_up(jars):
    service = jars("api", "conductor")

    def report(boot):
        return service.database.write(
            service.records.report,
            binary="b",
            host="h",
            topic="t",
            availability_zone="nova",
            details={"boot": boot},
        )

    assert [report("one"), report("one"), report("two"), report("two")] == [True, False, True, False]
    assert records(service)["b"]["report_count"] == 3


def test_parts_without_database_have_none(jars):
    service = jars("scheduler", "worker")
    with pytest.raises(RuntimeError, match="only API and conductor"):
        _ = service.database


def test_a_flow_waits_for_its_worker_and_goes_on_when_it_comes_up(jars):
    control = jars("api", "conductor", "scheduler")
    flow_id = control.submit("j1")
    until(lambda: control.database.read(control.flows.get, flow_id)["state"] == "waiting")
    row = control.database.read(control.flows.get, flow_id)
    assert (row["waiting_on"], row["owner"]) == ("jar-worker.shelf", None)
    worker = jars("worker")
    assert control.flows.wait(flow_id, 10)["state"] == "done"
    assert worker.worker.filled == ["j1"]
    assert control.status("j1") == "full"


def test_a_conductor_that_is_killed_leaves_the_flow_to_the_next(jars):
    worker = jars("scheduler", "worker")
    worker.worker.hold = True
    first = jars("api", "conductor")
    flow_id = first.submit("j1")
    assert worker.worker.begun.wait(10)
    first.kill()
    worker.worker.hold = False
    worker.worker.go.set()
    with pytest.raises(DatabaseClosed):
        first.status("j1")
    second = jars("api", "conductor", alone=True)
    assert second.flows.wait(flow_id, 10)["state"] == "done"
    row = second.database.read(second.flows.get, flow_id)
    assert row["attempt"] == 2
    assert second.status("j1") == "full"


def test_stop_lets_what_runs_end(jars):
    worker = jars("scheduler", "worker")
    worker.worker.hold = True
    control = jars("api", "conductor")
    flow_id = control.submit("j1")
    assert worker.worker.begun.wait(10)
    stopping = threading.Thread(target=control.stop)
    stopping.start()
    worker.worker.go.set()
    stopping.join(15)
    assert not stopping.is_alive()
    after = jars("api")
    assert after.database.read(after.flows.get, flow_id)["state"] == "done"


def test_the_outcome_of_a_step_whose_caller_left_is_noted(jars):
    worker = jars("scheduler", "worker")
    worker.worker.hold = True
    control = jars("api", "conductor")
    flow_id = control.submit("j1")
    # The call's timeout is half a second: the flow fails while the worker is still at it.
    assert control.flows.wait(flow_id, 10)["state"] == "failed"
    assert control.status("j1") == "error"
    worker.worker.go.set()
    until(lambda: control.database.read(control.flows.steps, flow_id)[1]["note"])
    note = control.database.read(control.flows.steps, flow_id)[1]["note"]
    assert "finished after the caller left: ok" in note


def test_the_users_token_is_sealed_in_the_row_and_gone_with_the_end(jars):
    control = jars("api", "conductor", "scheduler")
    with context.using(context.RequestContext(token="the-users-token", user_id="u1")):
        flow_id = control.submit("j1")
    until(lambda: control.database.read(control.flows.get, flow_id)["state"] == "waiting")
    row = control.database.read(control.flows.get, flow_id)
    assert row["token"] and b"the-users-token" not in row["token"]
    assert "token" not in row["context"]
    jars("worker")
    assert control.flows.wait(flow_id, 10)["state"] == "done"
    assert control.database.read(control.flows.get, flow_id)["token"] is None


def test_every_part_learns_what_the_others_understand(jars, monkeypatch):
    """As between processes: who has the database reads it there, the others ask a conductor."""
    monkeypatch.setattr(InprocBus, "private", False)
    main = jars("api", "conductor")
    scheduler = jars("scheduler")
    jars("worker")
    until(lambda: set(records(main)) == {"jar-conductor", "jar-scheduler", "jar-worker"})

    def report(boot, version, binary="jar-worker", topic="jar-worker", **more):
        details = {"boot": boot, "rpc_version": version, **more}
        main.conductor.report_service(
            binary=binary, host="attic", topic=topic, availability_zone="nova", details=details
        )

    for part in (main, scheduler):
        understood = part.client(WorkerMessages).fill._receivers
        assert understood.spoken("jar-worker", anew=True) == "1.0"
    report("new", "1.3")
    for part in (main, scheduler):
        understood = part.client(WorkerMessages).fill._receivers
        assert understood.spoken("jar-worker", anew=True) == "1.0", "the oldest counts"
        assert understood.spoken("jar-worker", "attic") == "1.3"
    report("newer", "1.4")
    report("older", "1.2")
    report("newer", "1.4")
    understood = main.client(WorkerMessages).fill._receivers
    assert understood.spoken("jar-worker", "attic", anew=True) == "1.2", "three lives under one name"

    report("c", "1.0", "jar-conductor", "jar-conductor", flows={"jar.fill": 2})
    main._receivers().of("jar-conductor", anew=True)
    assert sorted(map(str, main.database.read(main._conductors))) == ["{'jar.fill': 2}", "{}"]


def test_in_one_process_nobody_looks(jars):
    service = jars()
    assert service.client(WorkerMessages).fill._receivers is None
    assert service.database.read(service._conductors) == []
