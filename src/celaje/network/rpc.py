"""Every message of the network service: to whom, call or cast, its timeout.

`port`, `network` and `router` are the dictionaries that `drivers/base.py` describes.
"""

from typing import Any

from celaje.common.messaging import Messages, call
from celaje.common.messaging.table import cast
from celaje.common.service.conductor import ConductorMessages

Data = dict[str, Any]

# How the workers' records are found (Neutron's agents).
WORKER = "network-worker"


class NetworkConductorMessages(ConductorMessages):
    topic = "network-conductor"

    @cast(may_be_lost=True)
    def found_wired(self, host: str, ports: dict[str, int], routers: list[str]) -> None:
        """What a worker that has just started found on its host: ports with the generations of their
        bindings, and routers. Whatever no row puts there is taken off."""


class NetworkWorkerMessages(Messages):
    """To the worker of one host. Calls of flows; each may come again after a crash."""

    topic = "network-worker"
    version = "1.0"

    @call(timeout="rpc_response_timeout")
    def plug_port(self, port: Data) -> Data:  # type: ignore[empty-body]
        """Wire the port; answers {"vif_type", "vif_details"}."""

    @call(timeout="rpc_response_timeout")
    def unplug_port(self, port_id: str, generation: int) -> None:
        """Take binding `generation` of the port, or an older one, off the host."""

    @call(timeout="rpc_response_timeout")
    def update_network(self, network: Data) -> None:
        """A subnet of a network that has ports on the host has changed."""

    @call(timeout="rpc_response_timeout")
    def sync_router(self, router: Data) -> None:
        """Make the router on this host what it is described to be."""

    @call(timeout="rpc_response_timeout")
    def delete_router(self, router_id: str, revision: int) -> None:
        """Nothing of the router remains on the host."""
