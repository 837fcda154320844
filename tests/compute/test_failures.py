"""What goes wrong while a flow runs: every step refused, the worker away, the service killed."""

import threading

import pytest
from tests.cloud import until
from tests.compute.lab import VOLUME
from tests.compute.test_volumes_and_ports import attach, detach

from celaje.common import errors
from celaje.common.clients.network import NetworkClient
from celaje.common.clients.placement import PlacementClient
from celaje.common.clients.volume import VolumeClient
from celaje.common.db import fetch_one
from celaje.compute.conductor.conductor import ComputeConductor
from celaje.compute.db.tables import BLOCK_DEVICES, COMPUTE_NODES, FLOWS, SERVERS
from celaje.compute.drivers.fake import Behaviour, Failure


class Refusal:
    """Makes one method of a client fail at its nth call, before or after it did its work."""

    def __init__(self, monkeypatch, cls, name, error, *, call=1, after=False):
        real = getattr(cls, name)
        self.calls = 0

        def refuse(client, *args, **kwargs):
            self.calls += 1
            if self.calls != call:
                return real(client, *args, **kwargs)
            if after:
                real(client, *args, **kwargs)
            raise error

        for key, value in vars(real).items():
            setattr(refuse, key, value)
        refuse.__name__ = name
        monkeypatch.setattr(cls, name, refuse)


