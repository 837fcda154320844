"""The placement service's public API, as the other services' flows and handlers use it."""

from celaje.common.rest import RestClient


class PlacementClient(RestClient):
    service_type = "placement"
