"""Every trap of a configuration file is found at its line; a good file has none."""

import os

import pytest

GOOD = """\
[DEFAULT]
rpc_response_timeout = 50
enabled_backends = ssd, disk
[ssd]
volume_driver = fake
[disk]
volume_driver = file
"""
CHECKS = ("values", "unknown keys", "back ends", "inheritance", "order", "old names", "readable secrets")


@pytest.mark.parametrize("check", CHECKS)
def test_a_good_file_has_nothing(doctor, check):
    assert doctor(check, GOOD) == []


@pytest.mark.parametrize(
    ("check", "text", "line", "words"),
    [
        ("values", "[DEFAULT]\nrpc_response_timeout = soon\n", 2, "soon"),
        ("values", "[DEFAULT]\nenabled_backends = a\n[a]\nvolume_driver = none.there\n", 0, "none.there"),
        ("unknown keys", "[DEFAULT]\nrpc_response_timout = 5\n", 2, "Nobody reads [DEFAULT]"),
        ("unknown keys", GOOD + "rpc_response_timeout = 5\n", 8, "stands in [disk]"),
        ("unknown keys", "[database]\ndebug = true\n", 2, "stands in [database]"),
        ("back ends", "[DEFAULT]\nenabled_backends = gone\n", 2, "no section [gone]"),
        ("back ends", GOOD + "[lonely]\nvolume_driver = fake\n", 9, "[lonely] describes"),
        ("inheritance", GOOD + "[DEFAULT]\nvolume_driver = fake\n", 9, "does not reach ssd, disk"),
        ("inheritance", GOOD + "[backend_defaults]\nvolume_driver = fake\n", 9, "does not reach ssd, disk"),
        ("order", "[DEFAULT]\ndebug = true\ndebug = false\n", 2, "set twice"),
        ("old names", "[DEFAULT]\nosapi_max_limit = 5\n", 2, "osapi_max_limit is an old name"),
    ],
)
def test_a_trap_is_found_at_its_line(doctor, file, check, text, line, words):
    (found,) = doctor(check, text)
    assert words in found.what
    assert found.where == f"{file}:{line}" if line else found.where
    assert found.why


def test_a_key_of_default_that_reaches_one_back_end_and_not_the_other(doctor):
    text = GOOD.replace("[DEFAULT]\n", "[DEFAULT]\nimage_conversion_timeout = 5\n")
    assert doctor("inheritance", text) == []  # the only driver that has it takes it
    text += "[backend_defaults]\nvolumes_dir_shared = true\n[DEFAULT]\nfake_total_capacity_gb = 9\n"
    text = text.replace("[ssd]\n", "[ssd]\nfake_total_capacity_gb = 7\n")
    (found,) = doctor("inheritance", text)
    assert "fake_total_capacity_gb does not reach ssd" in found.what


def test_strict_config_makes_an_error_of_it(doctor):
    (found,) = doctor("unknown keys", "[DEFAULT]\nstrict_config = true\nnothing_reads_this = 5\n")
    assert (found.severity, "no service starts" in found.why) == ("error", True)


def test_a_later_file_overrides(doctor, file, tmp_path):
    later = tmp_path / "later.conf"
    later.write_text("[DEFAULT]\ndebug = false\n")
    (found,) = doctor("order", "[DEFAULT]\ndebug = true\n", more=[later])
    assert (found.severity, found.where) == ("note", f"{file}:2")
    assert f"{later}:2" in found.what


def test_the_environment_beats_every_file(doctor, monkeypatch):
    monkeypatch.setenv("OS_DEFAULT__DEBUG", "true")
    (found,) = doctor("order", "[DEFAULT]\ndebug = false\n")
    assert (found.severity, "OS_DEFAULT__DEBUG" in found.what) == ("warning", True)


def test_what_celaje_up_decides_cannot_be_set(doctor, tmp_path, file):
    (found,) = doctor("order", "[DEFAULT]\ncompute_driver = qemu\n", state=tmp_path)
    assert "decided by celaje up" in found.what and found.where == f"{file}:2"


def test_a_password_in_a_file_for_all(doctor, file):
    text = "[database]\nconnection = sqlite:///x.db\n"
    assert doctor("readable secrets", text) == []
    os.chmod(file, 0o644)
    (found,) = doctor("readable secrets", text)
    assert (found.severity, found.where) == ("warning", f"{file}:2")


def test_a_policy_file_that_is_not_there(doctor, file, tmp_path):
    findings = doctor("policy", "[DEFAULT]\n[oslo_policy]\npolicy_file = gone.yaml\npolicy_dirs = nowhere\n")
    assert {(one.severity, one.where) for one in findings} == {
        ("warning", f"{file}:3"),
        ("warning", f"{file}:4"),
    }
    # A line that all services read is found once.
    (file_gone,) = [one.what for one in findings if one.what.startswith("policy_file of ")]
    assert f"volume, compute names {tmp_path / 'gone.yaml'}" in file_gone
    (tmp_path / "gone.yaml").touch()
    (tmp_path / "nowhere").mkdir()
    assert doctor("policy", file.read_text()) == []


def test_a_policy_file_that_cannot_be_used(doctor, file, tmp_path):
    (tmp_path / "volume-policy.yaml").write_text('"volume:creat": "@"\n')
    (found,) = doctor("policy", GOOD)
    assert (found.severity, "Did you mean volume:create" in found.what) == ("error", True)
    assert str(tmp_path / "volume-policy.yaml") in found.what
