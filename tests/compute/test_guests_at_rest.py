"""Guests rest while their worker does."""

import pytest
from tests.cloud import LabCloud, until

from celaje.compute.drivers.base import PowerState
from celaje.compute.drivers.fake import FakeDriver
from celaje.compute.guests_at_rest import GuestsAtRest

RESTING = {"compute": {(None, "stop_guests_on_exit"): True, (None, "resume_guests_state_on_host_boot"): True}}


def made(cloud, compute, name):
    image = cloud.as_user("image").post(
        "/v2/images", {"name": "i", "disk_format": "raw", "container_format": "bare"}
    )
    cloud.as_user("image").put(
        f"/v2/images/{image.ok()['id']}/file",
        headers={"Content-Type": "application/octet-stream"},
        raw=b"x" * 512,
    ).ok()
    server = {"name": name, "imageRef": image.body["id"], "flavorRef": "1", "networks": "none"}
    found = compute.post(
        "/v2.1/servers", {"server": server}, headers={"OpenStack-API-Version": "compute 2.37"}
    )
    uuid = found.ok(202)["server"]["id"]
    until(lambda: compute.get(f"/v2.1/servers/{uuid}").ok()["server"]["status"] == "ACTIVE")
    return uuid


def test_running_guests_run_again_and_stopped_ones_stay_stopped(tmp_path):
    cloud = LabCloud.at(tmp_path / "state", RESTING).begin()
    compute = cloud.as_user("compute")
    running, stopped = made(cloud, compute, "runs"), made(cloud, compute, "rests")
    compute.post(f"/v2.1/servers/{stopped}/action", {"os-stop": None}).ok(202)
    until(lambda: compute.get(f"/v2.1/servers/{stopped}").ok()["server"]["status"] == "SHUTOFF")
    driver = cloud.running["compute"].compute_worker.driver
    cloud.stop()
    assert driver.power_state({"uuid": running}) == PowerState.SHUTDOWN

    again = LabCloud.at(tmp_path / "state", RESTING).begin()
    driver = again.running["compute"].compute_worker.driver
    assert driver.power_state({"uuid": running}) == PowerState.RUNNING
    assert driver.power_state({"uuid": stopped}) == PowerState.SHUTDOWN
    compute = again.as_user("compute")
    again.running["compute"].periodic.run_now()
    assert compute.get(f"/v2.1/servers/{running}").ok()["server"]["status"] == "ACTIVE"
    assert compute.get(f"/v2.1/servers/{stopped}").ok()["server"]["status"] == "SHUTOFF"
    again.stop()


@pytest.fixture
def driver():
    return FakeDriver(["h1"])


def test_nothing_to_resume_is_no_error(driver, tmp_path):
    GuestsAtRest(driver, tmp_path / "none.json", 1).resume()
    GuestsAtRest(driver, tmp_path / "none.json", 1).stop_all()
    assert not (tmp_path / "none.json").exists()
