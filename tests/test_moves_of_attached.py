"""A volume that a server uses moves to another back end, over volume and compute, on simulated drivers.

The simulated hypervisor copies from the one simulated disk to the other, so that content tells where the data
went. With QEMU and its guests: tests/volume/test_moves_with_guests.py.
"""

import datetime

import pytest

from celaje.common import clock
from celaje.common.errors import DriverError
from celaje.compute.db import servers
from celaje.volume.db import volumes as rows
from tests.cloud import LabCloud, until

CINDER = {"OpenStack-API-Version": "volume 3.71"}
NOVA = {"OpenStack-API-Version": "compute 2.90"}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    volume = {(None, "enabled_backends"): ["one", "two"], (None, "quota_volumes"): 50}
    for name in ("one", "two"):
        volume[name, "volume_driver"] = "fake"
    overrides = {"volume": volume, "compute": {("flows", "poll_interval"): 0.2}}
    cloud = LabCloud.at(tmp_path_factory.mktemp("cloud") / "state", overrides).begin()
    volumes = cloud.as_user("volume")
    for name in ("one", "two"):
        body = {"volume_type": {"name": f"on-{name}", "extra_specs": {"volume_backend_name": name}}}
        volumes.post("/v3/types", body).ok(200)
    volumes.post("/v3/types", {"volume_type": {"name": "anywhere"}}).ok(200)
    yield cloud
    cloud.stop(grace=5)


@pytest.fixture
def volumes(cloud):
    return cloud.as_user("volume")


@pytest.fixture
def compute(cloud):
    return cloud.as_user("compute")


@pytest.fixture
def driver(cloud):
    return cloud.running["compute"].compute_worker.driver


def settle(client, path, what, **wanted):
    def look():
        found = client.get(path, headers=CINDER if path.startswith("/v3") else NOVA).ok()[what]
        return found if all(found[key] == value for key, value in wanted.items()) else None

    return until(look, what=f"{path} {wanted}")


def show(client, volume_id):
    return client.get(f"/v3/volumes/{volume_id}", headers=CINDER).ok()["volume"]


def make(client, kind="anywhere", **fields):
    body = {"volume": {"size": 1, "volume_type": kind, **fields}}
    made = client.post("/v3/volumes", body, headers=CINDER).ok(202)["volume"]["id"]
    return settle(client, f"/v3/volumes/{made}", "volume", status="available")


def act(client, volume_id, action, value, status=202):
    answer = client.post(f"/v3/volumes/{volume_id}/action", {action: value}, headers=CINDER)
    assert answer.status == status, answer
    return answer.body


@pytest.fixture
def server(cloud, compute):
    images = cloud.as_user("image")
    found = images.get("/v2/images").ok()["images"]
    if not found:
        record = {"name": "i", "disk_format": "raw", "container_format": "bare"}
        found = [images.post("/v2/images", record).ok(201)]
        octets = {"Content-Type": "application/octet-stream"}
        images.request("PUT", f"/v2/images/{found[0]['id']}/file", raw=bytes(512), headers=octets).ok(204)
    flavor = compute.get("/v2.1/flavors").ok()["flavors"][0]["id"]
    body = {"server": {"name": "s", "flavorRef": flavor, "networks": "none", "imageRef": found[0]["id"]}}
    made = compute.post("/v2.1/servers", body, headers=NOVA).ok(202)["server"]["id"]
    settle(compute, f"/v2.1/servers/{made}", "server", status="ACTIVE")
    return made


def attach(compute, volumes, server, volume_id):
    wanted = {"volumeAttachment": {"volumeId": volume_id}}
    compute.post(f"/v2.1/servers/{server}/os-volume_attachments", wanted, headers=NOVA).ok()
    return settle(volumes, f"/v3/volumes/{volume_id}", "volume", status="in-use")


def attached_to(compute, server):
    path = f"/v2.1/servers/{server}/os-volume_attachments"
    return compute.get(path, headers=NOVA).ok()["volumeAttachments"]


