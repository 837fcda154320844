"""A plugged volume is swapped for another by QEMU itself. The guest stands still meanwhile, and its disk is
written by QEMU's own tool through the device of the guest.
"""

import dataclasses
import uuid

import pytest
from tests.cloud import until
from tests.compute.drivers.builders import a_server
from tests.compute.drivers.test_block_copy import MIB, a_volume, qemu_img
from tests.compute.drivers.test_contract import VOLUME, QemuBench

from celaje.common.errors import DriverError
from celaje.compute.drivers.base import PowerStateRefused

pytestmark = [pytest.mark.guest, pytest.mark.timeout(180)]

OTHER = str(uuid.uuid4())


@pytest.fixture
def bench(tmp_path):
    made = QemuBench(tmp_path)
    yield made
    for name in made.driver.list_servers():
        made.driver.destroy(a_server(name))
    made.driver.cleanup_host(stop_guests=True)


@pytest.fixture
def server(bench):
    made = a_server()
    bench.driver.spawn(made, bench.image, [], [], {})
    bench.driver.pause(made)
    return made


def an_empty_one(folder, form, size="32M"):
    path = folder / f"other.{form}"
    qemu_img("create", "-q", "-f", form, path, size)
    data = {"device_path": str(path), "format": form, "access_mode": "rw", "volume_id": OTHER}
    return {"driver_volume_type": "local", "data": data}


def guest_of(driver, server):
    return driver._find(server["uuid"])


def write(driver, server, device, pattern, at):
    """As the guest would: through its device."""
    with guest_of(driver, server).qmp() as qmp:
        line = f'qemu-io -d /machine/peripheral/{device}/virtio-backend "write -P {pattern} {at} 64k"'
        said = qmp.execute("human-monitor-command", {"command-line": line})
        assert "wrote 65536" in said or said == "", said


def content_of(info, folder):
    data = info["data"]
    qemu_img("convert", "-f", data["format"], "-O", "raw", data["device_path"], folder / "seen.raw")
    return (folder / "seen.raw").read_bytes()


def written(content, *patterns):
    """64 KiB of each pattern, from 1 MiB on."""
    found = bytearray(content)
    for number, pattern in enumerate(patterns):
        place = (number + 1) * MIB
        found[place : place + 65536] = bytes([pattern]) * 65536
    return bytes(found)


def nodes(driver, server):
    with guest_of(driver, server).qmp() as qmp:
        named = qmp.execute("query-named-block-nodes", {"flat": True})
        assert qmp.execute("query-jobs") == []
    return {each["node-name"] for each in named if each["node-name"].startswith("v")}


@pytest.mark.parametrize(("source", "target"), [("raw", "qcow2"), ("qcow2", "raw")])
@pytest.mark.parametrize("keeps", [True, False])
def test_swapped_while_it_is_written(bench, server, tmp_path, source, target, keeps):
    """`keeps`: a migration, in which the server knows the volume by the same id afterwards."""
    driver = bench.driver
    old, content = a_volume(tmp_path, source)
    new = an_empty_one(tmp_path, target)
    name = VOLUME if keeps else OTHER
    known = {"driver_volume_type": "local", "data": {**new["data"], "volume_id": name}}
    driver.attach_volume(server, old, None, VOLUME)
    write(driver, server, f"disk-{VOLUME}", 1, "1M")
    for _ in range(2):  # the second as after a crash
        driver.begin_swap(server, old, new, name)
    write(driver, server, f"disk-{VOLUME}", 2, "2M")
    until(lambda: driver.swap_is_done(server, old, new), what="the swap")
    assert driver.swap_is_done(server, old, new)
    driver.begin_swap(server, old, new, name)  # done already
    assert not driver.abandon_swap(server, old, new)
    write(driver, server, f"disk-{VOLUME}", 3, "3M")
    (disk,) = [disk for disk in guest_of(driver, server).domain.disks if disk.volume]
    assert (disk.volume, disk.swap) == (name, None)
    assert len(nodes(driver, server)) == 2, nodes(driver, server)
    # The old one is closed, and may be plugged again beside it.
    assert content_of(old, tmp_path) == written(content, 1, 2)
    if not keeps:
        driver.attach_volume(server, old, None, VOLUME)
        driver.power_off(server)
        driver.detach_volume(server, old)
    # It starts anew from the new place.
    driver.power_off(server)
    driver.power_on(server)
    driver.pause(server)
    write(driver, server, f"disk-{VOLUME}", 4, "4M")
    driver.power_off(server)
    driver.detach_volume(server, known)
    assert content_of(new, tmp_path)[: 32 * MIB] == written(content, 1, 2, 3, 4)
    assert not [disk for disk in guest_of(driver, server).domain.disks if disk.volume]


