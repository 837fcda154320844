"""The iSCSI driver with a real tgtd: who gets in, what a dead daemon leaves, what an open volume refuses."""

import json
import subprocess

import pytest

from celaje.common import clock, processes
from celaje.common.errors import ConfigurationError
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
    assert password in (folder / "targets.json").read_text()
    assert (folder / "targets.json").stat().st_mode & 0o777 == 0o600
    assert password not in (folder / "tgtd.log").read_text(errors="replace")


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


def test_an_open_volume_is_neither_grown_nor_copied(driver):
    one = volume()
    driver.create_volume(one)
    driver.initialize_connection(one, NEAR)
    assert driver.capabilities()["online_extend_support"] is False
    with pytest.raises(base.VolumeInUse):
        driver.extend_volume(one, 2)
    with pytest.raises(base.VolumeInUse):
        driver.create_cloned_volume(volume(), one)
    driver.terminate_connection(one, NEAR)
    driver.extend_volume(one, 2)
    assert [found["size"] for found in driver.list_volumes()] == [2]


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