BOOT_VOLUME = {
    "boot_index": 0,
    "source_type": "blank",
    "destination_type": "volume",
    "volume_size": 1,
    "delete_on_termination": True,
}
DATA_VOLUME = {**BOOT_VOLUME, "boot_index": -1}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("cls", "operation"),
    [
        (PlacementClient, "claim"),
        (NetworkClient, "create_port"),
        (VolumeClient, "create_volume"),
        (VolumeClient, "await_volume"),
        (VolumeClient, "create_attachment"),
        (VolumeClient, "update_attachment"),
        (VolumeClient, "complete_attachment"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_build_that_fails_at_a_step_leaves_nothing(lab, monkeypatch, cls, operation, after):
    Refusal(monkeypatch, cls, operation, errors.Forbidden("no luck"), after=after)
    server_id = lab.create(None, networks="auto", block_device_mapping_v2=[DATA_VOLUME])
    shown = lab.until_status(server_id, "ERROR")
    assert "no luck" in shown["fault"]["message"]
    assert f"step {cls.__name__.removesuffix('Client').lower()}.{operation}" in shown["fault"]["details"]
    lab.check()
    assert shown["hostId"] == "" or lab.show(server_id)["hostId"] == ""
    mine = [
        one
        for one in lab.volume.get("/v3/volumes/detail", headers=VOLUME).ok()["volumes"]
        if one["name"].startswith(server_id)
    ]
    assert not [one for one in mine if one["status"] != "deleting"]
    lab.delete(server_id)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_lost_answer_does_not_make_it_twice(lab, monkeypatch, after):
    """The other service was away, or its answer was: the step is done again and finds what it made."""
    for cls, operation in (
        (PlacementClient, "claim"),
        (NetworkClient, "create_port"),
        (VolumeClient, "create_volume"),
        (VolumeClient, "create_attachment"),
    ):
        Refusal(monkeypatch, cls, operation, errors.Unavailable("away"), after=after)
    server_id = lab.create(networks="auto", block_device_mapping_v2=[DATA_VOLUME])
    assert len(lab.show(server_id)["addresses"]["private"]) == 1
    assert len(lab.show(server_id)["os-extended-volumes:volumes_attached"]) == 1
    lab.check()
    lab.delete(server_id)
    lab.check()


def test_a_host_that_fails_to_build_is_passed_over(lab, monkeypatch):
    monkeypatch.setattr(
        lab.driver, "behaviour", Behaviour(failures={"spawn": Failure(calls=(1 + calls(lab, "spawn"),))})
    )
    server_id = lab.create(networks="auto")
    row = lab.rows(SERVERS, SERVERS.c.id == server_id)[0]
    port = lab.rows_of_ports(server_id)[0]
    assert port["binding:host_id"] == row["host"]
    lab.check()
    lab.delete(server_id)


def test_hosts_that_all_fail_end_in_an_error_that_names_each(lab, monkeypatch):
    monkeypatch.setattr(lab.driver, "behaviour", Behaviour(failures={"spawn": 1.0}))
    server_id = lab.create(None, networks="auto", block_device_mapping_v2=[DATA_VOLUME])
    shown = lab.until_status(server_id, "ERROR")
    for host in ("host-1", "host-2", "host-3"):
        assert host in shown["fault"]["details"]
    lab.check()
    monkeypatch.undo()
    lab.delete(server_id)


def test_a_refused_claim_means_the_next_host(lab, monkeypatch):
    """Two schedulers disagree; placement decides."""
    Refusal(monkeypatch, PlacementClient, "claim", errors.Conflict("Unable to allocate inventory"))
    server_id = lab.create()
    assert lab.show(server_id)["status"] == "ACTIVE"
    lab.check()
    lab.delete(server_id)


@pytest.mark.parametrize(
    ("operation", "action", "value", "status"),
    [
        ("power_off", "os-stop", None, "ACTIVE"),
        ("pause", "pause", None, "ACTIVE"),
        ("suspend", "suspend", None, "ACTIVE"),
        ("reboot", "reboot", {"type": "HARD"}, "ERROR"),
    ],
)
def test_a_failed_action_leaves_a_defined_state_and_a_fault(
    lab, monkeypatch, operation, action, value, status
):
    server_id = lab.create()
    with monkeypatch.context() as patch:
        patch.setattr(lab.driver, "behaviour", Behaviour(failures={operation: 1.0}))
        assert lab.act(server_id, action, value).status == 202
        lab.until_status(server_id, status)
        until(lab.flows_ended, 10)
    row = lab.rows(SERVERS, SERVERS.c.id == server_id)[0]
    assert "simulated failure" in row["fault"]["message"]
    lab.check()
    lab.delete(server_id)


@pytest.mark.parametrize(
    ("cls", "operation"),
    [
        (VolumeClient, "update_attachment"),
        (VolumeClient, "complete_attachment"),
        (None, "attach_volume"),
    ],
    ids=["connect", "complete", "plug"],
)
def test_an_attachment_that_fails_is_taken_back(lab, monkeypatch, cls, operation):
    server_id, volume_id = lab.create(), lab.new_volume()
    with monkeypatch.context() as patch:
        if cls is None:
            patch.setattr(lab.driver, "behaviour", Behaviour(failures={operation: 1.0}))
        else:
            Refusal(patch, cls, operation, errors.Forbidden("no luck"), after=True)
        assert attach(lab, server_id, volume_id).status in (200, 403)
        until(lab.flows_ended, 20)
    lab.until_volume(volume_id, "available")
    assert not lab.rows(BLOCK_DEVICES, BLOCK_DEVICES.c.volume_id == volume_id)
    assert volume_id not in lab.guests[server_id]["volumes"]
    lab.check()
    attach(lab, server_id, volume_id).ok(200)
    lab.until_volume(volume_id, "in-use")
    lab.delete(server_id)


def test_a_detachment_that_fails_leaves_it_attached(lab, monkeypatch):
    server_id, volume_id = lab.create(), lab.new_volume()
    attach(lab, server_id, volume_id).ok(200)
    lab.until_volume(volume_id, "in-use")
    until(lab.flows_ended, 10)
    with monkeypatch.context() as patch:
        patch.setattr(lab.driver, "behaviour", Behaviour(failures={"detach_volume": 1.0}))
        assert detach(lab, server_id, volume_id).status == 202
        until(lab.flows_ended, 20)
    lab.until_volume(volume_id, "in-use")
    assert lab.rows(BLOCK_DEVICES, BLOCK_DEVICES.c.volume_id == volume_id)[0]["state"] == "attached"
    assert detach(lab, server_id, volume_id).status == 202
    lab.until_volume(volume_id, "available")
    lab.delete(server_id)
    lab.check()


def test_deleted_while_it_is_built(lab, monkeypatch):
    """The deletion takes the server over; the build notices and takes back what it made after that."""
    entered, go_on = threading.Event(), threading.Event()
    real = lab.driver.spawn

    def slow(*args, **kwargs):
        entered.set()
        go_on.wait(20)
        return real(*args, **kwargs)

    monkeypatch.setattr(lab.driver, "spawn", slow)
    server_id = lab.create(None, networks="auto", block_device_mapping_v2=[DATA_VOLUME])
    assert entered.wait(20)
    assert lab.user.delete(f"/v2.1/servers/{server_id}").status == 204
    go_on.set()
    lab.until_gone(server_id)
    lab.check()


def test_two_members_of_a_group_scheduled_at_once_part(lab):
    body = {"server_group": {"name": "apart", "policy": "anti-affinity"}}
    answer = lab.user.post("/v2.1/os-server-groups", body, headers={"X-OpenStack-Nova-API-Version": "2.64"})
    group_id = answer.ok(200)["server_group"]["id"]
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(lab.post(hints={"group": group_id}))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [answer.ok(202)["server"]["id"] for answer in answers]
    for server_id in ids:
        lab.until_status(server_id, "ACTIVE")
    hosts = [row["host"] for row in lab.rows(SERVERS, SERVERS.c.id.in_(ids))]
    assert len(set(hosts)) == 3
    fourth = lab.create(None, hints={"group": group_id})
    shown = lab.until_status(fourth, "ERROR")
    assert "ServerGroupAntiAffinityFilter" in shown["fault"]["message"]
    for server_id in (*ids, fourth):
        lab.delete(server_id)
    lab.check()


def test_a_guest_that_shut_itself_down_is_stopped_in_the_row(lab):
    server_id = lab.create()
    lab.guests[server_id]["power_state"] = 4
    lab.service.compute_worker.report_guests()
    lab.until_status(server_id, "SHUTOFF")
    lab.guests[server_id]["power_state"] = 1
    lab.service.compute_worker.report_guests()
    until(lambda: lab.guests[server_id]["power_state"] == 4, 10, "what should be stopped is stopped")
    lab.until_status(server_id, "SHUTOFF")
    lab.delete(server_id)


def test_a_guest_that_no_row_knows_is_destroyed(lab):
    lab.guests["11111111-2222-3333-4444-555555555555"] = {
        "node": "host-1",
        "name": "stray",
        "flavor": {"vcpus": 1, "memory_mb": 1, "root_gb": 0, "ephemeral_gb": 0, "swap": 0},
        "power_state": 1,
        "volumes": {},
        "interfaces": {},
        "root": None,
        "console": "",
    }
    lab.service.compute_worker.report_guests(complete=True)
    until(lambda: "11111111-2222-3333-4444-555555555555" not in lab.guests, 10)


def calls(lab, operation):
    return lab.driver.state.calls.get(operation, 0)


def boundaries_of(lab, flow_name, act):
    """How many boundaries the flow passes when nothing goes wrong."""
    passed = []
    lab.service.engine.on_boundary = lambda where, flow: (
        passed.append(where) if flow["name"] == flow_name else None
    )
    act()
    until(lab.flows_ended, 20)
    lab.service.engine.on_boundary = None
    return len(passed)


def kill_at(lab, flow_name, number):
    """Kill the compute service at the numbered boundary of the flow; an event that it has happened."""
    passed, killed = [], threading.Event()

    def die(where, flow):
        if flow["name"] != flow_name:
            return
        passed.append(where)
        if len(passed) == number:
            lab.service.engine.kill()
            killed.set()

    lab.service.engine.on_boundary = die
    return killed


def test_the_service_killed_at_every_boundary_of_a_build(own_lab):
    lab = own_lab
    wanted = {"networks": "auto", "block_device_mapping_v2": [DATA_VOLUME]}
    made = []
    count = boundaries_of(lab, "server.create", lambda: made.append(lab.create(**wanted)))
    assert count > 15
    lab.delete(made[0])
    for number in range(1, count + 1):
        killed = kill_at(lab, "server.create", number)
        server_id = lab.create(None, **wanted)
        assert killed.wait(20), f"boundary {number}"
        lab.restart()
        lab.settled()
        lab.until_status(server_id, "ACTIVE")
        lab.check()
        lab.delete(server_id)
        lab.check()


def test_the_service_killed_at_every_boundary_of_a_deletion(own_lab):
    lab = own_lab
    wanted = {"networks": "auto", "block_device_mapping_v2": [DATA_VOLUME]}
    first = lab.create(**wanted)
    count = boundaries_of(lab, "server.delete", lambda: lab.delete(first))
    for number in range(1, count + 1):
        server_id = lab.create(**wanted)
        killed = kill_at(lab, "server.delete", number)
        assert lab.user.delete(f"/v2.1/servers/{server_id}").status == 204
        assert killed.wait(20), f"boundary {number}"
        lab.restart()
        lab.settled()
        lab.until_gone(server_id)
        lab.check()


def test_the_service_killed_at_every_boundary_of_an_attachment(own_lab):
    lab = own_lab
    server_id, volume_id = lab.create(), lab.new_volume()
    count = boundaries_of(lab, "server.attach_volume", lambda: attach(lab, server_id, volume_id).ok(200))
    for number in range(1, count + 1):
        detach(lab, server_id, volume_id)
        lab.until_volume(volume_id, "available")
        until(lab.flows_ended, 10)
        killed = kill_at(lab, "server.attach_volume", number)
        request = threading.Thread(target=attach, args=(lab, server_id, volume_id), daemon=True)
        request.start()
        assert killed.wait(20), f"boundary {number}"
        lab.restart()
        lab.settled()
        lab.until_volume(volume_id, "in-use")
        lab.check()


def test_a_worker_that_is_away_holds_the_work_up_and_no_longer(own_lab):
    """No guest is lost, nothing waits for ever: the flow is suspended until the worker is back."""
    lab = own_lab
    server_id = lab.create()
    server = next(one for one in lab.service._servers if one.target.topic == "compute")
    server.stop(5)
    lab.service._servers.remove(server)
    assert lab.act(server_id, "os-stop").status == 202
    flows = FLOWS.flows
    until(lambda: lab.rows(flows, flows.c.state == "waiting"), 20)
    assert lab.show(server_id)["OS-EXT-STS:task_state"] == "powering-off"
    lab.restart()
    lab.until_status(server_id, "SHUTOFF")
    lab.check()


def test_a_server_on_a_host_that_is_down_is_deleted_and_its_guest_found_later(own_lab):
    lab = own_lab
    server_id = lab.create()
    host = lab.rows(SERVERS, SERVERS.c.id == server_id)[0]["host"]
    lab.service.periodic.stop()
    record = lab.service.database.read(lab.service.records.find, "nova-compute", host)
    lab.service.database.write(lab.service.records.change, record["id"], forced_down=True)
    lab.delete(server_id)
    assert server_id in lab.guests, "nobody could tell the hypervisor"
    lab.service.compute_worker.report_guests(complete=True)
    until(lambda: server_id not in lab.guests, 10)
    lab.check()


def test_placement_is_told_once(lab):
    """The same report again publishes nothing."""
    nodes = lab.rows(COMPUTE_NODES)
    assert all(node["published"] for node in nodes)
    before = len(lab.rows(FLOWS.flows, FLOWS.flows.c.name == "nodes.publish"))
    lab.service.compute_worker.report_hosts()
    conductor: ComputeConductor = lab.service.conductor
    conductor.database.read(fetch_one, COMPUTE_NODES.select())
    until(lab.flows_ended, 10)
    assert len(lab.rows(FLOWS.flows, FLOWS.flows.c.name == "nodes.publish")) == before
