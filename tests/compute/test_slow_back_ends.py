"""A back end that does not answer in time, met by flows of another service: they are told once that it had
its time, and do not ask again until their own deadline. On a virtual clock.
"""

import json
import time

import pytest
from tests.cloud import LabCloud, until
from tests.compute.lab import Lab
from tests.compute.test_volumes_and_ports import attach, detach

from celaje.common import clock
from celaje.common.db import fetch_all
from celaje.common.flow import FlowGaveUp, FlowTimeout
from celaje.common.messaging.errors import MessagingTimeout

# Seconds: a call's, and what the slow operation takes. All other ends are far away.
CALL, SLOW = 10, 1000
FAR = 100000
CONFIGURATION = """
[DEFAULT]
rpc_response_timeout = {call}
call_monitor_timeout = {far}
attachment_wait_timeout = {far}
[flows]
server_attach_deadline = {far}
volume_connect_deadline = {far}
volume_disconnect_deadline = {far}
[fake]
fake_rules = {rules}
"""


@pytest.fixture
def slow(tmp_path):
    """A lab whose back end is slow at one operation."""
    labs = []
    with clock.installed(clock.VirtualClock(seed=3)) as virtual:

        def make(operation):
            rules = json.dumps([{"operation": operation, "latency": SLOW}])
            file = tmp_path / "celaje.conf"
            file.write_text(CONFIGURATION.format(call=CALL, far=FAR, rules=rules))
            lab = Lab(LabCloud.at(tmp_path / "state", files=[file]).begin())
            lab.virtual = virtual
            labs.append(lab)
            return lab

        yield make
        for lab in labs:
            virtual.advance(10 * SLOW)
            lab.cloud.stop(5)


def flows(lab, service, name):
    tables = lab.cloud.running[service].flow_tables.flows
    statement = tables.select().where(tables.c.name == name)
    return lab.cloud.running[service].database.read(fetch_all, statement)


def ended(lab, service, name):
    found = flows(lab, service, name)
    return found[0] if found and found[0]["finished_at"] else None


def pass_time_until(lab, service, name):
    """A second, and a moment to act on it, until the flow has ended."""
    while ended(lab, service, name) is None:
        lab.virtual.advance(1)
        time.sleep(0.02)


def test_a_detach_asks_a_slow_back_end_once(slow):
    lab = slow("terminate_connection")
    server_id, volume_id = lab.create(None), lab.new_volume()
    lab.until_status(server_id, "ACTIVE")
    attach(lab, server_id, volume_id).ok(200)
    lab.until_volume(volume_id, "in-use")
    until(lab.flows_ended, 30)
    assert detach(lab, server_id, volume_id).status == 202
    pass_time_until(lab, "volume", "attachment.disconnect")
    until(lambda: ended(lab, "compute", "server.detach_volume"), 30)

    (asked,) = flows(lab, "volume", "attachment.disconnect")
    assert asked["error"]["class"].endswith("MessagingTimeout")
    detached = ended(lab, "compute", "server.detach_volume")
    assert detached["error"]["class"].endswith("ServiceFailed")
    assert f"did not answer terminate_connection within {CALL} s" in detached["error"]["message"]
    # As before: it may be asked for again, by who wants to.
    assert lab.show_volume(volume_id)["status"] == "in-use"
    (device,) = lab.show(server_id)["os-extended-volumes:volumes_attached"]
    assert device["id"] == volume_id


def test_an_attach_asks_a_slow_back_end_once(slow):
    lab = slow("initialize_connection")
    server_id, volume_id = lab.create(None), lab.new_volume()
    lab.until_status(server_id, "ACTIVE")
    attach(lab, server_id, volume_id).ok(200)
    pass_time_until(lab, "volume", "attachment.connect")
    until(lambda: ended(lab, "compute", "server.attach_volume"), 30)
    assert len(flows(lab, "volume", "attachment.connect")) == 1
    error = ended(lab, "compute", "server.attach_volume")["error"]
    assert f"did not answer initialize_connection within {CALL} s" in error["message"]
    lab.until_volume(volume_id, "available")


def test_whoever_waits_for_a_flow_tells_its_end_from_its_going_on(slow):
    """The one place where it is decided, for the flows of all services."""
    lab = slow("create_volume")
    service = lab.cloud.running["volume"]
    made = lab.volume.post("/v3/volumes", {"volume": {"size": 1}}).ok(202)["volume"]["id"]
    flow = until(lambda: flows(lab, "volume", "volume.create"), 30)[0]
    with pytest.raises(FlowTimeout) as going_on:
        service.flows.result(flow["id"], 0)
    pass_time_until(lab, "volume", "volume.create")
    with pytest.raises(FlowGaveUp, match=f"create_volume within {CALL} s") as gave_up:
        service.flows.result(flow["id"], 0)
    assert isinstance(gave_up.value.__cause__, MessagingTimeout)
    assert (going_on.value.kind, gave_up.value.kind) == ("unavailable", "internal")
    lab.until_volume(made, "error")
