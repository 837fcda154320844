"""The network service's public API, as the other services' flows and handlers use it."""

from celaje.common.rest import RestClient


class NetworkClient(RestClient):
    service_type = "network"
