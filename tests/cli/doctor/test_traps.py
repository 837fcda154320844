"""One configuration with every trap of the talk in it: each is found, at its file and line, and no other."""

from celaje.cli.configured import Configured
from celaje.cli.doctor.command import examine

# Number of the line and what stands on it; `!` names the checks that must find something exactly there.
FIRST = """\
[DEFAULT]
rpc_response_timout = 5                     ! unknown keys
pool_timeout = 60                           ! unknown keys
enabled_backends = ssd, disk, gone          ! back ends
fake_total_capacity_gb = 10                 ! inheritance
attachment_wait_timeout = 30                ! timeouts
debug = true                                ! order
osapi_max_limit = 500                       ! old names
transport_url = rabbit://u:secret@127.0.0.1:1/  ! readable secrets, broker
[service]
report_interval = 10
service_down_time = 10                      ! heartbeats
[api]
threads = 1000                              ! connections
[database]
max_pool_size = 5
max_overflow = 10                           ! connections
[ssd]
volume_driver = fake
fake_total_capacity_gb = 20
rpc_response_timeout = 5                    ! unknown keys
[disk]
volume_driver = fake
[forgotten]
volume_driver = file                        ! back ends
[oslo_policy]
policy_file = nowhere.yaml                  ! policy
"""
LATER = """\
[DEFAULT]
debug = false
"""


def test_every_trap_of_the_talk_is_found_at_its_line(tmp_path):
    file, folder = tmp_path / "celaje.conf", tmp_path / "celaje.conf.d"
    expected = set()
    lines = []
    for number, line in enumerate(FIRST.splitlines(), 1):
        text, _, checks = line.partition("!")
        lines.append(text.rstrip())
        expected |= {(check.strip(), number) for check in checks.split(",") if check}
    file.write_text("\n".join(lines) + "\n")
    file.chmod(0o644)
    folder.mkdir()
    (folder / "50-later.conf").write_text(LATER)
    findings = examine(Configured(None, [file], [folder]))
    found = {
        (one.check, number)
        for one in findings
        for number in range(1, len(lines) + 1)
        if f"{file}:{number}" in one.where.replace(")", " ").replace(",", " ").split()
        or f"({file}:{number})" in one.where
    }
    assert expected <= found, expected - found
    # Nothing is found where no trap is; report_interval and max_pool_size are parts of two.
    assert {line for _, line in found} - {line for _, line in expected} <= {11, 16, 24}
    (order,) = [one for one in findings if one.check == "order"]
    assert str(folder / "50-later.conf") in order.what
    assert all(one.why for one in findings)
    misspelled = next(one for one in findings if one.where == f"{file}:2")
    assert "rpc_response_timeout" in misspelled.do
