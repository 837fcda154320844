"""The file driver with real data: what is copied is the same, and independent."""

import json
import subprocess
import threading

import pytest

from celaje.common import clock, errors, processes
from celaje.volume.drivers import base, local_files
from celaje.volume.drivers.file import FileDriver

MIB = 1024**2
HAS_QEMU_IMG = processes.find("qemu-img") is not None
needs_qemu_img = pytest.mark.skipif(not HAS_QEMU_IMG, reason="qemu-img is not installed")
formats = pytest.mark.parametrize("form", [pytest.param("qcow2", marks=needs_qemu_img), "raw"])


def volume(size=1):
    return {"id": clock.new_uuid(), "size": size}


def run(*command) -> str:
    return subprocess.run([*map(str, command)], check=True, capture_output=True, text=True).stdout


def data_of(driver, one) -> dict:
    return driver.initialize_connection(one, {"host": "node-1"})["data"]


def write(driver, one, pattern):
    data = data_of(driver, one)
    run("qemu-io", "-f", data["format"], "-c", f"write -P {pattern} 4M 1M", data["device_path"])


def reads(driver, one, pattern) -> bool:
    data = data_of(driver, one)
    command = ["qemu-io", "-f", data["format"], "-c", f"read -P {pattern} 4M 1M", data["device_path"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "read 1048576/1048576 bytes" in done.stdout or "Pattern verification failed" in done.stdout
    return done.returncode == 0


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "volumes"


@formats
def test_connection_info(folder, form, make_file_driver):
    driver = make_file_driver(folder, file_volume_format=form)
    one = volume()
    location = driver.create_volume(one)["provider_location"]
    assert driver.initialize_connection(one, {"host": "node-1"}) == {
        "driver_volume_type": "local",
        "data": {
            "device_path": location,
            "format": form,
            "access_mode": "rw",
            "volume_id": one["id"],
            "discard": True,
        },
    }
    assert location == f"{folder}/volume-{one['id']}.{form}"


def test_another_host_cannot_attach_unless_the_folder_is_shared(folder, make_file_driver):
    one = volume()
    driver = make_file_driver(folder, file_volume_format="raw")
    driver.create_volume(one)
    with pytest.raises(errors.NotImplementedHere, match="node-2 cannot reach"):
        driver.initialize_connection(one, {"host": "node-2"})
    shared = make_file_driver(folder, file_volume_format="raw", volumes_dir_shared=True)
    assert shared.initialize_connection(one, {"host": "node-2"})["data"]["volume_id"] == one["id"]


@formats
def test_volumes_are_sparse_and_real_disks(folder, form, make_file_driver):
    driver = make_file_driver(folder, file_volume_format=form)
    one = volume(100)
    driver.create_volume(one)
    path = data_of(driver, one)["device_path"]
    (file,) = folder.iterdir()
    assert file.stat().st_blocks * 512 < MIB
    if HAS_QEMU_IMG:
        info = json.loads(run("qemu-img", "info", "--output=json", "-f", form, path))
        assert info["virtual-size"] == 100 * base.GIB
        driver.extend_volume(one, 120)
        info = json.loads(run("qemu-img", "info", "--output=json", "-f", form, path))
        assert info["virtual-size"] == 120 * base.GIB


@needs_qemu_img
@formats
def test_copies_hold_the_data_and_are_independent(folder, form, make_file_driver):
    driver = make_file_driver(folder, file_volume_format=form)
    one, clone, restored = volume(), volume(2), volume(2)
    driver.create_volume(one)
    write(driver, one, 1)
    kept = {"id": clock.new_uuid(), "volume_id": one["id"]}
    driver.create_snapshot(kept)
    driver.create_cloned_volume(clone, one)
    write(driver, one, 2)
    driver.create_volume_from_snapshot(restored, kept)
    write(driver, clone, 3)
    assert reads(driver, one, 2) and reads(driver, clone, 3) and reads(driver, restored, 1)
    assert not reads(driver, restored, 2), "the check itself can fail"
    driver.delete_volume(one)
    driver.delete_snapshot(kept)
    assert reads(driver, restored, 1)
    assert {found["size"] for found in driver.list_volumes()} == {2}


@needs_qemu_img
@formats
@pytest.mark.parametrize("disk_format", ["raw", "qcow2", "vmdk", "vdi", "vhd", "vhdx"])
def test_image_to_volume_and_back(folder, tmp_path, form, disk_format, make_file_driver):
    raw, image, back = tmp_path / "raw", tmp_path / "image", tmp_path / "back"
    with open(raw, "wb") as file:
        file.truncate(8 * MIB)
    run("qemu-io", "-f", "raw", "-c", "write -P 9 4M 1M", raw)
    run("qemu-img", "convert", "-f", "raw", "-O", {"vhd": "vpc"}.get(disk_format, disk_format), raw, image)
    driver = make_file_driver(folder, file_volume_format=form)
    one = volume()
    driver.create_volume_from_image(one, {"id": "x", "disk_format": disk_format, "path": str(image)})
    image.unlink()
    assert reads(driver, one, 9)
    assert driver.list_volumes()[0]["size"] == 1
    driver.copy_volume_to_image(one, str(back), disk_format)
    again = volume(2)
    driver.create_volume_from_image(again, {"id": "y", "disk_format": disk_format, "path": str(back)})
    assert reads(driver, again, 9)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "raw", "volumes"]


@needs_qemu_img
@formats
def test_a_disk_that_a_guest_writes_is_not_copied(folder, form, tmp_path, make_file_driver):
    driver = make_file_driver(folder, file_volume_format=form)
    one = volume()
    driver.create_volume(one)
    guest = subprocess.Popen(
        ["qemu-io", "-f", form, data_of(driver, one)["device_path"]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    try:
        guest.stdin.write(b"length\n")
        assert b"1 GiB" in guest.stdout.readline()
        for operation in (
            lambda: driver.create_snapshot({"id": clock.new_uuid(), "volume_id": one["id"]}),
            lambda: driver.create_cloned_volume(volume(), one),
            lambda: driver.copy_volume_to_image(one, str(tmp_path / "x"), "raw"),
            lambda: driver.extend_volume(one, 2),
        ):
            with pytest.raises(base.VolumeInUse):
                operation()
    finally:
        guest.communicate(timeout=30)
    driver.create_cloned_volume(volume(), one)
    assert driver.extends_attached_through_host and not driver.copies_attached


def test_a_guest_cannot_make_a_raw_disk_into_another_format(folder, make_file_driver):
    """The attack: write a qcow2 header with a backing file into the disk, then have it read by the host."""
    driver = make_file_driver(folder, file_volume_format="raw")
    one = volume()
    path = driver.create_volume(one)["provider_location"]
    with open(path, "rb+") as disk:
        disk.write(b"QFI\xfb\0\0\0\3" + bytes(7) + b"\x70" + b"\0\0\0\x0b")
    assert make_file_driver(folder).initialize_connection(one, {"host": "node-1"})["data"]["format"] == "raw"
    clone = volume()
    driver.create_cloned_volume(clone, one)
    driver.extend_volume(clone, 2)
    assert {found["size"] for found in driver.list_volumes()} == {1, 2}


def test_without_qemu_img_it_says_so_and_works_raw(folder, monkeypatch, tmp_path, make_file_driver):
    monkeypatch.setattr(processes, "find", lambda program: None)
    driver = make_file_driver(folder)
    assert "qemu-img is not installed" in driver.explain()
    one = volume()
    driver.create_volume(one)
    assert data_of(driver, one)["format"] == "raw"
    driver.extend_volume(one, 2)
    (tmp_path / "image").write_bytes(b"x" * MIB)
    driver.create_volume_from_image(
        volume(), {"id": "x", "disk_format": "raw", "path": str(tmp_path / "image")}
    )
    with pytest.raises(errors.DriverError):
        driver.copy_volume_to_image(one, str(tmp_path / "back"), "qcow2")


@needs_qemu_img
def test_a_conversion_that_fails_leaves_nothing_and_tells_why(folder, tmp_path, make_file_driver):
    image = tmp_path / "image"
    run("qemu-img", "create", "-q", "-f", "qcow2", image, "1G")
    with open(image, "rb+") as file:
        file.seek(40)
        file.write((77).to_bytes(8, "big"))  # where its table is said to be, none can be
    driver = make_file_driver(folder)
    with pytest.raises(errors.DriverError, match="qemu-img convert"):
        driver.create_volume_from_image(volume(), {"id": "x", "disk_format": "qcow2", "path": str(image)})
    assert list(folder.iterdir()) == []


@needs_qemu_img
def test_a_conversion_that_takes_too_long_is_ended(folder, tmp_path, monkeypatch, make_file_driver):
    def slow(argv, **limits):
        return real(["sleep", "60"], timeout=0.2)

    real = processes.run
    (tmp_path / "image").write_bytes(b"x" * MIB)
    driver = make_file_driver(folder)
    monkeypatch.setattr(processes, "run", slow)
    with pytest.raises(processes.ProcessTimeout):
        driver.create_volume_from_image(
            volume(), {"id": "x", "disk_format": "raw", "path": str(tmp_path / "image")}
        )
    assert list(folder.iterdir()) == []


def test_half_made_files_are_removed_at_start(folder, make_file_driver):
    driver = make_file_driver(folder, file_volume_format="raw")
    one = volume()
    driver.create_volume(one)
    (folder / f".volume-{clock.new_uuid()}.{clock.new_uuid()}.part").write_bytes(b"half")
    assert len(driver.list_volumes()) == 1, "half made is not made"
    make_file_driver(folder)
    assert [path.name for path in folder.iterdir()] == [f"volume-{one['id']}.raw"]


def test_a_late_attempt_does_not_replace_the_volume(folder):
    """The attempt believed dead comes to its end after its successor's volume is in use already."""
    target, late = folder / "volume", folder / ".late.part"
    folder.mkdir()
    target.write_bytes(b"in use")
    late.write_bytes(b"late")
    local_files.publish(late, target)
    assert target.read_bytes() == b"in use"
    assert not late.exists()


def test_many_at_once_make_one(folder, make_file_driver):
    driver = make_file_driver(folder, file_volume_format="raw")
    one, failures = volume(), []

    def create():
        try:
            driver.create_volume(one)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert [path.name for path in folder.iterdir()] == [f"volume-{one['id']}.raw"]


def test_folder_that_cannot_be_used(tmp_path, configure, make_file_driver):
    (tmp_path / "file").write_text("x")
    with pytest.raises(errors.ConfigurationError, match="cannot be used"):
        make_file_driver(tmp_path / "file" / "volumes")
    with pytest.raises(errors.ConfigurationError, match="not set"):
        FileDriver(configure(FileDriver), backend="fast")


def test_sparse_copy_keeps_holes_and_data(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    with open(source, "wb") as file:
        file.truncate(64 * MIB)
        for place in (0, 10 * MIB + 5, 64 * MIB - 3):
            file.seek(place)
            file.write(b"abc")
    local_files.copy(source, target, reflinks=False)
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_blocks * 512 < MIB


def test_reflink_probe_leaves_nothing(tmp_path):
    assert local_files.can_reflink(tmp_path) in {True, False}
    assert list(tmp_path.iterdir()) == []


def test_a_starting_worker_leaves_alone_what_a_live_one_is_writing(tmp_path, make_file_driver):
    driver = make_file_driver(tmp_path)
    with local_files.partial(tmp_path, "volume-x") as live:
        dead = tmp_path / ".volume-y.1.part"
        dead.write_bytes(b"")
        make_file_driver(tmp_path)
        assert live.exists() and not dead.exists()
    assert not live.exists()
    assert driver.list_volumes() == []
