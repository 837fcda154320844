"""The services' public REST operations, as other services use them: one file a service.

Each operation is a method marked with `@operation`, so that a flow may use it as a step. Whatever creates
something must find it again when it is repeated.
"""

from collections.abc import Callable
from functools import cached_property

from celaje.common.clients.compute import ComputeClient
from celaje.common.clients.identity import IdentityClient
from celaje.common.clients.image import ImageClient
from celaje.common.clients.network import NetworkClient
from celaje.common.clients.placement import PlacementClient
from celaje.common.clients.volume import VolumeClient
from celaje.common.rest import ServiceCredentials, Transport


class Clients:
    """`clients.volume` acts for the user of the current context, `clients.volume.as_service()` for this
    service itself."""

    def __init__(self, transport_to: Callable[[str], Transport], credentials: ServiceCredentials | None):
        self._transport_to = transport_to
        self._credentials = credentials

    @cached_property
    def compute(self) -> ComputeClient:
        return ComputeClient(self._transport_to("compute"), self._credentials)

    @cached_property
    def identity(self) -> IdentityClient:
        return IdentityClient(self._transport_to("identity"), self._credentials)

    @cached_property
    def image(self) -> ImageClient:
        return ImageClient(self._transport_to("image"), self._credentials)

    @cached_property
    def network(self) -> NetworkClient:
        return NetworkClient(self._transport_to("network"), self._credentials)

    @cached_property
    def placement(self) -> PlacementClient:
        return PlacementClient(self._transport_to("placement"), self._credentials)

    @cached_property
    def volume(self) -> VolumeClient:
        return VolumeClient(self._transport_to("volume"), self._credentials)
