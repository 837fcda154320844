"""Numbers that must fit each other."""

import pytest


@pytest.mark.parametrize("check", ["connections", "heartbeats"])
def test_the_defaults_fit(doctor, check):
    assert doctor(check) == []


def test_the_timeouts_of_an_all_in_one_cloud_fit(doctor, tmp_path):
    assert {one.severity for one in doctor("timeouts", state=tmp_path)} <= {"note"}


def test_more_threads_than_connections(doctor, file):
    (found,) = doctor("connections", "[database]\nmax_overflow = 10\nmax_pool_size = 5\n")
    assert found.severity == "warning" and f"{file}:2" in found.where
    assert "share 15 database connections" in found.what
    enough = found.do.rpartition(" or more")[0].rpartition(" ")[2]
    assert doctor("connections", f"[database]\nmax_pool_size = 5\nmax_overflow = {enough}\n") == []


@pytest.mark.parametrize(
    ("text", "severity", "line"),
    [
        ("[service]\nreport_interval = 40\n", "warning", 2),
        ("[service]\nservice_down_time = 5\n", "error", 2),
        ("[DEFAULT]\n\ncall_monitor_timeout = 4\n", "error", 3),
        ("[oslo_messaging_zmq]\nzmq_target_expire = 1\n", "error", 2),
        ("[scheduler]\nreport_down_time = 12\n", "warning", 2),
    ],
)
def test_too_few_signs_of_life(doctor, file, text, severity, line):
    found = doctor("heartbeats", text)
    assert found and {one.severity for one in found} == {severity}
    assert all(f"{file}:{line}" in one.where for one in found)


def test_timeouts_in_the_wrong_order(doctor, file, tmp_path):
    text = "[DEFAULT]\nattachment_wait_timeout = 30\n"
    found = [one for one in doctor("timeouts", text, state=tmp_path) if one.severity == "warning"]
    assert found and all(f"{file}:2" in one.where for one in found)
