"""A volume goes from one real back end to another under QEMU: the file driver's, the NBD driver's and back.

Both sides' own drivers, put together without a cloud. The guest stands still; its disk is written by QEMU's
own tool through the device of the guest while the data is copied, and compared byte for byte afterwards.
"""

import uuid

import pytest

from celaje.common.conf import load
from celaje.volume.backends import open_driver
from celaje.volume.conf import OPTIONS
from tests.cloud import until
from tests.compute.drivers.builders import a_server
from tests.compute.drivers.test_block_copy import MIB
from tests.compute.drivers.test_block_swap import guest_of, nodes, write
from tests.compute.drivers.test_contract import QemuBench
from tests.volume import content

pytestmark = [pytest.mark.guest, pytest.mark.timeout(180)]

HOST = {"host": "here"}
CONTENT = bytes(range(256)) * 4096 * 4 + bytes(12 * MIB)


@pytest.fixture
def bench(tmp_path):
    made = QemuBench(tmp_path / "guests")
    yield made
    for name in made.driver.list_servers():
        made.driver.destroy(a_server(name))
    made.driver.cleanup_host(stop_guests=True)


@pytest.fixture
def back_ends(tmp_path):
    values = {(None, "enabled_backends"): ["near", "far"], (None, "host"): "here"}
    for name, driver in (("near", "file"), ("far", "nbd")):
        values[name, "volume_driver"] = driver
        values[name, "volumes_dir"] = str(tmp_path / name)
    conf = load("volume", OPTIONS, overrides=values)
    made = {name: open_driver(conf, name, tmp_path)[0] for name in ("near", "far")}
    yield made
    made["far"].daemon.kill()


def connected(driver, volume):
    info = driver.initialize_connection(volume, HOST)
    return {**info, "data": {**info["data"], "volume_id": volume["id"]}}


def kept(driver, volume, scratch):
    return content.head_of(driver, volume, scratch, 16 * MIB)


@pytest.mark.parametrize("way", [("near", "far"), ("far", "near"), ("near", "far", "near", "far")])
def test_what_is_written_meanwhile_arrives(bench, back_ends, way, tmp_path):
    driver, server = bench.driver, a_server()
    driver.spawn(server, bench.image, [], [], {})
    driver.pause(server)
    first, *others = way
    volume = {"id": str(uuid.uuid4()), "size": 1}
    back_ends[first].create_volume(volume)
    content.put(back_ends[first], volume, tmp_path, CONTENT)
    old = connected(back_ends[first], volume)
    driver.attach_volume(server, old, None, volume["id"])
    device, expected = f"disk-{volume['id']}", bytearray(CONTENT)

    def put(pattern, place):
        write(driver, server, device, pattern, place)
        expected[place : place + 65536] = bytes([pattern]) * 65536

    at, here = first, volume
    for number, name in enumerate(others):
        target = {"id": str(uuid.uuid4()), "size": 1}
        back_ends[name].create_volume(target)
        new = connected(back_ends[name], target)
        put(16 * number + 1, MIB)
        driver.begin_swap(server, old, new, volume["id"])
        put(16 * number + 2, 2 * MIB)
        until(lambda old=old, new=new: driver.swap_is_done(server, old, new), what=f"the swap to {name}")
        put(16 * number + 3, (3 + number) * MIB)
        assert len([disk for disk in guest_of(driver, server).domain.disks if disk.volume]) == 1
        # What was left behind is closed there, and can be removed.
        back_ends[at].terminate_connection(here, HOST)
        back_ends[at].delete_volume(here)
        old = {**new, "data": {**new["data"], "volume_id": volume["id"]}}
        at, here = name, target
    assert len(nodes(driver, server)) == 2
    driver.power_off(server)
    driver.detach_volume(server, old)
    back_ends[at].terminate_connection(here, HOST)
    assert kept(back_ends[at], here, tmp_path) == bytes(expected)
    assert [back_ends[name].list_volumes() for name in back_ends if name != at] == [[]]
