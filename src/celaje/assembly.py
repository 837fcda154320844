"""Services' parts put together in one process: the whole cloud (`cloud.py`) or some of it (`process.py`).

Who derives from Assembly says where configuration, bus, credentials and the other services' APIs come from;
here is what both do: start in order, mount the APIs, stop, die.
"""

import importlib
import logging
from collections.abc import Collection, Mapping
from pathlib import Path

from celaje.common import clock, trail
from celaje.common.conf import Configuration
from celaje.common.errors import ConfigurationError
from celaje.common.messaging.driver import Bus
from celaje.common.rest import ServiceCredentials, Transport
from celaje.common.revocations import Revocations
from celaje.common.service import Ground, Service
from celaje.common.tokens import Tokens
from celaje.common.wsgi import Mount

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


class Assembly:
    """`alone`: nobody else runs the same services on the same state. `syncs_schema`: databases are brought to
    the code's schema at start."""

    alone = False
    syncs_schema = False

    running: dict[str, Service]
    application: Mount
    tokens: Tokens
    revocations: Revocations

    # What the two differ in.

    def parts(self) -> Mapping[str, Collection[str]]:
        """Which parts of which services run here, in the order of their start."""
        raise NotImplementedError

    def configuration(self, name: str) -> Configuration:
        raise NotImplementedError

    def folder(self, name: str) -> Path:
        """Where the service keeps what it keeps on this machine."""
        raise NotImplementedError

    def bus_of(self, name: str) -> Bus:
        raise NotImplementedError

    def credentials(self, name: str) -> ServiceCredentials | None:
        raise NotImplementedError

    def way(self, name: str, service_type: str) -> Transport:
        """How the service `name` reaches the API of `service_type`."""
        raise NotImplementedError

    def built(self, name: str, service: Service) -> None:
        """The service is made, and not started yet."""

    def close(self) -> None:
        """All services have ended: what they stood on goes."""

    # What they do alike.

    def start(self) -> None:
        """Start every service, identity first; returns when all answer."""
        for name in self.parts():
            self._start_service(name)
        for service in self.running.values():
            service.start_flows()

    def stop(self, grace: float = 10.0) -> None:
        """No new work; running steps end within `grace` seconds in all, or are left to be resumed."""
        end = clock.monotonic() + grace
        for name in reversed(list(self.running)):
            self.running[name].stop(max(0.0, end - clock.monotonic()))
        self.close()

    def kill(self) -> None:
        """As `kill -9`: tests of crashes end a cloud so, and start another on the same state."""
        # All die at once: a flow that still ran would take the death of another service for a refusal.
        for service in self.running.values():
            if service.engine:
                service.engine.kill()
        for service in self.running.values():
            service.kill()
        self.close()

    def unknown_keys(self) -> list[str]:
        """Keys in the configuration files that no service reads, each with the nearest real one. Raises
        ConfigurationError instead where strict_config is on. Files are often shared by all services: a key
        is known when any of them reads it."""
        known = [importlib.import_module(f"celaje.{name}.conf").OPTIONS for name in SERVICES]
        found: dict[str, None] = {}
        strict = False
        for name in self.parts():
            conf = self.configuration(name)
            if conf.loaded_files:
                from celaje.image.stores.opening import store_options
                from celaje.volume.backends import backend_options

                strict = strict or conf.strict_config
                backends = [*backend_options(), *store_options()]
                found.update((str(item), None) for item in conf.unknown_keys(known, backends))
        if found and strict:
            raise ConfigurationError("\n".join(found))
        for words in found:
            log.warning("%s", words)
        return list(found)

    def _start_service(self, name: str) -> None:
        folder = self.folder(name)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ground = Ground(
            conf=self.configuration(name),
            bus=self.bus_of(name),
            state=folder,
            tokens=self.tokens,
            revocations=self.revocations,
            transport_to=lambda service_type: self.way(name, service_type),
            credentials=self.credentials(name),
            alone=self.alone,
            syncs_schema=self.syncs_schema,
        )
        service = service_class(name)(ground, self.parts()[name])
        self.running[name] = service
        trail.keep(service.conf.trace_hops)
        if service.api is not None:
            self.application.add(name, service.api)
        self.built(name, service)
        service.start(flows=False)


def service_class(name: str) -> type[Service]:
    """The one Service that the module declares."""
    module = importlib.import_module(f"celaje.{name}.service")
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Service) and value.__module__ == module.__name__:
            return value
    raise LookupError(f"celaje.{name}.service declares no Service")
