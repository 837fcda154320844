"""Faults under load, each with its figures: nothing lost, nothing stuck, all sound after it."""

import signal
import time

import pytest

from tests.cluster.load import Load
from tests.servers import haproxy, rabbitmq

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


@pytest.fixture
def body(flavor, image, network):
    return {"flavorRef": flavor, "imageRef": image, "networks": [{"uuid": network}]}


def settle(load, fault, record_property, *, wrong=0):
    load.clear()
    report = load.report(fault)
    record_property("report", str(report))
    print(report)
    assert (report.lost, report.stuck) == ([], []), report
    assert len(report.wrong) <= wrong, report


STOPPED = (
    "identity-api2",
    "volume-api2",
    "compute-api1",
    "volume-conductor2",
    "compute-conductor1",
    "volume-scheduler1",
    "volume-worker2",
    "compute1-worker",
)


@pytest.mark.parametrize("name", STOPPED)
def test_a_process_that_hangs_and_goes_on(cluster, body, name, record_property):
    """SIGSTOP for longer than leases and heartbeats last; what it does afterwards is fenced."""
    with Load(cluster, body) as load:
        load.await_jobs(2)
        load.fault()
        cluster.send_signal(name, signal.SIGSTOP)
        try:
            time.sleep(15)
        finally:
            cluster.send_signal(name, signal.SIGCONT)
        load.await_jobs(4)
    settle(load, f"SIGSTOP of {name} for 15 s", record_property)


def test_the_broker_is_killed_and_comes_back(cluster, body, record_property):
    with Load(cluster, body) as load:
        load.await_jobs(2)
        load.fault()
        rabbitmq.kill(cluster.broker)
        time.sleep(5)
        cluster.broker = rabbitmq.start(cluster.folder / "rabbitmq", cluster.broker.port)
        load.await_jobs(4, 240)
    settle(load, "broker killed, back after 5 s", record_property)


def test_the_broker_comes_back_with_nothing(cluster, body, record_property):
    with Load(cluster, body) as load:
        load.await_jobs(2)
        load.fault()
        rabbitmq.kill(cluster.broker)
        rabbitmq.wipe(cluster.broker)
        cluster.broker = rabbitmq.start(cluster.folder / "rabbitmq", cluster.broker.port)
        load.await_jobs(4, 240)
    settle(load, "broker killed, its data wiped", record_property)


def test_the_database_crashes_and_comes_back(cluster, body, record_property):
    with Load(cluster, body) as load:
        load.await_jobs(2)
        load.fault()
        cluster.restart_database(pause=5)
        load.await_jobs(4, 240)
    settle(load, "database crashed, back after 5 s", record_property)


def test_all_sessions_of_the_database_are_cut(cluster, body, record_property):
    with Load(cluster, body) as load:
        load.await_jobs(2)
        load.fault()
        for _ in range(5):
            cluster.cut_sessions()
            time.sleep(1)
        load.await_jobs(4)
    settle(load, "all database sessions cut, five times", record_property)


def test_the_balancer_is_killed_and_comes_back(cluster, body, record_property):
    with Load(cluster, body) as load:
        load.await_jobs(2)
        load.fault()
        cluster.signal_balancer(signal.SIGKILL)
        time.sleep(3)
        cluster.start_balancer()
        load.await_jobs(4)
    settle(load, "HAProxy killed, back after 3 s", record_property)


def test_the_balancers_timeout_is_shorter_than_the_operation(cluster, body, record_property):
    """Attachments that wait two seconds for their back end behind `timeout server 1s`: the client is
    told 504, the work goes on."""
    cluster.slow_backend("initialize_connection", 2.0)
    cluster.server_timeout = "1s"
    haproxy.stop(cluster.balancer)
    cluster.start_balancer()
    try:
        with Load(cluster, body) as load:
            load.fault()
            load.await_jobs(4, 240)
    finally:
        cluster.slow_backend(None)
        cluster.server_timeout = "90s"
        haproxy.stop(cluster.balancer)
        cluster.start_balancer()
    settle(load, "HAProxy's `timeout server` 1 s, the operation 2 s", record_property)
