"""A whole cloud in the test's process, on simulated drivers, and clients that speak to its real APIs."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from celaje.cloud import SERVICES, Cloud
from celaje.common.db import Database
from celaje.common.rest import InProcessTransport
from celaje.journals import Journals, of_state
from celaje.seeds import Seeds
from tests.servers import databases

FAKES = {
    "compute": {(None, "compute_driver"): "fake"},
    "volume": {(None, "enabled_backends"): ["fake"], ("fake", "volume_driver"): "fake"},
    "network": {(None, "network_driver"): "fake"},
}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: Any

    def ok(self, status: int | None = None) -> Any:
        """The body, of an answer that must be a success (or `status`)."""
        good = self.status == status if status else 200 <= self.status < 300
        assert good, f"status {self.status}: {self.body}"
        return self.body


class Client:
    """Requests to one service through its WSGI application, as one persona."""

    def __init__(self, transport: InProcessTransport, token: str | None, project_id: str | None = None):
        self._transport = transport
        self.token = token
        self.project_id = project_id

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, raw: Any = None
    ) -> Answer:
        sent = {"Accept": "application/json"}
        if self.token:
            sent["X-Auth-Token"] = self.token
        content = raw
        if body is not None:
            sent["Content-Type"] = "application/json"
            content = msgspec.json.encode(body)
        sent.update(headers or {})
        status, found, chunks = self._transport.send(method, path, sent, content)
        data = b"".join(chunks)
        if "json" in found.get("content-type", "") and data:
            return Answer(status, found, msgspec.json.decode(data))
        return Answer(status, found, data or None)

    def get(self, path: str, **kwargs: Any) -> Answer:
        return self.request("GET", path, **kwargs)

    def post(self, path: str, body: Any = None, **kwargs: Any) -> Answer:
        return self.request("POST", path, body, **kwargs)

    def put(self, path: str, body: Any = None, **kwargs: Any) -> Answer:
        return self.request("PUT", path, body, **kwargs)

    def delete(self, path: str, **kwargs: Any) -> Answer:
        return self.request("DELETE", path, **kwargs)


class LabCloud(Cloud):
    """Starts on simulated drivers, with the seeds; `as_user` logs in."""

    @classmethod
    def at(cls, state, overrides=None, services=SERVICES, **kwargs: Any) -> "LabCloud":
        merged: dict[str, Any] = {name: dict(FAKES.get(name, {})) for name in SERVICES}
        for name in SERVICES:
            if name in services:
                merged[name].update(databases.overrides(Path(state), name))
            merged[name].update((overrides or {}).get(name, {}))
        return cls(state, overrides=merged, services=tuple(services), **kwargs)

    def begin(self) -> "LabCloud":
        self.start()
        Seeds(self).sow()
        return self

    def as_user(
        self, service: str, user: str = "admin", project: str | None = "admin", password: str = ""
    ) -> Client:
        """A client of `service` with a token of `user`, scoped to `project` (None: unscoped)."""
        auth: dict[str, Any] = {
            "identity": {
                "methods": ["password"],
                "password": {
                    "user": {
                        "name": user,
                        "domain": {"id": "default"},
                        "password": password or self.secrets.password(user),
                    }
                },
            }
        }
        auth["scope"] = {"project": {"name": project, "domain": {"id": "default"}}} if project else "unscoped"
        login = self.anonymous("identity").post("/v3/auth/tokens", {"auth": auth})
        token = login.ok(201)["token"]
        return Client(
            self.transport_to(service), login.headers["x-subject-token"], token.get("project", {}).get("id")
        )

    def anonymous(self, service: str) -> Client:
        return Client(self.transport_to(service), None)


def journals_of(state: Path) -> Journals:
    """What the cloud at `state` wrote down, from the databases that the tests run on."""
    if databases.KIND == "sqlite":
        return of_state(state)
    urls = {name: databases.connection(state, name) for name in SERVICES}
    return Journals({name: Database(url, service=name, max_overflow=2) for name, url in urls.items() if url})


def until(condition: Any, seconds: float = 30.0, what: str = "", every: float = 0.005) -> Any:
    """Poll until `condition()` is true and return its value; fail after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"it did not come to pass within {seconds} s {what}"
        time.sleep(every)
