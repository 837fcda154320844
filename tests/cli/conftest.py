"""The `celaje` command as its user runs it: a process, its output, its exit code."""

import os
import subprocess

import pytest

from tests.conformance.running import BIN, RunningCloud, free_port


@pytest.fixture
def celaje(tmp_path):
    """Run to its end: celaje("up", "--state", ...) -> CompletedProcess, stderr and stdout apart. Whatever a
    user can have caused is told without a stack trace."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "CELAJE"))}

    def run(*words, seconds=120):
        done = subprocess.run(
            [str(BIN / "celaje"), *map(str, words)],
            env={**environment, "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "xdg")},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One cloud that the tests of a module look at."""
    cloud = RunningCloud(tmp_path_factory.mktemp("cli") / "state", "fake").start()
    yield cloud
    cloud.stop()


@pytest.fixture
def port():
    return free_port()
