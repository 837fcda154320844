"""A cluster's own processes: prepared, started, seen to be up, stopped and killed."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.configuration import Configuration
from tests.cluster.layout import Node
from tests.servers.shared import alive

BIN = Path(sys.executable).parent
CELAJE = (str(BIN / "celaje"),)
ROOT = Path(__file__).parents[2]
STEPPED_CLOCK = Path(__file__).parent / "stepped_clock"
ENDPOINTS = {
    "identity": ("identity", ""),
    "image": ("image", ""),
    "block-storage": ("volume", "/v3"),
    "volumev3": ("volume", "/v3"),
    "compute": ("compute", "/v2.1"),
    "placement": ("placement", ""),
    "network": ("network", ""),
}


class Processes(Configuration):
    password = "admin-secret"

    def celaje(self, *words: str, program: tuple[str, ...] = CELAJE, **options: Any) -> str:
        done = subprocess.run(
            [*program, *words], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT, **options
        )
        assert done.returncode == 0, f"celaje {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def prepare(self) -> None:
        """The operator's first steps, as docs/cluster.md has them."""
        self._folder("keys")
        files = self.files("identity-api1")
        self.celaje("db", "sync", *files)
        self.celaje("identity", "setup-keys", *files)
        secrets = self.folder / "passwords.yaml"
        secrets.write_text(yaml.safe_dump(self.passwords))
        endpoints = [
            word
            for kind, (api, path) in ENDPOINTS.items()
            for word in ("--endpoint", f"{kind}={self.url(api)}{path}")
        ]
        environment = {**os.environ, "OS_BOOTSTRAP_PASSWORD": self.password}
        self.celaje(
            "identity", "bootstrap", *files, "--passwords", str(secrets), "--examples", *endpoints,
            env=environment,
        )  # fmt: skip

    def add(self, node: Node) -> Node:
        """One more process, configured and started."""
        self.nodes[node.name] = node
        self.configure(node)
        return self.start(node)

    def remove(self, node: Node) -> None:
        assert not node.up
        del self.nodes[node.name]

    def start(self, node: Node | str) -> Node:
        node = self.nodes[node] if isinstance(node, str) else node
        assert not node.up, f"{node.name} is running"
        node.log_before = len(self.said(node, 1 << 30))
        with open(self.log_of(node), "ab") as log:
            node.process = subprocess.Popen(
                [*(node.program or CELAJE), "service", *node.parts, *self.files(node.name)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=ROOT,
                env=self.environment_of(node),
            )  # fmt: skip
        return node

    def reconfigure(self, name: str, settings: dict[str, dict[str, Any]]) -> Node:
        """End the node and start it with these settings of its own."""
        node = self.nodes[name]
        node.settings = settings
        self.write_configuration()
        if node.up:
            assert self.terminate(node) == 0, self.said(node)
        self.await_up(self.start(node))
        return node

    def environment_of(self, node: Node) -> dict[str, str]:
        """With the clock of its machine, which `step_clock` moves."""
        paths = [str(STEPPED_CLOCK), os.environ.get("PYTHONPATH", "")]
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "CELAJE_TEST_CLOCK_STEP": str(self.folder / f"clock-{node.host}"),
        }

    def step_clock(self, host: str, seconds: float) -> None:
        """The machine's clock is so much ahead (behind) of the others' from now on."""
        file = self.folder / f"clock-{host}"
        partial = file.with_suffix(".new")
        partial.write_text(str(seconds))
        partial.replace(file)

    def await_up(self, node: Node, seconds: float = 90.0) -> None:
        if node.is_api:
            self.until(lambda: self._healthy(node), seconds, f"{node.name}: {self.said(node)}")
        else:
            self.until(lambda: self._says_up(node), seconds, f"{node.name}: {self.said(node)}")

    def _says_up(self, node: Node) -> bool:
        """Since it was started last: its log goes on over its lives."""
        assert node.up, f"{node.name} ended: {self.said(node)}"
        return ": up on " in self.log_of(node).read_text()[node.log_before :]

    def _healthy(self, node: Node) -> bool:
        assert node.up, f"{node.name} ended: {self.said(node)}"
        return self._well(node.port)

    @staticmethod
    def _well(port: int) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", "/healthcheck")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def log_of(self, node: Node) -> Path:
        return self._folder("log") / f"{node.name}.log"

    def said(self, node: Node | str, most: int = 3000) -> str:
        node = self.nodes[node] if isinstance(node, str) else node
        file = self.log_of(node)
        return file.read_text()[-most:] if file.exists() else ""

    def pids(self, node: Node | str) -> list[int]:
        """The node's own process and, of an API, the worker below it."""
        node = self.nodes[node] if isinstance(node, str) else node
        assert node.process is not None
        children = Path(f"/proc/{node.process.pid}/task/{node.process.pid}/children").read_text()
        return [node.process.pid, *(int(word) for word in children.split())]

    def send_signal(self, node: Node | str, number: signal.Signals) -> None:
        for pid in self.pids(node):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self, node: Node | str) -> None:
        """kill -9 of all that it is made of."""
        node = self.nodes[node] if isinstance(node, str) else node
        pids = self.pids(node)
        self.send_signal(node, signal.SIGKILL)
        assert node.process is not None
        node.process.wait(10)
        self.until(lambda: not any(alive(pid) for pid in pids), 10, f"the end of {node.name}")

    def terminate(self, node: Node | str, seconds: float = 60.0) -> int:
        node = self.nodes[node] if isinstance(node, str) else node
        assert node.process is not None
        node.process.terminate()
        return node.process.wait(seconds)

    def kill_all(self) -> None:
        for node in self.nodes.values():
            if node.up:
                self.send_signal(node, signal.SIGKILL)
        for node in self.nodes.values():
            if node.process is not None:
                node.process.wait(20)
