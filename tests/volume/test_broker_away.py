"""The broker is down: the API answers all the same, from what it has written; the work is done later."""

import tempfile
from pathlib import Path

import pytest
from tests.common.messaging.rabbit.conftest import Mortal, options
from tests.servers import rabbitmq

from celaje.common.messaging import connect

pytestmark = [pytest.mark.timeout(240), pytest.mark.servers]


@pytest.fixture
def broker():
    # Not below pytest's folder: the broker's user must be able to reach it.
    with tempfile.TemporaryDirectory(prefix="celaje-rabbitmq-") as folder:
        Path(folder).chmod(0o755)
        mortal = Mortal(Path(folder))
        yield mortal
        rabbitmq.stop(mortal.running)


def test_a_202_does_not_wait_for_the_broker(lab, broker, settled, until):
    lab.bus.close()
    lab.bus = connect(broker.next_url(), options(rabbit_retry_interval=0.2, rabbit_retry_backoff=0.2))
    lab.start()
    client = lab.client()
    before = client.create()
    settled(before["id"])
    broker.settle()
    broker.kill()
    try:
        # For ever is what a cast would wait here (`rabbit_max_retries` 0): that it returns is the test.
        created = [client.create() for _ in range(5)]
        assert client.delete(f"/volumes/{before['id']}").status == 202
        assert [client.volume(volume["id"])["status"] for volume in created] == ["creating"] * 5
    finally:
        broker.start()
    for volume in created:
        until(lambda id=volume["id"]: client.volume(id)["status"] == "available", seconds=90)
    until(lambda: client.get(f"/volumes/{before['id']}").status == 404, seconds=90)
