"""What every volume driver must do, whatever is behind it. A new driver adds itself to conftest's `start`."""

import numbers

import pytest

from celaje.common import clock, disk_format, errors
from celaje.volume.drivers import base

MIB = 1024**2
CONNECTOR = {"host": "node-1", "ip": "192.0.2.1", "initiator": "iqn.2026-01.example:node-1"}


def volume(size=1, **more):
    return {
        "id": clock.new_uuid(),
        "name_id": None,
        "size": size,
        "metadata": {},
        "volume_type": None,
        **more,
    }


def snapshot_of(source):
    return {"id": clock.new_uuid(), "volume_id": source["id"], "volume_size": source["size"]}


@pytest.fixture
def driver(start):
    return start()


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image"
    path.write_bytes(b"content" * 1000 + bytes(MIB))
    return {"id": clock.new_uuid(), "disk_format": "raw", "path": str(path), "size": path.stat().st_size}


def sizes(driver):
    return {found["id"]: found["size"] for found in driver.list_volumes()}


def test_explains_itself_in_a_sentence(driver):
    assert driver.explain().endswith(".")
    assert "fast" in driver.explain()


def test_capabilities_in_cinders_form(driver):
    report = driver.capabilities()
    for key in ("volume_backend_name", "vendor_name", "driver_version", "storage_protocol"):
        assert isinstance(report[key], str) and report[key]
    (pool,) = report["pools"]
    assert pool["pool_name"] == report["volume_backend_name"] == "fast"
    for part in (report, pool):
        for key in (
            "total_capacity_gb",
            "free_capacity_gb",
            "allocated_capacity_gb",
            "provisioned_capacity_gb",
            "reserved_percentage",
            "max_over_subscription_ratio",
        ):
            assert isinstance(part[key], numbers.Real), key
        for key in ("thin_provisioning_support", "multiattach", "QoS_support", "online_extend_support"):
            assert isinstance(part[key], bool), key
        assert 0 <= part["free_capacity_gb"] <= part["total_capacity_gb"]


def test_allocated_follows_the_volumes(driver):
    before = driver.capabilities()["allocated_capacity_gb"]
    one = volume(3)
    driver.create_volume(one)
    assert driver.capabilities()["allocated_capacity_gb"] == before + 3
    driver.delete_volume(one)
    assert driver.capabilities()["allocated_capacity_gb"] == before


def test_create_and_delete_twice_each(driver):
    one = volume(2)
    first = driver.create_volume(one)
    assert driver.create_volume(one) == first
    assert sizes(driver) == {one["id"]: 2}
    driver.delete_volume(one)
    driver.delete_volume(one)
    assert sizes(driver) == {}


def test_a_restarted_worker_finds_what_was_there(start):
    one = volume(2)
    before = start()
    before.create_volume(one)
    kept = snapshot_of(one)
    before.create_snapshot(kept)
    after = start()
    assert sizes(after) == {one["id"]: 2}
    assert [found["id"] for found in after.list_snapshots()] == [kept["id"]]
    after.create_volume(one)
    assert after.initialize_connection(one, CONNECTOR)["data"]["volume_id"] == one["id"]


def test_data_lies_under_the_name_id(driver):
    moved = volume(1, name_id=clock.new_uuid())
    driver.create_volume(moved)
    assert sizes(driver) == {moved["name_id"]: 1}
    assert driver.initialize_connection(moved, CONNECTOR)["data"]["volume_id"] == moved["id"]
    driver.delete_volume(moved)
    assert sizes(driver) == {}


def test_extend_is_idempotent_and_never_shrinks(driver):
    one = volume(1)
    driver.create_volume(one)
    driver.extend_volume(one, 3)
    driver.extend_volume({**one, "size": 3}, 3)
    assert sizes(driver) == {one["id"]: 3}
    with pytest.raises(base.VolumeWouldShrink):
        driver.extend_volume(one, 2)
    with pytest.raises(base.VolumeMissing):
        driver.extend_volume(volume(1), 2)


def test_from_image(driver, image):
    one = volume(2)
    first = driver.create_volume_from_image(one, image)
    assert driver.create_volume_from_image(one, image) == first
    assert sizes(driver) == {one["id"]: 2}


