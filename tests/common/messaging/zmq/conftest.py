"""Several buses of one cluster, in this process or in others."""

import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.common.messaging.conftest import Cloud, eventually

ROOT = Path(__file__).parents[4]
# Short waits: what is tested is that they are kept, not their default.
QUICK = {"zmq_target_update": 0.1, "zmq_target_expire": 1.5, "rpc_poll_timeout": 5.0}


def options(**values):
    """A configuration that holds these options of [oslo_messaging_zmq]."""
    return SimpleNamespace(oslo_messaging_zmq=SimpleNamespace(**{**QUICK, **values}))


@pytest.fixture
def join(zmq_url):
    """Another bus of the cluster; all are closed at the end."""
    made = []

    def join(**values):
        cloud = Cloud(zmq_url, options(**values))
        made.append(cloud)
        return cloud

    yield join
    for cloud in made:
        cloud.close()


def environment(clock_step):
    """`clock_step`: a file that says by how many seconds its machine's clock is ahead."""
    paths = [ROOT / "src", ROOT]
    step = {}
    if clock_step is not None:
        paths.insert(0, ROOT / "tests" / "cluster" / "stepped_clock")
        step["CELAJE_TEST_CLOCK_STEP"] = str(clock_step)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), **step}


class Process:
    def __init__(self, url, name, clock_step=None):
        words = [f"{key}={value}" for key, value in QUICK.items()]
        self.name = name
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "tests.common.messaging.zmq.process", url, name, *words],
            cwd=ROOT,
            env=environment(clock_step),
            stdout=subprocess.PIPE,
            text=True,
        )
        self.said = []
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.hear("ready")

    def _read(self):
        for line in self.popen.stdout:
            self._lines.put(line.strip())

    def hear(self, wanted):
        """Until it has said so."""
        while wanted not in self.said:
            self.said.append(self._lines.get(timeout=30))

    def heard(self):
        """All that it has said."""
        while not self._lines.empty():
            self.said.append(self._lines.get())
        return self.said

    def send(self, signal):
        self.popen.send_signal(signal)

    def end(self):
        self.popen.kill()
        self.popen.wait(10)


@pytest.fixture
def process(zmq_url):
    made = []

    def process(name, **options):
        made.append(Process(zmq_url, name, **options))
        return made[-1]

    yield process
    for one in made:
        one.end()


def listening(cloud, *names):
    """Until the cloud's bus knows servers of these names."""
    target = cloud.client.echo.target
    for name in names:
        eventually(lambda name=name: cloud.bus.has_consumer(type(target)("worker", name)), seconds=30)
