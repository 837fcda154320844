import subprocess
import sys
import threading

import pytest

from celaje.common import clock, errors
from celaje.common.simulated import InjectedFailure, Rule
from celaje.volume.drivers import base
from celaje.volume.drivers.fake_state import FakeBackendState

ID = "6bbe1fc5-1f4f-4a1c-9dd1-0a2c4b1de3a1"
OTHER = "6bbe1fc5-1f4f-4a1c-9dd1-0a2c4b1de3a2"


def volume(identifier=ID, size=1):
    return {"id": identifier, "size": size}


def test_capacity_is_held(make_fake_driver):
    driver = make_fake_driver(fake_total_capacity_gb=3)
    driver.create_volume(volume(ID, 2))
    assert driver.capabilities()["free_capacity_gb"] == 1
    with pytest.raises(base.BackendFull):
        driver.create_volume(volume(OTHER, 2))
    with pytest.raises(base.BackendFull):
        driver.extend_volume(volume(ID, 2), 4)
    driver.extend_volume(volume(ID, 2), 3)


def test_failure_before_the_effect(make_fake_driver):
    state = FakeBackendState(rules=[Rule("create_volume", error="the disk is on fire", times=1)])
    driver = make_fake_driver(state)
    with pytest.raises(InjectedFailure, match="on fire"):
        driver.create_volume(volume())
    assert state.volumes == {}
    driver.create_volume(volume())
    assert set(state.volumes) == {ID}


def test_failure_after_the_effect_is_a_lost_answer(make_fake_driver):
    state = FakeBackendState(rules=[Rule("create_volume", error="timeout", after_effect=True, times=1)])
    driver = make_fake_driver(state)
    with pytest.raises(InjectedFailure):
        driver.create_volume(volume())
    assert set(state.volumes) == {ID}
    driver.create_volume(volume())


def test_rules_by_identifier_skip_and_times(make_fake_driver):
    state = FakeBackendState()
    driver = make_fake_driver(state)
    state.add_rules([{"operation": "*", "identifier": OTHER, "error": "no", "skip": 1, "times": 2}])
    outcomes = []
    for _ in range(5):
        driver.create_volume(volume())
        try:
            driver.create_volume(volume(OTHER))
            outcomes.append(True)
        except InjectedFailure:
            outcomes.append(False)
    assert outcomes == [True, False, False, True, True]


def test_latency_passes_on_the_clock_in_force(make_fake_driver):
    virtual = clock.VirtualClock()
    driver = make_fake_driver(FakeBackendState(rules=[Rule("create_volume", latency=600)]))
    with clock.installed(virtual):
        worker = threading.Thread(target=driver.create_volume, args=(volume(),), daemon=True)
        worker.start()
        virtual.advance(599)
        worker.join(0.05)
        assert worker.is_alive() and not driver.state.volumes
        while worker.is_alive():  # the pytest timeout ends a sleep that never ends
            virtual.advance(1)
            worker.join(0.01)
    assert set(driver.state.volumes) == {ID}


@pytest.mark.parametrize("rules", ["{", '[{"operation": 3}]', '[{"opration": "x"}]', "3"])
def test_wrong_rules_are_told_at_start(rules, make_fake_driver):
    with pytest.raises(errors.ConfigurationError):
        make_fake_driver(fake_rules=rules)


def test_rules_from_the_configuration(make_fake_driver):
    driver = make_fake_driver(fake_rules='[{"operation": "delete_volume", "error": "stuck"}]')
    with pytest.raises(InjectedFailure, match="stuck"):
        driver.delete_volume(volume())


def test_counts_of_kept_rules_survive(tmp_path, make_fake_driver):
    rules = '[{"operation": "create_volume", "error": "once", "times": 1}]'
    options = {"fake_state_path": str(tmp_path / "state"), "fake_rules": rules}
    with pytest.raises(InjectedFailure):
        make_fake_driver(**options).create_volume(volume())
    make_fake_driver(**options).create_volume(volume())


def test_clones_carry_the_content(tmp_path, make_fake_driver):
    path = tmp_path / "image"
    path.write_bytes(b"x" * 512)
    driver = make_fake_driver()
    driver.create_volume_from_image(volume(), {"id": "cirros", "disk_format": "raw", "path": str(path)})
    driver.create_cloned_volume(volume(OTHER), volume())
    assert driver.state.volumes[OTHER].content == driver.state.volumes[ID].content == "image cirros"


def test_connections_are_kept_per_host(make_fake_driver):
    driver = make_fake_driver()
    driver.create_volume(volume())
    for host in ("a", "b", "a"):
        driver.initialize_connection(volume(), {"host": host})
    assert driver.state.volumes[ID].connections == ["a", "b"]
    driver.terminate_connection(volume(), {"host": "a"})
    assert driver.state.volumes[ID].connections == ["b"]
    driver.terminate_connection(volume(), None)
    assert driver.state.volumes[ID].connections == []
    with pytest.raises(base.BadMetadata, match="host"):
        driver.initialize_connection(volume(), {})


def test_a_killed_worker_loses_nothing_that_it_answered(tmp_path):
    path = tmp_path / "state"
    code = f"""
from celaje.common import clock
from celaje.volume.drivers.fake_state import FakeBackendState, FakeVolume
state = FakeBackendState({str(path)!r})
while True:
    name = clock.new_uuid()
    with state.changing():
        state.volumes[name] = FakeVolume(1, "empty")
    print(name, flush=True)
"""
    worker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        answered = [worker.stdout.readline().strip() for _ in range(50)]
    finally:
        worker.kill()
        rest = worker.communicate(timeout=30)[0]
    answered += [line for line in rest.splitlines() if len(line) == len(ID)]
    found = set(FakeBackendState(path).volumes)
    assert set(answered) <= found and len(found) <= len(answered) + 1


def test_a_damaged_state_is_told(tmp_path):
    (tmp_path / "state").write_text("{")
    with pytest.raises(errors.ConfigurationError, match="cannot be read"):
        FakeBackendState(tmp_path / "state")
