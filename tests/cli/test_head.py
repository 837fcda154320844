"""`celaje ... | head`: whoever reads leaves early, and no command makes words of it."""

import os
import subprocess

import pytest

from celaje.cli.main import NOBODY_READS
from tests.conformance.running import BIN

COMMANDS = [
    ("inspect", "routes", "compute"),
    ("inspect", "states", "volume", "--json"),
    ("config", "sample", "volume"),
    ("config", "show"),
    ("timeouts", "attach"),
    ("doctor",),
    ("flow", "list"),
    ("status",),
    ("--help",),
]


def unread(words, environment=None):
    """Run with a standard output that nobody reads; (exit code, standard error)."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [str(BIN / "celaje"), *words],
            stdout=writing,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            text=True,
            timeout=90,
            check=False,
        )
    finally:
        os.close(writing)
    return done.returncode, done.stderr


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_nothing_is_said_when_nobody_reads(words, running):
    state = ["--state", str(running.state)] if words[0] in ("flow", "status", "config", "doctor") else []
    if words[:2] == ("config", "sample"):
        state = []
    assert unread([*words, *state]) == (NOBODY_READS, "")
