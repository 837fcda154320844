"""Fixtures: a cloud of identity and image only."""

import pytest
from tests.image.scene import Personas, small_cloud


@pytest.fixture(scope="module")
def glance(tmp_path_factory):
    cloud = small_cloud(tmp_path_factory.mktemp("image") / "state")
    yield Personas(cloud)
    cloud.stop(grace=5)


@pytest.fixture
def own_glance(tmp_path):
    """Alone in the test: it may count files and kill the service."""
    cloud = small_cloud(tmp_path / "state")
    yield Personas(cloud)
    cloud.stop(grace=5)
