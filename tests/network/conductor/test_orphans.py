"""What a worker finds wired on its host when it starts, and no row puts there, is taken off."""

import pytest
from tests.cloud import until
from tests.network.api.conftest import make
from tests.network.conductor.test_bind_port import becomes, bound, flows_end

from celaje.network.db.tables import PORTS, ROUTERS


@pytest.fixture
def lab(tmp_path, request):
    from tests.network.conftest import Lab

    made = Lab(tmp_path, {("network_fake", "state_path"): str(tmp_path / "wires.json")})
    yield made
    made.stop()


@pytest.fixture
def nova(lab):
    return lab.nova()


def wired(lab):
    driver = lab.service.worker.driver
    return set(driver.list_ports()), driver.list_routers()


def test_orphans_are_taken_off_and_the_others_stay(lab, nova):
    network = make(nova, "network", project_id="p1")
    make(nova, "subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4, project_id="p1")
    kept, lost, moved = (becomes(nova, bound(nova, network), "ACTIVE")["id"] for _ in range(3))
    own, strange = (make(nova, "router", project_id="p1")["id"] for _ in range(2))
    until(lambda: wired(lab) == ({kept, lost, moved}, {own, strange}))
    flows_end(lab)

    def forget(tx):
        tx.execute(PORTS.delete().where(PORTS.c.id == lost))
        tx.execute(PORTS.update().where(PORTS.c.id == moved).values(binding_host_id="host2"))
        tx.execute(ROUTERS.delete().where(ROUTERS.c.id == strange))

    lab.service.database.write(forget)
    lab.stop()
    lab.start()
    until(lambda: wired(lab) == ({kept}, {own}))
    flows_end(lab)
    assert nova.get(f"/v2.0/ports/{kept}").ok()["port"]["status"] == "ACTIVE"
