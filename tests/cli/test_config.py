"""`celaje config`: what is in force, whose line it is, what hangs on it, and a file that loads."""

import json

import pytest

from celaje.cli import option_catalog
from celaje.cli.config import explain
from celaje.cli.configured import SERVICES, Configured
from celaje.common.conf import load
from celaje.common.conf.files import value_at


@pytest.fixture
def two_files(tmp_path):
    first = tmp_path / "celaje.conf"
    first.write_text(
        "[DEFAULT]\nrpc_response_timeout = 30\nenabled_backends = ssd\nfake_total_capacity_gb = 7\n"
        "[database]\nconnection = postgresql://u:hunter2@db/{service}\n[ssd]\nvolume_driver = fake\n"
    )
    (tmp_path / "conf.d").mkdir()
    second = tmp_path / "conf.d" / "50.conf"
    second.write_text("[DEFAULT]\nrpc_response_timeout = 90\n")
    return first, second


def meant(first, second):
    return ["--config-file", first, "--config-dir", second.parent]


def test_the_catalogue_has_every_option_of_every_service():
    known = {(entry.section, entry.option.dest) for entry in option_catalog.entries()}
    for service in SERVICES:
        conf = load(service, __import__(f"celaje.{service}.conf", fromlist=["OPTIONS"]).OPTIONS)
        assert set(conf) <= known


def test_readers_are_lines_that_name_the_option():
    """Of each option whose readers are found: the line holds its name (or it would be an invention)."""
    from celaje.cli.option_catalog import _ROOT

    found = 0
    for entry in option_catalog.entries():
        for reader in option_catalog.readers(entry):
            assert entry.option.dest in value_of(_ROOT / reader.file, reader.line), (entry.name, str(reader))
            found += 1
    assert found > 150


def value_of(path, line):
    lines = path.read_text().splitlines()
    # A chained expression begins a line or two before the attribute.
    return " ".join(lines[line - 1 : line + 5])


@pytest.mark.parametrize(
    ("key", "readers"),
    [
        # By a message table of the common ground, so by whoever has messages; it does not tell them apart.
        ("rpc_response_timeout", set(SERVICES)),
        ("api_wait_timeout", {"compute"}),
        ("pool_timeout", set(SERVICES)),
        ("attachment_wait_timeout", {"volume"}),
        ("[security_compliance] lockout_duration", {"identity"}),
    ],
)
def test_who_reads_an_option(key, readers):
    (entry,) = option_catalog.named(key)
    assert set(explain(entry, Configured(None))["read_by"]) == readers


def test_what_hangs_on_an_option():
    (kind, calls), *_ = option_catalog.hangs_on("long_rpc_timeout")
    assert kind == "calls" and "compute: spawn" in calls and "compute: attach_volume" not in calls
    assert ("flows", "server.attach_volume") in [
        (kind, flow)
        for kind, several in option_catalog.hangs_on("server_attach_deadline")
        for flow in several
    ]


def test_explain_tells_file_and_line_and_what_lost(celaje, two_files):
    first, second = two_files
    said = celaje("config", "explain", "rpc_response_timeout", *meant(*two_files))
    assert said.returncode == 0
    assert f"from {second}:2 overrode 30 at {first}:2" in " ".join(said.stdout.split())
    assert all(len(line) <= 80 or str(first.parent) in line for line in said.stdout.splitlines())


def test_explain_of_a_back_ends_key_follows_what_it_inherits(celaje, two_files):
    said = celaje("config", "explain", "fake_total_capacity_gb", *meant(*two_files), "--json")
    (told,) = json.loads(said.stdout)
    assert [(row["for"], row["value"], row["origin"]) for row in told["values"]] == [
        (["[ssd]"], 7, f"{two_files[0]}:4")
    ]


def test_an_old_name_leads_to_the_new_one(celaje):
    said = celaje("config", "explain", "osapi_max_limit")
    assert "max_limit  in [api]" in said.stdout and "[DEFAULT] osapi_max_limit" in said.stdout


def test_an_unknown_key_is_answered_with_the_nearest(celaje):
    said = celaje("config", "explain", "rpc_response_timout")
    assert said.returncode == 1
    assert "Did you mean rpc_response_timeout?" in said.stderr


def test_secrets_are_never_shown(celaje, two_files):
    second = two_files[1].parent / "60.conf"
    second.write_text("[database]\nconnection = postgresql://u:hunter3@db/x\n")
    for words in (["show"], ["show", "volume", "--json"], ["explain", "connection"]):
        said = celaje("config", *words, *meant(*two_files))
        assert said.returncode == 0 and "hunter" not in said.stdout + said.stderr
        assert "***" in said.stdout
    assert "hunter2" in value_at(f"{two_files[0]}:6")


def test_show_tells_what_was_changed_and_by_whom(celaje, two_files):
    said = celaje("config", "show", "volume", "--changed", "--json", *meant(*two_files))
    rows = {(row["section"], row["key"]): row for row in json.loads(said.stdout)["volume"]}
    assert set(rows) == {
        ("DEFAULT", "rpc_response_timeout"),
        ("DEFAULT", "enabled_backends"),
        ("database", "connection"),
        ("ssd", "volume_driver"),
        ("ssd", "fake_total_capacity_gb"),
    }
    assert rows["DEFAULT", "rpc_response_timeout"]["overridden"] == [f"{two_files[0]}:2"]


def test_show_of_a_state_directory_has_what_celaje_up_decides(celaje, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    (state / "drivers.json").write_text('{"drivers": "fake", "hosts": 3}')
    said = celaje("config", "show", "--json", "--changed", "--state", state)
    rows = {(row["section"], row["key"]): row for row in json.loads(said.stdout)["compute"]}
    assert rows["DEFAULT", "fake_hosts"]["value"] == ["host-0001", "host-0002", "host-0003"]
    assert rows["DEFAULT", "fake_hosts"]["origin"] == "celaje up"
    assert celaje("config", "show", "--state", tmp_path / "none").returncode == 1


def test_a_wrong_value_is_told_with_its_line(celaje, tmp_path):
    file = tmp_path / "a.conf"
    file.write_text("[DEFAULT]\nrpc_response_timeout = soon\n")
    said = celaje("config", "show", "--config-file", file)
    assert said.returncode == 1 and f"{file}:2" in said.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_the_sample_loads_and_changes_nothing(celaje, tmp_path, service):
    said = celaje("config", "sample", service)
    assert said.returncode == 0
    file = tmp_path / "sample.conf"
    file.write_text(said.stdout)
    options = __import__(f"celaje.{service}.conf", fromlist=["OPTIONS"]).OPTIONS
    assert load(service, options, [file]).assignments == ()
    # Uncommented: every key is one that somebody reads, and its default is a value that it may have.
    keys = [line for line in said.stdout.splitlines() if line.startswith("#") and line[1:2] not in (" ", "")]
    assert len(keys) > 40
    open_lines = [
        line[1:] if line in keys and "<not set>" not in line and "<name" not in line else line
        for line in said.stdout.splitlines()
    ]
    file.write_text("\n".join(line for line in open_lines if not line.startswith("# ")))
    backend = [entry.option for entry in option_catalog.entries() if entry.backend]
    loaded = load(service, options, [file])
    assert loaded.assignments and loaded.unknown_keys(backend_options=backend) == []


def test_a_service_that_is_not_there(celaje):
    assert "compute" in celaje("config", "sample", "weather").stderr
    assert celaje("config", "show", "weather").returncode == 1
