"""Fixtures for all tests: a cloud on simulated drivers."""

import pytest

from tests.cloud import LabCloud


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
