"""A cloud as its user has it: `celaje up` in a process of its own, and the clients that people use."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RunningCloud:
    """`celaje up` on a state directory. `drivers` as the option."""

    def __init__(self, state: Path, drivers: str, *options: str):
        self.state = state
        self.port = free_port()
        self._command = [
            str(BIN / "celaje"), "up", "--state", str(state), "--port", str(self.port), "--drivers", drivers,
            *options,
        ]  # fmt: skip
        self.process: subprocess.Popen[str] | None = None
        self.output = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, seconds: float = 60.0) -> "RunningCloud":
        record = self.state / "running.json"
        record.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            self._command,
            stdout=open(f"{self.state}.out", "a+"),  # noqa: SIM115 - the process's own
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        end = time.monotonic() + seconds
        while not (record.exists() and self._answers()):
            assert self.process.poll() is None, f"celaje up ended: {self.said()}"
            assert time.monotonic() < end, f"celaje up did not come up: {self.said()}"
            time.sleep(0.02)
        return self

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def said(self) -> str:
        return Path(f"{self.state}.out").read_text()

    def stop(self, seconds: float = 60.0) -> int:
        """TERM, as an init system would; returns the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(seconds)

    def kill(self) -> None:
        """kill -9 of everything that is Celaje's (not of guests, which have sessions of their own)."""
        assert self.process is not None
        worker = json.loads((self.state / "running.json").read_text())["pid"]
        for pid in (self.process.pid, worker):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)
        end = time.monotonic() + 10
        while Path(f"/proc/{worker}").exists() and time.monotonic() < end:
            time.sleep(0.01)

    def environment(self) -> dict[str, str]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("OS_")}
        return {
            **environment,
            "OS_CLIENT_CONFIG_FILE": str(self.state / "clouds.yaml"),
            "OS_CLOUD": "celaje",
        }

    def openstack(self, *words: str, seconds: float = 180.0) -> Any:
        """Run the real command; its JSON where it gives some, else its text."""
        wants_json = words[-1] == "json"
        result = subprocess.run(
            [str(BIN / "openstack"), *words],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert result.returncode == 0, (
            f"openstack {' '.join(words)}: {result.stdout}{result.stderr}\n{self.log()}"
        )
        return json.loads(result.stdout) if wants_json else result.stdout

    def log(self, lines: int = 40) -> str:
        file = self.state / "celaje.log"
        return "\n".join(file.read_text().splitlines()[-lines:]) if file.exists() else ""

    def sdk(self) -> Any:
        import openstack

        os.environ["OS_CLIENT_CONFIG_FILE"] = str(self.state / "clouds.yaml")
        from openstack.config import OpenStackConfig

        region = OpenStackConfig(config_files=[str(self.state / "clouds.yaml")]).get_one(cloud="celaje")
        return openstack.connection.Connection(config=region)

    def guests(self) -> list[int]:
        """Processes of QEMU guests of this state directory."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if words.split(b"\0")[0].endswith(b"qemu-system-x86_64") and str(self.state).encode() in words:
                found.append(int(entry.name))
        return found
