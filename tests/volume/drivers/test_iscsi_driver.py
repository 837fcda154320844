"""The iSCSI driver with a real tgtd: who gets in, what a dead daemon leaves, what an open volume refuses."""

import json
import os
import subprocess

import pytest

from celaje.common import clock, processes
from celaje.common.errors import ConfigurationError
from celaje.common.qemu.qmp import QmpClient, QmpTimeout
from celaje.volume.drivers import base
from celaje.volume.drivers.tgt import TgtSilent

NEAR, FAR = {"host": "node-1"}, {"host": "node-2"}


def volume(size=1):
    return {"id": clock.new_uuid(), "name_id": None, "size": size}


@pytest.fixture
def driver(make_iscsi_driver):
    return make_iscsi_driver()


def io(tmp_path, connection, *commands, **changes):
    """As a guest's QEMU opens it: what qemu-io says to the commands, and how it ended."""
    data = {**connection["data"], **changes}
    secret = tmp_path / "chap"
    secret.write_text(data["auth_password"])
    image = {
        "driver": "iscsi",
        "transport": "tcp",
        "portal": data["target_portal"],
        "target": data["target_iqn"],
        "lun": data["target_lun"],
        "user": data["auth_username"],
        "password-secret": "chap",
    }
    words = [word for command in commands for word in ("-c", command)]
    secret_object = f"secret,id=chap,file={secret}"
    done = subprocess.run(
        [
            "qemu-io",
            "--object",
            secret_object,
            *words,
            f"json:{json.dumps({'driver': 'raw', 'file': image})}",
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    return done.returncode, done.stdout + done.stderr


def test_what_one_host_writes_another_reads(driver, tmp_path):
    one = volume()
    driver.create_volume(one)
    near = driver.initialize_connection(one, NEAR)
    assert near["driver_volume_type"] == "iscsi" and near["data"]["auth_method"] == "CHAP"
    assert io(tmp_path, near, "write -P 7 0 64k", "flush")[0] == 0
    driver.terminate_connection(one, NEAR)
    far = driver.initialize_connection(one, FAR)
    assert far["data"]["auth_password"] != near["data"]["auth_password"]
    code, said = io(tmp_path, far, "read -P 7 0 64k")
    assert code == 0 and "verification failed" not in said
    # The file has it, for snapshots and copies.
    with open(driver.create_volume(one)["provider_location"], "rb") as file:
        assert file.read(65536) == b"\7" * 65536


def test_nobody_gets_in_without_the_hosts_account(driver, tmp_path):
    one = volume()
    driver.create_volume(one)
    connection = driver.initialize_connection(one, NEAR)
    for wrong in ({"auth_password": "0" * 32}, {"auth_username": "nobody"}):
        code, said = io(tmp_path, connection, "read 0 512", **wrong)
        assert code != 0 and "uthentication" in said, said
    driver.terminate_connection(one, None)
    assert io(tmp_path, connection, "read 0 512")[0] != 0


def test_secrets_are_in_no_log_and_no_arguments(driver):
    one = volume()
    driver.create_volume(one)
    password = driver.initialize_connection(one, NEAR)["data"]["auth_password"]
    folder = driver.daemon.folder
    assert password in (folder / "offers.json").read_text()
    assert (folder / "offers.json").stat().st_mode & 0o777 == 0o600
    assert password not in (folder / "daemon.log").read_text(errors="replace")


def test_a_daemon_that_died_comes_back_with_its_targets(driver, make_iscsi_driver, tmp_path):
    one = volume()
    driver.create_volume(one)
    connection = driver.initialize_connection(one, NEAR)
    driver.daemon.kill()
    assert not driver.daemon.is_alive()
    assert driver.capabilities()["backend_state"] == "up"
    assert io(tmp_path, connection, "write 0 512")[0] == 0
    # A restarted worker finds the same daemon, and ends it when nobody needs it.
    after = make_iscsi_driver()
    assert after.initialize_connection(one, NEAR) == connection
    after.close()
    assert after.daemon.is_alive()
    after.terminate_connection(one, NEAR)
    after.close()
    assert not after.daemon.is_alive()


class Guest:
    """QEMU without a machine, which holds the volume open as a guest's does."""

    def __init__(self, tmp_path, connection):
        self.data = connection["data"]
        (tmp_path / "password").write_text(self.data["auth_password"])
        self.process = subprocess.Popen(
            [
                *("qemu-system-x86_64", "-M", "none", "-nodefaults", "-display", "none"),
                *("-qmp", "unix:guest.sock,server=on,wait=off"),
                *("-object", f"secret,id=chap,file={tmp_path}/password"),
            ],
            cwd=tmp_path,
        )
        deadline = clock.monotonic() + 60
        while True:
            try:
                self.qmp = QmpClient(tmp_path / "guest.sock", 60)
                break
            except QmpTimeout:
                assert clock.monotonic() < deadline
                clock.sleep(0.05)
        self.qmp.execute("blockdev-add", self.node("disk", self.data["target_iqn"]))

    def node(self, name, target):
        below = {
            "driver": "iscsi",
            "transport": "tcp",
            "portal": self.data["target_portal"],
            "target": target,
            "lun": self.data["target_lun"],
            "user": self.data["auth_username"],
            "password-secret": "chap",
        }
        return {"driver": "raw", "node-name": name, "file": below, "discard": "unmap"}

    def io(self, command):
        """Its failures are told on its error output; what was written is read again."""
        self.qmp.execute("human-monitor-command", {"command-line": f'qemu-io disk "{command}"'})

    def size(self):
        nodes = self.qmp.execute("query-named-block-nodes")
        return next(node["image"]["virtual-size"] for node in nodes if node["node-name"] == "disk")

    def copy(self, target):
        """What a compute host does for the back end."""
        self.qmp.execute("blockdev-add", self.node("copy", target))
        self.qmp.execute(
            "blockdev-backup",
            {"job-id": "job", "device": "disk", "target": "copy", "sync": "full", "auto-dismiss": False},
        )
        assert self.qmp.wait_event("JOB_STATUS_CHANGE", 110, id="job", status="concluded")
        (job,) = self.qmp.execute("query-jobs")
        assert not job.get("error"), job
        self.qmp.execute("job-dismiss", {"id": "job"})
        self.qmp.execute("blockdev-del", {"node-name": "copy"})

    def end(self):
        self.qmp.close()
        self.process.kill()
        self.process.wait(20)


@pytest.fixture
def guest_of(tmp_path):
    made = []

    def make(connection):
        made.append(Guest(tmp_path, connection))
        return made[-1]

    yield make
    for each in made:
        each.end()


def content(path, start, length=4096):
    with open(path, "rb") as file:
        file.seek(start)
        return file.read(length)


def test_extended_while_a_host_has_it_open(driver, guest_of):
    one = volume()
    path = driver.create_volume(one)["provider_location"]
    guest = guest_of(driver.initialize_connection(one, NEAR))
    guest.io("write -P 3 0 64k")
    assert driver.capabilities()["online_extend_support"] is True
    driver.extend_volume(one, 2)
    driver.extend_volume(one, 2)
    # Its connection was cut and is there again, and now it may ask for the size.
    guest.io("write -P 4 64k 64k")
    guest.qmp.execute("block_resize", {"node-name": "disk", "size": 2 << 30}, timeout=60)
    assert guest.size() == 2 << 30
    guest.io(f"write -P 5 {(2 << 30) - 4096} 4k")
    assert [found["size"] for found in driver.list_volumes()] == [2]
    for start, octet in ((0, 3), (65536, 4), ((2 << 30) - 4096, 5)):
        assert content(path, start) == bytes([octet]) * 4096, start
    with pytest.raises(base.VolumeWouldShrink):
        driver.extend_volume(one, 1)


def test_copied_by_the_host_that_has_it_open(driver, guest_of, tmp_path):
    one, clone, copy_id = volume(), volume(), clock.new_uuid()
    path = driver.create_volume(one)["provider_location"]
    os.truncate(path, 16 << 20)  # a small one is copied soon
    assert driver.prepare_copy(one, copy_id) is None
    guest = guest_of(driver.initialize_connection(one, NEAR))
    guest.io("write -P 6 0 1M")
    with pytest.raises(base.VolumeInUse):
        driver.create_cloned_volume(clone, one)
    told = driver.prepare_copy(one, copy_id)
    assert told == {"file": f"copy-{copy_id}.raw", "format": "raw"} == driver.prepare_copy(one, copy_id)
    beside = guest.data["target_iqn"].replace(f"volume-{one['id']}", f"copy-{copy_id}")
    guest.copy(beside)
    guest.io("write -P 7 0 1M")
    made = driver.create_cloned_volume(clone, {**one, "copy_id": copy_id})["provider_location"]
    assert content(made, 0) == b"\6" * 4096 and content(path, 0) == b"\7" * 4096
    driver.discard_copy(copy_id)
    driver.discard_copy(copy_id)
    # The copy's target has gone, and the volume's account with it has not.
    reached = {"data": {**guest.data, "target_iqn": beside}}
    assert io(tmp_path, reached, "read 0 512")[0] != 0
    guest.io("write -P 8 0 1M")
    driver.terminate_connection(one, NEAR)
    assert content(path, 0) == b"\10" * 4096
    assert not [each for each in driver._folder.iterdir() if each.name.startswith("copy-")]


def test_a_host_that_is_cut_off_writes_no_more_while_another_goes_on(driver, guest_of, tmp_path):
    """As after the force-detach of a host that is said to be dead, and is not."""
    one = volume()
    path = driver.create_volume(one)["provider_location"]
    dead = guest_of(driver.initialize_connection(one, NEAR))
    far = driver.initialize_connection(one, FAR)
    dead.io("write -P 1 0 4k")
    driver.terminate_connection(one, NEAR)
    assert io(tmp_path, far, "write -P 2 0 4k", "flush")[0] == 0
    # It waits for a connection that nobody gives it; so it is asked and not listened to.
    asked = {
        "execute": "human-monitor-command",
        "arguments": {"command-line": 'qemu-io disk "write -P 3 0 4k"'},
    }
    dead.qmp._socket.sendall(json.dumps(asked).encode() + b"\n")
    assert io(tmp_path, far, "read -P 2 0 4k", "write -P 4 4k 4k", "flush")[0] == 0
    assert content(path, 0) == b"\2" * 4096 and content(path, 4096) == b"\4" * 4096


def test_what_it_needs_is_told_at_start(make_iscsi_driver, tmp_path, monkeypatch):
    with pytest.raises(ConfigurationError, match="comma"):
        make_iscsi_driver(tmp_path / "a,b")
    monkeypatch.setattr(
        processes, "find", lambda program: None if program == "tgtd" else f"/usr/bin/{program}"
    )
    with pytest.raises(ConfigurationError, match="tgtd"):
        make_iscsi_driver()


def test_a_silent_daemon_is_an_error_and_no_wait(driver):
    from celaje.volume.drivers.tgt import Tgt

    with pytest.raises(TgtSilent, match="does not answer"):
        Tgt(driver.daemon.folder / "nobody", 1.0).alive()
