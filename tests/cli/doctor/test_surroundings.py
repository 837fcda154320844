"""Databases, broker, keys, permissions, programs, room: found where wrong, quiet where they are not."""

import datetime
import os
import shutil
import socket
import sqlite3
from collections import namedtuple

import pytest

from celaje.cli.doctor import machine, stores
from celaje.common import clock
from celaje.common.messaging.rabbit.address import settings
from celaje.common.tokens import KeyRepository
from tests.conformance.running import free_port


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A state directory as a cloud leaves it."""
    from tests.cloud import LabCloud

    state = tmp_path_factory.mktemp("doctor") / "state"
    LabCloud.at(state).begin().stop(grace=5)
    return state


@pytest.fixture
def state(begun, tmp_path):
    copy = tmp_path / "state"
    shutil.copytree(begun, copy)
    os.chmod(copy, 0o700)
    return copy


@pytest.mark.parametrize("check", ["databases", "clocks", "broker", "permissions", "keys"])
def test_a_cloud_that_is_well(doctor, state, check):
    assert doctor(check, state=state) == []


# Databases.


def stamp(state, service, value):
    with sqlite3.connect(state / service / f"{service}.db") as connection:
        connection.execute("update alembic_version set version_num = ?", (value,))


def test_a_schema_of_a_newer_version(doctor, state):
    stamp(state, "volume", "9999_later")
    (found,) = doctor("databases", state=state)
    assert found.severity == "error" and "9999_later" in found.what
    assert found.where == str(state / "volume" / "volume.db")


def test_a_schema_of_an_older_version(doctor, state, monkeypatch):
    monkeypatch.setattr("celaje.common.db.schema.revisions", lambda _folder: ["0001_initial", "0002_more"])
    found = doctor("databases", state=state)
    assert {one.severity for one in found} == {"warning"} and len(found) == 6
    assert found[0].do == "celaje db sync"


def test_a_database_that_is_none(doctor, state):
    (state / "volume" / "volume.db").write_bytes(b"not a database" * 100)
    (found,) = doctor("databases", state=state)
    assert found.severity == "error" and "cannot be read" in found.what


def test_an_sqlite_database_by_its_url(doctor, state):
    text = f"[database]\nconnection = sqlite:///{state}/{{service}}/{{service}}.db\n"
    assert doctor("databases", text) == []
    stamp(state, "image", "9999_later")
    (found,) = doctor("databases", text)
    assert "9999_later" in found.what and found.where == str(state / "image" / "image.db")


def test_a_database_server_that_does_not_answer(doctor, file):
    url = f"postgresql://u:hunter2@127.0.0.1:{free_port()}/{{service}}"
    text = f"[database]\nconnection = {url}\nmax_retries = 3\nretry_interval = 7\n"
    (found,) = doctor("databases", text)
    assert (found.severity, f"{file}:2" in found.where) == ("error", True)
    assert "tries 4 times, every 7 s, and ends after 21 s" in found.why
    assert "hunter2" not in str(found)


def test_a_connection_that_is_no_url(doctor):
    found = doctor("databases", "[database]\nconnection = nonsense\n")
    assert found and all("ends at once" in one.why for one in found)


def test_the_clock_of_a_database_server():
    assert list(stores.skewed(0.3, "x")) == []
    (found,) = stores.skewed(-90, "x")
    assert "90 s behind" in found.what


def report(state, seconds):
    """The conductor's record, seen so many seconds from now."""
    moment = clock.now() + datetime.timedelta(seconds=seconds)
    with sqlite3.connect(state / "volume" / "volume.db") as connection:
        done = connection.execute("update services set last_seen_at = ?", (moment.isoformat(" "),))
        assert done.rowcount


def test_a_service_from_the_future(doctor, state):
    report(state, 500)
    found = doctor("clocks", state=state)
    assert found and {one.severity for one in found} == {"error"}
    assert "in the future" in found[0].what


def test_a_silent_service_of_a_running_cloud(doctor, state, monkeypatch):
    report(state, -500)
    assert doctor("clocks", state=state) == []  # no cloud runs: all are silent
    monkeypatch.setattr(stores, "_runs", lambda _exam: True)
    found = [one for one in doctor("clocks", state=state) if "cinder" in one.what]
    assert found and "no sign of life for 5" in found[0].what


# Broker.


def test_a_broker_that_does_not_answer(doctor, file):
    url = f"rabbit://u:hunter2@127.0.0.1:{free_port()}/"
    (found,) = doctor("broker", f"[DEFAULT]\ntransport_url = {url}\n")
    assert (found.severity, f"{file}:2" in found.where) == ("error", True)
    assert "after 1, 3, 5, 7, 9 ... 30 s, for ever" in found.why
    assert "hunter2" not in str(found)
    text = f"[DEFAULT]\ntransport_url = {url}\n[oslo_messaging_rabbit]\nrabbit_max_retries = 4\n"
    assert "after 4 of them" in doctor("broker", text)[0].why


def test_the_schedule_is_the_links_own():
    """The waits told are those that a link really makes."""
    from celaje.cli.doctor.broker import schedule
    from celaje.common.messaging.rabbit.retry import Backoff

    known = settings("rabbit://u:p@127.0.0.1:1/")
    backoff = Backoff(known)
    assert ", ".join(f"{backoff.failed():g}" for _ in range(5)) in schedule(known)


