"""What happens to servers and volumes is told outside, in Nova's and Cinder's words, by their flows."""

import threading

import pytest

from celaje.common.messaging import connect
from tests.cloud import LabCloud, until
from tests.common.messaging.conftest import rabbit_url  # noqa: F401

TOLD = {("oslo_messaging_notifications", "driver"): ["messagingv2"]}
BOTH = {**TOLD, ("notifications", "notification_format"): "both"}


class Listener:
    """What came, as (event type, priority, publisher, payload)."""

    def __init__(self):
        self.heard = []
        self.changed = threading.Condition()

    def hear(self, exchange, key, body, context):
        with self.changed:
            topic, _, priority = key.rpartition(".")
            self.heard.append((topic, body["event_type"], priority, body["publisher_id"], body["payload"]))
            self.changed.notify_all()

    def wait_for(self, event_type):
        with self.changed:
            heard = self.changed.wait_for(lambda: any(event_type == one[1] for one in self.heard), 30)
            assert heard, [one[1] for one in self.heard]
        return next(payload for _, found, _, _, payload in self.heard if found == event_type)

    def types(self, topic="notifications"):
        return [found for where, found, _, _, _ in self.heard if where == topic]

    def publishers(self, event_type):
        return [who for _, found, _, who, _ in self.heard if found == event_type]


@pytest.fixture
def told(tmp_path):
    """A cloud, and what it tells."""
    cloud = LabCloud.at(tmp_path / "state", {"compute": BOTH, "volume": TOLD})
    listener = Listener()
    cloud.bus.notify = listener.hear
    cloud.begin()
    yield cloud, listener
    cloud.stop(grace=5)


def server(cloud, **fields):
    compute = cloud.as_user("compute")
    (flavor, *_) = compute.get("/v2.1/flavors").ok()["flavors"]
    body = {"name": "one", "flavorRef": flavor["id"], "imageRef": image(cloud), "networks": "none", **fields}
    headers = {"OpenStack-API-Version": "compute 2.90"}
    made = compute.request("POST", "/v2.1/servers", {"server": body}, headers).ok(202)["server"]
    return compute, made["id"]


def image(cloud):
    images = cloud.as_user("image")
    body = {"name": "one", "disk_format": "raw", "container_format": "bare"}
    made = images.post("/v2/images", body).ok(201)
    headers = {"Content-Type": "application/octet-stream"}
    sent = images.request("PUT", f"/v2/images/{made['id']}/file", raw=b"data", headers=headers)
    assert sent.status == 204
    return made["id"]


def status(client, path, wanted):
    def look():
        answer = client.get(path)
        if wanted is None:
            return answer.status == 404
        return next(iter(answer.body.values())).get("status") == wanted

    until(look, what=f"{path} {wanted}")


