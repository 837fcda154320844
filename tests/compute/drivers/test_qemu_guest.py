"""What only a real guest shows: a killed worker, booting from a volume, extra disks, a state in use."""

import os
import shutil
import signal
import subprocess
import sys

import pytest
from tests.compute.drivers.builders import a_server
from tests.compute.drivers.test_contract import VOLUME, QemuBench
from tests.guest.build import guest_image

from celaje.common.errors import DriverError
from celaje.common.qemu import process
from celaje.compute.drivers.base import PowerState
from celaje.compute.drivers.qemu import QemuDriver

pytestmark = [pytest.mark.guest, pytest.mark.timeout(180)]


def test_a_killed_worker_finds_its_guest_again(tmp_path):
    image = guest_image()
    code = f"""
import pathlib
from celaje.compute.drivers.qemu import QemuDriver
from tests.compute.drivers.builders import a_server
driver = QemuDriver(pathlib.Path({str(tmp_path)!r}))
driver.init_host()
driver.spawn(a_server(), {{"id": "i", "path": {str(image)!r}, "disk_format": "qcow2"}})
print("ready", flush=True)
input()
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    child = subprocess.Popen([sys.executable, "-c", code], cwd=os.getcwd(), **pipes)
    driver = QemuDriver(tmp_path)
    try:
        assert child.stdout.readline() == b"ready\n"
        with pytest.raises(DriverError, match="Another compute worker"):
            driver.init_host()
        os.kill(child.pid, signal.SIGKILL)
        child.wait(10)
        driver.init_host()
        assert driver.power_state(a_server()) is PowerState.RUNNING
        # And with the record from before the process was written down.
        guest = driver._find(a_server()["uuid"])
        known = guest.domain.process
        guest.domain.process = None
        guest.save()
        driver.spawn(a_server(), {"id": "i", "path": str(image), "disk_format": "qcow2"})
        assert driver._find(a_server()["uuid"]).is_running()
        driver.destroy(a_server())
        assert not process.is_alive(known, a_server()["uuid"])
        assert list((tmp_path / "servers").iterdir()) == []
    finally:
        child.kill()
        child.wait(10)
        child.stdin.close()
        child.stdout.close()
        driver.cleanup_host(stop_guests=True)


def test_boots_from_a_volume_with_extra_disks_and_no_network(tmp_path):
    bench = QemuBench(tmp_path)
    server = a_server(flavor={"root_gb": 0, "ephemeral_gb": 1, "swap": 32})
    path = tmp_path / "boot.qcow2"
    shutil.copy(guest_image(), path)
    data = {"device_path": str(path), "format": "qcow2", "volume_id": VOLUME}
    volume = {"driver_volume_type": "local", "data": data}
    item = {"volume_id": VOLUME, "connection_info": volume, "boot_index": 0, "device_name": "/dev/vda"}
    try:
        bench.driver.spawn(server, None, [], [item])
        with pytest.raises(DriverError, match="is the root disk"):
            bench.driver.detach_volume(server, volume)
        bench.expect(server, "DISKS vda=48M vdb=1024M vdc=32M", f"SERIALS vda={VOLUME[:20]}", "READY")
    finally:
        bench.driver.destroy(server)
        bench.driver.cleanup_host()
    assert path.exists()


def test_qemus_own_words_when_it_does_not_start(tmp_path):
    bench = QemuBench(tmp_path)
    broken = tmp_path / "broken.qcow2"
    broken.write_bytes(b"not a qcow2 at all" * 100)
    data = {"device_path": str(broken), "format": "qcow2", "volume_id": VOLUME}
    item = {"connection_info": {"driver_volume_type": "local", "data": data}, "boot_index": 0}
    with pytest.raises(DriverError, match=r"QEMU ended with 1 at start: .*not in qcow2 format"):
        bench.driver.spawn(a_server(), None, [], [item])
    bench.driver.destroy(a_server())
    assert bench.driver.list_servers() == set()
    bench.driver.cleanup_host()
