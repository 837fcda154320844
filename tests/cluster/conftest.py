"""One cluster for all tests that leave it as they found it; each kind of database, and messages
without a broker (CELAJE_TEST_TRANSPORT=zmq), by its own run."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.cluster.lab import Cluster
from tests.cluster.view import assert_sound


@pytest.fixture(scope="session")
def running_cluster(request):
    # RabbitMQ and PostgreSQL run as users of their own and reach their folders below it. Not one of pytest's,
    # which every other run on this machine closes to them again.
    folder = Path(tempfile.mkdtemp(prefix="celaje-cluster-"))
    folder.chmod(0o755)
    cluster = Cluster(
        folder,
        os.environ.get("CELAJE_TEST_DATABASE", "postgresql"),
        transport=os.environ.get("CELAJE_TEST_TRANSPORT", "rabbit"),
    )
    try:
        yield cluster.begin()
    finally:
        cluster.end()
        if not request.session.testsfailed:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def cluster(running_cluster):
    """The running cluster, all of it up; sound again after the test."""
    yield running_cluster
    running_cluster.revive_servers()
    for node in running_cluster.nodes.values():
        if not node.up:
            running_cluster.start(node)
    for node in running_cluster.nodes.values():
        running_cluster.await_up(node)
    assert_sound(running_cluster)


@pytest.fixture(scope="session")
def flavor(running_cluster):
    return running_cluster.sdk().create_flavor("c1", ram=64, vcpus=1, disk=1).id


@pytest.fixture(scope="session")
def image(running_cluster, tmp_path_factory):
    file = tmp_path_factory.mktemp("image") / "empty.raw"
    file.write_bytes(bytes(1 << 20))
    sdk = running_cluster.sdk()
    return sdk.create_image(
        "empty", filename=str(file), disk_format="raw", container_format="bare", wait=True
    ).id


@pytest.fixture(scope="session")
def network(running_cluster):
    sdk = running_cluster.sdk()
    found = sdk.network.create_network(name="n1")
    sdk.network.create_subnet(network_id=found.id, ip_version=4, cidr="10.1.0.0/22", name="s1")
    return found.id
