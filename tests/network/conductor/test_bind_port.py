"""Ports bound to hosts: wired, told to compute, overtaken, failed, taken off; and over crashes."""

import pytest
from tests.cloud import until
from tests.network.api.conftest import make
from tests.network.conftest import Lab

from celaje.common.simulated import Rule

SERVER = "22222222-2222-2222-2222-222222222222"


@pytest.fixture
def nova(lab):
    return lab.nova()


@pytest.fixture
def network(nova):
    found = make(nova, "network", project_id="p1")
    make(nova, "subnet", network_id=found["id"], cidr="10.0.0.0/24", ip_version=4, project_id="p1")
    return found


def bound(nova, network, host="host1", **more):
    return make(
        nova,
        "port",
        network_id=network["id"],
        project_id="p1",
        device_id=SERVER,
        device_owner="compute:nova",
        **{"binding:host_id": host, **more},
    )


def shown(nova, port):
    return nova.get(f"/v2.0/ports/{port['id']}").ok()["port"]


def becomes(nova, port, status):
    return until(lambda: (now := shown(nova, port))["status"] == status and now, 10)


def flows_end(lab):
    flows = lab.service.flows.tables.flows
    query = flows.select().where(flows.c.finished_at.is_(None))

    def open_flows():
        return lab.service.database.read(lambda tx: tx.execute(query).mappings().all())

    until(lambda: not open_flows(), 10)


def test_a_bound_port_is_wired_and_compute_is_told(lab, nova, network):
    port = bound(nova, network)
    assert port["status"] == "BUILD"
    assert port["binding:vif_type"] == "ovs", "known at once, from what the worker has reported"
    active = becomes(nova, port, "ACTIVE")
    assert active["binding:vif_details"]["bridge_name"] == "br-int"
    wire = lab.wires.ports[port["id"]]
    assert wire["mac_address"] == port["mac_address"]
    assert [fixed["ip_address"] for fixed in wire["fixed_ips"]] == ["10.0.0.2"]
    event = {"name": "network-vif-plugged", "server_uuid": SERVER, "tag": port["id"], "status": "completed"}
    until(lambda: lab.compute.events, 10)
    assert lab.compute.events == [event]


def test_a_port_of_no_server_is_wired_silently(lab, nova, network):
    port = make(nova, "port", network_id=network["id"], **{"binding:host_id": "host1"})
    becomes(nova, port, "ACTIVE")
    flows_end(lab)
    assert lab.compute.events == []


def test_no_worker_on_the_host_is_a_failed_binding(lab, nova, network):
    port = bound(nova, network, host="elsewhere")
    assert (port["status"], port["binding:vif_type"]) == ("DOWN", "binding_failed")
    again = nova.put(f"/v2.0/ports/{port['id']}", {"port": {"binding:host_id": "host1"}}).ok()["port"]
    assert again["binding:vif_type"] == "ovs"
    becomes(nova, port, "ACTIVE")


def test_a_card_that_the_host_cannot_give_is_a_failed_binding(nova, network):
    port = bound(nova, network, **{"binding:vnic_type": "vdpa"})
    assert (port["status"], port["binding:vif_type"]) == ("DOWN", "binding_failed")


@pytest.mark.parametrize("after_effect", [False, True])
def test_what_the_driver_cannot_wire_fails_and_leaves_nothing(lab, nova, network, after_effect):
    lab.wires.add_rules([Rule("plug_port", error="no room", after_effect=after_effect)])
    port = bound(nova, network)
    failed = becomes(nova, port, "DOWN")
    assert failed["binding:vif_type"] == "binding_failed"
    assert lab.wires.ports == {}
    assert [event["status"] for event in lab.compute.events] == ["failed"]


def test_a_deleted_port_is_gone_at_once_and_taken_off_its_host(lab, nova, network):
    port = bound(nova, network)
    becomes(nova, port, "ACTIVE")
    answer = nova.delete(f"/v2.0/ports/{port['id']}")
    assert (answer.status, answer.body) == (204, None)
    assert nova.get(f"/v2.0/ports/{port['id']}").status == 404
    until(lambda: not lab.wires.ports, 10)
    assert lab.wires.networks == {}, "the network went with its last port"
    names = until(lambda: len(lab.compute.events) == 2 and [e["name"] for e in lab.compute.events], 10)
    assert names == ["network-vif-plugged", "network-vif-deleted"]