def test_one_of_two_brokers(doctor):
    with socket.socket() as there:
        there.bind(("127.0.0.1", 0))
        there.listen()
        url = f"rabbit://u:p@127.0.0.1:{there.getsockname()[1]},u:p@127.0.0.1:{free_port()}/"
        (found,) = doctor("broker", f"[DEFAULT]\ntransport_url = {url}\n")
        assert found.severity == "warning"
        alone = url.partition(",")[0] + "/"
        assert doctor("broker", f"[DEFAULT]\ntransport_url = {alone}\n") == []


def test_a_broker_that_celaje_up_does_not_use(doctor, state):
    (found,) = doctor("broker", "[DEFAULT]\ntransport_url = rabbit://u:p@h:5672/\n", state=state)
    assert "not used by celaje up" in found.what


def test_settings_of_zmq(doctor, file):
    text = "[DEFAULT]\ntransport_url = zmq://127.0.0.1:9501\n"
    assert doctor("broker", text) == []
    text += "[oslo_messaging_zmq]\nrpc_zmq_bind_address = *\n"
    (found,) = doctor("broker", text)
    assert (found.severity, f"{file}:2" in found.where) == ("error", True)


# Secrets and keys.


def test_a_state_directory_for_all(doctor, state):
    os.chmod(state, 0o755)
    (found,) = doctor("permissions", state=state)
    assert (found.severity, found.do) == ("warning", f"chmod 700 {state}")


@pytest.mark.parametrize(
    "name", ["secrets.json", "keys/fernet/0", "volume/vault.key", "volume/encryption.key"]
)
def test_a_secret_for_all(doctor, state, name):
    os.chmod(state / name, 0o644)
    (found,) = doctor("permissions", state=state)
    assert (found.severity, found.where) == ("error", str(state / name))


def test_a_key_file_of_encrypted_volumes_that_is_none(doctor, state, tmp_path):
    assert doctor("volume keys", state=state) == []
    (state / "volume" / "encryption.key").write_text("hunter2")
    (found,) = doctor("volume keys", state=state)
    assert found.severity == "error" and "Bring it back" in found.do


def test_no_keys_of_tokens(doctor, state):
    shutil.rmtree(state / "keys" / "fernet")
    (found,) = doctor("keys", state=state)
    assert found.severity == "error"


def test_a_key_that_is_none_and_a_key_alone(doctor, state):
    folder = state / "keys" / "fernet"
    (folder / "1").write_text("hunter2")
    (found,) = doctor("keys", state=state)
    assert (found.severity, found.where) == ("error", str(folder / "1"))
    (folder / "1").unlink()
    (found,) = doctor("keys", state=state)
    assert found.severity == "warning" and "only 0" in found.what


def test_the_keys_of_a_service_by_itself(doctor, tmp_path):
    folder = tmp_path / "keys"
    text = f"[fernet_tokens]\nkey_repository = {folder}\n"
    assert [one.severity for one in doctor("keys", text)] == ["error"]
    KeyRepository(folder).create()
    assert doctor("keys", text) == []


# The machine.


@pytest.mark.parametrize(
    ("usable", "accelerator", "severity"),
    [(False, "tcg", "error"), (True, "tcg", "warning"), (True, "kvm", None)],
)
def test_what_guests_need(doctor, monkeypatch, usable, accelerator, severity):
    from celaje.compute.drivers.qemu import probe

    def found(_folder):
        return probe.Findings(usable=usable, accelerator=accelerator, words=["So it is."])

    monkeypatch.setattr(probe, "probe", found)
    assert doctor("guests", "[DEFAULT]\ncompute_driver = fake\n") == []
    told = doctor("guests", "[DEFAULT]\ncompute_driver = qemu\n")
    assert [one.severity for one in told] == ([severity] if severity else [])


def test_programs_of_back_ends(doctor, monkeypatch):
    text = "[DEFAULT]\nenabled_backends = a\n[a]\nvolume_driver = file\n"
    monkeypatch.setattr(machine.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert doctor("volume tools", text) == []
    monkeypatch.setattr(machine.shutil, "which", lambda _name: None)
    (found,) = doctor("volume tools", text)
    assert "qemu-img" in found.what
    assert doctor("volume tools", text.replace("file", "fake")) == []


def test_what_ceph_needs(doctor, monkeypatch, tmp_path):
    conf = tmp_path / "ceph.conf"
    back_end = f"[DEFAULT]\nenabled_backends = a\n[a]\nvolume_driver = rbd\nrbd_ceph_conf = {conf}\n"
    store = (
        f"[glance_store]\nenabled_backends = a:rbd\ndefault_backend = a\n[a]\nrbd_store_ceph_conf = {conf}\n"
    )
    for check, text in (("volume tools", back_end), ("image stores", store)):
        monkeypatch.setattr(machine.shutil, "which", lambda name: f"/usr/bin/{name}")
        conf.unlink(missing_ok=True)
        (found,) = doctor(check, text)
        assert str(conf) in found.what
        conf.touch()
        assert doctor(check, text) == []
        monkeypatch.setattr(machine.shutil, "which", lambda _name: None)
        (found,) = doctor(check, text)
        assert "rbd, ceph" in found.what


@pytest.mark.parametrize(("gib", "severity"), [(0.1, "error"), (2, "warning"), (50, None)])
def test_room(doctor, state, monkeypatch, gib, severity):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _path: usage(0, 0, int(gib * (1 << 30))))
    told = doctor("room", state=state)
    assert {one.severity for one in told} == ({severity} if severity else set())
