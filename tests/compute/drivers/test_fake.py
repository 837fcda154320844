"""The simulated hypervisor: latency and failures as data, guests that outlive the worker."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from tests.compute.drivers.builders import a_server

from celaje.common import clock
from celaje.common.errors import DriverError
from celaje.compute.drivers.base import NodeResources, PowerState, free_device
from celaje.compute.drivers.fake import Behaviour, Failure, FakeCloudState, FakeDriver

IMAGE = {"id": "i", "path": "/nowhere", "disk_format": "raw"}
VOLUME = {"driver_volume_type": "fake", "data": {"volume_id": "v1"}}


def test_fails_at_the_calls_it_is_told_to():
    driver = FakeDriver(behaviour=Behaviour(failures={"attach_volume": [2]}))
    driver.spawn(a_server(), IMAGE)
    driver.attach_volume(a_server(), VOLUME)
    with pytest.raises(DriverError, match="attach_volume: simulated failure"):
        driver.attach_volume(a_server(), VOLUME)
    driver.attach_volume(a_server(), VOLUME)


def test_failure_before_leaves_nothing_and_after_leaves_the_work():
    for after, left in ((False, set()), (True, {a_server()["uuid"]})):
        driver = FakeDriver(behaviour=Behaviour(failures={"spawn": Failure(calls=[1], after=after)}))
        with pytest.raises(DriverError):
            driver.spawn(a_server(), IMAGE)
        assert driver.list_servers() == left


def test_failures_by_chance_repeat_with_the_seed():
    def outcomes():
        with clock.installed(clock.VirtualClock(seed=7)):
            driver = FakeDriver(behaviour=Behaviour(failures={"reboot": 0.5}))
            driver.spawn(a_server(), IMAGE)
            found = []
            for _ in range(20):
                try:
                    driver.reboot(a_server())
                    found.append(True)
                except DriverError:
                    found.append(False)
            return found

    first = outcomes()
    assert first == outcomes()
    assert {True, False} == set(first)


def test_latency_is_waited_on_the_clock_and_does_not_hold_others_up():
    virtual = clock.VirtualClock()
    with clock.installed(virtual):
        driver = FakeDriver(behaviour=Behaviour(latency={"spawn": 30.0}))
        done = threading.Event()

        def spawn():
            driver.spawn(a_server(), IMAGE)
            done.set()

        thread = threading.Thread(target=spawn, daemon=True)
        thread.start()
        assert not done.wait(0.05)
        driver.destroy(a_server("00000000-0000-4000-8000-000000000000"))
        while not done.wait(0.005):
            virtual.advance(30.0)
        assert driver.power_state(a_server()) is PowerState.RUNNING
        thread.join(5)


def test_many_nodes_count_their_own_servers():
    sizes = {name: NodeResources(vcpus=4, memory_mb=8192, disk_gb=100) for name in ("a", "b")}
    driver = FakeDriver(sizes)
    driver.spawn(a_server(node="b", flavor={"vcpus": 2, "ephemeral_gb": 5}), IMAGE)
    found = driver.capabilities()
    assert (found["a"].vcpus_used, found["b"].vcpus_used, found["b"].disk_gb_used) == (0, 2, 6)
    assert sizes["b"].vcpus_used == 0
    with pytest.raises(DriverError, match="no node 'c'"):
        driver.spawn(a_server("00000000-0000-4000-8000-000000000000", node="c"), IMAGE)


def test_a_shared_state_outlives_the_driver():
    state = FakeCloudState()
    FakeDriver(state=state).spawn(a_server(), IMAGE)
    assert FakeDriver(state=state).power_state(a_server()) is PowerState.RUNNING


def test_guests_survive_the_kill_of_the_process(tmp_path):
    code = f"""
import pathlib
from celaje.compute.drivers.fake import FakeCloudState, FakeDriver
from tests.compute.drivers.builders import a_server
driver = FakeDriver(state=FakeCloudState(pathlib.Path({str(tmp_path)!r})))
driver.spawn(a_server(), {IMAGE!r})
driver.attach_volume(a_server(), {VOLUME!r})
driver.pause(a_server())
print("ready", flush=True)
input()
"""
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=os.getcwd()
    )
    assert child.stdout.readline() == b"ready\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait(10)
    child.stdout.close()
    child.stdin.close()
    driver = FakeDriver(state=FakeCloudState(tmp_path))
    assert driver.power_state(a_server()) is PowerState.PAUSED
    assert driver.attach_volume(a_server(), VOLUME) == "/dev/vdb"
    driver.destroy(a_server())
    assert FakeCloudState(tmp_path).servers == {}


def test_device_names_go_on_after_z():
    taken = [f"/dev/vd{chr(97 + number)}" for number in range(26)]
    assert free_device(taken) == "/dev/vdaa"
    assert free_device(["/dev/vda"], "/dev/vdx") == "/dev/vdx"
    assert free_device(["/dev/vda"], "/dev/vda") == "/dev/vdb"
