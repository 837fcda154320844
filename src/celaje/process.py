"""Some parts of some services in one process, from configuration files: what several machines run.

`celaje service` makes one; beside it run other processes, here and elsewhere, reached by the broker of
`[DEFAULT] transport_url` and by the catalog of `[keystone_authtoken] auth_url`.
"""

import importlib
import logging
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from celaje.assembly import SERVICE_USERS, SERVICES, Assembly, service_class
from celaje.common import clock
from celaje.common.conf import Configuration, load
from celaje.common.errors import ConfigurationError
from celaje.common.messaging.bus import connect
from celaje.common.messaging.driver import Bus
from celaje.common.metrics.page import Listener, Page, token_of
from celaje.common.rest import ServiceCredentials, Transport
from celaje.common.rest.catalog import Endpoints
from celaje.common.revocation_feed import IdentityEvents, RevocationFeed
from celaje.common.revocations import Revocations
from celaje.common.service import Ground, Service
from celaje.common.tokens import KeyRepository, Tokens
from celaje.common.wsgi import Mount
from celaje.common.wsgi.mount import Application
from celaje.common.wsgi.proxy_headers import ProxyHeaders
from celaje.front_door import FrontDoor
from celaje.health import Health

log = logging.getLogger(__name__)

# Where operators look for each API.
PORTS = {"identity": 5000, "image": 9292, "network": 9696, "volume": 8776, "compute": 8774, "placement": 8778}

# Read when no file is named: what all services share, then each service's own.
DEFAULT_FILES = ("/etc/celaje/celaje.conf", "/etc/celaje/{service}.conf")


