"""What every compute driver promises, tried on the simulated one and on QEMU with a real guest.

The real one tells two things apart: what the driver says and what the guest sees on its console.
"""

import subprocess
import threading
from pathlib import Path

import pytest
from tests.compute.drivers.builders import a_port, a_server
from tests.guest.build import guest_image

from celaje.common.errors import DriverError
from celaje.compute.drivers.base import (
    ComputeDriver,
    PowerState,
    PowerStateRefused,
    UnknownServer,
    UnsupportedConnection,
)
from celaje.compute.drivers.fake import FakeDriver
from celaje.compute.drivers.metadata import metadata_files
from celaje.compute.drivers.qemu import QemuDriver

VOLUME = "5a0c4f1e-7a53-4d5c-8c2b-1f6f0a3b9d77"
BOOT_SECONDS = 60


class FakeBench:
    """How the tests look into a simulated guest."""

    def __init__(self, folder: Path):
        self.state = folder / "fake"
        self.driver: ComputeDriver = self.make()
        self.image = {"id": "i", "path": "/nowhere", "disk_format": "qcow2"}

    def make(self) -> ComputeDriver:
        from celaje.compute.drivers.fake import FakeCloudState

        driver = FakeDriver(["host"], FakeCloudState(self.state))
        driver.init_host()
        return driver

    def restart(self) -> None:
        self.driver.cleanup_host()
        self.driver = self.make()

    def a_volume(self) -> dict:
        return {"driver_volume_type": "fake", "data": {"volume_id": VOLUME}}

    def expect(self, server, *words: str, after: int = 0) -> None:
        """Simulated guests print nothing of their inside."""

    def mark(self, server) -> int:
        return 0


class QemuBench:
    def __init__(self, folder: Path):
        self.folder = folder
        image = guest_image()
        self.image = {"id": "tiny", "path": str(image), "disk_format": "qcow2", "size": image.stat().st_size}
        self.driver: ComputeDriver = self.make()

    def make(self) -> ComputeDriver:
        driver = QemuDriver(self.folder / "state", node="host", hotplug_ports=2)
        driver.init_host()
        return driver

    def restart(self) -> None:
        self.driver.cleanup_host()
        self.driver = self.make()

    def a_volume(self) -> dict:
        path = self.folder / "volume.qcow2"
        if not path.exists():
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "64M"], check=True, timeout=20)
        data = {"device_path": str(path), "format": "qcow2", "access_mode": "rw", "volume_id": VOLUME}
        return {"driver_volume_type": "local", "data": data}

    def mark(self, server) -> int:
        return len(self.driver.console_output(server))

    def expect(self, server, *words: str, after: int = 0) -> None:
        """Poll the guest's console until it has said all the words, or a minute passed."""
        ticks = threading.Event()
        said = ""
        for _ in range(BOOT_SECONDS * 10):
            said = self.driver.console_output(server)[after:]
            if all(word in said for word in words):
                return
            ticks.wait(0.1)
        missing = [word for word in words if word not in said]
        pytest.fail(f"the guest did not say {missing}; it said:\n{said[-3000:]}")


@pytest.fixture(params=["fake", pytest.param("qemu", marks=pytest.mark.guest)])
def bench(request, tmp_path):
    made = FakeBench(tmp_path) if request.param == "fake" else QemuBench(tmp_path)
    yield made
    for uuid in made.driver.list_servers():
        made.driver.destroy(a_server(uuid))
    made.driver.cleanup_host(stop_guests=True)