def test_an_image_that_does_not_fit_leaves_nothing(driver, image):
    with open(image["path"], "rb+") as file:
        file.truncate(1024**3 + 512)
    with pytest.raises(base.ImageDoesNotFit, match="2 GiB is larger than volume size 1 GiB"):
        driver.create_volume_from_image(volume(1), image)
    assert sizes(driver) == {}


def test_an_image_that_is_something_else_is_refused(driver, image):
    with pytest.raises(disk_format.FormatMismatch):
        driver.create_volume_from_image(volume(1), {**image, "disk_format": "qcow2"})
    with open(image["path"], "wb") as file:
        file.write(disk_format.empty_qcow2(MIB).replace(b"\0" * 8, (0x10000 - 512).to_bytes(8, "big"), 1))
    with pytest.raises(disk_format.UnsafeImage, match="backing"):
        driver.create_volume_from_image(volume(1), {**image, "disk_format": "qcow2"})
    assert sizes(driver) == {}


def test_snapshot_and_volume_from_it(driver):
    one = volume(1)
    driver.create_volume(one)
    kept = snapshot_of(one)
    first = driver.create_snapshot(kept)
    assert driver.create_snapshot(kept) == first
    driver.extend_volume(one, 2)
    assert driver.list_snapshots() == [{"id": kept["id"], "size": 1}]
    same, larger = volume(1), volume(3)
    driver.create_volume_from_snapshot(same, kept)
    driver.create_volume_from_snapshot(larger, kept)
    driver.create_volume_from_snapshot(larger, kept)
    assert sizes(driver) == {one["id"]: 2, same["id"]: 1, larger["id"]: 3}
    driver.delete_volume(one)
    driver.create_volume_from_snapshot(volume(1), kept)
    driver.delete_snapshot(kept)
    driver.delete_snapshot(kept)
    assert driver.list_snapshots() == []
    with pytest.raises(base.SnapshotMissing):
        driver.create_volume_from_snapshot(volume(1), kept)
    # A step that is run again after its source went away finds its work done.
    driver.create_volume_from_snapshot(larger, kept)


def test_clone(driver):
    one = volume(2)
    driver.create_volume(one)
    clone = volume(3)
    first = driver.create_cloned_volume(clone, one)
    driver.delete_volume(one)
    assert driver.create_cloned_volume(clone, one) == first
    assert sizes(driver) == {clone["id"]: 3}
    with pytest.raises(base.VolumeMissing):
        driver.create_cloned_volume(volume(3), one)
    with pytest.raises(base.VolumeWouldShrink):
        driver.create_cloned_volume(volume(1), clone)


def test_snapshot_of_a_missing_volume(driver):
    with pytest.raises(base.VolumeMissing):
        driver.create_snapshot(snapshot_of(volume(1)))
    assert driver.list_snapshots() == []


def test_connection(driver):
    one = volume(1)
    driver.create_volume(one)
    first = driver.initialize_connection(one, CONNECTOR)
    assert driver.initialize_connection(one, CONNECTOR) == first
    assert set(first) == {"driver_volume_type", "data"}
    assert first["data"]["volume_id"] == one["id"]
    for connector in (CONNECTOR, CONNECTOR, None):
        driver.terminate_connection(one, connector)
    driver.delete_volume(one)
    driver.terminate_connection(one, CONNECTOR)
    with pytest.raises(base.VolumeMissing):
        driver.initialize_connection(one, CONNECTOR)


def test_image_of_a_volume(driver, tmp_path):
    one = volume(1)
    driver.create_volume(one)
    target = tmp_path / "upload"
    driver.copy_volume_to_image(one, str(target), "raw")
    found = disk_format.inspect_file(target)
    assert (found.format, found.virtual_size, found.problems) == ("raw", base.GIB, ())
    with pytest.raises(errors.NotImplementedHere):
        driver.copy_volume_to_image(one, str(target), "aki")
    with pytest.raises(base.VolumeMissing):
        driver.copy_volume_to_image(volume(1), str(target), "raw")


@pytest.mark.parametrize("identifier", ["", "../../etc/passwd", "a/b", "x\0", None, "volume"])
def test_identifiers_are_validated(driver, identifier):
    for operation in (driver.create_volume, driver.delete_volume):
        with pytest.raises(errors.Invalid):
            operation({**volume(1), "id": identifier})
    with pytest.raises(errors.Invalid):
        driver.delete_snapshot({"id": identifier, "volume_id": clock.new_uuid()})
