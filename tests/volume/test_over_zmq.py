"""The parts of the service apart, on ZeroMQ: the API here, scheduler, conductor and worker there."""

import pytest
from tests.servers.shared import spare_port

from celaje.common.messaging import connect


@pytest.fixture
def apart(lab):
    """What starts parts on a bus of their own."""
    url = f"zmq://127.0.0.1:{spare_port()}"
    lab.bus.close()
    running = []

    def start(*parts):
        lab.bus = connect(url)
        service = lab.make(parts)
        running.append((service, lab.bus))
        service.start()
        return service

    yield start
    lab.service = None
    for service, bus in running:
        service.stop(grace=1)
        bus.close()


def test_a_volume_s_life_with_each_part_on_a_bus_of_its_own(lab, apart, settled, until):
    for part in ("conductor", "scheduler", "worker"):
        apart(part)
    lab.service = apart("api")
    client = lab.client()
    volume = client.create()
    settled(volume["id"])
    assert client.act(volume["id"], "os-extend", {"new_size": 2}).status == 202
    until(lambda: client.volume(volume["id"])["size"] == 2)
    assert client.delete(f"/volumes/{volume['id']}").status == 202
    until(lambda: client.get(f"/volumes/{volume['id']}").status == 404)


def test_work_waits_for_its_worker(lab, apart, settled, until):
    apart("conductor", "scheduler")
    lab.service = apart("api")
    client = lab.client()
    volume = client.create()
    assert client.volume(volume["id"])["status"] == "creating"
    apart("worker")
    settled(volume["id"])
