"""A volume service on the in-process bus with fake back ends, spoken to through its WSGI application."""

import itertools
import json
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.servers import databases

from celaje.common import clock, tokens
from celaje.common.conf import load
from celaje.common.messaging.bus import connect
from celaje.common.rest import InProcessTransport
from celaje.common.revocations import Revocations
from celaje.common.service import Ground
from celaje.common.tokens import KeyRepository, Token, Tokens
from celaje.volume.conf import OPTIONS
from celaje.volume.service import VolumeService

PROJECT, OTHER_PROJECT = "a" * 32, "b" * 32
_PERSONAS = {
    "admin": (("admin", "manager", "member", "reader"), PROJECT),
    "member": (("member", "reader"), PROJECT),
    "reader": (("reader",), PROJECT),
    "stranger": (("member", "reader"), OTHER_PROJECT),
    "service": (("admin", "service", "manager", "member", "reader"), "c" * 32),
}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: Any

    @property
    def words(self) -> str:
        return json.dumps(self.body)


@dataclass
class Client:
    """Requests of one persona. Paths begin with /volumes, /types ...: the project goes before them."""

    transport: InProcessTransport
    token: str
    project_id: str
    version: str = "3.71"
    service_token: str | None = None

    def at(self, version: str) -> "Client":
        return Client(self.transport, self.token, self.project_id, version, self.service_token)

    def request(self, method: str, path: str, body: Any = None, headers: dict | None = None) -> Answer:
        sent = {"X-Auth-Token": self.token, "OpenStack-API-Version": f"volume {self.version}"}
        if self.service_token:
            sent["X-Service-Token"] = self.service_token
        sent.update(headers or {})
        raw = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            raw = json.dumps(body).encode()
        path = path if path.startswith(("/v3", "/?")) or path == "/" else f"/v3/{self.project_id}{path}"
        status, found, chunks = self.transport.send(method, path, sent, raw)
        data = b"".join(chunks)
        return Answer(status, found, json.loads(data) if data else None)

    def get(self, path: str, **more: Any) -> Answer:
        return self.request("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        return self.request("POST", path, body, **more)

    def put(self, path: str, body: Any = None, **more: Any) -> Answer:
        return self.request("PUT", path, body, **more)

    def delete(self, path: str, **more: Any) -> Answer:
        return self.request("DELETE", path, **more)

    # What most tests need.

    def create(self, size: int = 1, **fields: Any) -> dict:
        answer = self.post("/volumes", {"volume": {"size": size, **fields}})
        assert answer.status == 202, answer.words
        return answer.body["volume"]

    def volume(self, volume_id: str) -> dict:
        return self.get(f"/volumes/{volume_id}").body["volume"]

    def act(self, volume_id: str, action: str, arguments: Any = None) -> Answer:
        return self.post(f"/volumes/{volume_id}/action", {action: arguments})


class FakeCompute:
    """Compute's API as far as volume calls it: what it was told, and which servers it knows."""

    def __init__(self) -> None:
        self.events: list[dict] = []
        self.attachments: dict[tuple[str, str], dict] = {}
        self.servers: dict[str, dict] = {}
        self.down = False
        self.code = 200

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"].removeprefix("/v2.1")
        status, body = 404, {"itemNotFound": {"code": 404, "message": "not here"}}
        if self.down:
            status, body = 503, {"serviceUnavailable": {"code": 503, "message": "down"}}
        elif path == "/os-server-external-events":
            sent = json.loads(environ["wsgi.input"].read())["events"]
            self.events += sent
            status, body = 200, {"events": [{**event, "code": self.code} for event in sent]}
        elif path.startswith("/servers/") and path.removeprefix("/servers/") in self.servers:
            status, body = 200, {"server": self.servers[path.removeprefix("/servers/")]}
        elif "/os-volume_attachments/" in path:
            _, _, server, _, volume = path.split("/")
            if (server, volume) in self.attachments:
                status, body = 200, {"volumeAttachment": self.attachments[server, volume]}
        start_response(f"{status} x", [("Content-Type", "application/json")])
        return [json.dumps(body).encode()]


@dataclass
class Lab:
    """One state folder; `start` puts a service on it, again after `kill`."""

    state: Any
    overrides: dict = field(default_factory=dict)
    compute: FakeCompute = field(default_factory=FakeCompute)
    image: Any = None
    service: Any = None

    def __post_init__(self) -> None:
        self.state.mkdir(exist_ok=True)
        keys = KeyRepository(self.state / "keys")
        keys.create()
        self.tokens = Tokens(keys)
        self.bus = connect("inproc://")

    def start(
        self, parts=("api", "conductor", "scheduler", "worker", "backup"), **overrides
    ) -> VolumeService:
        self.service = self.make(parts, **overrides)
        self.service.start()
        return self.service

    def make(self, parts=("api", "conductor", "scheduler", "worker", "backup"), **overrides) -> VolumeService:
        values = {
            (None, "enabled_backends"): ["fast"],
            (None, "host"): "node",
            ("flows", "poll_interval"): 0.05,
            (None, "scheduler_driver_init_wait_time"): 2,
            **databases.overrides(self.state, "volume"),
            **self.overrides,
            **{(None, key): value for key, value in overrides.items()},
        }
        for backend in values[None, "enabled_backends"]:
            values.setdefault((backend, "volume_driver"), "fake")
            values.setdefault((backend, "fake_state_path"), str(self.state / f"{backend}.json"))
        ground = Ground(
            conf=load("volume", OPTIONS, overrides=values),
            bus=self.bus,
            state=self.state,
            tokens=self.tokens,
            revocations=Revocations(),
            transport_to=self._transport,
            credentials=self,
            alone=True,
        )
        return VolumeService(ground, parts)

    def _transport(self, service_type: str) -> InProcessTransport:
        return InProcessTransport(lambda: {"compute": self.compute, "image": self.image}[service_type])

    # ServiceCredentials' part.
    def token(self) -> str:
        return self.token_of("service")

    def forget(self) -> None:
        pass

    def token_of(self, persona: str) -> str:
        roles, project_id = _PERSONAS[persona]
        now = tokens.seconds(clock.now())
        return self.tokens.seal(
            Token(
                user_id=f"{persona:u<32}",
                scope="project",
                scope_id=project_id,
                roles=tuple((f"{role}-id", role) for role in roles),
                issued_at=now,
                expires_at=now + 3600,
                audit_ids=(f"audit-{persona}",),
            )
        )

    def client(self, persona: str = "member", version: str = "3.71", **more: Any) -> Client:
        transport = InProcessTransport(lambda: self.service.api)
        return Client(transport, self.token_of(persona), _PERSONAS[persona][1], version, **more)

    def driver(self, backend: str = "fast"):
        return self.service.workers[backend].driver

    def kill(self) -> None:
        self.service.kill()

    def close(self) -> None:
        if self.service is not None:
            self.service.stop(grace=1)
        self.bus.close()


def _until(look, seconds: float = 10.0):
    """The first true result of `look`, or fail after a while."""
    pause = threading.Event()
    for _ in itertools.count():
        found = look()
        if found:
            return found
        seconds -= 0.005
        if seconds < 0:
            raise AssertionError("it did not come to pass")
        pause.wait(0.005)


@pytest.fixture
def until():
    return _until


@pytest.fixture
def lab(tmp_path):
    found = Lab(tmp_path)
    yield found
    found.close()


@pytest.fixture
def volumes(lab):
    """A running service, and a member's client of it."""
    lab.start()
    return lab.client()


@pytest.fixture
def settled(lab):
    """Wait until a volume is in a state; the volume as administrators see it."""

    def wait(volume_id: str, status: str = "available") -> dict:
        admin = lab.client("admin")

        def look():
            answer = admin.get(f"/volumes/{volume_id}")
            found = answer.body.get("volume", {})
            return found if found.get("status") == status else None

        return _until(look)

    return wait


@pytest.fixture
def gone(lab):
    def wait(volume_id: str) -> None:
        admin = lab.client("admin")
        _until(lambda: admin.get(f"/volumes/{volume_id}").status == 404)

    return wait


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """A cloud with QEMU guests, for all tests that need one: it takes its time."""
    from tests.volume.guests import World

    made = World(tmp_path_factory.mktemp("world") / "state")
    yield made
    made.close()


@pytest.fixture(scope="session")
def servers(world):
    """Two guests, which stay."""
    return world.servers("one", "two")
