"""A cloud's life as its user has it: started, looked at, stopped, killed, started again."""

import fcntl
import json
import os
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

import pytest

from tests.conformance.running import BIN, RunningCloud

pytestmark = pytest.mark.timeout(120)


def gone(pid, seconds=15):
    end = time.monotonic() + seconds
    while Path(f"/proc/{pid}").exists() and "State:\tZ" not in Path(f"/proc/{pid}/status").read_text():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def is_free(cloud):
    with open(cloud.state / "lock", "a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", cloud.port))
    return not (cloud.state / "running.json").exists()


def test_status_tells_what_is_up(celaje, running):
    said = celaje("status", "--state", running.state, "--json")
    assert said.returncode == 0, said.stdout
    found = json.loads(said.stdout)
    assert all(api["up"] for api in found["apis"].values())
    assert {row["binary"] for row in found["services"]} >= {"nova-compute", "cinder-volume"}


def test_a_second_cloud_on_the_same_state_is_refused(celaje, running, port):
    said = celaje("up", "--state", running.state, "--port", port)
    assert said.returncode == 1
    pid = json.loads((running.state / "running.json").read_text())["pid"]
    assert f"process {pid} at {running.url}" in said.stderr


def test_databases_in_use_are_not_touched(celaje, running):
    assert celaje("db", "sync", "--state", running.state).returncode == 1


def test_secrets_are_for_their_owner_alone(running):
    for path in (running.state / "clouds.yaml", running.state / "secrets.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(running.state.stat().st_mode) == 0o700


def test_secrets_are_in_no_log_and_no_output(running, celaje):
    passwords = [
        line.split(": ")[1].strip(' "')
        for line in (running.state / "clouds.yaml").read_text().splitlines()
        if "password" in line
    ]
    assert len(passwords) == 2
    celaje("status", "--state", running.state)
    stored = json.loads((running.state / "secrets.json").read_text())
    passwords += [value for value in _strings(stored) if len(value) >= 12]
    written = running.said() + (running.state / "celaje.log").read_text()
    assert "identity" in written
    assert not [word for word in passwords if word in written]


def _strings(value):
    if isinstance(value, dict):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, str):
        yield value


def test_stopped_killed_and_started_again(tmp_path):
    """TERM ends it with 0 and frees all; so does Ctrl-C; a killed parent takes the worker with it; and the
    same state starts again each time. An unknown key is named at the start."""
    conf = tmp_path / "celaje.conf"
    conf.write_text("[DEFAULT]\nrpc_response_timout = 10\n")
    cloud = RunningCloud(tmp_path / "state", "fake", "--config-file", str(conf)).start()
    assert "rpc_response_timout" in cloud.said()
    assert "rpc_response_timeout" in cloud.said()
    assert cloud.stop() == 0
    assert is_free(cloud)

    cloud.start()
    cloud.process.send_signal(signal.SIGINT)
    assert cloud.process.wait(20) == 0
    assert is_free(cloud)

    cloud.start()
    worker = json.loads((cloud.state / "running.json").read_text())["pid"]
    cloud.process.kill()
    cloud.process.wait(10)
    assert gone(worker)

    cloud.start()
    assert cloud.stop() == 0
    assert "Traceback" not in cloud.said()


def test_an_ephemeral_cloud_goes_away(tmp_path, port):
    output = tmp_path / "said"
    with open(output, "w") as file:
        process = subprocess.Popen(
            [str(BIN / "celaje"), "up", "--ephemeral", "--port", str(port), "--drivers", "fake"],
            env={**os.environ, "TMPDIR": str(tmp_path)},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + 60
        while "Ctrl-C" not in output.read_text():
            assert process.poll() is None and time.monotonic() < end, output.read_text()
            time.sleep(0.05)
        assert list(tmp_path.glob("celaje-*"))
        assert "removes it" in output.read_text()
        process.terminate()
        assert process.wait(20) == 0
        assert not list(tmp_path.glob("celaje-*"))
    finally:
        if process.poll() is None:
            process.kill()
