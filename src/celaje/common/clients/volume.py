"""The volume service's public API, as the other services' flows and handlers use it."""

from celaje.common.rest import RestClient


class VolumeClient(RestClient):
    service_type = "volume"
