"""The placement service by itself, with tokens sealed here: identity is not needed to test it."""

from types import SimpleNamespace

import pytest
from tests.cloud import Client
from tests.servers import databases

from celaje.common import clock
from celaje.common.conf import load
from celaje.common.messaging.bus import connect
from celaje.common.rest import InProcessTransport
from celaje.common.revocations import Revocations
from celaje.common.service import Ground
from celaje.common.tokens import KeyRepository, Token, Tokens, seconds
from celaje.placement.conf import OPTIONS
from celaje.placement.service import PlacementService

ROLES = {
    "admin": ("admin", "manager", "member", "reader"),
    "service": ("service",),
    "member": ("member", "reader"),
    "reader": ("reader",),
}


class Placement:
    """The service and clients of it by persona. Requests speak microversion 1.39 unless told otherwise."""

    def __init__(self, folder):
        keys = KeyRepository(folder / "keys")
        keys.create()
        self.tokens = Tokens(keys)
        overrides = databases.overrides(folder, "placement")
        ground = Ground(
            conf=load("placement", OPTIONS, overrides=overrides, defaults={(None, "host"): "test"}),
            bus=connect("inproc://"),
            state=folder,
            tokens=self.tokens,
            revocations=Revocations(),
            transport_to=lambda service: self.transport,
            alone=True,
        )
        self.service = PlacementService(ground)
        self.service.start()
        self.transport = InProcessTransport(lambda: self.service.api, "/placement")

    def token(self, persona, project="p1"):
        now = seconds(clock.now())
        roles = tuple((f"id-{name}", name) for name in ROLES[persona])
        return self.tokens.seal(
            Token(
                user_id=f"u-{persona}",
                methods=("password",),
                scope="project",
                scope_id=project,
                roles=roles,
                audit_ids=("a",),
                issued_at=now,
                expires_at=now + 3600,
            )
        )

    def client(self, persona="service", project="p1", version="1.39"):
        return VersionedClient(self.transport, self.token(persona, project), project, version)

    def anonymous(self):
        return Client(self.transport, None)


class VersionedClient(Client):
    def __init__(self, transport, token, project, version):
        super().__init__(transport, token, project)
        self.version = version

    def request(self, method, path, body=None, headers=None, raw=None):
        headers = {"OpenStack-API-Version": f"placement {self.version}", **(headers or {})}
        return super().request(method, path, body, headers, raw)

    def at(self, version):
        return VersionedClient(self._transport, self.token, self.project_id, version)

    def patch(self, path, body=None, **kwargs):
        return self.request("PATCH", path, body, **kwargs)


@pytest.fixture
def placement(tmp_path):
    placement = Placement(tmp_path)
    yield placement
    placement.service.stop(1)


@pytest.fixture
def api(placement):
    return placement.client()


@pytest.fixture
def provider(api):
    """Makes a provider with inventories given as totals or records; returns its uuid."""

    def make(name="host", inventories=None, parent=None, traits=(), aggregates=()):
        body = {"name": name, "parent_provider_uuid": parent}
        uuid = api.post("/resource_providers", body).ok(200)["uuid"]
        records = {
            key: value if isinstance(value, dict) else {"total": value}
            for key, value in (inventories or {}).items()
        }
        path = f"/resource_providers/{uuid}"
        api.put(f"{path}/inventories", {"resource_provider_generation": 0, "inventories": records}).ok(200)
        api.put(f"{path}/traits", {"resource_provider_generation": 1, "traits": list(traits)}).ok(200)
        api.put(f"{path}/aggregates", {"resource_provider_generation": 2, "aggregates": list(aggregates)}).ok(
            200
        )
        return uuid

    return make


@pytest.fixture
def claim(api):
    """PUT allocations of one consumer: {provider: {class: amount}}."""

    def put(consumer, allocations, generation=None, project="p1", user="u1", kind="INSTANCE"):
        body = {
            "allocations": {uuid: {"resources": resources} for uuid, resources in allocations.items()},
            "project_id": project,
            "user_id": user,
            "consumer_generation": generation,
            "consumer_type": kind,
        }
        return api.put(f"/allocations/{consumer}", body)

    return put


@pytest.fixture
def consumers():
    return SimpleNamespace(one=clock.new_uuid(), two=clock.new_uuid(), three=clock.new_uuid())