def test_a_port_deleted_while_it_is_wired_leaves_nothing(lab, nova, network):
    lab.wires.add_rules([Rule("plug_port", latency=0.15)])
    port = bound(nova, network)
    until(lambda: ("plug_port", port["id"]) in lab.wires.calls, 10)
    nova.delete(f"/v2.0/ports/{port['id']}").ok(204)
    flows_end(lab)
    assert lab.wires.ports == {}


def test_unbinding_takes_it_off(lab, nova, network):
    port = bound(nova, network)
    becomes(nova, port, "ACTIVE")
    changes = {"binding:host_id": "", "device_id": "", "device_owner": ""}
    after = nova.put(f"/v2.0/ports/{port['id']}", {"port": changes}).ok()["port"]
    assert (after["status"], after["binding:vif_type"], after["device_id"]) == ("DOWN", "unbound", "")
    until(lambda: not lab.wires.ports, 10)
    nova.put(f"/v2.0/ports/{port['id']}", {"port": {"binding:host_id": "host1"}}).ok()
    becomes(nova, port, "ACTIVE")
    assert list(lab.wires.ports) == [port["id"]]


def test_a_change_of_addresses_reaches_the_wire(lab, nova, network):
    port = bound(nova, network)
    becomes(nova, port, "ACTIVE")
    new = {"port": {"fixed_ips": [{"ip_address": "10.0.0.99"}]}}
    nova.put(f"/v2.0/ports/{port['id']}", new).ok()
    becomes(nova, port, "ACTIVE")
    assert [fixed["ip_address"] for fixed in lab.wires.ports[port["id"]]["fixed_ips"]] == ["10.0.0.99"]


def test_a_port_that_is_administratively_down_is_wired_down(lab, nova, network):
    port = bound(nova, network, admin_state_up=False)
    flows_end(lab)
    after = shown(nova, port)
    assert (after["status"], after["binding:vif_type"]) == ("DOWN", "ovs")
    assert lab.wires.ports[port["id"]]["admin_state_up"] is False


def test_a_subnets_change_reaches_the_hosts(lab, nova, network):
    port = bound(nova, network)
    becomes(nova, port, "ACTIVE")
    (subnet,) = nova.get(f"/v2.0/subnets?network_id={network['id']}").ok()["subnets"]
    nova.put(f"/v2.0/subnets/{subnet['id']}", {"subnet": {"dns_nameservers": ["192.0.2.1"]}}).ok()
    flows_end(lab)
    assert lab.wires.networks[network["id"]]["subnets"][0]["dns_nameservers"] == ["192.0.2.1"]


def test_a_mac_stays_while_the_port_is_bound(nova, network):
    port = bound(nova, network)
    answer = nova.put(f"/v2.0/ports/{port['id']}", {"port": {"mac_address": "fa:16:3e:99:99:99"}})
    assert answer.status == 409
    assert answer.body["NeutronError"]["type"] == "PortBound"


def test_a_binding_cut_off_by_a_crash_is_finished_by_the_next_life(tmp_path):
    overrides = {("network_fake", "state_path"): str(tmp_path / "wires")}
    lab = Lab(tmp_path, overrides)
    nova = lab.nova()
    net = make(nova, "network", project_id="p1")
    make(nova, "subnet", network_id=net["id"], cidr="10.0.0.0/24", ip_version=4, project_id="p1")
    lab.wires.add_rules([Rule("plug_port", latency=0.3, times=1)])
    port = bound(nova, net)
    until(lambda: ("plug_port", port["id"]) in lab.wires.calls, 10)
    lab.kill()
    lab.start()
    try:
        becomes(lab.nova(), port, "ACTIVE")
        assert list(lab.wires.ports) == [port["id"]]
    finally:
        lab.stop()


def test_user_mode_networking_end_to_end(tmp_path):
    lab = Lab(tmp_path, {(None, "network_driver"): "user"})
    try:
        nova = lab.nova()
        net = make(nova, "network", project_id="p1")
        make(nova, "subnet", network_id=net["id"], cidr="10.0.0.0/24", ip_version=4, project_id="p1")
        port = bound(nova, net)
        assert port["binding:vif_type"] == "user"
        details = becomes(nova, port, "ACTIVE")["binding:vif_details"]
        assert (details["cidr"], details["ip_address"]) == ("10.0.0.0/24", "10.0.0.2")
    finally:
        lab.stop()
