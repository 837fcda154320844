import os
import sys

import pytest

from celaje.common import clock, errors, processes


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


def test_output_is_captured_and_arguments_are_not_interpreted():
    done = processes.run(python("import sys; print(sys.argv[1])", "a b; $HOME"), timeout=30)
    assert (done.text, done.exit_code) == ("a b; $HOME\n", 0)


def test_input_reaches_the_program():
    done = processes.run(python("import sys; print(len(sys.stdin.read()))"), timeout=30, stdin=b"x" * 200_000)
    assert done.text == "200000\n"


def test_failure_carries_the_last_words():
    code = "import sys; sys.stderr.write('x' * 5000 + 'the disk is gone'); sys.exit(3)"
    with pytest.raises(processes.ProcessFailed) as caught:
        processes.run(python(code), timeout=30)
    assert isinstance(caught.value, errors.DriverError)
    assert "exit code 3" in caught.value.message
    assert caught.value.message.endswith("the disk is gone")
    assert len(caught.value.message) < 3000


def test_accepted_exit_codes_do_not_fail():
    assert processes.run(python("raise SystemExit(3)"), timeout=30, accept=(0, 3)).exit_code == 3


def test_missing_program_is_named():
    with pytest.raises(processes.ProgramMissing, match="no-such-program"):
        processes.run(["no-such-program", "x"], timeout=1)


def test_environment_is_c_locale_and_carries_nothing_of_ours(monkeypatch):
    monkeypatch.setenv("OS_PASSWORD", "secret")
    code = "import os; print(os.environ['LC_ALL'], 'OS_PASSWORD' in os.environ, os.environ['GIVEN'])"
    assert processes.run(python(code), timeout=30, environment={"GIVEN": "yes"}).text == "C False yes\n"


def test_timeout_ends_the_whole_group(tmp_path):
    pidfile = tmp_path / "pid"
    code = (
        "import subprocess, sys; child = subprocess.Popen(['sleep', '60']);"
        f"open({str(pidfile)!r}, 'w').write(str(child.pid)); child.wait()"
    )
    # The grandchild must have been started before the time is up; if it was not, give it more time.
    for seconds in (1, 5, 20):
        with pytest.raises(processes.ProcessTimeout):
            processes.run(python(code), timeout=seconds)
        if pidfile.exists() and pidfile.read_text():
            break
    pid = int(pidfile.read_text())
    deadline = clock.monotonic() + 10
    while _runs(pid) and clock.monotonic() < deadline:
        clock.sleep(0.01)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_limits_are_in_force_from_the_start():
    limits = processes.Limits(cpu_seconds=17, address_space=512 * 1024**2)
    code = (
        "import resource; print(resource.getrlimit(resource.RLIMIT_CPU)[0],"
        " resource.getrlimit(resource.RLIMIT_AS)[0])\n"
        "try:\n    bytearray(1024**3)\nexcept MemoryError:\n    print('refused')"
    )
    assert processes.run(python(code), timeout=30, limits=limits).text.split() == [
        "17",
        str(512 * 1024**2),
        "refused",
    ]
