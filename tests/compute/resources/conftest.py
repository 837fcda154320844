"""One small cloud of two simulated hosts for a module."""

import pytest
from tests.cloud import LabCloud, until
from tests.compute.resources.speaking import HOSTS


@pytest.fixture(scope="module")
def small_cloud(tmp_path_factory):
    overrides = {"compute": {(None, "fake_hosts"): HOSTS}}
    cloud = LabCloud.at(
        tmp_path_factory.mktemp("cloud") / "state", overrides, services=("identity", "placement", "compute")
    ).begin()
    yield cloud
    cloud.stop(grace=5)


@pytest.fixture(scope="module")
def admin(small_cloud):
    client = small_cloud.as_user("compute")
    until(lambda: len(client.get("/v2.1/os-hypervisors").ok()["hypervisors"]) == 2)
    return client


@pytest.fixture(scope="module")
def user(small_cloud):
    return small_cloud.as_user("compute", "demo", "demo")
