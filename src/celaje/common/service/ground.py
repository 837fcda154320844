"""The common ground of one service in one process: handed to its Service when it is assembled."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from celaje.common.authentication import Authentication
from celaje.common.clients import Clients
from celaje.common.conf import Configuration
from celaje.common.messaging.driver import Bus
from celaje.common.policy import Policy, Rule
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
    clients: Clients = field(init=False)

    def __post_init__(self) -> None:
        self.clients = Clients(self.transport_to, self.credentials)

    def policy(self, rules: Iterable[Rule]) -> Policy:
        """The service's rules with what the operator's policy files say."""
        return Policy(
            rules,
            path=self.conf.beside_files(self.conf.oslo_policy.policy_file),
            folders=[self.conf.beside_files(name) for name in self.conf.oslo_policy.policy_dirs],
            enforce_scope=self.conf.oslo_policy.enforce_scope,
        )

    @property
    def host(self) -> str:
        return self.conf.host

    def authentication(self) -> Authentication:
        return Authentication(
            self.tokens,
            self.revocations,
            certificate_variable=self.conf.oauth2.client_certificate_variable,
        )
