"""The NBD driver with its real daemon: who gets in, what a dead daemon leaves, what goes on meanwhile."""

import subprocess
import threading

import pytest

from celaje.common import clock
from celaje.common.errors import ConfigurationError
from celaje.common.qemu import process
from celaje.volume.drivers import base

GIB = 1024**3
NEAR, FAR = {"host": "node-1"}, {"host": "node-2"}


def volume(size=1):
    return {"id": clock.new_uuid(), "name_id": None, "size": size}


@pytest.fixture
def driver(make_nbd_driver):
    return make_nbd_driver()


class Guest:
    """A client as a guest's QEMU is one: opens the volume by its connection's data and does some I/O."""

    def __init__(self, folder, connection):
        self.data = connection["data"]
        self.folder = folder / clock.new_uuid()
        self.folder.mkdir()
        line = f"{self.data['auth_username']}:{self.data['auth_password']}\n"
        (self.folder / "keys.psk").write_text(line)

    def command(self, *commands):
        words = [word for command in commands for word in ("-c", command)]
        data = self.data
        name = data["auth_username"]
        return [
            "qemu-io",
            *("--object", f"tls-creds-psk,id=t,endpoint=client,dir={self.folder},username={name}"),
            *words,
            "--image-opts",
            f"driver=nbd,host={data['host']},port={data['port']},export={data['export']},tls-creds=t,"
            "reconnect-delay=30",
        ]

    def io(self, *commands):
        done = subprocess.run(
            self.command(*commands), check=False, capture_output=True, text=True, timeout=60
        )
        return done.returncode, done.stdout + done.stderr

    def does(self, *commands):
        code, said = self.io(*commands)
        assert code == 0 and "failed" not in said, said
        return said


@pytest.fixture
def attach(tmp_path):
    return lambda driver, one, connector=FAR: Guest(tmp_path, driver.initialize_connection(one, connector))


def test_another_host_writes_and_reads_over_the_network(driver, attach):
    one = volume()
    driver.create_volume(one)
    attach(driver, one).does("write -P 7 0 64k")
    attach(driver, one, NEAR).does("read -P 7 0 64k")
    assert driver.initialize_connection(one, FAR)["driver_volume_type"] == "nbd"


def test_each_connection_has_its_own_key_and_loses_it(driver, attach):
    one, other = volume(), volume()
    driver.create_volume(one)
    driver.create_volume(other)
    near, far, elsewhere = attach(driver, one, NEAR), attach(driver, one, FAR), attach(driver, other, FAR)
    assert near.data["auth_password"] != far.data["auth_password"]
    stranger = attach(driver, one, NEAR)
    (stranger.folder / "keys.psk").write_text(f"{stranger.data['auth_username']}:{'0' * 64}\n")
    assert stranger.io("read 0 4k")[0] != 0
    driver.terminate_connection(one, FAR)
    assert far.io("read 0 4k")[0] != 0
    near.does("read 0 4k")
    elsewhere.does("read 0 4k")
    driver.terminate_connection(one, None)
    assert near.io("read 0 4k")[0] != 0


def test_a_host_that_was_cut_off_does_not_come_back_by_the_next_ones_name(driver, attach):
    one = volume()
    driver.create_volume(one)
    dead = attach(driver, one)
    driver.terminate_connection(one, None)
    again = attach(driver, one)
    again.does("write -P 1 0 4k")
    assert again.data["export"] != dead.data["export"]
    assert dead.io("write -P 2 0 4k")[0] != 0
    # Not even with a key that is good for something else.
    line = f"{again.data['auth_username']}:{again.data['auth_password']}\n"
    (dead.folder / "keys.psk").write_text(line)
    dead.data["auth_username"] = again.data["auth_username"]
    assert "not present" in dead.io("write -P 2 0 4k")[1]
    again.does("read -P 1 0 4k")


