"""The volume service's REST API: Cinder's v3 with microversions up to 3.71."""

from typing import Any

from celaje.common.wsgi import Api, dialects
from celaje.volume.api.policies import RULES
from celaje.volume.api.routes import ROUTES
from celaje.volume.api.versions import VERSIONS


def build_api(service: Any) -> Api:
    ground = service.ground
    return Api(
        service,
        ROUTES,
        service_type="volume",
        trailing_slash=False,
        policy=ground.policy(RULES),
        dialect=dialects.volume,
        authenticate=ground.authentication(),
        versions=VERSIONS,
        public_endpoint=ground.conf.api.public_endpoint,
        max_body=ground.conf.api.max_request_body_size,
        extra_headers=("x-compute-request-id",),
    )
