"""The identity service in a process: its API, what that keeps in memory, and the care of its events."""

from pathlib import Path

from celaje.common import clock
from celaje.common.authentication import EXPIRED_WINDOW
from celaje.common.revocation_feed import RevocationMessages
from celaje.common.service import Service
from celaje.common.tokens import seconds
from celaje.common.vault import Vault
from celaje.common.wsgi import Api, dialects
from celaje.identity import revoking
from celaje.identity.api.policies import RULES
from celaje.identity.api.routes import ROUTES
from celaje.identity.api.versions import VERSIONS
from celaje.identity.cached import Cached
from celaje.identity.catalog import Catalog
from celaje.identity.db import service_providers
from celaje.identity.db.tables import METADATA
from celaje.identity.inference import Inference
from celaje.identity.passwords import Passwords
from celaje.identity.revoking import Revoking


class IdentityService(Service):
    service_type = "identity"
    metadata = METADATA
    migrations = Path(__file__).parent / "db" / "migrations"

    def build_api(self) -> Api:
        conf = self.conf
        self.tokens = self.ground.tokens
        self.revocations = self.ground.revocations
        self.allow_expired_window = EXPIRED_WINDOW
        self.passwords = Passwords.from_conf(conf.identity)
        key_file = conf.credential.key_file
        self.vault = Vault(Path(key_file) if key_file else self.ground.state / "credentials.key")
        self.catalog = Cached(Catalog.load, conf.catalog.cache_time)
        self.inference = Cached(Inference.load, conf.catalog.cache_time)
        self.providers = Cached(service_providers.load_enabled, conf.catalog.cache_time)
        self.revoking = Revoking(self.revocations, self.client(RevocationMessages))
        return Api(
            self,
            ROUTES,
            service_type=self.service_type,
            policy=self.ground.policy(RULES),
            dialect=dialects.identity,
            authenticate=self.ground.authentication(),
            versions=VERSIONS,
            public_endpoint=conf.api.public_endpoint,
            max_body=conf.api.max_request_body_size,
        )

    def prepare(self) -> None:
        """Tokens outlive a restart, so what was revoked must too."""
        self.database.read(self.revoking.catch_up)
        self.periodic.every(self.conf.revoke.poll_interval, self._read_events)
        self.periodic.every(600, self._prune_events)

    def _read_events(self) -> None:
        self.database.read(self.revoking.catch_up)

    def _prune_events(self) -> None:
        kept = self.conf.token.expiration + self.conf.revoke.expiration_buffer + EXPIRED_WINDOW
        oldest = seconds(clock.now()) - kept
        self.database.write(revoking.prune, oldest)
        self.revocations.forget_before(oldest)
