"""`celaje doctor` as its user runs it: exit codes, words within 80 columns, JSON."""

import json

from celaje.cli.doctor.command import CHECKS


def test_the_exit_code_says_how_bad_it_is(celaje, tmp_path):
    file = tmp_path / "celaje.conf"
    file.write_text("[DEFAULT]\nrpc_response_timout = 5\n")
    said = celaje("doctor", "--config-file", file, "--json")
    found = {(one["check"], one["severity"], one["where"]) for one in json.loads(said.stdout)}
    assert ("unknown keys", "warning", f"{file}:2") in found
    file.write_text("[DEFAULT]\nrpc_response_timeout = soon\n")
    said = celaje("doctor", "--config-file", file)
    assert said.returncode == 2
    assert f"{file}:2" in said.stdout and "-> Mend the value." in said.stdout


def test_what_it_prints_fits_and_names_every_check_that_is_well(celaje, tmp_path):
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    said = celaje("doctor", "--state", state)
    assert said.returncode in (0, 1), said.stdout
    assert all(len(line) <= 80 or str(tmp_path) in line for line in said.stdout.splitlines())
    well = [about for _, about in CHECKS.values() if f"ok       {about}" in said.stdout]
    assert len(well) >= len(CHECKS) - 2
    assert "Traceback" not in said.stderr and not said.stderr


def test_a_state_that_is_not_there(celaje, tmp_path):
    assert celaje("doctor", "--state", tmp_path / "none").returncode == 1
