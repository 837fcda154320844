"""Fixtures of the compute tests: one cloud a module, or one of a test's own."""

import pytest
from tests.cloud import LabCloud
from tests.compute.lab import Lab

HOSTS = ["host-1", "host-2", "host-3"]
CONF = {
    "compute": {
        (None, "fake_hosts"): HOSTS,
        ("quota", "instances"): 40,
        ("quota", "cores"): 60,
        ("flows", "poll_interval"): 0.05,
    },
    "volume": {("flows", "poll_interval"): 0.05},
    "network": {("flows", "poll_interval"): 0.05},
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    cloud = LabCloud.at(tmp_path_factory.mktemp("cloud") / "state", CONF).begin()
    yield Lab(cloud)
    cloud.stop(grace=5)


@pytest.fixture
def own_lab(tmp_path):
    """A lab that this test may break."""
    cloud = LabCloud.at(tmp_path / "state", CONF).begin()
    yield Lab(cloud)
    cloud.stop(grace=5)
