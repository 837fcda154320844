"""The test cluster: its configuration as an operator would write it, its processes, its clients."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy
import yaml

from tests.servers import haproxy, mariadb, postgresql, rabbitmq
from tests.servers.gate import Gate
from tests.servers.shared import Running, alive, spare_port

BIN = Path(sys.executable).parent
CELAJE = (str(BIN / "celaje"),)
ROOT = Path(__file__).parents[2]
STEPPED_CLOCK = Path(__file__).parent / "stepped_clock"
DATABASES = {"postgresql": postgresql, "mariadb": mariadb}

APIS = ("identity", "placement", "image", "network", "volume", "compute")
ENDPOINTS = {
    "identity": ("identity", ""),
    "image": ("image", ""),
    "block-storage": ("volume", "/v3"),
    "volumev3": ("volume", "/v3"),
    "compute": ("compute", "/v2.1"),
    "placement": ("placement", ""),
    "network": ("network", ""),
}
USERS = {
    "placement": "placement",
    "image": "glance",
    "network": "neutron",
    "volume": "cinder",
    "compute": "nova",
}
# These reach the broker through a gate that a test may close.
GATED = ("volume-worker1", "compute1-worker")
# MiB of each simulated host.
HOST_MEMORY = 16384
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
        nodes.append(Node(f"volume-worker{number}", host, ("volume.worker",)))
    for host in COMPUTE_HOSTS:
        nodes.append(Node(f"{host}-worker", host, ("compute.worker", "network.worker")))
    return nodes


class Cluster:
    """`kind` of database server, `transport` for the messages: rabbit, or zmq, which needs no server. Started
    once for many tests, or by one that breaks it."""

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
        self.password = "admin-secret"
        self.passwords = {user: f"{user}-secret" for user in USERS.values()}
        self.server_timeout = "90s"
        self.shared: dict[str, dict[str, Any]] = {}

    # Servers.

    def begin(self) -> "Cluster":
        self.start_servers()
        self.write_configuration()
        self.prepare()
        self.start_balancer()
        for node in self.nodes.values():
            self.start(node)
        for node in self.nodes.values():
            self.await_up(node)
        for api in APIS:
            self.until(lambda api=api: self._well(self.ports[api]), 30, f"{api} behind the balancer")
        self.await_workers()
        return self

    def start_servers(self) -> None:
        self.gates: dict[str, Gate] = {}
        if self.transport == "rabbit":
            self.broker = rabbitmq.make(self._folder("rabbitmq"))
            self.gates = {name: Gate(self.broker.port) for name in GATED}
        server = DATABASES[self.kind]
        self.database: Running = server.make(self._folder(self.kind))
        engine = sqlalchemy.create_engine(
            server.url(self.database), isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool
        )
        with engine.connect() as session:
            for name in APIS:
                session.execute(sqlalchemy.text(f"CREATE DATABASE celaje_{name}"))

    def start_balancer(self) -> None:
        self.balancer = haproxy.start(
            self._folder("haproxy"), self.balancer_settings(), self.ports["identity"]
        )

    def balancer_settings(self) -> str:
        lines = [
            "global",
            "    maxconn 2000",
            "defaults",
            "    mode http",
            "    retries 3",
            "    option redispatch",
            "    retry-on conn-failure",
            "    timeout connect 2s",
            "    timeout queue 5s",
            "    timeout client 120s",
            f"    timeout server {self.server_timeout}",
            "    timeout http-keep-alive 10s",
            "    option httpchk GET /healthcheck",
            "    default-server check inter 500 fastinter 200 downinter 500 rise 1 fall 2",
        ]
        for api in APIS:
            lines += [f"listen {api}", f"    bind 127.0.0.1:{self.ports[api]}"]
            lines += [
                f"    server {node.name} 127.0.0.1:{node.port}"
                for node in self.nodes.values()
                if node.is_api and node.service == api
            ]
        return "\n".join(lines) + "\n"

    @property
    def transport_url(self) -> str:
        if self.transport == "zmq":
            return "zmq://" + ",".join(f"127.0.0.1:{port}" for port in self.meeting_points)
        return self.broker_url(self.broker.port)

    def url(self, api: str) -> str:
        return f"http://127.0.0.1:{self.ports[api]}"

    def _folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        return folder

    # Configuration, in the operators' form.

    def write_configuration(self) -> None:
        etc = self._folder("etc")
        database = DATABASES[self.kind].url(self.database, "celaje_{service}")
        shared: dict[str, dict[str, Any]] = {
            "DEFAULT": {
                "transport_url": self.transport_url,
                "rpc_response_timeout": 20,
                "call_monitor_interval": 1,
                "call_monitor_timeout": 5,
            },
            "database": {"connection": database, "max_retries": -1, "retry_interval": 1, "max_overflow": 15},
            "oslo_messaging_rabbit": {"rabbit_retry_backoff": 1, "rabbit_interval_max": 2},
            "oslo_messaging_zmq": {"zmq_target_update": 1, "zmq_target_expire": 5},
            "keystone_authtoken": {"auth_url": self.url("identity")},
            "fernet_tokens": {"key_repository": self.folder / "keys" / "fernet"},
            "service": {"report_interval": 1, "service_down_time": 6},
            "flows": {"lease": 6, "poll_interval": 1},
        }
        _merge(shared, self.shared)
        _write(etc / "celaje.conf", shared)
        for api in APIS:
            own: dict[str, dict[str, Any]] = {
                "flows": {"vault_key_file": self.folder / "keys" / f"{api}.key"},
            }
            if api in USERS:
                own["keystone_authtoken"] = {
                    "username": USERS[api],
                    "password": self.passwords[USERS[api]],
                }
            _merge(own, getattr(self, f"_{api}")())
            _write(etc / f"{api}.conf", own)
        for node in self.nodes.values():
            self.configure(node)

    def configure(self, node: Node) -> None:
        mine: dict[str, dict[str, Any]] = {
            "DEFAULT": {"host": node.host, "state_path": self._folder(f"state-{node.host}")},
        }
        if node.is_api:
            mine["api"] = {"bind_port": node.port}
        else:
            mine["network_fake"] = {"state_path": self._folder(f"state-{node.host}") / "network.json"}
        if node.name in self.gates:
            mine["DEFAULT"]["transport_url"] = self.broker_url(self.gates[node.name].port)
        _merge(mine, node.settings)
        _write(self._folder("etc") / f"{node.name}.conf", mine)

    @staticmethod
    def broker_url(port: int) -> str:
        return f"rabbit://guest:guest@127.0.0.1:{port}/main"

    def _identity(self) -> dict[str, dict[str, Any]]:
        return {"credential": {"key_file": self.folder / "keys" / "credentials.key"}}

    def _placement(self) -> dict[str, dict[str, Any]]:
        return {}

    def _image(self) -> dict[str, dict[str, Any]]:
        return {
            "DEFAULT": {"node_staging_uri": f"file://{self._folder('staging')}"},
            "glance_store": {"filesystem_store_datadir": self._folder("images")},
        }

    def _network(self) -> dict[str, dict[str, Any]]:
        return {"DEFAULT": {"network_driver": "fake"}}

    def _volume(self) -> dict[str, dict[str, Any]]:
        return {
            "DEFAULT": {"enabled_backends": "shared"},
            "coordination": {"backend_url": f"file://{self._folder('locks')}"},
            "shared": {
                "volume_driver": "fake",
                "backend_host": "storage",
                "fake_state_path": self.folder / "backend.json",
            },
        }

    def _compute(self) -> dict[str, dict[str, Any]]:
        return {"DEFAULT": {"compute_driver": "fake", "fake_host_memory_mb": HOST_MEMORY}}

    # Processes.

    def files(self, name: str) -> list[str]:
        etc = self.folder / "etc"
        return [
            word
            for file in ("celaje.conf", "{service}.conf", f"{name}.conf")
            for word in ("--config-file", f"{etc}/{file}")
        ]

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

    def end(self) -> None:
        for node in self.nodes.values():
            if node.up:
                for pid in self.pids(node):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        for node in self.nodes.values():
            if node.process is not None:
                node.process.wait(20)
        if hasattr(self, "balancer"):
            haproxy.stop(self.balancer)
        if hasattr(self, "broker"):
            rabbitmq.stop(self.broker)
        if hasattr(self, "database"):
            DATABASES[self.kind].stop(self.database)

    # Faults of the servers.

    def revive_servers(self) -> None:
        """What a test that failed in the middle has left dead."""
        if self.transport == "rabbit" and not alive(self.broker.pid):
            self.broker = rabbitmq.start(self.folder / "rabbitmq", self.broker.port)
        if not alive(self.database.pid):
            self.database = DATABASES[self.kind].start(self.folder / self.kind, self.database.port)
        if not alive(self.balancer.pid):
            self.start_balancer()
        for gate in self.gates.values():
            gate.open()

    def restart_database(self, pause: float) -> None:
        """A crash, and recovery after it."""
        server = DATABASES[self.kind]
        server.kill(self.database)
        time.sleep(pause)
        self.database = server.start(self.folder / self.kind, self.database.port)

    def cut_sessions(self) -> None:
        """Every connection to the databases but this one."""
        engine = sqlalchemy.create_engine(
            DATABASES[self.kind].url(self.database),
            isolation_level="AUTOCOMMIT",
            poolclass=sqlalchemy.NullPool,
        )
        with engine.connect() as session:
            if self.kind == "postgresql":
                cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                session.execute(sqlalchemy.text(f"{cut} AND backend_type = 'client backend'"))
                return
            mine = session.execute(sqlalchemy.text("SELECT CONNECTION_ID()")).scalar()
            query = "SELECT id FROM information_schema.processlist WHERE command <> 'Daemon'"
            for (number,) in session.execute(sqlalchemy.text(query)).all():
                if number != mine:
                    with contextlib.suppress(sqlalchemy.exc.DBAPIError):
                        session.execute(sqlalchemy.text(f"KILL {int(number)}"))

    def signal_balancer(self, number: signal.Signals) -> None:
        os.kill(self.balancer.pid, number)
        self.until(lambda: not alive(self.balancer.pid), 10, "HAProxy's end")

    def limit_balancer(self, server_timeout: str) -> None:
        self.server_timeout = server_timeout
        haproxy.stop(self.balancer)
        self.start_balancer()

    def slow_backend(self, operation: str | None, latency: float = 0.0, times: int | None = None) -> None:
        """The simulated back end's `operation` takes so long from now on, or so often; None: all are quick
        again."""
        from celaje.volume.drivers.fake_state import FakeBackendState

        state = FakeBackendState(self.folder / "backend.json")
        state.clear_rules()
        if operation:
            state.add_rules([{"operation": operation, "latency": latency, "times": times}])

    def rules_left(self) -> bool:
        """Whether a rule of `slow_backend` has not been used up yet."""
        from celaje.volume.drivers.fake_state import FakeBackendState

        return any(rule.times != 0 for rule in FakeBackendState(self.folder / "backend.json").rules)

    # What is seen of it.

    def await_workers(self) -> None:
        """Until the services' own lists show every worker as up."""
        sdk = self.sdk()

        def missing() -> set[str]:
            up = {f"{row.binary}@{row.host}" for row in sdk.compute.services() if row.state == "up"}
            up |= {f"{row.binary}@{row.host}" for row in sdk.block_storage.services() if row.state == "up"}
            up |= {f"{row.binary}@{row.host}" for row in sdk.network.agents() if row.is_alive}
            return {*self.expected()} - up

        try:
            self.until(lambda: not missing(), 60, "all workers")
        except AssertionError:
            raise AssertionError(f"not up: {missing()}") from None

    def expected(self) -> Iterable[str]:
        for host in COMPUTE_HOSTS:
            yield f"nova-compute@{host}"
        yield "cinder-volume@storage@shared"

    def sdk(self, project: str = "admin", user: str = "admin", password: str = "") -> Any:
        import openstack

        return openstack.connect(
            auth_url=f"{self.url('identity')}/v3",
            username=user,
            password=password or self.password,
            project_name=project,
            user_domain_id="default",
            project_domain_id="default",
            region_name="RegionOne",
            identity_api_version="3",
            app_name="tests",
        )

    def clouds_yaml(self) -> Path:
        file = self.folder / "clouds.yaml"
        auth = {
            "auth_url": f"{self.url('identity')}/v3",
            "username": "admin",
            "password": self.password,
            "project_name": "admin",
            "user_domain_id": "default",
            "project_domain_id": "default",
        }
        file.write_text(yaml.safe_dump({"clouds": {"test": {"auth": auth, "region_name": "RegionOne"}}}))
        return file

    def openstack(self, *words: str, seconds: float = 120.0) -> Any:
        """The real command."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("OS_")}
        environment |= {
            "OS_AUTH_URL": f"{self.url('identity')}/v3",
            "OS_USERNAME": "admin",
            "OS_PASSWORD": self.password,
            "OS_PROJECT_NAME": "admin",
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
            "OS_IDENTITY_API_VERSION": "3",
        }
        done = subprocess.run(
            [str(BIN / "openstack"), *words], env=environment, capture_output=True, text=True,
            timeout=seconds, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"openstack {' '.join(words)}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout) if words[-1] == "json" else done.stdout

    @staticmethod
    def until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
        end = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
            time.sleep(0.05)


def _merge(into: dict[str, dict[str, Any]], more: dict[str, dict[str, Any]]) -> None:
    for section, values in more.items():
        into.setdefault(section, {}).update(values)


def _write(file: Path, sections: dict[str, dict[str, Any]]) -> None:
    lines = []
    for section, values in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {value}" for key, value in values.items()]
        lines.append("")
    file.write_text("\n".join(lines))
