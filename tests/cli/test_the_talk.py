"""docs/the-talk.md: every command on the page is run, in its order, on the cloud that the page starts."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from celaje.cli.main import COMMANDS
from tests.conformance.running import BIN, RunningCloud

PAGE = Path(__file__).parent.parent.parent / "docs" / "the-talk.md"
BLOCKS = re.findall(r"(?ms)^```sh\n(.*?)^```$", PAGE.read_text())
COMMAND_LINES = [line for block in BLOCKS for line in block.splitlines()]

# What a reader is promised to find, by the command (in the page's words) that shows it.
PROMISED = {
    "celaje status": "cinder-scheduler",
    "celaje inspect routes volume": "volume:create",
    "celaje flow list": "volume.create",
    "celaje inspect rpc volume": "select_backend",
    "celaje inspect filters": "CapacityFilter",
    "celaje why $FAILED": "3 → 0",
    "celaje inspect flows compute": "server_attach_deadline",
    "celaje flow show $VOLUME": "driver FakeDriver  create_volume",
    "celaje flow show $SERVER --sequence": "→ volume worker  initialize_connection",
    "celaje inspect states volume": "reserved",
    "celaje why $REQUEST": "the role admin",
    "celaje logs $SERVER": "compute-worker",
    "celaje config explain rpc_response_timeout": "default",
    "celaje timeouts attach": "rpc_response_timeout",
    "celaje timeouts attach --simulate backend=90s || true": "backend",
    "celaje doctor": "ok",
    COMMAND_LINES[-1]: 'flow="server.attach_volume",state="done"',
}


def test_every_promise_is_of_a_command_on_the_page():
    assert set(PROMISED) <= set(COMMAND_LINES)


def test_every_command_exists():
    named = re.findall(r"\bcelaje ([a-z]+)", "\n".join(COMMAND_LINES))
    assert named
    assert set(named) <= set(COMMANDS)


@pytest.mark.timeout(600)
def test_the_whole_page(tmp_path):
    start, surroundings, *blocks = BLOCKS
    words = shlex.split(start)
    assert words[:4] == ["celaje", "up", "--state", "./talk"]
    assert words[4:6] == ["--drivers", "fake"]
    cloud = RunningCloud(tmp_path / "talk", "fake", *words[6:]).start()
    script = ["set -eu", surroundings]
    for block in blocks:
        for line in block.splitlines():
            # The last one that stands is the one that failed.
            script += [f"echo @@@ {shlex.quote(line)}", line]
    script.append("echo @@@ end")
    try:
        done = subprocess.run(
            [shutil.which("bash") or "sh", "-c", "\n".join(script)],
            cwd=tmp_path,
            env={**cloud.environment(), "PATH": f"{BIN}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=550,
            check=False,
        )
    finally:
        cloud.stop()
    said = dict(part.partition("\n")[::2] for part in done.stdout.split("@@@ ")[1:])
    assert "end" in said, f"{list(said)[-1:]}: {done.stderr[-3000:]}\n{done.stdout[-3000:]}"
    assert "Traceback" not in done.stdout + done.stderr
    for command, words_promised in PROMISED.items():
        assert words_promised in said[command], f"{command} shows no {words_promised!r}:\n{said[command]}"
