"""The common ground of one service in one process: handed to its Service when it is assembled."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from celaje.common.authentication import Authentication
from celaje.common.clients import Clients
from celaje.common.conf import Configuration
from celaje.common.messaging.driver import Bus
from celaje.common.rest import ServiceCredentials, Transport
from celaje.common.revocations import Revocations
from celaje.common.tokens import Tokens


@dataclass
class Ground:
    """`state` is the service's own folder. `transport_to(service_type)` reaches another service's REST
    API. `alone`: no other process can be running this service's conductor (the state directory is locked).
    `syncs_schema`: the process brings its database to the code's schema; one of several only looks at it."""

    conf: Configuration
    bus: Bus
    state: Path
    tokens: Tokens
    revocations: Revocations
    transport_to: Callable[[str], Transport]
    credentials: ServiceCredentials | None = None
    alone: bool = False
    syncs_schema: bool = True
    policy_file: Path | None = None
    clients: Clients = field(init=False)

    def __post_init__(self) -> None:
        self.clients = Clients(self.transport_to, self.credentials)

    @property
    def host(self) -> str:
        return self.conf.host

    def authentication(self) -> Authentication:
        return Authentication(self.tokens, self.revocations)