def section_of(volume):
    return volume["os-vol-host-attr:host"].partition("@")[2].partition("#")[0]


def disks(cloud, section):
    return cloud.running["volume"].workers[section].driver.state.volumes


def content(cloud, volume):
    return disks(cloud, section_of(volume))[data_of(volume)].content


def data_of(volume):
    return volume["os-vol-mig-status-attr:name_id"] or volume["id"]


def other_pool(volume):
    here = section_of(volume)
    there = "two" if here == "one" else "one"
    return volume["os-vol-host-attr:host"].replace(here, there)


def alone(client, volume):
    """The hidden volume is gone, rows and disks."""

    def look():
        found = client.get("/v3/volumes/detail?all_tenants=true", headers=CINDER).ok()["volumes"]
        return [each["id"] for each in found if each["name"] == volume["name"]] == [volume["id"]]

    until(look, what="one volume of that name")


@pytest.fixture
def used(cloud, volumes, compute, server, request):
    """A volume that the server uses, of content that nobody else has."""
    volume = make(volumes, name=request.node.name)
    disks(cloud, section_of(volume))[volume["id"]].content = f"words of {volume['id']}"
    return attach(compute, volumes, server, volume["id"])


def test_a_volume_in_use_moves_with_its_data(cloud, volumes, compute, server, driver, used):
    (before,) = attached_to(compute, server)
    goal, former = other_pool(used), section_of(used)
    act(volumes, used["id"], "os-migrate_volume", {"host": goal})
    path = f"/v3/volumes/{used['id']}"
    moved = settle(volumes, path, "volume", status="in-use", migration_status="success")
    assert moved["os-vol-host-attr:host"] == goal
    assert content(cloud, moved) == f"words of {used['id']}"
    (attachment,) = moved["attachments"]
    assert attachment["server_id"] == server
    assert attachment["attachment_id"] != used["attachments"][0]["attachment_id"]
    alone(volumes, used)
    until(lambda: used["id"] not in disks(cloud, former), what="its former disk is gone")
    # The server knows it by the same id at the same device, connected by the new attachment.
    until(lambda: not busy(cloud, server), what="the server's device is attached")
    (after,) = attached_to(compute, server)
    assert after == {**before, "attachment_id": attachment["attachment_id"]}
    assert list(driver.state.servers[server]["volumes"]) == [used["id"]]
    # And all goes on as ever: back again, out, and away.
    act(volumes, used["id"], "os-migrate_volume", {"host": used["os-vol-host-attr:host"]})
    settle(
        volumes, path, "volume", status="in-use", **{"os-vol-host-attr:host": used["os-vol-host-attr:host"]}
    )
    until(lambda: not busy(cloud, server), what="the server's device is attached")
    detach(compute, volumes, server, used["id"])
    assert content(cloud, show(volumes, used["id"])) == f"words of {used['id']}"
    alone(volumes, used)
    volumes.delete(path).ok(202)
    until(lambda: volumes.get(path, headers=CINDER).status == 404)
    assert not [disk for name in ("one", "two") for disk in disks(cloud, name).values() if disk.connections]


def busy(cloud, server):
    found = cloud.running["compute"].database.read(servers.devices, server)
    return any(one["volume_id"] and one["state"] != "attached" for one in found)


def detach(compute, volumes, server, volume_id):
    compute.delete(f"/v2.1/servers/{server}/os-volume_attachments/{volume_id}", headers=NOVA).ok(202)
    return settle(volumes, f"/v3/volumes/{volume_id}", "volume", status="available")


def test_a_retype_on_demand_moves_a_volume_in_use(cloud, volumes, compute, server, used):
    kind = "on-two" if section_of(used) == "one" else "on-one"
    act(volumes, used["id"], "os-retype", {"new_type": kind, "migration_policy": "never"})
    path = f"/v3/volumes/{used['id']}"
    stayed = settle(volumes, path, "volume", status="in-use")
    assert stayed["volume_type"] == "anywhere"
    act(volumes, used["id"], "os-retype", {"new_type": kind, "migration_policy": "on-demand"})
    moved = settle(volumes, path, "volume", status="in-use", volume_type=kind, migration_status="success")
    assert section_of(moved) == kind.removeprefix("on-")
    assert content(cloud, moved) == f"words of {used['id']}"
    alone(volumes, used)


