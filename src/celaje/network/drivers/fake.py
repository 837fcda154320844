"""The simulated network: every operation of a real one on a state in memory (or in one small file).

Called by network's worker. It keeps what it was told as a real back end would, so that a test can compare
rows and wires; its latency and failures are the state's rules.
"""

from typing import Any

import msgspec

from celaje.network.drivers.base import NetworkData, NetworkDriver, PortData, RouterData, Wiring
from celaje.network.drivers.fake_state import FakeNetworkState


class FakeDriver(NetworkDriver):
    name = "fake"
    vif_type = "ovs"
    routes = True
    east_west = True
    vnic_types = ("normal", "direct", "macvtap")

    def __init__(self, host: str, state: FakeNetworkState | None = None):
        super().__init__(host)
        self.state = state or FakeNetworkState()

    def explain(self) -> str:
        return f"Networks on {self.host} are simulated: ports become ACTIVE, no packet moves."

    def init_host(self) -> None:
        with self.state.acting("init_host", None):
            pass

    def plug_port(self, port: PortData) -> Wiring:
        network = port["network"]
        with self.state.acting("plug_port", port["id"]):
            known = self.state.ports.get(port["id"])
            if known is None or known["generation"] <= port["generation"]:
                self.state.networks[network["id"]] = _copy(network)
                self.state.ports[port["id"]] = {**_copy(port), "network": network["id"]}
        details = {
            "port_filter": port["port_security_enabled"],
            "connectivity": "l2",
            "bridge_name": "br-int",
            "datapath_type": "system",
        }
        return {"vif_type": self.vif_type, "vif_details": details}

    def unplug_port(self, port_id: str, generation: int) -> None:
        with self.state.acting("unplug_port", port_id):
            known = self.state.ports.get(port_id)
            if known is not None and known["generation"] <= generation:
                del self.state.ports[port_id]
                if not any(port["network"] == known["network"] for port in self.state.ports.values()):
                    self.state.networks.pop(known["network"], None)

    def update_network(self, network: NetworkData) -> None:
        with self.state.acting("update_network", network["id"]):
            if network["id"] in self.state.networks:
                self.state.networks[network["id"]] = _copy(network)

    def list_ports(self) -> dict[str, int]:
        with self.state.reading():
            return {port_id: port["generation"] for port_id, port in self.state.ports.items()}

    def list_routers(self) -> set[str]:
        with self.state.reading():
            return set(self.state.routers)

    def sync_router(self, router: RouterData) -> None:
        with self.state.acting("sync_router", router["id"]):
            known = self.state.routers.get(router["id"])
            if known is None or known["revision"] <= router["revision"]:
                self.state.routers[router["id"]] = _copy(router)

    def delete_router(self, router_id: str, revision: int) -> None:
        with self.state.acting("delete_router", router_id):
            known = self.state.routers.get(router_id)
            if known is not None and known["revision"] <= revision:
                del self.state.routers[router_id]


def _copy(value: Any) -> dict[str, Any]:
    return msgspec.json.decode(msgspec.json.encode(value))
