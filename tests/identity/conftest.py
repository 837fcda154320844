"""A running identity service with cheap hashes, and what its tests say to it."""

from dataclasses import dataclass
from typing import Any

import pytest
from tests.cloud import Answer, Client, LabCloud

CHEAP = {
    ("identity", "password_hash_rounds"): 1,
    ("identity", "password_hash_memory"): 8,
}


@dataclass
class Identity:
    cloud: LabCloud

    @property
    def service(self) -> Any:
        return self.cloud.running["identity"]

    def login(self, name="admin", password=None, scope: Any = None, domain: Any = None) -> Answer:
        """`scope` None: none is named; a string: the project of that name in the default domain."""
        user = {
            "name": name,
            "domain": domain or {"id": "default"},
            "password": self.cloud.secrets.password(name) if password is None else password,
        }
        auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
        if isinstance(scope, str) and scope != "unscoped":
            scope = {"project": {"name": scope, "domain": {"id": "default"}}}
        if scope is not None:
            auth["scope"] = scope
        return self.post_auth(auth)

    def post_auth(self, auth: Any, query: str = "") -> Answer:
        return self.anonymous.post(f"/v3/auth/tokens{query}", {"auth": auth})

    @property
    def anonymous(self) -> Client:
        return self.cloud.anonymous("identity")

    def client(self, answer: Answer) -> Client:
        token = answer.ok(201)["token"]
        return Client(
            self.cloud.transport_to("identity"),
            answer.headers["x-subject-token"],
            token.get("project", {}).get("id"),
        )

    def as_user(self, name="admin", password=None, scope: Any = "admin", domain: Any = None) -> Client:
        return self.client(self.login(name, password, scope, domain))

    def make_user(self, name: str, password: str = "pw", **attributes: Any) -> dict[str, Any]:
        body = {"user": {"name": name, "password": password, **attributes}}
        return self.admin.post("/v3/users", body).ok(201)["user"]

    def make(self, kind: str, **attributes: Any) -> dict[str, Any]:
        return self.admin.post(f"/v3/{kind}s", {kind: attributes}).ok(201)[kind]

    def find(self, kind: str, name: str) -> dict[str, Any]:
        (found,) = self.admin.get(f"/v3/{kind}s?name={name}").ok()[f"{kind}s"]
        return found

    def grant(self, path: str) -> None:
        self.admin.put(f"/v3/{path}").ok(204)

    @property
    def admin(self) -> Client:
        return self.as_user()

    def patch(self, path: str, body: Any) -> Answer:
        return self.admin.request("PATCH", path, body)


@pytest.fixture
def identity(tmp_path):
    cloud = LabCloud.at(tmp_path / "state", {"identity": CHEAP}, services=("identity",)).begin()
    yield Identity(cloud)
    cloud.stop(grace=1)
