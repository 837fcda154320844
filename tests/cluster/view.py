"""A running cluster as the soundness checks of `tests/crash` want to see a cloud: rows, drivers, clients.

Reads the databases and the simulated drivers' files, beside the processes that own them.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from celaje.assembly import service_class
from celaje.common.db import Database
from celaje.common.rest.http_transport import HttpTransport
from celaje.compute.drivers.fake import FakeCloudState
from celaje.image.stores.file import FileStore
from celaje.network.drivers.fake_state import FakeNetworkState
from celaje.volume.drivers.fake_state import FakeBackendState
from tests.cloud import Client
from tests.cluster.lab import Cluster
from tests.cluster.layout import APIS, COMPUTE_HOSTS
from tests.cluster.servers import DATABASES
from tests.crash.soundness import Look, until_quiet


@dataclass
class _Guests:
    """All compute hosts' simulated guests together."""

    state: Any

    def list_servers(self) -> set[str]:
        return set(self.state.servers)


@dataclass
class _Ports:
    found: list[str]

    def list_ports(self) -> list[str]:
        return self.found


@dataclass
class _Backend:
    state: FakeBackendState

    def list_volumes(self) -> list[dict[str, Any]]:
        return [{"id": each, "size": found.size} for each, found in self.state.volumes.items()]

    def list_snapshots(self) -> list[dict[str, Any]]:
        return [{"id": each, "size": found.size} for each, found in self.state.snapshots.items()]


class View:
    def __init__(self, cluster: Cluster):
        self._cluster = cluster
        server = DATABASES[cluster.kind]
        self.running: dict[str, Any] = {}
        for name in APIS:
            database = Database(server.url(cluster.database, f"celaje_{name}"), service=name, max_overflow=2)
            self.running[name] = SimpleNamespace(
                database=database, flow_tables=service_class(name).flow_tables, engine=None
            )
        self.clients = {name: self._client(name) for name in APIS}
        self.refresh()

    def refresh(self) -> None:
        """Read what the drivers have now."""
        folder = self._cluster.folder
        guests: dict[str, Any] = {}
        ports: list[str] = []
        for host in COMPUTE_HOSTS:
            state = FakeCloudState(folder / f"state-{host}" / "compute" / "guests")
            for uuid, guest in state.servers.items():
                assert uuid not in guests, f"guest {uuid} is on two hosts"
                guests[uuid] = guest
            ports += FakeNetworkState(folder / f"state-{host}" / "network.json").ports
        compute = SimpleNamespace(driver=_Guests(SimpleNamespace(servers=guests)))
        self.running["compute"].compute_worker = compute
        self.running["network"].worker = SimpleNamespace(driver=_Ports(ports))
        backend = _Backend(FakeBackendState(folder / "backend.json"))
        backups = SimpleNamespace(store=SimpleNamespace(_folder=folder / "backups"))
        self.running["volume"].workers = {"shared": SimpleNamespace(host="storage@shared", driver=backend)}
        self.running["volume"].backup_worker = SimpleNamespace(archive=backups)
        stores = {"file": FileStore(folder / "images", name="file")}
        self.running["image"].conductor = SimpleNamespace(stores=stores)

    def _client(self, name: str) -> Client:
        auth = {
            "identity": {
                "methods": ["password"],
                "password": {
                    "user": {
                        "name": "admin",
                        "domain": {"id": "default"},
                        "password": self._cluster.password,
                    }
                },
            },
            "scope": {"project": {"name": "admin", "domain": {"id": "default"}}},
        }
        identity = Client(HttpTransport(self._cluster.url("identity")), None)
        login = identity.post("/v3/auth/tokens", {"auth": auth})
        token = login.ok(201)["token"]
        return Client(
            HttpTransport(self._cluster.url(name)), login.headers["x-subject-token"], token["project"]["id"]
        )

    def close(self) -> None:
        for service in self.running.values():
            service.database.close()


def assert_sound(cluster: Cluster, seconds: float = 60.0) -> None:
    """Wait until no flow is left anywhere; then everything agrees with everything."""
    view = View(cluster)
    try:
        until_quiet(view, seconds)  # type: ignore[arg-type]
        # Workers tell power states now and then, not with the step.
        problems: list[str] = []

        def sound() -> bool:
            view.refresh()
            problems[:] = Look(view).problems()  # type: ignore[arg-type]
            return not problems

        try:
            cluster.until(sound, 20, "soundness")
        except AssertionError:
            raise AssertionError("the cloud is not sound:\n  " + "\n  ".join(problems)) from None
    finally:
        view.close()
