"""The image service's REST API (v2). Made by `service.py`; `routes.py` is its table of contents."""

from typing import TYPE_CHECKING

from celaje.common.wsgi import Api, dialects

if TYPE_CHECKING:
    from celaje.image.service import ImageService


def build(service: "ImageService") -> Api:
    from celaje.image.api import policies, routes

    conf = service.conf
    return Api(
        service,
        routes.build(conf),
        service_type="image",
        policy=service.ground.policy(policies.RULES),
        dialect=dialects.image,
        authenticate=service.ground.authentication(),
        public_endpoint=conf.api.public_endpoint,
        max_body=conf.api.max_request_body_size,
        missing_body="Body expected in request.",
        # Glance reads JSON whatever the request calls it; `curl -d` calls it a form.
        lenient_media_types=("application/x-www-form-urlencoded", "text/plain", "application/octet-stream"),
        trailing_slash=False,
    )
