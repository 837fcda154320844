"""`celaje up` on an empty directory until it gives a token, and what the cloud takes while nobody asks.

The limit of the start is a process that imports the same libraries and does nothing with them.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from tests.bench.figures import Theme
from tests.bench.http_client import Connection, login_request
from tests.conformance.running import RunningCloud

STARTS = 5
IDLE = 20.0
LIBRARIES = (
    "click, granian.server, sqlalchemy, sqlalchemy.dialects.sqlite, falcon, oslo_config.cfg, jsonschema_rs, "
    "msgspec, cryptography.fernet"
)


def first_token(state):
    """A cloud that has just given its first token, and how long that took."""
    cloud = RunningCloud(state, "fake")
    state.mkdir()
    begun = time.perf_counter()
    cloud.process = subprocess.Popen(
        cloud._command,
        stdout=open(f"{state}.out", "a+"),  # noqa: SIM115 - the process keeps it
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    while time.perf_counter() - begun < 60:
        assert cloud.process.poll() is None, cloud.said()
        try:
            connection = Connection(cloud.port)
            password = msgspec.json.decode((state / "secrets.json").read_bytes())["admin"]
            status, _ = connection.ask(login_request(password))
            connection.close()
            if status == 201:
                return cloud, time.perf_counter() - begun
        except (OSError, AssertionError):
            time.sleep(0.002)
    raise AssertionError(f"no token: {cloud.said()}")


def libraries():
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {LIBRARIES}"], check=True, timeout=60)
    return time.perf_counter() - begun


class Processes:
    """The command and the cloud's own process, as the kernel sees them."""

    def __init__(self, cloud):
        record = msgspec.json.decode((cloud.state / "running.json").read_bytes())
        self.folders = [Path(f"/proc/{pid}") for pid in (cloud.process.pid, record["pid"])]

    def memory(self):
        """MiB, shared pages counted by share."""
        lines = [
            line for folder in self.folders for line in (folder / "smaps_rollup").read_text().splitlines()
        ]
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024

    def seconds(self):
        fields = [(folder / "stat").read_text().rpartition(")")[2].split() for folder in self.folders]
        return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")

    def wakeups(self):
        count = 0
        for folder in self.folders:
            for task in (folder / "task").iterdir():
                lines = (task / "status").read_text().splitlines()
                count += sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt"))
        return count

    def threads(self):
        return sum(len(list((folder / "task").iterdir())) for folder in self.folders)


@pytest.mark.bench
def test_start_and_rest(tmp_path):
    libraries()
    spent, limit, used = [], [], []
    with Theme("startup") as figures:
        for number in range(STARTS):
            limit.append(libraries())
            cloud, seconds = first_token(tmp_path / f"state-{number}")
            spent.append(seconds)
            processes = Processes(cloud)
            used.append(processes.seconds())
            if number + 1 < STARTS:
                cloud.stop()
        figure = statistics.median(spent)
        figures.add(
            "celaje up, empty directory, to first token",
            figure,
            "s",
            limit=statistics.median(limit),
            of="importing its libraries",
            hold="<= 1.0 s",
            held=figure <= 1.0,
            note=f"fastest {min(spent):.2f} s; {statistics.median(used):.2f} s of processor time",
        )
        time.sleep(2)
        memory = processes.memory()
        figures.add("memory at rest, all processes", memory, "MiB", hold="<= 120 MiB", held=memory <= 120)
        before, woken = processes.seconds(), processes.wakeups()
        time.sleep(IDLE)
        rested, wakeups = processes.seconds() - before, processes.wakeups() - woken
        figures.add(
            "processor time at rest",
            rested * 60 / IDLE,
            "s/min",
            note=f"{processes.threads()} threads, {wakeups / IDLE:.1f} wake-ups a second",
        )
        begun = time.perf_counter()
        cloud.stop()
        figures.add("stop", time.perf_counter() - begun, "s")
        again = []
        for _ in range(3):
            begun = time.perf_counter()
            cloud.start()
            again.append(time.perf_counter() - begun)
            cloud.stop()
        figures.add("start on a directory that is there", statistics.median(again), "s")
