"""The whole cloud in one process: every service with all its parts, on SQLite and the in-process bus.

`celaje up` hosts it behind granian, tests and the lab use it directly. Nothing here is known to the services:
they get a Ground each, and speak to each other by REST and messages as they do on many machines.
"""

import importlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celaje.common.conf import Configuration, load
from celaje.common.messaging.bus import connect
from celaje.common.messaging.driver import Bus
from celaje.common.rest import InProcessTransport, ServiceCredentials
from celaje.common.revocations import Revocations
from celaje.common.service import Ground, Service
from celaje.common.tokens import KeyRepository, Tokens
from celaje.common.wsgi import Mount
from celaje.front_door import FrontDoor
from celaje.secrets import Secrets

log = logging.getLogger(__name__)

# In the order in which they start: who is asked by others comes first.
SERVICES = ("identity", "placement", "image", "network", "volume", "compute")

# Names of the services' own users, as DevStack has them.
SERVICE_USERS = {
    "placement": "placement",
    "image": "glance",
    "network": "neutron",
    "volume": "cinder",
    "compute": "nova",
}

# People as DevStack has them, besides the admin.
EXAMPLE_USERS = ("demo", "alt_demo")

Values = Mapping[tuple[str | None, str], Any]

# The one node of an all-in-one cloud.
HOST = "celaje"


@dataclass
class Cloud:
    """`state` is the cloud's folder. `files`/`dirs` are configuration files for all services, `overrides`
    values by service. `url` is where the front door is reached, for the catalog and links."""

    state: Path
    url: str = "http://127.0.0.1:5000"
    services: tuple[str, ...] = SERVICES
    files: Iterable[Path] = ()
    dirs: Iterable[Path] = ()
    overrides: Mapping[str, Values] = field(default_factory=dict)
    host: str = HOST
    running: dict[str, Service] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.secrets = Secrets(self.state / "secrets.json")
        self.secrets.make(("admin", *SERVICE_USERS.values(), *EXAMPLE_USERS))
        keys = KeyRepository(self.state / "keys" / "fernet")
        keys.create()
        self.tokens = Tokens(keys)
        self.revocations = Revocations()
        self.bus: Bus = connect("inproc://")
        self.application = Mount({}, FrontDoor(self))

    def start(self) -> None:
        """Start every service, identity first; returns when all answer."""
        for name in self.services:
            self._start_service(name, flows=False)
        for service in self.running.values():
            service.start_flows()
        log.info("all services of %s are up", self.state)

    def stop(self, grace: float = 10.0) -> None:
        """No new work; running steps end within `grace` seconds or are left to be resumed."""
        for name in reversed(list(self.running)):
            self.running[name].stop(grace)
        self.bus.close()

    def kill(self) -> None:
        """As `kill -9`: tests of crashes end a cloud so, and start another on the same state."""
        # All die at once: a flow that still ran would take the death of another service for a refusal.
        for service in self.running.values():
            if service.engine:
                service.engine.kill()
        for service in self.running.values():
            service.kill()
        self.bus.close()

    def configuration(self, name: str) -> Configuration:
        """The service's configuration with what the all-in-one cloud itself decides."""
        return configuration(
            name, self.state, self.url, self.files, self.dirs, self.overrides.get(name, {}), self.host
        )

    def unknown_keys(self) -> list[str]:
        """Keys in the configuration files that no service reads, each with the nearest real one. Raises
        ConfigurationError instead where strict_config is on."""
        known = [importlib.import_module(f"celaje.{name}.conf").OPTIONS for name in self.services]
        conf = self.configuration(self.services[0])
        if not conf.loaded_files:
            return []
        backends: list[Any] = []
        if "volume" in self.services:
            from celaje.volume.backends import backend_options

            backends = backend_options()
        conf.check_keys(known, backends)
        return [str(item) for item in conf.unknown_keys(known, backends)]

    def transport_to(self, service_type: str) -> InProcessTransport:
        return InProcessTransport(lambda: self._api(service_type), f"/{service_type}")

    def credentials(self, name: str) -> ServiceCredentials | None:
        user = SERVICE_USERS.get(name)
        if user is None:
            return None
        return ServiceCredentials(
            lambda: self.transport_to("identity"), username=user, password=self.secrets.password(user)
        )

    def _api(self, name: str) -> Any:
        service = self.running.get(name)
        return service.api if service else None

    def _start_service(self, name: str, *, flows: bool = True) -> None:
        folder = self.state / name
        folder.mkdir(exist_ok=True, mode=0o700)
        conf = self.configuration(name)
        ground = Ground(
            conf=conf,
            bus=self.bus,
            state=folder,
            tokens=self.tokens,
            revocations=self.revocations,
            transport_to=self.transport_to,
            credentials=self.credentials(name),
            alone=True,
        )
        service = service_class(name)(ground)
        assert service.api is not None
        self.running[name] = service
        self.application.add(name, service.api)
        if name == "identity":
            self._bootstrap(service)
        service.start(flows=flows)

    def _bootstrap(self, service: Service) -> None:
        """Users, projects, roles and catalog, before anybody logs in."""
        from celaje.identity.bootstrap import bootstrap

        names = (*SERVICE_USERS.values(), *EXAMPLE_USERS)
        users = {user: self.secrets.password(user) for user in names}
        bootstrap(service, self.secrets.password("admin"), self.url, users, self.secrets.generated)


def configuration(  # noqa: PLR0917 - what a Cloud is made of
    name: str,
    state: Path,
    url: str,
    files: Iterable[Path] = (),
    dirs: Iterable[Path] = (),
    overrides: Values | None = None,
    host: str = HOST,
) -> Configuration:
    """A service's configuration in an all-in-one cloud; `celaje config` reads it without starting one."""
    options = importlib.import_module(f"celaje.{name}.conf").OPTIONS
    defaults: dict[tuple[str | None, str], Any] = {
        (None, "state_path"): str(state / name),
        (None, "host"): host,
    }
    own = {("api", "public_endpoint"): f"{url}/{name}", **(overrides or {})}
    return load(name, options, files, dirs, overrides=own, defaults=defaults, by="celaje up")


def service_class(name: str) -> type[Service]:
    """The one Service that the module declares."""
    module = importlib.import_module(f"celaje.{name}.service")
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Service) and value.__module__ == module.__name__:
            return value
    raise LookupError(f"celaje.{name}.service declares no Service")