def life_of_a_server(cloud):
    compute, server_id = server(cloud, metadata={"a": "b"})
    path = f"/v2.1/servers/{server_id}"
    status(compute, path, "ACTIVE")
    compute.post(f"{path}/action", {"os-stop": None}).ok(202)
    status(compute, path, "SHUTOFF")
    volume, volume_id = life_of_a_volume(cloud)
    compute.post(f"{path}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume_id}}).ok()
    status(volume, f"/v3/{volume.project_id}/volumes/{volume_id}", "in-use")
    compute.delete(f"{path}/os-volume_attachments/{volume_id}").ok()
    status(volume, f"/v3/{volume.project_id}/volumes/{volume_id}", "available")
    compute.delete(path).ok()
    status(compute, path, None)
    volume.delete(f"/v3/{volume.project_id}/volumes/{volume_id}").ok(202)
    status(volume, f"/v3/{volume.project_id}/volumes/{volume_id}", None)
    return server_id, volume_id


def life_of_a_volume(cloud):
    volume = cloud.as_user("volume")
    root = f"/v3/{volume.project_id}"
    made = volume.post(f"{root}/volumes", {"volume": {"size": 1, "name": "disk"}}).ok(202)["volume"]
    status(volume, f"{root}/volumes/{made['id']}", "available")
    volume.post(f"{root}/volumes/{made['id']}/action", {"os-extend": {"new_size": 2}}).ok(202)
    status(volume, f"{root}/volumes/{made['id']}", "available")
    shot = volume.post(f"{root}/snapshots", {"snapshot": {"volume_id": made["id"]}}).ok(202)["snapshot"]
    status(volume, f"{root}/snapshots/{shot['id']}", "available")
    volume.delete(f"{root}/snapshots/{shot['id']}").ok(202)
    status(volume, f"{root}/snapshots/{shot['id']}", None)
    return volume, made["id"]


SERVER_EVENTS = [
    "compute.instance.create.start",
    "compute.instance.create.end",
    "compute.instance.power_off.start",
    "compute.instance.power_off.end",
    "compute.instance.volume.attach",
    "compute.instance.volume.detach",
    "compute.instance.delete.start",
    "compute.instance.delete.end",
]
VERSIONED_EVENTS = [
    "instance.create.start",
    "instance.create.end",
    "instance.power_off.start",
    "instance.power_off.end",
    "instance.volume_attach.start",
    "instance.volume_attach.end",
    "instance.volume_detach.start",
    "instance.volume_detach.end",
    "instance.delete.start",
    "instance.delete.end",
]
VOLUME_EVENTS = [
    f"{what}.{phase}"
    for what in (
        "volume.create",
        "volume.resize",
        "snapshot.create",
        "snapshot.delete",
        "volume.attach",
        "volume.detach",
        "volume.delete",
    )
    for phase in ("start", "end")
]


def of(prefixes, types):
    return [found for found in types if found.startswith(prefixes)]


def test_the_lives_of_a_server_and_a_volume(told):
    cloud, listener = told
    server_id, volume_id = life_of_a_server(cloud)
    listener.wait_for("volume.delete.end")
    assert of("compute.", listener.types()) == SERVER_EVENTS
    assert of(("volume.", "snapshot."), listener.types()) == VOLUME_EVENTS
    assert listener.types("versioned_notifications") == VERSIONED_EVENTS

    started = listener.wait_for("compute.instance.create.start")
    assert (started["instance_id"], started["state"], started["host"]) == (server_id, "building", None)
    ended = listener.wait_for("compute.instance.create.end")
    assert (ended["state"], ended["host"], ended["message"]) == ("active", "celaje", "Success")
    assert ended["metadata"] == {"a": "b"} and ended["launched_at"] and not ended["deleted_at"]
    assert listener.publishers("compute.instance.create.end") == ["compute.celaje"]
    assert listener.wait_for("compute.instance.volume.attach")["volume_id"] == volume_id
    gone = listener.wait_for("compute.instance.delete.end")
    assert gone["state"] == "deleted" and gone["deleted_at"]

    attached = listener.wait_for("instance.volume_attach.end")
    assert attached["nova_object.name"] == "InstanceActionVolumePayload"
    assert attached["nova_object.data"]["volume_id"] == volume_id
    assert [
        one["nova_object.data"]["volume_id"] for one in attached["nova_object.data"]["block_devices"]
    ] == [volume_id]
    created = listener.wait_for("instance.create.end")["nova_object.data"]
    assert (created["uuid"], created["state"], created["power_state"]) == (server_id, "active", "running")
    assert created["flavor"]["nova_object.data"]["vcpus"] == ended["vcpus"]

    made = listener.wait_for("volume.create.end")
    assert (made["volume_id"], made["status"], made["size"]) == (volume_id, "available", 1)
    assert listener.publishers("volume.create.end") == ["volume.celaje@fake"]
    assert listener.wait_for("volume.resize.end")["size"] == 2
    assert listener.wait_for("volume.attach.end")["volume_attachment"][0]["instance_uuid"] == server_id
    assert listener.wait_for("volume.delete.end")["status"] == "deleted"
    assert listener.wait_for("snapshot.create.end")["status"] == "available"


def test_what_else_happens_to_volumes(told):
    """Backups, groups, reverting and retyping by their flows; what the API does at once by itself."""
    cloud, listener = told
    volume = cloud.as_user("volume")
    root = f"/v3/{volume.project_id}"
    newest = {"OpenStack-API-Version": "volume 3.71"}

    def post(path, body, code=202):
        return volume.post(f"{root}{path}", body, headers=newest).ok(code)

    made = post("/volumes", {"volume": {"size": 1, "name": "old name"}})["volume"]
    path = f"{root}/volumes/{made['id']}"
    status(volume, path, "available")
    volume.put(path, {"volume": {"name": "new name"}}).ok()
    listener.wait_for("volume.update.end")
    assert [p["display_name"] for _, found, _, _, p in listener.heard if found.startswith("volume.up")] == [
        "old name",
        "new name",
    ]
    assert listener.publishers("volume.update.end") == ["volume.celaje@fake"]

    shot = post("/snapshots", {"snapshot": {"volume_id": made["id"]}})["snapshot"]
    status(volume, f"{root}/snapshots/{shot['id']}", "available")
    volume.put(f"{root}/snapshots/{shot['id']}", {"snapshot": {"name": "s"}}).ok()
    assert listener.wait_for("snapshot.update.end")["display_name"] == "s"
    post(f"/volumes/{made['id']}/action", {"revert": {"snapshot_id": shot["id"]}})
    listener.wait_for("volume.revert.end")
    volume.delete(f"{root}/snapshots/{shot['id']}").ok(202)
    status(volume, f"{root}/snapshots/{shot['id']}", None)

    backup = post("/backups", {"backup": {"volume_id": made["id"], "name": "b"}})["backup"]
    assert listener.wait_for("backup.create.end")["backup_id"] == backup["id"]
    assert listener.wait_for("backup.create.end")["status"] == "available"
    post(f"/backups/{backup['id']}/restore", {"restore": {"volume_id": made["id"]}})
    listener.wait_for("backup.restore.end")
    volume.delete(f"{root}/backups/{backup['id']}").ok(202)
    assert listener.wait_for("backup.delete.end")["status"] == "deleted"

    offer = post("/volume-transfers", {"transfer": {"volume_id": made["id"]}})["transfer"]
    assert listener.wait_for("volume.transfer.create.end")["status"] == "awaiting-transfer"
    volume.delete(f"{root}/volume-transfers/{offer['id']}").ok(202)
    assert listener.wait_for("volume.transfer.delete.end")["status"] == "available"
    offer = post("/volume-transfers", {"transfer": {"volume_id": made["id"]}})["transfer"]
    post(f"/volume-transfers/{offer['id']}/accept", {"accept": {"auth_key": offer["auth_key"]}})
    listener.wait_for("volume.transfer.accept.end")

    # One that never lay anywhere goes at once, without a flow.
    kind = volume.post(
        f"{root}/types",
        {"volume_type": {"name": "none", "extra_specs": {"volume_backend_name": "none"}}},
    )
    assert kind.status == 200
    nowhere = post("/volumes", {"volume": {"size": 1, "volume_type": "none"}})["volume"]
    status(volume, f"{root}/volumes/{nowhere['id']}", "error")
    volume.delete(f"{root}/volumes/{nowhere['id']}").ok(202)
    assert listener.wait_for("volume.delete.end")["volume_id"] == nowhere["id"]
    kind = volume.post(f"{root}/types", {"volume_type": {"name": "other"}}).ok()["volume_type"]
    post(f"/volumes/{made['id']}/action", {"os-retype": {"new_type": "other", "migration_policy": "never"}})
    assert listener.wait_for("volume.retype")["volume_type"] == kind["id"]
    assert "volume.retype.start" not in listener.types()

    groups = volume.post(f"{root}/group_types", {"group_type": {"name": "g"}}, headers=newest).ok(202)[
        "group_type"
    ]
    body = {"group": {"group_type": groups["id"], "volume_types": [kind["id"]], "name": "g1"}}
    group = post("/groups", body)["group"]
    assert listener.wait_for("group.create.end")["status"] == "available"
    volume.put(f"{root}/groups/{group['id']}", {"group": {"name": "g2"}}, headers=newest).ok(202)
    assert listener.wait_for("group.update.end")["name"] == "g2"
    post(f"/groups/{group['id']}/action", {"delete": {"delete-volumes": False}})
    assert listener.wait_for("group.delete.end")["status"] == "deleted"
    assert listener.publishers("group.delete.end")[0].startswith("group.")


def test_a_failure_is_told_with_its_cause(told):
    cloud, listener = told
    compute, server_id = server(cloud, availability_zone="nova:nowhere")
    status(compute, f"/v2.1/servers/{server_id}", "ERROR")
    told_of = listener.wait_for("compute.instance.create.error")
    assert (told_of["state"], told_of["exception"]) == ("error", "NoValidHost")
    versioned = listener.wait_for("instance.create.error")["nova_object.data"]
    assert versioned["fault"]["nova_object.data"]["exception"] == "NoValidHost"
    assert [priority for _, found, priority, _, _ in listener.heard if found.endswith(".error")] == [
        "error"
    ] * 2
    assert "compute.instance.create.end" not in listener.types()


def test_nothing_is_told_unless_asked_for(cloud):
    listener = Listener()
    cloud.bus.notify = listener.hear
    compute, server_id = server(cloud)
    status(compute, f"/v2.1/servers/{server_id}", "ACTIVE")
    assert listener.heard == []


def test_the_log_driver_writes_them_down(tmp_path, caplog):
    cloud = LabCloud.at(
        tmp_path / "state",
        {"volume": {("oslo_messaging_notifications", "driver"): ["log"]}},
        services=("identity", "image", "volume"),
    ).begin()
    try:
        with caplog.at_level("INFO"):
            life_of_a_volume(cloud)
    finally:
        cloud.stop(grace=5)
    assert "notification volume.create.end from volume.celaje@fake" in caplog.text


def test_who_cannot_be_told_holds_nothing_up(tmp_path):
    cloud = LabCloud.at(tmp_path / "state", {"volume": TOLD}, services=("identity", "image", "volume"))

    def broken(*_):
        raise RuntimeError("no notifications today")

    cloud.bus.notify = broken
    cloud.begin()
    try:
        life_of_a_volume(cloud)
    finally:
        cloud.stop(grace=5)


@pytest.mark.servers
@pytest.mark.timeout(240)
def test_a_stock_listener_hears_it_from_rabbitmq(tmp_path, rabbit_url):  # noqa: F811
    import oslo_messaging
    from oslo_config import cfg

    class Ear:
        def __init__(self):
            self.types = []

        def info(self, ctxt, publisher_id, event_type, payload, metadata):
            assert metadata["timestamp"] and payload
            self.types.append(event_type)

        error = info

    conf = cfg.CONF
    conf([], default_config_files=[])
    transport = oslo_messaging.get_notification_transport(conf, rabbit_url)
    conf.set_override("rabbit_quorum_queue", True, "oslo_messaging_rabbit")
    ear = Ear()
    targets = [oslo_messaging.Target(topic=topic) for topic in ("notifications", "versioned_notifications")]
    listener = oslo_messaging.get_notification_listener(transport, targets, [ear], executor="threading")
    cloud = LabCloud.at(tmp_path / "state", {"compute": BOTH, "volume": TOLD})
    cloud.bus.close()
    cloud.bus = connect(rabbit_url)
    listener.start()
    cloud.begin()
    try:
        life_of_a_server(cloud)
        wanted = sorted(SERVER_EVENTS + VERSIONED_EVENTS + VOLUME_EVENTS)
        until(lambda: len(ear.types) >= len(wanted), what=str(ear.types))
        assert sorted(ear.types) == wanted
    finally:
        cloud.stop(grace=5)
        listener.stop()
        listener.wait()
        transport.cleanup()
