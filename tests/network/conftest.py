"""The network service alone, on a simulated network, behind its real WSGI application."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.cloud import Client
from tests.servers import databases

from celaje.common import clock, tokens
from celaje.common.conf import load
from celaje.common.messaging.bus import connect
from celaje.common.rest import InProcessTransport
from celaje.common.revocations import Revocations
from celaje.common.service import Ground
from celaje.common.tokens import KeyRepository, Token, Tokens
from celaje.network.conf import OPTIONS
from celaje.network.service import NetworkService

HOST = "host1"


class Compute:
    """Stands where the compute service's API is: keeps the events that it is told of."""

    def __init__(self):
        self.events: list[dict[str, Any]] = []

    def __call__(self, environ, start_response):
        import msgspec

        raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        events = msgspec.json.decode(raw)["events"]
        self.events.extend(events)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [msgspec.json.encode({"events": [{**event, "code": 200} for event in events]})]


@dataclass
class Lab:
    """One network service and who asks it."""

    state: Any
    overrides: dict[Any, Any] = field(default_factory=dict)
    parts: tuple[str, ...] = ("api", "conductor", "scheduler", "worker")

    def __post_init__(self):
        keys = KeyRepository(self.state / "keys")
        keys.create()
        self.tokens = Tokens(keys)
        self.compute = Compute()
        self.start()

    def start(self):
        self.bus = connect("inproc://")
        defaults = {
            (None, "host"): HOST,
            **databases.overrides(self.state, "network"),
            ("flows", "poll_interval"): 0.2,
        }
        conf = load("network", OPTIONS, overrides={**defaults, **self.overrides})
        self.service = NetworkService(
            Ground(
                conf=conf,
                bus=self.bus,
                state=self.state,
                tokens=self.tokens,
                revocations=Revocations(),
                transport_to=lambda name: InProcessTransport(lambda: self.compute),
                alone=True,
            ),
            self.parts,
        )
        self.service.start()

    def stop(self):
        self.service.stop(grace=2)
        self.bus.close()

    def kill(self):
        self.service.kill()
        self.bus.close()

    def token(self, project: str | None, *roles: str) -> str:
        now = tokens.seconds(clock.now())
        return self.tokens.seal(
            Token(
                user_id=clock.new_uuid().replace("-", ""),
                scope="project" if project else "",
                scope_id=project,
                project_domain_id="default",
                roles=tuple((role, role) for role in roles),
                issued_at=now,
                expires_at=now + 3600,
            )
        )

    def client(self, project: str | None, *roles: str) -> Client:
        transport = InProcessTransport(lambda: self.service.api, "/network")
        return Client(transport, self.token(project, *roles), project)

    def admin(self) -> Client:
        return self.client("admins", "admin", "manager", "member", "reader")

    def member(self, project: str = "p1") -> Client:
        return self.client(project, "member", "reader")

    def reader(self, project: str = "p1") -> Client:
        return self.client(project, "reader")

    def nova(self) -> Client:
        return self.client("service", "admin", "manager", "member", "reader", "service")

    @property
    def wires(self):
        """The simulated network's state."""
        return self.service.worker.driver.state


@pytest.fixture(scope="module")
def shared_lab(tmp_path_factory):
    """One service for the tests of a module; each test takes projects of its own."""
    lab = Lab(tmp_path_factory.mktemp("network"))
    yield lab
    lab.stop()


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path)
    yield lab
    lab.stop()
