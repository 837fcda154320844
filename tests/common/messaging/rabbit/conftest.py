"""A broker, clouds on it, and oslo.messaging as it stands on the other side."""

import itertools
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.common.messaging.conftest import Cloud, rabbit_url  # noqa: F401
from tests.servers import rabbitmq


def options(**values):
    """A configuration that holds these options of [oslo_messaging_rabbit]."""
    return SimpleNamespace(oslo_messaging_rabbit=SimpleNamespace(**values))


@pytest.fixture
def rabbit(rabbit_url):  # noqa: F811
    cloud = Cloud(rabbit_url)
    yield cloud
    cloud.close()


class Mortal:
    """A broker of a test's own, to be killed, wiped and started again on the same port."""

    def __init__(self, folder, **how):
        self.folder = folder
        self.running = rabbitmq.make(folder, **how)
        self._hosts = itertools.cycle(rabbitmq.VIRTUAL_HOSTS[1:])

    def next_url(self):
        """Of a virtual host that the test before did not have: killed brokers and servers leave messages."""
        return rabbitmq.url(self.running, next(self._hosts))

    def kill(self):
        rabbitmq.kill(self.running)

    def settle(self):
        """RabbitMQ 3.10 writes the register of its quorum queues behind their backs, seconds after they were
        declared: killed before, it comes back with queues that have no leader. What is tested here is our
        side, so the register is waited for; messages need no such wait."""
        registers = list(Path(self.folder, "mnesia").glob("*/quorum/*/names.dets"))
        assert registers, "the register of quorum queues is not where it was"
        changed, quiet = -1.0, 0
        while quiet < 50:
            time.sleep(0.1)
            now = max(register.stat().st_mtime for register in registers)
            quiet = quiet + 1 if now == changed else 0
            changed = now

    def start(self):
        self.running = rabbitmq.start(self.folder, self.running.port)

    def restart(self, *, wiped=False):
        self.settle()
        self.kill()
        if wiped:
            rabbitmq.wipe(self.running)
        self.start()


@pytest.fixture(scope="module")
def mortal():
    # Not below pytest's folder: the broker's user must be able to reach it.
    with tempfile.TemporaryDirectory(prefix="celaje-rabbitmq-") as folder:
        Path(folder).chmod(0o755)
        broker = Mortal(Path(folder))
        yield broker
        rabbitmq.stop(broker.running)


@pytest.fixture
def mortal_cloud(mortal):
    # Short waits: what is tested is that they are kept, not their default.
    cloud = Cloud(mortal.next_url(), options(rabbit_retry_interval=0.2, rabbit_retry_backoff=0.2))
    yield cloud
    cloud.close()
