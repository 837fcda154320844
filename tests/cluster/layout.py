"""A cluster laid out: which processes there are on which machines, and where they listen."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cloud import until
from tests.servers.shared import spare_port

APIS = ("identity", "placement", "image", "network", "volume", "compute")
COMPUTE_HOSTS = ("compute1", "compute2", "compute3")


@dataclass
class Node:
    """One process of ours: `parts` on the machine `host`. An API listens on `port`. `program`: another
    release's command instead of `celaje`."""

    name: str
    host: str
    parts: tuple[str, ...]
    port: int = 0
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    program: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    log_before: int = 0

    @property
    def service(self) -> str:
        return self.parts[0].partition(".")[0]

    @property
    def is_api(self) -> bool:
        return any(part.endswith(".api") for part in self.parts)

    @property
    def up(self) -> bool:
        return self.process is not None and self.process.poll() is None


def plan() -> list[Node]:
    """Two controllers with two of everything, three compute hosts."""
    nodes = []
    for number in (1, 2):
        host = f"controller{number}"
        nodes += [Node(f"{api}-api{number}", host, (f"{api}.api",), spare_port()) for api in APIS]
        for service in ("volume", "compute", "network"):
            nodes.append(Node(f"{service}-conductor{number}", host, (f"{service}.conductor",)))
        for service in ("volume", "compute"):
            nodes.append(Node(f"{service}-scheduler{number}", host, (f"{service}.scheduler",)))
        nodes.append(Node(f"volume-worker{number}", host, ("volume.worker", "volume.backup")))
    for host in COMPUTE_HOSTS:
        nodes.append(Node(f"{host}-worker", host, ("compute.worker", "network.worker")))
    return nodes


class Layout:
    """`kind` of database server, `transport` for the messages: rabbit, or zmq, which needs no server."""

    def __init__(
        self,
        folder: Path,
        kind: str = "postgresql",
        nodes: list[Node] | None = None,
        transport: str = "rabbit",
    ):
        folder.chmod(0o755)
        self.folder = folder
        self.kind = kind
        self.transport = transport
        self.meeting_points = [spare_port(), spare_port()]
        self.nodes = {node.name: node for node in nodes or plan()}
        self.ports = {api: spare_port() for api in APIS}
        self.server_timeout = "90s"

    def url(self, api: str) -> str:
        return f"http://127.0.0.1:{self.ports[api]}"

    def _folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        return folder

    @staticmethod
    def until(condition: Callable[[], Any], seconds: float, what: str, pause: float = 0.05) -> Any:
        return until(condition, seconds, what, every=pause)
