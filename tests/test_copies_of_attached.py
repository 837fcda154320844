"""Snapshots, backups, clones and images of a volume that a server writes to, over volume and compute.

The guest is simulated, but it locks the volume's file as QEMU does, and copies it when it is asked.
"""

import fcntl
import os
import struct
from pathlib import Path

import pytest

from celaje.common.errors import DriverError
from celaje.compute.drivers.fake import FakeDriver
from celaje.volume.drivers import local_files
from tests.cloud import LabCloud, until

NEWEST = {"OpenStack-API-Version": "volume 3.71"}
MARK = b"what the server wrote"
# QEMU's lock on the byte that stands for writing (drivers/local_files.py).
WRITING = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 101, 1, 0)


class OpenVolumes:
    """What the simulated guests hold open; `broken`: copying fails."""

    def __init__(self):
        self.files, self.copied, self.broken = {}, [], False

    def hold(self, driver, server, connection_info, device=None, serial=None):
        path = Path(connection_info["data"]["device_path"])
        file = open(path, "rb+")  # noqa: SIM115 - open as long as it is attached
        fcntl.fcntl(file.fileno(), fcntl.F_OFD_SETLK, WRITING)
        self.files[path] = file
        return device or "/dev/vdb"

    def let_go(self, driver, server, connection_info):
        file = self.files.pop(Path(connection_info["data"]["device_path"]), None)
        if file:
            file.close()

    def begin_copy(self, driver, server, connection_info, copy):
        if self.broken:
            raise DriverError("no copies today")
        path = Path(connection_info["data"]["device_path"])
        local_files.copy(path, path.parent / copy["file"], reflinks=False)  # without the holes
        self.copied.append(copy["id"])

    def copy_is_done(self, driver, server, connection_info, copy):
        return True


@pytest.fixture
def guests(monkeypatch):
    held = OpenVolumes()
    for name, taken in (
        ("attach_volume", held.hold),
        ("detach_volume", held.let_go),
        ("begin_copy", held.begin_copy),
        ("copy_is_done", held.copy_is_done),
    ):
        monkeypatch.setattr(FakeDriver, name, lambda self, *words, to=taken: to(self, *words))
    yield held
    for file in held.files.values():
        file.close()


@pytest.fixture
def cloud(tmp_path, guests):
    volume = {
        (None, "enabled_backends"): ["file"],
        ("file", "volume_driver"): "file",
        ("file", "volumes_dir"): str(tmp_path / "volumes"),
        ("file", "volumes_dir_shared"): True,
        ("file", "file_volume_format"): "raw",
    }
    cloud = LabCloud.at(tmp_path / "state", {"volume": volume}).begin()
    yield cloud
    cloud.stop(grace=5)


@pytest.fixture
def attached(cloud, tmp_path):
    """(client of volume, client of compute, server's id, volume's id), with content in the volume."""
    volumes, compute = cloud.as_user("volume"), cloud.as_user("compute")
    made = volumes.post("/v3/volumes", {"volume": {"size": 1}}, headers=NEWEST).ok(202)["volume"]["id"]
    settle(volumes, f"/v3/volumes/{made}", "volume", "available")
    with open(tmp_path / "volumes" / f"volume-{made}.raw", "rb+") as file:
        file.write(MARK)
    flavor = compute.get("/v2.1/flavors").ok()["flavors"][0]["id"]
    image = cloud.as_user("image").get("/v2/images").ok()["images"]
    source = {"imageRef": image[0]["id"]} if image else {"imageRef": an_image(cloud)}
    body = {"server": {"name": "s", "flavorRef": flavor, "networks": "none", **source}}
    version = {"OpenStack-API-Version": "compute 2.90"}
    server = compute.post("/v2.1/servers", body, headers=version).ok(202)["server"]["id"]
    settle(compute, f"/v2.1/servers/{server}", "server", "ACTIVE")
    wanted = {"volumeAttachment": {"volumeId": made}}
    compute.post(f"/v2.1/servers/{server}/os-volume_attachments", wanted).ok()
    settle(volumes, f"/v3/volumes/{made}", "volume", "in-use")
    return volumes, compute, server, made


