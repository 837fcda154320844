"""Volumes and ports of a server, across the volume and network services' real APIs."""

import pytest
from tests.cloud import until
from tests.compute.lab import LATEST, VOLUME

from celaje.compute.db.tables import BLOCK_DEVICES, INTERFACES

AT = {"X-OpenStack-Nova-API-Version": "2.89"}


@pytest.fixture
def server_id(lab):
    server_id = lab.create()
    yield server_id
    lab.delete(server_id)
    lab.check()


def attach(lab, server_id, volume_id, **wanted):
    return lab.user.post(
        f"/v2.1/servers/{server_id}/os-volume_attachments",
        {"volumeAttachment": {"volumeId": volume_id, **wanted}},
        headers=AT,
    )


def detach(lab, server_id, volume_id):
    return lab.user.delete(f"/v2.1/servers/{server_id}/os-volume_attachments/{volume_id}", headers=AT)


def test_attach_extend_detach(lab, server_id):
    volume_id = lab.new_volume()
    shown = attach(lab, server_id, volume_id).ok(200)["volumeAttachment"]
    assert shown["device"] == "/dev/vdb"
    lab.until_volume(volume_id, "in-use")
    assert lab.show_volume(volume_id)["attachments"][0]["server_id"] == server_id
    assert volume_id in lab.guests[server_id]["volumes"]
    until(lab.flows_ended, 10)
    listed = lab.user.get(f"/v2.1/servers/{server_id}/os-volume_attachments", headers=AT).ok()
    assert [one["attachment_id"] for one in listed["volumeAttachments"]] == [shown["attachment_id"]]
    assert lab.show(server_id)["os-extended-volumes:volumes_attached"] == [
        {"id": volume_id, "delete_on_termination": False}
    ]
    assert attach(lab, server_id, volume_id).status == 400
    lab.volume.post(f"/v3/volumes/{volume_id}/action", {"os-extend": {"new_size": 3}}, headers=VOLUME).ok()
    until(lambda: lab.guests[server_id]["volumes"][volume_id].get("size") == 3 << 30, 20)
    until(lambda: lab.rows(BLOCK_DEVICES, BLOCK_DEVICES.c.volume_id == volume_id)[0]["volume_size"] == 3, 20)
    lab.until_volume(volume_id, "in-use")
    assert detach(lab, server_id, volume_id).status == 202
    lab.until_volume(volume_id, "available")
    until(lambda: volume_id not in lab.guests[server_id]["volumes"], 5)
    until(lambda: detach(lab, server_id, volume_id).status == 404, 5)
    lab.check()


def test_a_volume_that_is_not_there_or_not_free_is_refused(lab, server_id):
    assert attach(lab, server_id, "11111111-2222-3333-4444-555555555555").status == 404
    assert attach(lab, server_id, "nonsense").status == 400
    volume_id = lab.new_volume()
    other = lab.create()
    attach(lab, other, volume_id).ok(200)
    lab.until_volume(volume_id, "in-use")
    answer = attach(lab, server_id, volume_id)
    assert answer.status == 400
    assert answer.body["badRequest"]["message"].startswith("Invalid volume")
    until(lab.flows_ended, 10)
    assert not lab.rows(BLOCK_DEVICES, BLOCK_DEVICES.c.server_id == server_id)
    lab.delete(other)
    lab.until_volume(volume_id, "available")


