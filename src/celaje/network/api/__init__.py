"""The Networking API v2.0: routes, and one file a resource. `build` makes the service's application."""

from typing import Any

from celaje.common.wsgi import Api, dialects


def build(service: Any) -> Api:
    from celaje.network.api.policies import POLICIES
    from celaje.network.api.routes import ROUTES

    return Api(
        service,
        ROUTES,
        service_type="network",
        policy=service.ground.policy(POLICIES),
        dialect=dialects.network,
        authenticate=service.ground.authentication(),
        public_endpoint=service.conf.api.public_endpoint,
        max_body=service.conf.api.max_request_body_size,
    )
