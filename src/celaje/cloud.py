"""The whole cloud in one process: every service with all its parts, on SQLite and the in-process bus.

`celaje up` hosts it behind granian, tests and the lab use it directly. Nothing here is known to the services:
they get a Ground each, and speak to each other by REST and messages as they do on many machines.
"""

import importlib
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celaje.assembly import SERVICE_USERS, SERVICES, Assembly, service_class
from celaje.common import clock
from celaje.common.conf import Configuration, load
from celaje.common.messaging.bus import connect
from celaje.common.messaging.driver import Bus
from celaje.common.metrics.page import Page, token_of
from celaje.common.rest import InProcessTransport, ServiceCredentials
from celaje.common.revocations import Revocations
from celaje.common.service import Service
from celaje.common.tokens import KeyRepository, Tokens
from celaje.common.vault import write_secret
from celaje.common.wsgi import Mount
from celaje.front_door import FrontDoor
from celaje.secrets import Secrets

__all__ = ["SERVICES", "SERVICE_USERS", "Cloud", "service_class"]

log = logging.getLogger(__name__)

# People as DevStack has them, besides the admin.
EXAMPLE_USERS = ("demo", "alt_demo")

Values = Mapping[tuple[str | None, str], Any]

# The one node of an all-in-one cloud.
HOST = "celaje"


@dataclass
class Cloud(Assembly):
    """`state` is the cloud's folder. `files`/`dirs` are configuration files for all services, `overrides`
    values by service, `defaults` those that a file may replace. `url` is where the front door is reached, for
    the catalog and links."""

    alone = True
    syncs_schema = True

    state: Path
    url: str = "http://127.0.0.1:5000"
    services: tuple[str, ...] = SERVICES
    files: Iterable[Path] = ()
    dirs: Iterable[Path] = ()
    overrides: Mapping[str, Values] = field(default_factory=dict)
    defaults: Mapping[str, Values] = field(default_factory=dict)
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
        own = self.state / "metrics.token"
        if not own.exists():
            write_secret(own, clock.new_token().encode())
        figures = Page(
            self.running, lambda: token_of(self.running[self.services[0]].conf.metrics.token_file or own)
        )
        self.application = Mount({}, FrontDoor(self.running, lambda: self.url, figures))

    def start(self) -> None:
        super().start()
        log.info("all services of %s are up", self.state)

    def parts(self) -> Mapping[str, Collection[str]]:
        return {name: service_class(name).all_parts() for name in self.services}

    def configuration(self, name: str) -> Configuration:
        """The service's configuration with what the all-in-one cloud itself decides."""
        return configuration(
            name,
            self.state,
            self.url,
            self.files,
            self.dirs,
            self.overrides.get(name, {}),
            self.host,
            self.defaults.get(name, {}),
        )

    def folder(self, name: str) -> Path:
        return self.state / name

    def bus_of(self, name: str) -> Bus:
        return self.bus

    def way(self, name: str, service_type: str) -> InProcessTransport:
        return self.transport_to(service_type)

    def transport_to(self, service_type: str) -> InProcessTransport:
        return InProcessTransport(lambda: self._api(service_type), f"/{service_type}")

    def credentials(self, name: str) -> ServiceCredentials | None:
        user = SERVICE_USERS.get(name)
        if user is None:
            return None
        return ServiceCredentials(
            lambda: self.transport_to("identity"), username=user, password=self.secrets.password(user)
        )

    def unknown_keys(self) -> list[str]:
        # Without files there is nothing to look into, and nothing of it to be imported.
        return super().unknown_keys() if self.files or self.dirs else []

    def built(self, name: str, service: Service) -> None:
        """Users, projects, roles and catalog, before anybody logs in."""
        if name != "identity":
            return
        from celaje.identity.bootstrap import bootstrap

        names = (*SERVICE_USERS.values(), *EXAMPLE_USERS)
        users = {user: self.secrets.password(user) for user in names}
        bootstrap(service, self.secrets.password("admin"), self.url, users, self.secrets.generated)

    def close(self) -> None:
        self.bus.close()

    def _api(self, name: str) -> Any:
        service = self.running.get(name)
        return service.api if service else None


def configuration(  # noqa: PLR0917 - what a Cloud is made of
    name: str,
    state: Path,
    url: str,
    files: Iterable[Path] = (),
    dirs: Iterable[Path] = (),
    overrides: Values | None = None,
    host: str = HOST,
    defaults: Values | None = None,
) -> Configuration:
    """A service's configuration in an all-in-one cloud; `celaje config` reads it without starting one."""
    options = importlib.import_module(f"celaje.{name}.conf").OPTIONS
    usual: dict[tuple[str | None, str], Any] = {
        (None, "state_path"): str(state / name),
        (None, "host"): host,
        **(defaults or {}),
    }
    own = {("api", "public_endpoint"): f"{url}/{name}", **(overrides or {})}
    return load(name, options, files, dirs, overrides=own, defaults=usual, by="celaje up")