def test_a_daemon_that_died_comes_back_with_its_exports(driver, attach):
    one = volume()
    driver.create_volume(one)
    guest = attach(driver, one)
    guest.does("write -P 3 0 64k")
    before = process.find(driver.daemon.folder / "daemon.pid", driver.daemon.mark)
    driver.daemon.kill()
    assert not driver.daemon.is_alive()
    assert driver.capabilities()["backend_state"] == "up"
    after = process.find(driver.daemon.folder / "daemon.pid", driver.daemon.mark)
    assert after and after != before
    guest.does("read -P 3 0 64k")


def test_a_worker_that_starts_again_adopts_the_daemon(driver, attach, make_nbd_driver):
    one = volume()
    driver.create_volume(one)
    guest = attach(driver, one)
    known = process.find(driver.daemon.folder / "daemon.pid", driver.daemon.mark)
    again = make_nbd_driver()
    assert process.find(again.daemon.folder / "daemon.pid", again.daemon.mark) == known
    assert again.initialize_connection(one, FAR)["data"] == guest.data
    driver.close()
    guest.does("read 0 4k")
    again.terminate_connection(one, FAR)
    again.close()
    assert not again.daemon.is_alive()


def test_two_workers_of_one_machine_share_the_daemon(driver, make_nbd_driver):
    other = make_nbd_driver()
    volumes = [volume() for _ in range(6)]
    for one in volumes:
        driver.create_volume(one)
    found: dict[str, list] = {"driver": [], "other": []}

    def connect(name, worker):
        for one in volumes:
            found[name].append(worker.initialize_connection(one, FAR))

    threads = [threading.Thread(target=connect, args=pair) for pair in (("driver", driver), ("other", other))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found["driver"] == found["other"] and len(found["driver"]) == 6


def test_a_second_machine_may_not_export_the_same_folder(driver, make_nbd_driver):
    (driver.daemon.folder / "owner").write_text("another-machine")
    with pytest.raises(ConfigurationError, match="belongs to another-machine"):
        make_nbd_driver()


def test_extended_while_a_host_has_it_open(driver, attach):
    one = volume()
    driver.create_volume(one)
    guest = attach(driver, one)
    guest.does("write -P 4 1M 64k")
    driver.extend_volume(one, 2)
    driver.extend_volume(one, 2)
    guest.does("read -P 4 1M 64k", f"write -P 5 {2 * GIB - 65536} 64k")
    with pytest.raises(base.VolumeWouldShrink):
        driver.extend_volume(one, 1)


def test_snapshot_and_clone_of_an_attached_volume(driver, attach):
    one, copy, clone = volume(), volume(), volume(2)
    driver.create_volume(one)
    guest = attach(driver, one)
    guest.does("write -P 6 0 1M")
    kept = {"id": clock.new_uuid(), "volume_id": one["id"], "volume_size": 1}
    driver.create_snapshot(kept)
    guest.does("write -P 8 0 1M")
    driver.create_cloned_volume(clone, one)
    driver.create_volume_from_snapshot(copy, kept)
    attach(driver, copy).does("read -P 6 0 1M")
    attach(driver, clone).does("read -P 8 0 1M", f"read -P 0 {2 * GIB - 4096} 4k")
    assert not list(driver._folder.glob(".*.part"))


def test_upload_of_an_attached_volume(driver, attach, tmp_path):
    one = volume()
    driver.create_volume(one)
    attach(driver, one).does("write -P 9 0 1M")
    driver.copy_volume_to_image(one, str(tmp_path / "image"), "raw")
    with open(tmp_path / "image", "rb") as image:
        assert image.read(1 << 20) == b"\x09" * (1 << 20)


def test_deleted_while_exported_ends_the_exports(driver, attach):
    one = volume()
    driver.create_volume(one)
    guest = attach(driver, one)
    driver.delete_volume(one)
    assert guest.io("read 0 4k")[0] != 0
    assert driver.list_volumes() == []


def test_secrets_are_readable_by_their_owner_only(driver, attach):
    one = volume()
    driver.create_volume(one)
    guest = attach(driver, one)
    folder = driver.daemon.folder
    assert folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in (folder / "keys.psk", folder / "offers.json"))
    assert guest.data["auth_password"] not in (folder / "daemon.log").read_text()
