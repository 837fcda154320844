"""The image service's public API, as the other services' flows and handlers use it."""

from celaje.common.rest import RestClient


class ImageClient(RestClient):
    service_type = "image"