def stays(cloud, volumes, compute, server, used):
    path = f"/v3/volumes/{used['id']}"
    stayed = settle(volumes, path, "volume", status="in-use", migration_status="error")
    assert stayed["os-vol-host-attr:host"] == used["os-vol-host-attr:host"]
    assert stayed["attachments"] == used["attachments"]
    assert content(cloud, stayed) == f"words of {used['id']}"
    alone(volumes, used)
    until(lambda: not busy(cloud, server), what="the server's device is attached")
    (attachment,) = attached_to(compute, server)
    assert attachment["attachment_id"] == used["attachments"][0]["attachment_id"]
    # It is still right to be used.
    detach(compute, volumes, server, used["id"])


@pytest.mark.parametrize("operation", ["begin_swap", "swap_is_done"])
def test_what_the_host_cannot_do_leaves_the_volume_where_it_is(
    cloud, volumes, compute, server, used, driver, monkeypatch, operation
):
    def refuse(*words):
        raise DriverError("the disk is worn out")

    monkeypatch.setattr(driver, operation, refuse)
    act(volumes, used["id"], "os-migrate_volume", {"host": other_pool(used)})
    stays(cloud, volumes, compute, server, used)
    found = volumes.get("/v3/messages", headers=CINDER).ok()["messages"]
    assert any(each["resource_uuid"] == used["id"] for each in found)


def test_a_host_that_says_so_too_late_brings_its_server_back(
    cloud, volumes, compute, server, used, driver, monkeypatch
):
    """The volume service has given up, and its refusal of the success is heard."""
    conductor = cloud.running["volume"].conductor
    whole = type(driver).swap_is_done

    def late(server, old, new):
        result = whole(driver, server, old, new)
        row = cloud.running["volume"].database.read(rows_of(used["id"]))
        if row["flow_id"]:
            conductor.database.write(past_its_deadline(conductor, row["flow_id"]))
            conductor.flows.nudge(row["flow_id"])
            until(lambda: not cloud.running["volume"].database.read(rows_of(used["id"]))["flow_id"])
        return result

    monkeypatch.setattr(driver, "swap_is_done", late)
    act(volumes, used["id"], "os-migrate_volume", {"host": other_pool(used)})
    stays(cloud, volumes, compute, server, used)


def rows_of(volume_id):
    return lambda tx: rows.get(tx, volume_id)


def past_its_deadline(conductor, flow_id):
    flows = conductor.flows.tables.flows
    passed = clock.now() - datetime.timedelta(seconds=1)

    def unit(tx):
        tx.execute(flows.update().where(flows.c.id == flow_id).values(deadline_at=passed, due_at=passed))

    return unit


def test_what_a_migration_makes_is_hidden_and_not_to_be_touched(
    cloud, volumes, compute, server, used, driver, monkeypatch
):
    seen = {}
    whole = type(driver).begin_swap

    def look(server, old, new, volume=None):
        found = volumes.get("/v3/volumes/detail?all_tenants=true", headers=CINDER).ok()["volumes"]
        (hidden,) = [each for each in found if each["migration_status"] == f"target:{used['id']}"]
        seen["status"] = show(volumes, used["id"])["status"]
        seen["deleted"] = volumes.delete(f"/v3/volumes/{hidden['id']}", headers=CINDER).status
        path = f"/v2.1/servers/{server['uuid']}/os-volume_attachments/{used['id']}"
        seen["detached"] = compute.delete(path, headers=NOVA).status
        (seen["attachment"],) = attached_to(compute, server["uuid"])
        listed = volumes.get("/v3/volumes?status=in-use", headers=CINDER).ok()["volumes"]
        seen["in use"] = used["id"] in {each["id"] for each in listed}
        usage = volumes.get(f"/v3/os-quota-sets/{volumes.project_id}?usage=true", headers=CINDER).ok()
        seen["counted"] = usage["quota_set"]["volumes"]["in_use"]
        return whole(driver, server, old, new, volume)

    monkeypatch.setattr(driver, "begin_swap", look)
    usage = volumes.get(f"/v3/os-quota-sets/{volumes.project_id}?usage=true", headers=CINDER).ok()
    act(volumes, used["id"], "os-migrate_volume", {"host": other_pool(used)})
    path = f"/v3/volumes/{used['id']}"
    settle(volumes, path, "volume", status="in-use", migration_status="success")
    assert seen["status"] == "in-use"
    assert seen["in use"]
    assert seen["deleted"] == 400
    assert seen["detached"] == 409
    assert seen["attachment"]["volumeId"] == used["id"]
    assert seen["counted"] == usage["quota_set"]["volumes"]["in_use"]


