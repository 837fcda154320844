"""One flow, two conductors at the same request: the first stood still for longer than its lease in the middle
of it. Whichever of their requests is served first, nothing is made twice, and nothing is left.
"""

import datetime
import threading

import pytest
from tests.cloud import until
from tests.compute.lab import VOLUME
from tests.interleaving import Interleaving

from celaje.common import clock
from celaje.common.clients.network import NetworkClient, mac_address
from celaje.common.clients.volume import VolumeClient
from celaje.compute.db.tables import FLOWS

SEEDS = range(6)
DATA_VOLUME = {
    "boot_index": -1,
    "source_type": "blank",
    "destination_type": "volume",
    "volume_size": 1,
    "delete_on_termination": True,
}


class Twice:
    """The first POST to `path` waits until another conductor has taken the flow and come to the same POST."""

    def __init__(self, lab, monkeypatch, cls, path, flow, point):
        self.paths = []
        self._lab = lab
        self._flow = flow
        self._second = threading.Event()
        self._lock = threading.Lock()
        real = cls.request

        def request(client, method, asked, **options):
            if (method, asked) != ("POST", path):
                return real(client, method, asked, **options)
            number = self._arrived()
            point(f"before {number}")
            answer = real(client, method, asked, **options)
            point(f"after {number}")
            return answer

        monkeypatch.setattr(cls, "request", request)

    def _arrived(self):
        with self._lock:
            self.paths.append(threading.get_ident())
            number = len(self.paths)
        if number == 1:
            self._end_lease()
            assert self._second.wait(30), "nobody took the flow"
        else:
            self._second.set()
        return number

    def _end_lease(self):
        flows = FLOWS.flows
        passed = clock.now() - datetime.timedelta(hours=1)
        change = flows.update().where(flows.c.name == self._flow, flows.c.finished_at.is_(None))
        self._lab.service.database.write(lambda tx: tx.execute(change.values(due_at=passed)))


@pytest.fixture
def race(request):
    with Interleaving(request.node.callspec.params["seed"]) as interleaving:
        yield interleaving


@pytest.mark.parametrize("seed", SEEDS)
def test_a_port_is_made_once(lab, monkeypatch, race, seed):
    twice = Twice(lab, monkeypatch, NetworkClient, "/v2.0/ports", "server.create", race.point)
    server_id = lab.create(networks="auto")
    assert len(twice.paths) == 2
    assert len(lab.show(server_id)["addresses"]["private"]) == 1
    # Also that of the conductor which has lost the flow is over.
    lab.check()
    lab.delete(server_id)
    lab.check()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_port_that_is_attached_is_made_once(lab, monkeypatch, race, seed):
    server_id = lab.create(networks="auto")
    twice = Twice(lab, monkeypatch, NetworkClient, "/v2.0/ports", "server.attach_interface", race.point)
    network_id = lab.rows_of_ports(server_id)[0]["network_id"]
    body = {"interfaceAttachment": {"net_id": network_id}}
    lab.user.post(f"/v2.1/servers/{server_id}/os-interface", body).ok()
    assert len(twice.paths) == 2
    assert len(lab.rows_of_ports(server_id)) == 2
    lab.check()
    lab.delete(server_id)
    lab.check()


def test_of_two_volumes_that_were_made_one_is_left(lab, monkeypatch):
    """Cinder has no key that would forbid the second. Whoever has the flow removes what is too many."""
    answered = threading.Event()

    def first_before_second(label):
        if label == "after 1":
            answered.set()
        if label == "before 2":
            assert answered.wait(30)

    twice = Twice(lab, monkeypatch, VolumeClient, "/v3/volumes", "server.create", first_before_second)
    server_id = lab.create(networks="none", block_device_mapping_v2=[DATA_VOLUME])
    assert len(twice.paths) == 2

    def left():
        found = lab.volume.get("/v3/volumes/detail", headers=VOLUME).ok()["volumes"]
        return [one["id"] for one in found if one["name"].startswith(server_id)]

    until(lambda: len(left()) == 1, 20, "one of two is left")
    attached = lab.show(server_id)["os-extended-volumes:volumes_attached"]
    assert [one["id"] for one in attached] == left()
    lab.check()
    lab.delete(server_id)
    lab.check()


def test_another_ports_mac_address_is_left_to_it(lab, monkeypatch):
    """The address that the key leads to is taken by chance: the next one that it leads to."""
    server_id = lab.create(networks="auto")
    mine = lab.rows_of_ports(server_id)[0]
    client = lab.service.ground.clients.network.as_service()
    wanted = {"network_id": mine["network_id"], "mac_address": mine["mac_address"], "device_id": "another"}
    made = client.create_port(wanted)
    assert made["mac_address"] != mine["mac_address"]
    assert client.create_port(wanted)["id"] == made["id"]
    client.delete_made_port(wanted)
    client.delete_made_port(wanted)
    assert not lab.rows_of_ports("another")
    assert [port["id"] for port in lab.rows_of_ports(server_id)] == [mine["id"]]
    lab.delete(server_id)


def test_a_port_that_came_too_late_goes_with_its_server(lab):
    """The request of a conductor that has lost its flow is served when that flow has ended."""
    server_id = lab.create(networks="none")
    networks = lab.network.get("/v2.0/networks?name=private").ok()["networks"]
    body = {"network_id": networks[0]["id"], "device_id": server_id, "device_owner": "compute:nova"}
    client = lab.service.ground.clients.network.as_service()
    client.create_port({**body, "mac_address": "fa:16:3e:01:02:03"})
    lab.delete(server_id)
    assert not lab.rows_of_ports(server_id)
    lab.check()


@pytest.mark.parametrize(
    ("base", "kept"), [("fa:16:3e:00:00:00", "fa:16:3e:"), ("02:10:20:30:00:00", "02:10:20:30:")]
)
def test_a_mac_address_is_the_keys_own(base, kept):
    one, other = mac_address(base, "one"), mac_address(base, "other")
    assert one.startswith(kept)
    assert len(one) == 17
    assert one != other
    assert one == mac_address(base, "one")
