"""A plugged volume is copied as it was at one moment, while a real guest has it open."""

import hashlib
import os
import subprocess
import uuid
from pathlib import Path

import pytest
from tests.cloud import until
from tests.compute.drivers.builders import a_server
from tests.compute.drivers.test_contract import VOLUME, QemuBench

from celaje.common.errors import DriverError
from celaje.compute.drivers.base import PowerStateRefused

pytestmark = [pytest.mark.guest, pytest.mark.timeout(180)]

MIB = 1 << 20


def qemu_img(*words):
    return subprocess.run(["qemu-img", *map(str, words)], check=True, timeout=60, capture_output=True).stdout


@pytest.fixture
def bench(tmp_path):
    made = QemuBench(tmp_path)
    yield made
    for name in made.driver.list_servers():
        made.driver.destroy(a_server(name))
    made.driver.cleanup_host(stop_guests=True)


def a_volume(folder: Path, form: str) -> tuple[dict, bytes]:
    content = os.urandom(8 * MIB) + bytes(24 * MIB)
    raw = folder / "content.raw"
    raw.write_bytes(content)
    path = folder / f"volume.{form}"
    qemu_img("convert", "-f", "raw", "-O", form, raw, path)
    data = {"device_path": str(path), "format": form, "access_mode": "rw", "volume_id": VOLUME}
    return {"driver_volume_type": "local", "data": data}, content


def a_copy(folder: Path, form: str, size: str = "32M") -> dict:
    name = str(uuid.uuid4())
    qemu_img("create", "-q", "-f", form, folder / f"copy-{name}.{form}", size)
    return {"id": name, "file": f"copy-{name}.{form}", "format": form}


def digest_of(path: Path, form: str, folder: Path) -> str:
    qemu_img("convert", "-f", form, "-O", "raw", path, folder / "seen.raw")
    return hashlib.sha256((folder / "seen.raw").read_bytes()).hexdigest()


@pytest.mark.parametrize("form", ["raw", "qcow2"])
def test_copied_while_open(bench, tmp_path, form):
    driver, server = bench.driver, a_server()
    driver.spawn(server, bench.image, [], [], {})
    bench.expect(server, "READY")
    volume, content = a_volume(tmp_path, form)
    driver.attach_volume(server, volume, None, VOLUME)
    copy = a_copy(tmp_path, form)
    for _ in range(2):  # the second as after a crash
        driver.begin_copy(server, volume, copy)
    until(lambda: driver.copy_is_done(server, volume, copy), what="the copy")
    assert digest_of(tmp_path / copy["file"], form, tmp_path) == hashlib.sha256(content).hexdigest()
    # Nothing of it is left in QEMU: the next one, and the unplugging, meet no job.
    driver.begin_copy(server, volume, copy)
    until(lambda: driver.copy_is_done(server, volume, copy), what="the second copy")
    driver.detach_volume(server, volume)


def test_unplugged_meanwhile(bench, tmp_path):
    driver, server = bench.driver, a_server()
    driver.spawn(server, bench.image, [], [], {})
    bench.expect(server, "READY")
    volume, _ = a_volume(tmp_path, "raw")
    driver.attach_volume(server, volume, None, VOLUME)
    # Too small a target: QEMU refuses, and nothing stays behind.
    small = a_copy(tmp_path, "raw", "1M")
    with pytest.raises(DriverError):
        driver.begin_copy(server, volume, small)
    copy = a_copy(tmp_path, "raw")
    driver.begin_copy(server, volume, copy)
    driver.detach_volume(server, volume)
    with pytest.raises(DriverError, match="not attached"):
        driver.copy_is_done(server, volume, copy)


@pytest.mark.parametrize("name", ["../copy.raw", "volume.raw", "copy-1.raw"])
def test_only_into_a_copys_file(bench, tmp_path, name):
    driver, server = bench.driver, a_server()
    driver.spawn(server, bench.image, [], [], {})
    volume, _ = a_volume(tmp_path, "raw")
    driver.attach_volume(server, volume, None, VOLUME)
    copy = {"id": str(uuid.uuid4()), "file": name, "format": "raw"}
    with pytest.raises(DriverError, match="is no name"):
        driver.begin_copy(server, volume, copy)
    driver.power_off(server)
    with pytest.raises(PowerStateRefused):
        driver.begin_copy(server, volume, a_copy(tmp_path, "raw"))
