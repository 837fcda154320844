"""Fixtures for all tests: a cloud on simulated drivers."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.cloud import LabCloud
from tests.servers.ceph import CephCluster

# A busy machine is no reason to fail; fixtures here take any number of examples.
settings.register_profile(
    "celaje", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("celaje")


@pytest.fixture
def cloud(tmp_path):
    """A whole cloud of this test's own."""
    cloud = LabCloud.at(tmp_path / "state").begin()
    yield cloud
    cloud.stop(grace=5)


@pytest.fixture(scope="module")
def shared_cloud(tmp_path_factory):
    """A cloud that the tests of one module share: they must not count on being alone in it."""
    cloud = LabCloud.at(tmp_path_factory.mktemp("cloud") / "state").begin()
    yield cloud
    cloud.stop(grace=5)


@pytest.fixture(scope="session")
def ceph(tmp_path_factory):
    """A Ceph cluster of one node, for all tests of the run."""
    cluster = CephCluster(tmp_path_factory.mktemp("ceph"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


TESTS = Path(__file__).parent
# What needs a database server or a broker: `make test-servers`.
_SERVERS = (
    "common/messaging/rabbit",
    "common/db/test_server",
    "test_backpressure.py",
)
_KINDS = {"rabbit", "postgresql", "mariadb"}


def pytest_collection_modifyitems(items):
    for item in items:
        path = str(item.path.relative_to(TESTS))
        chosen = item.callspec.params.values() if hasattr(item, "callspec") else ()
        if path.startswith(_SERVERS) or any(isinstance(one, str) and one in _KINDS for one in chosen):
            item.add_marker(pytest.mark.servers)