def test_the_same_volume_attached_by_two_at_once_is_attached_once(lab, server_id):
    import threading

    volume_id, other = lab.new_volume(), lab.create()
    answers = []
    threads = [
        threading.Thread(target=lambda one=one: answers.append(attach(lab, one, volume_id)))
        for one in (server_id, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [200, 400]
    lab.until_volume(volume_id, "in-use")
    lab.check()
    lab.delete(other)


def test_deleting_a_server_frees_its_volumes_and_deletes_those_that_go_with_it(lab):
    server_id = lab.create()
    kept, goes = lab.new_volume(), lab.new_volume()
    attach(lab, server_id, kept).ok(200)
    lab.user.post(
        f"/v2.1/servers/{server_id}/os-volume_attachments",
        {"volumeAttachment": {"volumeId": goes, "delete_on_termination": True}},
        headers={"X-OpenStack-Nova-API-Version": "2.79"},
    ).ok(200)
    for volume_id in (kept, goes):
        lab.until_volume(volume_id, "in-use")
    until(lab.flows_ended, 10)
    lab.delete(server_id)
    lab.until_volume(kept, "available")
    until(lambda: lab.volume.get(f"/v3/volumes/{goes}", headers=VOLUME).status == 404, 10)
    lab.check()


def test_boot_from_a_volume_that_is_made_for_the_server(lab):
    device = {
        "boot_index": 0,
        "source_type": "image",
        "uuid": lab.image_id,
        "destination_type": "volume",
        "volume_size": 1,
        "delete_on_termination": True,
    }
    server_id = lab.create(imageRef="", block_device_mapping_v2=[device])
    shown = lab.show(server_id)
    assert shown["image"] == ""
    (volume,) = shown["os-extended-volumes:volumes_attached"]
    assert lab.guests[server_id]["image"] is None
    lab.until_volume(volume["id"], "in-use")
    assert detach(lab, server_id, volume["id"]).status == 400, "the root device stays"
    lab.check()
    lab.delete(server_id)
    until(lambda: lab.volume.get(f"/v3/volumes/{volume['id']}", headers=VOLUME).status == 404, 10)
    lab.check()


def test_a_second_port_comes_and_goes(lab, server_id):
    network = lab.network.get("/v2.0/networks?name=private").ok()["networks"][0]
    base = f"/v2.1/servers/{server_id}/os-interface"
    made = lab.user.post(base, {"interfaceAttachment": {"net_id": network["id"]}}, headers=AT)
    port = made.ok(200)["interfaceAttachment"]
    assert port["net_id"] == network["id"] and port["fixed_ips"]
    assert port["port_id"] in lab.guests[server_id]["interfaces"]
    assert [one["port_id"] for one in lab.user.get(base, headers=AT).ok()["interfaceAttachments"]] == [
        port["port_id"]
    ]
    lab.check()
    assert lab.user.delete(f"{base}/{port['port_id']}", headers=AT).status == 202
    until(lambda: lab.network.get(f"/v2.0/ports/{port['port_id']}").status == 404, 10)
    until(lambda: not lab.rows(INTERFACES, INTERFACES.c.server_id == server_id), 5)
    assert lab.user.get(f"{base}/{port['port_id']}", headers=AT).status == 404


def test_a_port_that_the_user_brought_is_given_back(lab):
    network = lab.network.get("/v2.0/networks?name=private").ok()["networks"][0]
    port = lab.network.post("/v2.0/ports", {"port": {"network_id": network["id"]}}).ok(201)["port"]
    server_id = lab.create(networks=[{"port": port["id"]}])
    assert lab.network.get(f"/v2.0/ports/{port['id']}").ok()["port"]["device_id"] == server_id
    assert lab.post(networks=[{"port": port["id"]}]).status == 409, "it is in use"
    lab.delete(server_id)
    assert lab.network.get(f"/v2.0/ports/{port['id']}").ok()["port"]["device_id"] == ""
    lab.check()


def test_a_floating_address_is_shown(lab):
    server_id = lab.create(networks="auto")
    port_id = lab.rows(INTERFACES, INTERFACES.c.server_id == server_id)[0]["port_id"]
    public = lab.network.get("/v2.0/networks?name=public").ok()["networks"][0]["id"]
    body = {"floatingip": {"floating_network_id": public, "port_id": port_id}}
    floating = lab.network.post("/v2.0/floatingips", body).ok(201)["floatingip"]

    # What the network service tells when an address was associated.
    event = {"name": "network-changed", "server_uuid": server_id, "tag": port_id}
    lab.admin.post("/v2.1/os-server-external-events", {"events": [event]}).ok(200)

    def kinds():
        listed = lab.show(server_id)["addresses"]["private"]
        return {one["OS-EXT-IPS:type"]: one["addr"] for one in listed}

    until(lambda: kinds().get("floating") == floating["floating_ip_address"], 10, "floating address")
    lab.network.delete(f"/v2.0/floatingips/{floating['id']}")
    lab.delete(server_id)


def test_external_events_get_a_code_each(lab, server_id):
    unknown = "11111111-2222-3333-4444-555555555555"
    events = [
        {"name": "network-changed", "server_uuid": server_id},
        {"name": "network-changed", "server_uuid": unknown},
    ]
    path = "/v2.1/os-server-external-events"
    assert lab.user.post(path, {"events": events}, headers=LATEST).status == 403
    answer = lab.admin.post(path, {"events": events}, headers=LATEST)
    assert answer.status == 207
    assert [event["code"] for event in answer.body["events"]] == [200, 404]
    assert lab.admin.post(path, {"events": events[1:]}, headers=LATEST).status == 404
    wrong = [{"name": "volume-extended", "server_uuid": server_id, "tag": unknown}]
    assert lab.admin.post(path, {"events": wrong}).status == 400, "before 2.51"
    assert lab.admin.post(path, {"events": wrong}, headers=LATEST).body["events"][0]["code"] == 404


def test_security_groups_of_ports(lab):
    group = lab.network.post("/v2.0/security-groups", {"security_group": {"name": "web"}}).ok(201)
    group_id = group["security_group"]["id"]
    server_id = lab.create(networks="auto", security_groups=[{"name": "web"}])
    port_id = lab.rows(INTERFACES, INTERFACES.c.server_id == server_id)[0]["port_id"]
    port = lab.network.get(f"/v2.0/ports/{port_id}").ok()["port"]
    assert port["security_groups"] == [group_id]
    assert lab.show(server_id)["security_groups"] == [{"name": "web"}]
    assert lab.act(server_id, "addSecurityGroup", {"name": "default"}).status == 202
    names = {one["name"] for one in lab.show(server_id)["security_groups"]}
    assert names == {"web", "default"}
    assert lab.act(server_id, "removeSecurityGroup", {"name": "web"}).status == 202
    assert lab.act(server_id, "removeSecurityGroup", {"name": "web"}).status == 404
    listed = lab.user.get(f"/v2.1/servers/{server_id}/os-security-groups").ok()["security_groups"]
    assert [one["name"] for one in listed] == ["default"]
    lab.delete(server_id)
