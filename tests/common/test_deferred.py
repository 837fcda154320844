"""oslo.config's seldom used libraries come when they are used, in a process of its own, and work then."""

import subprocess
import sys

PROGRAM = """
import sys
from oslo_config import types
early = {name for name in sys.modules if name.startswith(("netaddr.", "rfc3986."))}
assert bool(early) is not DEFERRED, early
assert types.URI(max_length=40)("http://[::1]:80/a") == "http://[::1]:80/a"
try:
    types.IPAddress()("10.0.0.300")
except ValueError:
    pass
else:
    raise AssertionError("an address that is none")
assert types.IPAddress()("10.0.0.30") == "10.0.0.30"
import netaddr
assert str(netaddr.IPNetwork("10.0.0.0/8")) == "10.0.0.0/8"
"""


def run(before, deferred):
    program = before + PROGRAM.replace("DEFERRED", str(deferred))
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )


def test_deferred_until_used():
    done = run("import celaje.common.conf\n", True)
    assert done.returncode == 0, done.stderr


def test_the_check_sees_what_is_loaded():
    assert run("import netaddr\nimport celaje.common.conf\n", True).returncode != 0
    done = run("", False)
    assert done.returncode == 0, done.stderr