def named_parts(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """`volume.api` and `volume` (all of its parts) as {service: parts}, in the order of their start. Raises
    ConfigurationError."""
    wanted: dict[str, set[str]] = {}
    for name in names:
        service, _, part = name.partition(".")
        if service not in SERVICES:
            raise ConfigurationError(f"There is no service {service}; there are {', '.join(SERVICES)}.")
        there = service_class(service).all_parts()
        if part and part not in there:
            have = ", ".join(f"{service}.{each}" for each in there)
            raise ConfigurationError(f"There is no {name}; {service} has {have}.")
        wanted.setdefault(service, set()).update([part] if part else there)
    return {
        service: tuple(part for part in service_class(service).all_parts() if part in wanted[service])
        for service in SERVICES
        if service in wanted
    }


class Configurations:
    """Each service's configuration from the files that all are given; `{service}` in a file's name stands
    for the service. A file that is named must be there for a service unless its name has that."""

    def __init__(self, files: Iterable[str | Path] = (), dirs: Iterable[str | Path] = ()):
        self._files = [str(path) for path in files]
        self._dirs = [str(path) for path in dirs]
        self._loaded: dict[str, Configuration] = {}

    def of(self, name: str) -> Configuration:
        if name not in self._loaded:
            options = importlib.import_module(f"celaje.{name}.conf").OPTIONS
            self._loaded[name] = load(name, options, self._found(name), self._dirs)
        return self._loaded[name]

    def _found(self, name: str) -> list[str]:
        given = self._files or ([] if self._dirs else list(DEFAULT_FILES))
        found = []
        for file in given:
            path = file.replace("{service}", name)
            if Path(path).exists() or (self._files and path == file):
                found.append(path)
        if not found and not self._dirs:
            raise ConfigurationError(
                f"There is no configuration for {name}: {' or '.join(given)} must exist, or be named with "
                "--config-file or --config-dir."
            )
        return found


class Process(Assembly):
    """`names` as of `named_parts`."""

    def __init__(self, names: Iterable[str], configurations: Configurations):
        self._parts = named_parts(names)
        self._configurations = configurations
        self._buses: dict[str, Bus] = {}
        self._endpoints: dict[str, Endpoints] = {}
        self._feed: RevocationFeed | None = None
        self._figures: Page | None = None
        self._listener: Listener | None = None
        self.running: dict[str, Service] = {}
        self.revocations = Revocations()
        self.health = Health(self.running)
        self.application = Mount({}, self._root)

    # What it is made of.

    def parts(self) -> Mapping[str, Collection[str]]:
        return self._parts

    @property
    def has_api(self) -> bool:
        return any("api" in parts for parts in self._parts.values())

    @cached_property
    def tokens(self) -> Tokens:  # type: ignore[override]
        """Of the first service with an API: one process has one set of keys."""
        return Tokens(KeyRepository(Path(self._first.fernet_tokens.key_repository)))

    def configuration(self, name: str) -> Configuration:
        return self._configurations.of(name)

    @property
    def _first(self) -> Configuration:
        """The configuration that the process as a whole goes by: log, address, keys."""
        names = [name for name, parts in self._parts.items() if "api" in parts] or list(self._parts)
        return self.configuration(names[0])

    @property
    def first(self) -> Configuration:
        return self._first

    def folder(self, name: str) -> Path:
        return Path(self.configuration(name).state_path) / name

    def bus_of(self, name: str) -> Bus:
        conf = self.configuration(name)
        url = conf.transport_url
        if url not in self._buses:
            if url.startswith("inproc:") and not self._is_whole(name):
                raise ConfigurationError(
                    f"[DEFAULT] transport_url of {name} is {url}, by which nobody outside of this process is "
                    "reached: it must name a broker, rabbit://user:password@host:5672/."
                )
            self._buses[url] = connect(url, conf)
        return self._buses[url]

    def _is_whole(self, name: str) -> bool:
        return set(self._parts[name]) == set(service_class(name).all_parts())

    def credentials(self, name: str) -> ServiceCredentials | None:
        return self._endpoints_of(name).credentials

    def way(self, name: str, service_type: str) -> Transport:
        return self._endpoints_of(name).to(service_type)

    def _endpoints_of(self, name: str) -> Endpoints:
        if name not in self._endpoints:
            self._endpoints[name] = Endpoints(self.configuration(name), SERVICE_USERS.get(name))
        return self._endpoints[name]

    def address(self) -> tuple[str, int]:
        """Where its APIs are served. Raises ConfigurationError when they are to be at several ports."""
        places = {}
        for name, parts in self._parts.items():
            if "api" in parts:
                api = self.configuration(name).api
                # Several share one port by their paths, /volume and so on: the first one's unless one is set.
                places[name] = (api.bind_host, api.bind_port)
        chosen = {place for place in places.values() if place[1]}
        if len(chosen) > 1:
            listed = ", ".join(f"{name} {host}:{port}" for name, (host, port) in places.items())
            raise ConfigurationError(f"One process has one address, and these differ: {listed}.")
        name, (host, port) = next(iter(places.items()))
        if chosen:
            ((host, port),) = chosen
        return host, port or PORTS[name]

    # Life.

    def start(self) -> None:
        for name in self._parts:
            self._check(name)
        self._offer_figures()
        super().start()
        if self.has_api:
            self._hear_revocations()
        self.health.begin()
        log.info("%s: up on %s", ", ".join(self.names), self._first.host)

    @property
    def entrance(self) -> Application:
        """What the web server is given."""
        if self._first.oslo_middleware.enable_proxy_headers_parsing:
            return ProxyHeaders(self.application)
        return self.application

    @property
    def names(self) -> list[str]:
        return [f"{name}.{part}" for name, parts in self._parts.items() for part in parts]

    def stop(self, grace: float = 10.0) -> None:
        # The balancer sees it first.
        self.health.end()
        if self._listener is not None:
            self._listener.stop()
        if self._feed is not None:
            self._feed.stop()
        super().stop(grace)

    def close(self) -> None:
        for bus in self._buses.values():
            bus.close()

    def _check(self, name: str) -> None:
        conf = self.configuration(name)
        options = conf.keystone_authtoken
        if name in SERVICE_USERS and name != "placement" and not (options.auth_url and options.password):
            raise ConfigurationError(
                f"{name} speaks to other services: [keystone_authtoken] auth_url and password must be set in "
                f"{' or '.join(conf.loaded_files)}."
            )

    def _offer_figures(self) -> None:
        """At the API's own address only for who has the token: users come there, too."""
        options = self._first.metrics
        token = token_of(options.token_file)
        page = Page(self.running, lambda: token)
        if options.token_file:
            self._figures = page
        if options.bind_port:
            self._listener = Listener(page, options.bind_host, options.bind_port)

    def _hear_revocations(self) -> None:
        """Identity's processes read their own rows; the others ask its API, where they can log in."""
        name = next(name for name, parts in self._parts.items() if "api" in parts)
        identity = None
        if "identity" not in self.running:
            credentials = self.credentials(name)
            if credentials is None:
                log.warning(
                    "[keystone_authtoken] is not set: a revocation whose message is lost is not heard of"
                )
            else:
                identity = IdentityEvents(self.way(name, "identity"), credentials, own=True)
        self._feed = RevocationFeed(
            self.bus_of(name),
            self.revocations,
            name=f"{self._first.host}/{clock.new_uuid()}",
            identity=identity,
        )
        self._feed.start()

    def _root(self, environ: dict[str, Any], start_response: Any) -> Any:
        """What no service's prefix answers: the health check, the figures where a token guards them, else the
        only API, which is at the root."""
        if environ.get("PATH_INFO") == "/healthcheck":
            return self.health(environ, start_response)
        if environ.get("PATH_INFO") == "/metrics" and self._figures is not None:
            return self._figures(environ, start_response)
        apis = [service.api for service in self.running.values() if service.api is not None]
        if len(apis) == 1:
            return apis[0](environ, start_response)
        host = environ.get("HTTP_HOST", "127.0.0.1")
        url = self._first.api.public_endpoint or f"{environ['wsgi.url_scheme']}://{host}"
        return FrontDoor(self.running, lambda: url)(environ, start_response)


class Preparation:
    """A service with its database and no life: for commands that prepare it, on any machine."""

    def __init__(self, name: str, configurations: Configurations):
        self._name = name
        self._process = Process([f"{name}.api"], configurations)

    def __enter__(self) -> Service:
        conf = self._process.configuration(self._name)
        folder = self._process.folder(self._name)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ground = Ground(
            conf=conf,
            # Nobody needs to hear of what it does: whoever runs already looks into the database.
            bus=connect("inproc://"),
            state=folder,
            tokens=self._process.tokens,
            revocations=self._process.revocations,
            transport_to=lambda service_type: self._process.way(self._name, service_type),
            syncs_schema=False,
        )
        self._service = service_class(self._name)(ground, ("api",))
        return self._service

    def __exit__(self, *_: object) -> None:
        self._service.stop(0.0)
