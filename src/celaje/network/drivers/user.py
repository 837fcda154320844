"""QEMU's user-mode networking (slirp): no rights, no set-up, nothing to wire on the host.

Called by network's worker. Each port is a private net of one guest behind the host: it reaches out by NAT,
and neither other guests nor floating IPs reach it. Slirp connects as the QEMU process does, so the guest
reaches this host's loopback by its gateway's address; QEMU's only switch against that, `restrict`, would take
the way out as well. Hosts whose loopback serves secrets want another driver. The hypervisor driver opens it
from the details given here; the driver keeps only which ports it has answered for.
"""

import threading
from typing import Any

from celaje.common.errors import DriverError
from celaje.network.drivers.base import NetworkData, NetworkDriver, PortData, Wiring


class NoIPv4(DriverError):
    text = "Port {port_id} has no IPv4 address, and user-mode networking needs one."


class UserDriver(NetworkDriver):
    name = "user"
    vif_type = "user"

    def __init__(self, host: str):
        super().__init__(host)
        self._lock = threading.Lock()
        self._ports: dict[str, int] = {}

    def explain(self) -> str:
        return (
            f"Guests on {self.host} get QEMU's user-mode networking: each reaches out by NAT, but guests do "
            "not reach each other (no east-west traffic), and there are no routers or floating IPs. To a "
            "guest its gateway's address is this host's loopback: it reaches what listens there."
        )

    def init_host(self) -> None:
        """Nothing is wired on the host; the guests' QEMU processes hold their own nets."""

    def plug_port(self, port: PortData) -> Wiring:
        subnets = {subnet["id"]: subnet for subnet in port["network"]["subnets"]}
        chosen: dict[str, Any] | None = None
        for fixed in port["fixed_ips"]:
            subnet = subnets.get(fixed["subnet_id"])
            if subnet is not None and subnet["ip_version"] == 4:
                chosen = {
                    "ip_address": fixed["ip_address"],
                    "cidr": subnet["cidr"],
                    "gateway_ip": subnet["gateway_ip"],
                    "dns_nameservers": subnet["dns_nameservers"],
                    "enable_dhcp": subnet["enable_dhcp"],
                }
                break
        if chosen is None and port["fixed_ips"]:
            raise NoIPv4(port_id=port["id"])
        with self._lock:
            if self._ports.get(port["id"], -1) <= port["generation"]:
                self._ports[port["id"]] = port["generation"]
        details = {
            "port_filter": False,
            "connectivity": "user",
            "mtu": port["network"]["mtu"],
            **(chosen or {}),
        }
        return {"vif_type": self.vif_type, "vif_details": details}

    def unplug_port(self, port_id: str, generation: int) -> None:
        with self._lock:
            if self._ports.get(port_id, generation + 1) <= generation:
                del self._ports[port_id]

    def update_network(self, network: NetworkData) -> None:
        """A guest's net is fixed when its process starts; the next start takes the change."""

    def list_ports(self) -> dict[str, int]:
        with self._lock:
            return dict(self._ports)
