"""Data that a real guest wrote to volumes in a Ceph cluster, and images that volumes are cloned from."""

import hashlib
import json
import os

import pytest
from tests.volume.guests import MEGABYTES, OCTETS, World, until

pytestmark = [
    pytest.mark.ceph,
    pytest.mark.guest,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("guest"),
]


@pytest.fixture(scope="module")
def pools(ceph):
    return {"volumes": ceph.new_pool(), "images": ceph.new_pool()}


@pytest.fixture(scope="module")
def world(ceph, pools, tmp_path_factory):
    made = World(
        tmp_path_factory.mktemp("world") / "state",
        {"ceph": "rbd"},
        {
            "volume": {
                ("ceph", "rbd_pool"): pools["volumes"],
                ("ceph", "rbd_user"): "cinder",
                ("ceph", "rbd_ceph_conf"): str(ceph.conf),
            },
            "image": {
                ("glance_store", "enabled_backends"): {"ceph": "rbd"},
                ("glance_store", "default_backend"): "ceph",
                ("ceph", "rbd_store_pool"): pools["images"],
                ("ceph", "rbd_store_user"): "cinder",
                ("ceph", "rbd_store_ceph_conf"): str(ceph.conf),
            },
            "compute": {("ceph", "keyring"): str(ceph.folder / "client.{user}.keyring")},
        },
    )
    yield made
    made.close()


@pytest.fixture(scope="module")
def servers(world):
    return world.servers("one", "two")


def test_data_survives_whatever_is_done_with_its_volume(world, servers):
    one, two = servers
    volume_id = world.new_volume(volume_type="ceph")
    disk = world.attach(one, volume_id)
    shell = world.shell(one)
    written = shell.fill(disk)
    # While the guest has it open: a snapshot, a clone, and more room.
    snapshot_id = world.snapshot(volume_id)
    later = shell.fill(disk)
    assert later != written
    clone = world.new_volume(source_volid=volume_id)
    world.action(volume_id, "os-extend", {"new_size": 2})
    world.settled("volumes", volume_id, "in-use")
    until(lambda: shell.size(disk) == 2 << 30, 60, "2 GiB in the guest")
    assert shell.digest(disk) == later
    world.detach(one, volume_id)

    from_snapshot = world.new_volume(snapshot_id=snapshot_id, size=3)
    for copy, content, size in ((volume_id, later, 2), (from_snapshot, written, 3), (clone, later, 1)):
        disk = world.attach(two, copy)
        assert world.shell(two).digest(disk) == content
        assert world.shell(two).size(disk) == size << 30
        world.detach(two, copy)

    # Without what they stand on.
    world.volume.delete(f"/v3/snapshots/{snapshot_id}").ok(202)
    until(lambda: world.volume.get(f"/v3/snapshots/{snapshot_id}").status == 404, 120)
    world.volume.delete(f"/v3/volumes/{volume_id}").ok(202)
    until(lambda: world.volume.get(f"/v3/volumes/{volume_id}").status == 404, 120)
    for copy, content in ((from_snapshot, written), (clone, later)):
        disk = world.attach(one, copy)
        assert world.shell(one).digest(disk) == content
        world.detach(one, copy)


def test_a_backup_gives_back_what_a_guest_wrote(world, servers):
    one, two = servers
    volume_id = world.new_volume(volume_type="ceph")
    disk = world.attach(one, volume_id)
    first = world.shell(one).fill(disk)
    full = world.backup(volume_id, force=True)
    world.shell(one).fill(disk)
    world.detach(one, volume_id)
    restored = world.restore(full, volume_id=volume_id)
    disk = world.attach(two, restored)
    assert world.shell(two).digest(disk) == first
    world.detach(two, restored)


def test_a_volume_is_cloned_from_an_image_of_the_same_cluster(world, servers, ceph, pools):
    data = os.urandom(MEGABYTES << 20)
    body = {"name": "raw", "disk_format": "raw", "container_format": "bare"}
    image_id = world.image.post("/v2/images", body).ok(201)["id"]
    world.image.request("PUT", f"/v2/images/{image_id}/file", raw=data, headers=OCTETS).ok(204)
    assert world.image.get(f"/v2/images/{image_id}/file").body == data
    volume_id = world.new_volume(imageRef=image_id, volume_type="ceph")
    told = json.loads(ceph.rbd("--format", "json", "info", f"{pools['volumes']}/volume-{volume_id}"))
    assert (told["parent"]["pool"], told["parent"]["image"]) == (pools["images"], _data(ceph, pools, told))
    disk = world.attach(servers[0], volume_id)
    assert world.shell(servers[0]).digest(disk) == hashlib.sha256(data).hexdigest()
    world.detach(servers[0], volume_id)
    # The volume outlives its image, and back into an image it goes.
    world.image.delete(f"/v2/images/{image_id}").ok(204)
    disk = world.attach(servers[1], volume_id)
    assert world.shell(servers[1]).digest(disk) == hashlib.sha256(data).hexdigest()
    world.detach(servers[1], volume_id)


def _data(ceph, pools, told):
    """The image's data must be among what the image pool has."""
    names = json.loads(ceph.rbd("--format", "json", "ls", pools["images"]))
    assert told["parent"]["image"] in names
    return told["parent"]["image"]
