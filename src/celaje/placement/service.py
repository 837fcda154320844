"""The placement service: an API on a database, nothing behind it. Assembled by the cloud or by
`celaje service placement.api`."""

from pathlib import Path

from celaje.common.service import Service
from celaje.common.wsgi import Api, dialects
from celaje.placement.api.policies import POLICIES
from celaje.placement.api.routes import ROUTES
from celaje.placement.api.versions import VERSIONS
from celaje.placement.db.tables import METADATA


class PlacementService(Service):
    service_type = "placement"
    metadata = METADATA
    migrations = Path(__file__).parent / "db" / "migrations"

    def build_api(self) -> Api:
        return Api(
            self,
            ROUTES,
            service_type=self.service_type,
            policy=self.ground.policy(POLICIES),
            dialect=dialects.placement,
            authenticate=self.ground.authentication(),
            versions=VERSIONS,
            public_endpoint=self.conf.api.public_endpoint,
            max_body=self.conf.api.max_request_body_size,
            malformed_body="Malformed JSON: the body cannot be decoded.",
            missing_body="Malformed JSON: a JSON body is missing.",
        )