def test_given_up_and_taken_back(bench, server, tmp_path):
    driver = bench.driver
    old, content = a_volume(tmp_path, "raw")
    new = an_empty_one(tmp_path, "raw")
    driver.attach_volume(server, old, None, VOLUME)
    before = nodes(driver, server)
    assert driver.abandon_swap(server, old, new)  # nothing was begun
    driver.begin_swap(server, old, new, VOLUME)
    assert driver.abandon_swap(server, old, new)
    assert driver.abandon_swap(server, old, new)
    assert nodes(driver, server) == before
    with pytest.raises(DriverError, match="ended by another"):
        driver.swap_is_done(server, old, new)
    # Changed over, written to, and back again: nothing is lost.
    driver.begin_swap(server, old, new, VOLUME)
    until(lambda: driver.swap_is_done(server, old, new), what="the swap")
    write(driver, server, f"disk-{VOLUME}", 1, "1M")
    assert not driver.abandon_swap(server, old, new)
    driver.begin_swap(server, new, old, VOLUME)
    until(lambda: driver.swap_is_done(server, new, old), what="the way back")
    assert driver.abandon_swap(server, old, new)
    assert nodes(driver, server) == before
    driver.power_off(server)
    assert content_of(old, tmp_path) == written(content, 1)


def test_a_guest_that_ends_in_between_starts_where_its_data_is(bench, server, tmp_path):
    driver = bench.driver
    old, content = a_volume(tmp_path, "raw")
    new = an_empty_one(tmp_path, "raw")
    driver.attach_volume(server, old, None, VOLUME)
    driver.begin_swap(server, old, new, VOLUME)
    driver.power_off(server)
    with pytest.raises(DriverError, match="stopped while"):
        driver.swap_is_done(server, old, new)
    with pytest.raises(PowerStateRefused):
        driver.begin_swap(server, old, new, VOLUME)
    driver.power_on(server)
    driver.pause(server)
    driver.begin_swap(server, old, new, VOLUME)
    until(lambda: driver.swap_is_done(server, old, new), what="the swap")
    # As if we had died between QEMU's change and our record of it.
    guest = guest_of(driver, server)
    (disk,) = [disk for disk in guest.domain.disks if disk.volume]
    order = {"key": OTHER, "volume": VOLUME, "source": driver._source(new).kept, "pivoting": True}
    was = dataclasses.replace(disk, key=None, named=None, swap=order, **driver._source(old).kept)
    guest.domain.disks[guest.domain.disks.index(disk)] = was
    guest.save()
    assert driver.swap_is_done(server, old, new)
    name = f"v{OTHER.replace('-', '')[:26]}"
    assert nodes(driver, server) == {name, f"{name}-f"}
    guest = guest_of(driver, server)
    guest.domain.disks[guest.domain.disks.index(disk)] = was
    guest.save()
    driver.power_off(server)
    driver.power_on(server)
    assert [one.lies_as for one in guest_of(driver, server).domain.disks if one.volume] == [OTHER]
    assert content_of(old, tmp_path) == content


@pytest.mark.parametrize("size", ["1M", "48M"])
def test_a_volume_of_another_size_is_refused(bench, server, tmp_path, size):
    driver = bench.driver
    old, _ = a_volume(tmp_path, "raw")
    new = an_empty_one(tmp_path, "qcow2", size)
    driver.attach_volume(server, old, None, VOLUME)
    before = nodes(driver, server)

    def swap():
        driver.begin_swap(server, old, new, VOLUME)
        until(lambda: driver.swap_is_done(server, old, new))

    with pytest.raises(DriverError, match="sizes"):
        swap()
    assert nodes(driver, server) == before
    driver.power_off(server)
    missing = {"driver_volume_type": "local", "data": {**new["data"], "device_path": "/nowhere/volume.raw"}}
    with pytest.raises(DriverError):
        driver.begin_swap(server, old, missing, VOLUME)
    driver.power_on(server)
    assert nodes(driver, server) == before