@pytest.mark.timeout(180)
def test_life_of_a_server(bench):
    server, port, volume = (
        a_server(key_data="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@here"),
        a_port(),
        bench.a_volume(),
    )
    driver = bench.driver
    files = metadata_files(server, [port])
    with pytest.raises(UnknownServer):
        driver.power_state(server)

    driver.spawn(server, bench.image, [port], [], files)
    driver.spawn(server, bench.image, [port], [], files)
    assert driver.list_servers() == {server["uuid"]}
    assert driver.power_state(server) is PowerState.RUNNING
    used = driver.capabilities()["host"]
    assert (used.vcpus_used, used.memory_mb_used, used.disk_gb_used, used.running_servers) == (1, 128, 1, 1)
    bench.expect(
        server,
        "BOOTS 1",
        "NET eth0=192.168.77.41/24",
        "router=192.168.77.1",
        "CONFIG-DRIVE /dev/sr0",
        "KEY ssh-ed25519 AAAAC3NzaC1lZDI1N",
        "HELLO-FROM-USER-DATA",
        "DISKS vda=1024M",
        f"NICS eth0={port['mac_address']}",
        "READY one",
    )
    assert "READY" in driver.console_output(server)
    assert len(driver.console_output(server, 2).splitlines()) == 2

    # Volumes, in the running guest; everything twice, as after a crash.
    mark = bench.mark(server)
    for _ in range(2):
        assert driver.attach_volume(server, volume, None, VOLUME) == "/dev/vdb"
    bench.expect(server, "DISKS vda=1024M vdb=64M", f"SERIALS vdb={VOLUME[:20]}", after=mark)
    for _ in range(2):
        driver.extend_volume(server, volume, 96 << 20)
    bench.expect(server, "vdb=96M", after=mark)

    second = a_port(2)
    mark = bench.mark(server)
    for _ in range(2):
        driver.attach_interface(server, second)
    bench.expect(server, f"eth1={second['mac_address']}", "192.168.77.42/24", after=mark)
    mark = bench.mark(server)
    for _ in range(2):
        driver.detach_interface(server, second)
    bench.expect(server, f"NICS eth0={port['mac_address']}\n", after=mark)

    # Pause, and memory to disk and back with the volume plugged.
    for _ in range(2):
        driver.pause(server)
        assert driver.power_state(server) is PowerState.PAUSED
    for _ in range(2):
        driver.unpause(server)
        assert driver.power_state(server) is PowerState.RUNNING
    for _ in range(2):
        driver.suspend(server)
        assert driver.power_state(server) is PowerState.SUSPENDED
    with pytest.raises(PowerStateRefused):
        driver.power_on(server)
    bench.restart()
    driver = bench.driver
    for _ in range(2):
        driver.resume(server)
        assert driver.power_state(server) is PowerState.RUNNING

    mark = bench.mark(server)
    for _ in range(2):
        driver.detach_volume(server, volume)
    bench.expect(server, "DISKS vda=1024M\n", after=mark)

    # A restarted driver finds the guest running, and it did not boot again meanwhile.
    bench.restart()
    driver = bench.driver
    assert driver.power_state(server) is PowerState.RUNNING
    assert "BOOTS 2" not in driver.console_output(server)

    mark = bench.mark(server)
    driver.power_off(server, timeout=30)
    assert driver.power_state(server) is PowerState.SHUTDOWN
    bench.expect(server, "POWER-BUTTON", after=mark)
    driver.power_off(server)
    # Plugged while off: there at the next start.
    assert driver.attach_volume(server, volume, None, VOLUME) == "/dev/vdb"
    mark = bench.mark(server)
    for _ in range(2):
        driver.power_on(server)
    assert driver.power_state(server) is PowerState.RUNNING
    bench.expect(server, "BOOTS 2", "vdb=96M", "READY one", after=mark)

    for _ in range(2):
        driver.destroy(server)
    assert driver.list_servers() == set()
    assert driver.capabilities()["host"].vcpus_used == 0
    with pytest.raises(UnknownServer):
        driver.console_output(server)


def test_reboots_and_refusals(bench):
    driver, server = bench.driver, a_server()
    with pytest.raises(DriverError, match="neither an image nor a volume"):
        driver.spawn(server, None)
    driver.spawn(server, bench.image)
    # The guest is in its firmware still: it does not hear the button, so this ends hard, and it runs.
    driver.reboot(server, timeout=0.5)
    assert driver.power_state(server) is PowerState.RUNNING
    driver.reboot(server, hard=True)
    assert driver.power_state(server) is PowerState.RUNNING
    with pytest.raises(UnsupportedConnection, match="'fibre_channel'"):
        driver.attach_volume(server, {"driver_volume_type": "fibre_channel", "data": {"volume_id": VOLUME}})
    driver.suspend(server)
    with pytest.raises(PowerStateRefused, match="while it is suspended"):
        driver.pause(server)
    driver.reboot(server, hard=True)
    assert driver.power_state(server) is PowerState.RUNNING
    driver.power_off(server)
    driver.detach_volume(server, bench.a_volume())
    with pytest.raises(DriverError, match="not attached"):
        driver.extend_volume(server, bench.a_volume(), 1 << 30)
    with pytest.raises(UnknownServer):
        driver.power_on(a_server("00000000-0000-4000-8000-000000000000"))


def test_connector(bench):
    connector = bench.driver.volume_connector()
    assert connector.keys() >= {"host", "ip", "initiator", "multipath", "platform", "os_type"}
    assert connector["multipath"] is False