def an_image(cloud):
    images = cloud.as_user("image")
    record = {"name": "i", "disk_format": "raw", "container_format": "bare"}
    made = images.post("/v2/images", record).ok(201)["id"]
    headers = {"Content-Type": "application/octet-stream"}
    images.request("PUT", f"/v2/images/{made}/file", raw=bytes(512), headers=headers).ok(204)
    return made


def settle(client, path, what, *statuses):
    def look():
        found = client.get(path, headers=NEWEST if path.startswith("/v3") else None).ok()[what]
        return found if found["status"] in statuses else None

    return until(look, what=f"{path} {statuses}")


def files(tmp_path):
    return sorted(path.name.partition("-")[0] for path in (tmp_path / "volumes").glob("[a-z]*-*"))


def test_each_reads_what_the_host_copied(cloud, guests, attached, tmp_path):
    volumes, _, _, volume = attached
    body = {"snapshot": {"volume_id": volume}}
    snapshot = volumes.post("/v3/snapshots", body, headers=NEWEST).ok(202)["snapshot"]["id"]
    settle(volumes, f"/v3/snapshots/{snapshot}", "snapshot", "available")
    assert guests.copied == [snapshot]
    with open(tmp_path / "volumes" / f"snapshot-{snapshot}.raw", "rb") as file:
        assert file.read(len(MARK)) == MARK

    asked = {"volume": {"size": 1, "source_volid": volume}}
    clone = volumes.post("/v3/volumes", asked, headers=NEWEST).ok(202)["volume"]["id"]
    settle(volumes, f"/v3/volumes/{clone}", "volume", "available")
    assert guests.copied[1:] == [clone]
    with open(tmp_path / "volumes" / f"volume-{clone}.raw", "rb") as file:
        assert file.read(len(MARK)) == MARK

    asked = {"backup": {"volume_id": volume, "force": True, "name": "b"}}
    backup = volumes.post("/v3/backups", asked, headers=NEWEST).ok(202)["backup"]["id"]
    settle(volumes, f"/v3/backups/{backup}", "backup", "available")
    assert guests.copied[2:] == [backup]
    settle(volumes, f"/v3/volumes/{volume}", "volume", "in-use")
    assert files(tmp_path) == ["snapshot", "volume", "volume"]


def test_a_copy_that_fails_leaves_nothing(cloud, guests, attached, tmp_path):
    volumes, _, _, volume = attached
    guests.broken = True
    body = {"snapshot": {"volume_id": volume}}
    snapshot = volumes.post("/v3/snapshots", body, headers=NEWEST).ok(202)["snapshot"]["id"]
    settle(volumes, f"/v3/snapshots/{snapshot}", "snapshot", "error")
    asked = {"backup": {"volume_id": volume, "force": True, "name": "b"}}
    backup = volumes.post("/v3/backups", asked, headers=NEWEST).ok(202)["backup"]["id"]
    settle(volumes, f"/v3/backups/{backup}", "backup", "error")
    settle(volumes, f"/v3/volumes/{volume}", "volume", "in-use")
    assert files(tmp_path) == ["volume"]


def test_a_stopped_server_holds_nothing_open(cloud, guests, attached):
    """Then the back end copies by itself, and compute is not asked."""
    volumes, compute, _, volume = attached
    for file in guests.files.values():
        file.close()
    body = {"snapshot": {"volume_id": volume}}
    snapshot = volumes.post("/v3/snapshots", body, headers=NEWEST).ok(202)["snapshot"]["id"]
    settle(volumes, f"/v3/snapshots/{snapshot}", "snapshot", "available")
    assert guests.copied == []
    asked = {
        "snapshot": {
            "volume_id": snapshot,
            "create_info": {"snapshot_id": snapshot, "type": "raw", "new_file": "copy-1.raw"},
        }
    }
    answer = compute.post("/v2.1/os-assisted-volume-snapshots", asked)
    assert answer.status == 400
    assert "attached to no server" in answer.body["badRequest"]["message"]
