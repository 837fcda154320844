"""Encrypted volumes on real files: their encryption changes, they become images, and images become them."""

import pytest
from tests.cloud import LabCloud, until
from tests.volume.test_moves import NEWEST, act, file_of, make, make_type, show

from celaje.volume.db.tables import KEYS
from celaje.volume.drivers import luks

# A gigabyte of noise is opened, and one is sent: that takes its time on a busy machine.
pytestmark = [pytest.mark.data, pytest.mark.timeout(600)]
PATIENCE = 250

LUKS = {"provider": "luks", "control_location": "front-end", "cipher": "aes-xts-plain64", "key_size": 256}
MIB = 1024**2
TEXT = b"what was written" * 256
OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cloud")
    volume = {
        (None, "enabled_backends"): ["one"],
        (None, "quota_volumes"): 50,
        ("one", "volume_driver"): "file",
        ("one", "volumes_dir"): str(folder / "one"),
        ("one", "file_volume_format"): "raw",
    }
    cloud = LabCloud.at(folder / "state", {"volume": volume}, services=("identity", "image", "volume"))
    cloud.start()
    yield cloud
    cloud.stop(grace=5)


@pytest.fixture(scope="module")
def admin(cloud):
    client = cloud.as_user("volume")
    type_id = make_type(client, "secret")["id"]
    client.post(f"/v3/types/{type_id}/encryption", {"encryption": LUKS}).ok(200)
    make_type(client, "plain")
    return client


@pytest.fixture(scope="module")
def image_id(cloud):
    images = cloud.as_user("image")
    body = {"name": "words", "disk_format": "raw", "container_format": "bare"}
    image_id = images.post("/v2/images", body).ok(201)["id"]
    sent = images.request("PUT", f"/v2/images/{image_id}/file", raw=TEXT + bytes(MIB), headers=OCTETS)
    assert sent.status == 204
    return image_id


def free(admin, volume):
    """The volume, when what was asked of it is done."""

    def look():
        found = show(admin, volume["id"])
        assert not found["status"].startswith("error"), found
        return found if found["status"] == "available" else None

    return until(look, PATIENCE)


def kept_keys(cloud):
    rows = cloud.running["volume"].database.read(lambda tx: tx.execute(KEYS.select()).fetchall())
    return {row.id for row in rows}


def clear(cloud, volume, tmp_path):
    """What the volume's key opens, as far as the text goes."""
    service = cloud.running["volume"]
    key = service.database.read(service.keys.passphrase, volume["encryption_key_id"])
    head, opened = tmp_path / "head", tmp_path / "opened"
    with open(file_of(cloud, volume), "rb") as file:
        head.write_bytes(file.read(4 * MIB))
    opened.write_bytes(bytes(4 * MIB))
    luks.fill(head, "raw", key, opened, "raw", luks=None, timeout=100)
    return opened.read_bytes()[: len(TEXT)]


def test_an_image_is_encrypted_and_comes_back_as_one(cloud, admin, image_id, tmp_path):
    volume = make(admin, volume_type="secret", imageRef=image_id)
    lies = file_of(cloud, volume)
    assert TEXT[:64] not in lies.read_bytes()[: 4 * MIB]
    assert clear(cloud, volume, tmp_path) == TEXT
    wanted = {"image_name": "secret words", "disk_format": "qcow2"}
    act(admin, volume["id"], "os-volume_upload_image", wanted, 400)
    wanted["disk_format"] = "raw"
    answer = act(admin, volume["id"], "os-volume_upload_image", wanted)["os-volume_upload_image"]
    images = cloud.as_user("image")

    def uploaded():
        found = images.get(f"/v2/images/{answer['image_id']}").ok()
        return found if found["status"] == "active" else None

    image = until(uploaded, PATIENCE)
    assert image["cinder_encryption_key_deletion_policy"] == "on_image_deletion"
    assert image["cinder_encryption_key_id"] != volume["encryption_key_id"]
    free(admin, volume)
    body = {"volume": {"size": 1, "volume_type": "secret", "imageRef": image["id"]}}
    again = free(admin, admin.post("/v3/volumes", body, headers=NEWEST).ok(202)["volume"])
    assert clear(cloud, again, tmp_path) == TEXT
    body = {"volume": {"size": 1, "imageRef": image["id"], "volume_type": "plain"}}
    refused = admin.post("/v3/volumes", body, headers=NEWEST)
    assert refused.status == 400 and "encrypted type" in str(refused.body)


def test_a_retype_opens_what_was_encrypted(cloud, admin, image_id):
    volume = make(admin, volume_type="secret", imageRef=image_id)
    before = file_of(cloud, volume)
    act(admin, volume["id"], "os-retype", {"new_type": "plain", "migration_policy": "on-demand"})
    moved = free(admin, volume)
    assert (moved["migration_status"], moved["volume_type"]) == ("success", "plain")
    assert moved["encrypted"] is False and "encryption_key_id" not in moved
    with open(file_of(cloud, moved), "rb") as file:
        assert file.read(len(TEXT)) == TEXT
    until(lambda: not before.exists(), what="the encrypted file is gone")


def test_a_retype_that_leaves_no_room_for_the_header_changes_nothing(cloud, admin, image_id):
    volume = make(admin, volume_type="plain", imageRef=image_id)
    before = kept_keys(cloud)
    act(admin, volume["id"], "os-retype", {"new_type": "secret", "migration_policy": "on-demand"})
    stayed = free(admin, volume)
    assert (stayed["volume_type"], stayed["encrypted"]) == ("plain", False)
    messages = admin.get("/v3/messages", headers=NEWEST).ok()["messages"]
    assert any(message["resource_uuid"] == volume["id"] for message in messages)
    assert kept_keys(cloud) == before
