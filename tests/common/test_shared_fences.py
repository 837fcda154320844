"""Fences that workers in several processes share: one at a time on a resource, none that was overtaken."""

import subprocess
import sys
import threading

import pytest

from celaje.common import context
from celaje.common.context import RequestContext, Step
from celaje.common.errors import ConfigurationError
from celaje.common.fences import Fences, StepOvertaken
from celaje.common.messaging import work
from celaje.common.shared_fences import ResourceHeld, SharedFences, fences


def at(flow_id, number, attempt=1):
    return context.using(RequestContext(step=Step(flow_id, number, attempt)))


@pytest.fixture
def two(tmp_path):
    """Two workers of one back end."""
    return SharedFences(tmp_path / "locks"), SharedFences(tmp_path / "locks")


def test_a_step_that_one_worker_took_shuts_earlier_ones_out_at_the_other(two):
    with at("f", 3, 2), two[0].step("r"):
        pass
    with at("f", 3, 2), two[1].step("r"):
        pass
    with at("f", 3, 1), pytest.raises(StepOvertaken), two[1].step("r"):
        raise AssertionError("an overtaken step ran")
    with at("g", 1, 1), two[1].step("r"):
        pass


def test_only_one_worker_at_a_time_has_a_resource(two, tmp_path):
    """The other is another process: POSIX locks are a process's."""
    held = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys\n"
            "from pathlib import Path\n"
            "from celaje.common.shared_fences import SharedFences\n"
            f"with SharedFences(Path({str(tmp_path / 'locks')!r})).step('r'):\n"
            "    print('held', flush=True)\n"
            "    sys.stdin.readline()\n",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert held.stdout.readline() == "held\n"
        with two[0].step("another"):
            pass
        from celaje.common import clock

        with work.until(clock.now()), pytest.raises(ResourceHeld), two[0].step("r"):
            raise AssertionError("two workers had it at once")
        entered = threading.Event()

        def wait():
            with two[0].step("r"):
                entered.set()

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not entered.wait(0.2)
        held.kill()
        assert entered.wait(30), "the lock of a process that was killed is free"
        waiting.join(10)
    finally:
        held.kill()
        held.wait(10)


def test_a_half_written_file_is_no_obstacle(two, tmp_path):
    with at("f", 2, 1), two[0].step("r"):
        pass
    (file,) = (tmp_path / "locks").iterdir()
    file.write_bytes(b'{"f":[1,')
    with at("f", 2, 1), two[1].step("r"):
        pass


def test_a_resource_remembers_few_flows(two, tmp_path):
    for number in range(40):
        with at(f"flow-{number}", 1), two[0].step("r"):
            pass
    (file,) = (tmp_path / "locks").iterdir()
    assert file.stat().st_size < 1000


def test_the_option(tmp_path):
    assert type(fences(None, "b")) is Fences
    assert type(fences(f"file://{tmp_path}", "storage@shared")) is SharedFences
    assert (tmp_path / "storage@shared").is_dir()
    with pytest.raises(ConfigurationError, match="etcd3"):
        fences("etcd3://127.0.0.1", "b")
