"""`celaje logs`: lines of one request, by process and by file."""

import json

from tests.cloud import until
from tests.journals.conftest import celaje, past  # noqa: F401

LINES = """\
2026-01-01 00:00:00.000 INFO celaje.api [req-1 u p at=compute-api] POST /servers -> 202
2026-01-01 00:00:00.500 DEBUG celaje.x [req-1 u p at=compute-conductor flow=f1 step=1] step spawn
2026-01-01 00:00:01.000 ERROR celaje.x [req-2 u p at=volume-api global=req-1] it broke \x1b[31m
Traceback: here
2026-01-01 00:00:02.000 INFO celaje.x [req-3 u p] somebody else
"""


def test_lines_levels_and_json(celaje, tmp_path):  # noqa: F811
    path = tmp_path / "one.log"
    path.write_text(LINES)
    page = celaje("logs", "req-1", path)
    assert "somebody else" not in page
    assert "Traceback: here" in page
    assert "\x1b" not in page
    assert [line.split()[1] for line in page.splitlines()[1:3]] == ["compute-api", "compute-conductor"]
    assert "step spawn" not in celaje("logs", "req-1", path, "--level", "info")
    entries = [json.loads(line) for line in celaje("logs", "req-1", path, "--json").splitlines()]
    assert [entry["component"] for entry in entries] == ["compute-api", "compute-conductor", "volume-api"]
    assert (entries[1]["flow"], entries[1]["step"]) == ("f1", 1)
    assert entries[0]["time"] == "2026-01-01T00:00:00.000Z"


def test_nothing_found_is_told(celaje, tmp_path):  # noqa: F811
    path = tmp_path / "one.log"
    path.write_text(LINES)
    assert "No line speaks of" in celaje("logs", "nobody", path)
    assert "There is no log" in celaje("logs", "nobody", "--state", tmp_path / "absent")


def test_a_cloud_that_is_up_can_be_asked(running, monkeypatch):  # the real command, its log file and its mode
    import os
    import subprocess

    from tests.conformance.running import BIN

    log = running.state / "celaje.log"
    assert log.stat().st_mode & 0o777 == 0o600

    def found():
        # Lines are written a little late.
        return [line for line in log.read_text().splitlines() if "POST /compute/v2.1/flavors" in line]

    line = until(found)[0]
    request_id = line.split("[")[1].split(" ")[0]
    done = subprocess.run(
        [str(BIN / "celaje"), "logs", request_id, "--state", str(running.state)],
        env=dict(os.environ), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "compute-api" in done.stdout
