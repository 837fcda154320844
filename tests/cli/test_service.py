"""`celaje service`, `celaje db sync`, `celaje identity` from configuration files, as an operator does it."""

import signal
import subprocess
import time

import pytest
import yaml

from tests.conformance.running import BIN, free_port

USERS = ("glance", "neutron", "cinder", "nova", "placement")


@pytest.fixture
def files(tmp_path):
    """Identity and placement on SQLite files, which need no broker."""
    settings = f"""
[DEFAULT]
state_path = {tmp_path}/state
host = here

[database]
connection = sqlite:///{tmp_path}/{{service}}.db

[fernet_tokens]
key_repository = {tmp_path}/keys

[api]
bind_port = {free_port()}
"""
    (tmp_path / "celaje.conf").write_text(settings)
    return ["--config-file", str(tmp_path / "celaje.conf")]


def said(done):
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("service", "volumes"), "There is no service volumes"),
        (("service", "volume.apis"), "volume has volume.api, volume.conductor"),
        (("service", "identity", "--config-file", "/nowhere.conf"), "/nowhere.conf"),
        (("db", "sync", "--config-file", "/nowhere.conf"), "/nowhere.conf"),
    ],
)
def test_what_cannot_be_started_is_told(celaje, words, answer):
    done = celaje(*words)
    assert done.returncode == 1
    assert answer in said(done)


def test_from_nothing_to_a_token(celaje, files, tmp_path):
    done = celaje("service", "identity", *files)
    assert done.returncode == 1
    assert "celaje db sync --service identity" in said(done)

    done = celaje("db", "sync", "--service", "identity", *files)
    assert done.returncode == 0, said(done)
    assert "identity" in done.stdout
    done = celaje("db", "sync", "--service", "identity", *files)
    assert "is current" in done.stdout

    passwords = tmp_path / "passwords.yaml"
    passwords.write_text(yaml.safe_dump(dict.fromkeys(USERS[:-1], "secret")))
    bootstrap = ["identity", "bootstrap", *files, "--bootstrap-password", "admin-secret"]
    bootstrap += ["--passwords", passwords, "--public-url", "http://127.0.0.1:1"]
    done = celaje(*bootstrap)
    assert done.returncode == 1
    assert "celaje identity setup-keys" in said(done) or "no password for placement" in said(done)
    passwords.write_text(yaml.safe_dump(dict.fromkeys(USERS, "secret")))
    assert celaje("identity", "setup-keys", *files).returncode == 0
    for _ in range(2):
        done = celaje(*bootstrap)
        assert done.returncode == 0, said(done)

    port = int((tmp_path / "celaje.conf").read_text().rsplit("bind_port = ", 1)[1])
    log = open(tmp_path / "log", "ab")  # noqa: SIM115 - the process's own
    process = subprocess.Popen(
        [str(BIN / "celaje"), "service", "identity.api", *files], stdout=log, stderr=log
    )
    try:
        _await_token(port, process, tmp_path / "log")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, (tmp_path / "log").read_text()
        log.close()


def _await_token(port, process, log):
    from celaje.common.errors import Unavailable
    from celaje.common.rest.http_transport import HttpTransport
    from tests.cloud import Client

    client = Client(HttpTransport(f"http://127.0.0.1:{port}"), None)
    end = time.monotonic() + 60
    while True:
        try:
            if client.get("/healthcheck").status == 200:
                break
        except Unavailable:
            pass
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)
    user = {"name": "admin", "domain": {"id": "default"}, "password": "admin-secret"}
    auth = {"identity": {"methods": ["password"], "password": {"user": user}}}
    auth["scope"] = {"project": {"name": "admin", "domain": {"id": "default"}}}
    for prefix in ("", "/identity"):
        answer = client.post(f"{prefix}/v3/auth/tokens", {"auth": auth})
        token = answer.ok(201)["token"]
        urls = {
            entry["type"]: entry["endpoints"][0]["url"] for entry in token["catalog"] if entry["endpoints"]
        }
        assert urls["compute"] == "http://127.0.0.1:1/compute/v2.1"
    assert client.post("/v3/auth/tokens", {"auth": {**auth, "scope": {"project": {"id": "x"}}}}).status == 401


def test_a_database_that_is_away_is_told_and_tried_by_the_options(celaje, tmp_path):
    (tmp_path / "celaje.conf").write_text(
        f"[DEFAULT]\nstate_path = {tmp_path}\n[fernet_tokens]\nkey_repository = {tmp_path}/keys\n"
        f"[api]\nbind_port = {free_port()}\n"
        f"[database]\nconnection = postgresql://nobody@127.0.0.1:{free_port()}/x\n"
        "max_retries = 1\nretry_interval = 0\n"
    )
    done = celaje("service", "identity", "--config-file", tmp_path / "celaje.conf", seconds=60)
    assert done.returncode == 1
    assert "Attempt 1 of 1" in said(done)
    assert "The database cannot be reached." in said(done)


def test_service_list_without_a_login(celaje, tmp_path):
    done = celaje("service", "list", "--clouds", tmp_path / "clouds.yaml")
    assert done.returncode == 1
    assert "--clouds" in said(done)
