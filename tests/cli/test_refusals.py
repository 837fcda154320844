"""What a user can get wrong is told in two sentences that name the next thing to do."""

import json
import os
import socket
import sqlite3

import pytest


def test_help_names_every_command(celaje):
    said = celaje("--help")
    assert said.returncode == 0
    for command in ("up", "status", "db", "inspect", "config", "timeouts", "doctor"):
        assert f"\n  {command} " in said.stdout


@pytest.mark.parametrize("command", ["up", "status", "db", "inspect", "config", "timeouts", "doctor"])
def test_each_command_has_help(celaje, command):
    said = celaje(command, "--help")
    assert said.returncode == 0
    assert said.stdout.startswith(f"Usage: celaje {command}") or f" {command} " in said.stdout


def test_unknown_command(celaje):
    said = celaje("upp")
    assert said.returncode == 2
    assert "upp" in said.stderr


def test_state_and_ephemeral_exclude_each_other(celaje, tmp_path):
    said = celaje("up", "--state", tmp_path / "s", "--ephemeral")
    assert said.returncode == 1
    assert "exclude each other" in said.stderr
    assert not (tmp_path / "s").exists()


def test_a_taken_port_is_named_with_a_free_one_to_try(celaje, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = celaje("up", "--state", tmp_path / "s", "--port", port)
    assert said.returncode == 1
    assert f"Port {port} on 127.0.0.1 is taken." in said.stderr
    assert f"--port {port + 1}" in said.stderr


def test_an_unusable_state_directory(celaje, tmp_path, port):
    file = tmp_path / "file"
    file.write_text("")
    said = celaje("up", "--state", file / "inside", "--port", port)
    assert said.returncode == 1
    assert f"{file / 'inside'} cannot be used" in said.stderr
    if os.geteuid() != 0:
        # root may write everywhere
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o500)
        assert "Permission denied" in celaje("up", "--state", closed / "s", "--port", port).stderr


def test_an_address_that_is_not_ours(celaje, tmp_path, port):
    said = celaje("up", "--state", tmp_path / "s", "--port", port, "--address", "203.0.113.7")
    assert said.returncode == 1
    assert "cannot be listened on" in said.stderr


def test_a_configuration_that_is_not_there(celaje, tmp_path, port):
    said = celaje("up", "--state", tmp_path / "s", "--port", port, "--config-file", tmp_path / "no.conf")
    assert said.returncode == 1
    assert "no.conf does not exist" in said.stderr


def test_a_wrong_value_is_named_with_file_and_line(celaje, tmp_path, port):
    file = tmp_path / "celaje.conf"
    file.write_text("[DEFAULT]\ndebug = false\nrpc_response_timeout = soon\n")
    said = celaje("up", "--state", tmp_path / "s", "--port", port, "--drivers", "fake", "--config-file", file)
    assert said.returncode == 1
    assert f"{file}:3" in said.stderr
    assert "rpc_response_timeout" in said.stderr


def test_an_unknown_key_is_refused_where_the_configuration_is_strict(celaje, tmp_path, port):
    file = tmp_path / "celaje.conf"
    file.write_text("[DEFAULT]\nrpc_response_timout = 10\n")
    said = celaje(
        "up", "--state", tmp_path / "s", "--port", port, "--drivers", "fake", "--strict-config",
        "--config-file", file,
    )  # fmt: skip
    assert said.returncode == 1
    assert "rpc_response_timout" in said.stderr
    assert "rpc_response_timeout" in said.stderr


def test_the_state_directory_keeps_its_drivers(celaje, tmp_path, port):
    state = tmp_path / "s"
    state.mkdir()
    (state / "drivers.json").write_text(json.dumps({"drivers": "fake", "hosts": 3}))
    said = celaje("up", "--state", state, "--port", port, "--drivers", "real")
    assert said.returncode == 1
    assert "was begun with fake drivers" in said.stderr


def test_status_of_nothing(celaje, tmp_path):
    said = celaje("status", "--state", tmp_path / "s")
    assert said.returncode == 3
    assert "celaje up" in said.stderr


def test_db_sync_makes_the_databases_once(celaje, tmp_path):
    first = celaje("db", "sync", "--state", tmp_path / "s", "--service", "placement")
    assert first.returncode == 0, first.stderr
    assert "0001" in first.stdout
    assert "is current" in celaje("db", "sync", "--state", tmp_path / "s", "--service", "placement").stdout


def test_db_sync_refuses_what_makes_no_sense(celaje, tmp_path):
    assert celaje("db", "sync", "--state", tmp_path / "s", "--service", "weather").returncode == 1
    assert celaje("db", "sync", "--state", tmp_path / "s", "--connection", "sqlite://").returncode == 1


@pytest.mark.parametrize("floor", ["", "9999_without_that"])
def test_a_database_of_a_newer_version(celaje, tmp_path, floor):
    """One that only added to what this code knows will do (a rolling upgrade); else it is refused."""
    celaje("db", "sync", "--state", tmp_path / "s", "--service", "placement")
    with sqlite3.connect(tmp_path / "s" / "placement" / "placement.db") as connection:
        connection.execute("update alembic_version set version_num = '9999_newer'")
        if floor:
            connection.execute("update schema_floor set revision = ?", (floor,))
    said = celaje("db", "sync", "--state", tmp_path / "s", "--service", "placement")
    assert said.returncode == (1 if floor else 0)
    assert "9999_newer" in said.stderr if floor else "current" in said.stdout
