"""`celaje identity rotate-keys` and `reset-password` on a running cloud, as its operator does it."""

import json
import os
import pty
import select
import subprocess
import urllib.error
import urllib.request

import pytest
import yaml

from tests.conformance.running import BIN


def login(running, user, password, project="demo"):
    """The token, or the status of the refusal."""
    identity = {
        "methods": ["password"],
        "password": {"user": {"name": user, "domain": {"id": "default"}, "password": password}},
    }
    scope = {"project": {"name": project, "domain": {"id": "default"}}}
    body = json.dumps({"auth": {"identity": identity, "scope": scope}}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{running.url}/identity/v3/auth/tokens", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.headers["X-Subject-Token"]
    except urllib.error.HTTPError as error:
        return error.code


def accepted(running, token):
    request = urllib.request.Request(f"{running.url}/compute/v2.1/servers", headers={"X-Auth-Token": token})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status == 200
    except urllib.error.HTTPError as error:
        assert error.code == 401
        return False


def password_of(running, user):
    return json.loads((running.state / "secrets.json").read_text())[user]


def test_rotated_keys_are_taken_up_without_a_restart(celaje, running):
    password = password_of(running, "demo")
    before = login(running, "demo", password)
    assert accepted(running, before)
    for sealing in (2, 3):
        said = celaje("identity", "rotate-keys", "--state", running.state)
        assert said.returncode == 0 and f"key {sealing} seals tokens, 3 keys are kept" in said.stdout, said
    assert "removed: 1" in said.stdout
    after = login(running, "demo", password)
    assert accepted(running, after)
    keys = running.state / "keys" / "fernet"
    assert sorted(path.name for path in keys.iterdir() if path.name.isdigit()) == ["0", "2", "3"]


def test_a_reset_password_holds_at_once_and_the_old_one_no_more(celaje, running, tmp_path):
    old = password_of(running, "alt_demo")
    assert isinstance(login(running, "alt_demo", old, "alt_demo"), str)
    (tmp_path / "password").write_text("a new one\nand a second line\n")
    words = ("identity", "reset-password", "alt_demo", "--state", running.state)
    said = celaje(*words, "--password-file", tmp_path / "password")
    assert said.returncode == 0, said
    assert "a new one" not in said.stdout + said.stderr
    assert login(running, "alt_demo", old, "alt_demo") == 401
    assert isinstance(login(running, "alt_demo", "a new one", "alt_demo"), str)
    # What the next start logs in with and tells its user.
    assert password_of(running, "alt_demo") == "a new one"


def test_it_asks_where_there_is_somebody_to_ask(running):
    master, slave = pty.openpty()
    words = [str(BIN / "celaje"), "identity", "reset-password", "demo", "--state", str(running.state)]
    asked = subprocess.Popen(
        words, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, close_fds=True
    )
    shown = b""
    for prompt in (b"New password of demo", b"Repeat for confirmation"):
        while prompt not in shown:
            ready, _, _ = select.select([master], [], [], 30)
            assert ready, shown
            shown += os.read(master, 1000)
        # What was typed before is thrown away: the prompt switches the echo off.
        os.write(master, b"typed here\n")
    assert asked.wait(30) == 0
    os.close(slave)
    os.close(master)
    assert isinstance(login(running, "demo", "typed here"), str)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("reset-password", "nobody"), "There is no user nobody"),
        (
            ("reset-password", "demo", "--domain", "elsewhere"),
            "There is no user demo in the domain elsewhere",
        ),
        (("reset-password", "demo"), "Name a --password-file"),
        (("reset-password", "demo", "--password-file", "/nowhere"), "/nowhere cannot be read"),
        (("reset-password", "nova"), "The running cloud itself logs in as nova"),
    ],
)
def test_refusals(celaje, running, words, told):
    said = celaje("identity", *words, "--state", running.state)
    assert said.returncode == 1
    assert told in " ".join(said.stderr.split())


def test_with_configuration_files(celaje, tmp_path):
    """As an operator of several machines has it: no state folder, a database and keys of their own."""
    conf = tmp_path / "identity.conf"
    conf.write_text(
        f"[DEFAULT]\nstate_path = {tmp_path}/state\n[database]\nconnection = sqlite:///{tmp_path}/identity.db\n"
        f"[fernet_tokens]\nkey_repository = {tmp_path}/keys\nmax_active_keys = 2\n"
    )
    files = ("--config-file", conf)
    said = celaje("identity", "rotate-keys", *files)
    assert said.returncode == 1 and "setup-keys" in said.stderr
    assert celaje("identity", "setup-keys", *files).returncode == 0
    assert "key 2 seals tokens, 2 keys are kept" in celaje("identity", "rotate-keys", *files).stdout
    assert celaje("db", "sync", "--service", "identity", *files).returncode == 0
    passwords = tmp_path / "passwords.yaml"
    passwords.write_text(
        yaml.safe_dump(dict.fromkeys(("placement", "glance", "neutron", "cinder", "nova"), "p"))
    )
    bootstrap = ("--bootstrap-password", "first", "--public-url", "http://h", "--passwords", passwords)
    assert celaje("identity", "bootstrap", *files, *bootstrap).returncode == 0
    (tmp_path / "password").write_text("second")
    said = celaje("identity", "reset-password", "admin", *files, "--password-file", tmp_path / "password")
    assert said.returncode == 0 and "admin (" in said.stdout


def test_a_key_for_zeromq(celaje, tmp_path):
    file = tmp_path / "key"
    assert celaje("messaging", "new-key", file).returncode == 0
    assert file.stat().st_mode & 0o777 == 0o600
    again = celaje("messaging", "new-key", file)
    assert again.returncode == 1 and "exists" in again.stderr
