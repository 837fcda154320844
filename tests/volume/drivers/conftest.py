"""Drivers as the contract test wants them: each by a factory that can be called again (a restart)."""

import pytest
from oslo_config import cfg

from celaje.common import processes
from celaje.volume.drivers.fake import FakeDriver
from celaje.volume.drivers.fake_state import FakeBackendState
from celaje.volume.drivers.file import FileDriver
from celaje.volume.drivers.iscsi import IscsiDriver
from celaje.volume.drivers.nbd import NbdDriver
from celaje.volume.drivers.rbd import RbdDriver

HAS_STORAGE_DAEMON = processes.find("qemu-storage-daemon") is not None
HAS_QEMU_IMG = processes.find("qemu-img") is not None


def _configure(driver_class, **overrides):
    """The driver's option group, as a worker registers it."""
    conf = cfg.ConfigOpts()
    conf.register_opts(driver_class.options, group="fast")
    conf([], default_config_files=[], default_config_dirs=[])
    for name, value in overrides.items():
        conf.set_override(name, value, group="fast")
    return conf.fast


def _make_file_driver(folder, **overrides):
    driver = FileDriver(
        _configure(FileDriver, volumes_dir=str(folder), **overrides), backend="fast", host="node-1"
    )
    driver.check_for_setup_error()
    return driver


@pytest.fixture
def make_nbd_driver(tmp_path):
    """Like the others, and ends the daemon after the test."""
    if not HAS_STORAGE_DAEMON:
        pytest.skip("qemu-storage-daemon is not installed")
    made = []

    def make(folder=tmp_path / "volumes", host="node-1", **overrides):
        options = _configure(NbdDriver, volumes_dir=str(folder), **overrides)
        driver = NbdDriver(options, backend="fast", host=host)
        driver.check_for_setup_error()
        made.append(driver)
        return driver

    yield make
    for driver in made:
        driver.daemon.kill()


@pytest.fixture
def make_iscsi_driver(tmp_path):
    """Like the others, and ends the daemon after the test."""
    made = []

    def make(folder=tmp_path / "volumes", host="node-1", **overrides):
        options = _configure(IscsiDriver, volumes_dir=str(folder), **overrides)
        driver = IscsiDriver(options, backend="fast", host=host)
        driver.check_for_setup_error()
        made.append(driver)
        return driver

    yield make
    for driver in made:
        driver.daemon.kill()


def _make_fake_driver(state=None, **overrides):
    driver = FakeDriver(_configure(FakeDriver, **overrides), backend="fast", host="node-1", state=state)
    driver.check_for_setup_error()
    return driver


@pytest.fixture
def configure():
    return _configure


@pytest.fixture
def make_file_driver():
    return _make_file_driver


@pytest.fixture
def make_fake_driver():
    return _make_fake_driver


@pytest.fixture
def make_rbd_driver(ceph, tmp_path):
    """Each in a pool of its own."""
    pool = ceph.new_pool()

    def make(**overrides):
        given = {"rbd_pool": pool, "rbd_user": "cinder", "rbd_ceph_conf": str(ceph.conf), **overrides}
        options = _configure(RbdDriver, image_conversion_dir=str(tmp_path / "conversion"), **given)
        driver = RbdDriver(options, backend="fast", host="node-1")
        driver.check_for_setup_error()
        return driver

    return make


@pytest.fixture(
    params=[
        "fake", "fake-kept", "file-qcow2", "file-raw", "nbd", "iscsi",
        pytest.param("rbd", marks=pytest.mark.ceph),
    ]
)  # fmt: skip
def start(request, tmp_path):
    """A function that starts the worker's driver; what it starts later finds what was there before."""
    if request.param == "file-qcow2" and not HAS_QEMU_IMG:
        pytest.skip("qemu-img is not installed")
    if request.param in ("nbd", "iscsi", "rbd"):
        return request.getfixturevalue(f"make_{request.param}_driver")
    state = FakeBackendState()
    return {
        "fake": lambda: _make_fake_driver(state),
        "fake-kept": lambda: _make_fake_driver(fake_state_path=str(tmp_path / "state.json")),
        "file-qcow2": lambda: _make_file_driver(tmp_path / "volumes"),
        "file-raw": lambda: _make_file_driver(tmp_path / "volumes", file_volume_format="raw"),
    }[request.param]
