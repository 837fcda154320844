"""Faults under load, each with its figures: nothing lost, nothing stuck, all sound after it."""

import contextlib
import signal
import time

import pytest

from tests.cluster.load import Load
from tests.servers import rabbitmq

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


@pytest.fixture
def body(flavor, image, network):
    return {"flavorRef": flavor, "imageRef": image, "networks": [{"uuid": network}]}


@pytest.fixture
def under_load(cluster, body, record_property):
    """`with under_load("what happens", jobs=4): ...`: the body is the fault, from its beginning to its end.
    It happens while users work, who must finish so many jobs after it; then everything is looked at."""

    @contextlib.contextmanager
    def begin(fault, *, jobs=4, seconds=120.0):
        with Load(cluster, body) as load:
            load.await_jobs(2)
            load.fault()
            yield
            load.mended()
            load.await_jobs(jobs, seconds)
        load.clear()
        report = load.report(fault)
        record_property("report", str(report))
        print(report)
        assert (report.lost, report.stuck, report.wrong) == ([], [], []), report

    return begin


STOPPED = (
    "identity-api2",
    "placement-api1",
    "image-api2",
    "network-api1",
    "volume-api2",
    "compute-api1",
    "volume-conductor2",
    "compute-conductor1",
    "network-conductor2",
    "volume-scheduler1",
    "compute-scheduler2",
    "volume-worker2",
    "compute1-worker",
)


@pytest.mark.parametrize("name", STOPPED)
def test_a_process_that_hangs_and_goes_on(cluster, under_load, name):
    """SIGSTOP for longer than leases and heartbeats last; what it does afterwards is fenced."""
    with under_load(f"SIGSTOP of {name}"):
        cluster.send_signal(name, signal.SIGSTOP)
        try:
            time.sleep(15)
        finally:
            cluster.send_signal(name, signal.SIGCONT)


# Shorter than calls and leases last, and longer.
@pytest.mark.parametrize("pause", [2, 30])
def test_the_broker_is_killed_and_comes_back(cluster, under_load, pause):
    with under_load("broker killed and started again"):
        rabbitmq.kill(cluster.broker)
        time.sleep(pause)
        cluster.broker = rabbitmq.start(cluster.folder / "rabbitmq", cluster.broker.port)


def test_the_broker_comes_back_with_nothing(cluster, under_load):
    with under_load("broker killed, its data wiped"):
        rabbitmq.kill(cluster.broker)
        rabbitmq.wipe(cluster.broker)
        cluster.broker = rabbitmq.start(cluster.folder / "rabbitmq", cluster.broker.port)


@pytest.mark.parametrize("pause", [2, 30])
def test_the_database_crashes_and_comes_back(cluster, under_load, pause):
    with under_load("database crashed and started again"):
        cluster.restart_database(pause)


def test_all_sessions_of_the_database_are_cut(cluster, under_load):
    with under_load("all database sessions cut, five times"):
        for _ in range(5):
            cluster.cut_sessions()
            time.sleep(1)


def test_the_balancer_is_killed_and_comes_back(cluster, under_load):
    with under_load("HAProxy killed and started again"):
        cluster.signal_balancer(signal.SIGKILL)
        time.sleep(3)
        cluster.start_balancer()


def test_the_balancers_timeout_is_shorter_than_the_operation(cluster, under_load):
    """Attachments that wait two seconds for their back end behind `timeout server 1s`: the client is
    told 504, the work goes on."""
    with under_load("HAProxy's `timeout server` 1 s, the operation 2 s"):
        cluster.slow_backend("initialize_connection", 2.0)
        cluster.limit_balancer("1s")
        try:
            time.sleep(20)
        finally:
            cluster.slow_backend(None)
            cluster.limit_balancer("90s")
