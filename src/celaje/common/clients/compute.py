"""The compute service's public API, as the other services' flows and handlers use it."""

from celaje.common.rest import RestClient


class ComputeClient(RestClient):
    service_type = "compute"