def test_a_server_that_is_deleted_meanwhile_frees_its_volume(
    cloud, volumes, compute, server, used, driver, monkeypatch
):
    whole = type(driver).begin_swap

    def late(of, old, new, volume=None):
        compute.delete(f"/v2.1/servers/{server}", headers=NOVA)
        return whole(driver, of, old, new, volume)

    monkeypatch.setattr(driver, "begin_swap", late)
    act(volumes, used["id"], "os-migrate_volume", {"host": other_pool(used)})
    until(lambda: compute.get(f"/v2.1/servers/{server}", headers=NOVA).status == 404, what="the server's end")
    left = settle(volumes, f"/v3/volumes/{used['id']}", "volume", status="available")
    alone(volumes, used)
    assert left["attachments"] == []
    assert content(cloud, left) == f"words of {used['id']}"


def test_a_swap_that_no_migration_asks_for_is_refused(cloud, volumes, compute, server, used):
    """As Nova does since 2025 (and Tempest's test_volume_swap wants it)."""
    other = make(volumes)
    path = f"/v2.1/servers/{server}/os-volume_attachments/{used['id']}"
    body = {"volumeAttachment": {"volumeId": other["id"]}}
    assert compute.request("PUT", path, body, headers=NOVA).status == 409
    assert show(volumes, other["id"])["status"] == "available"
    assert show(volumes, used["id"])["status"] == "in-use"


def test_an_administrator_swaps_where_that_is_allowed(cloud, volumes, compute, server, used, monkeypatch):
    monkeypatch.setattr(cloud.running["compute"], "conf", Allowing(cloud.running["compute"].conf))
    small, other = make(volumes), make(volumes, size=2)
    path = f"/v2.1/servers/{server}/os-volume_attachments/{used['id']}"

    def ask(volume_id, **more):
        body = {"volumeAttachment": {"volumeId": volume_id, **more}}
        return compute.request("PUT", path, body, headers=NOVA).status

    assert ask("11111111-2222-4333-8444-555555555555") == 400
    assert ask(used["id"]) == 202  # since 2.85 this changes the attachment only
    assert ask(other["id"], delete_on_termination=True) == 202
    settle(volumes, f"/v3/volumes/{used['id']}", "volume", status="available")
    until(lambda: [each["volumeId"] for each in attached_to(compute, server)] == [other["id"]])
    (attachment,) = attached_to(compute, server)
    assert attachment["delete_on_termination"]
    swapped = settle(volumes, f"/v3/volumes/{other['id']}", "volume", status="in-use")
    assert content(cloud, swapped) == f"words of {used['id']}"
    # Smaller than what is there: never.
    path = f"/v2.1/servers/{server}/os-volume_attachments/{other['id']}"
    assert ask(small["id"]) == 400
    until(lambda: not busy(cloud, server))
    detach(compute, volumes, server, other["id"])


class Allowing:
    allow_direct_volume_swap = True

    def __init__(self, conf):
        self._conf = conf

    def __getattr__(self, name):
        return getattr(self._conf, name)
