"""The network service's public API, as the other services' flows and handlers use it.

Ports are described in the form that compute's workers take: see `described`.
"""

import hashlib
import itertools
from collections.abc import Iterator
from typing import Any

from celaje.common import mac_addresses
from celaje.common.errors import Conflict, NotFound
from celaje.common.rest import RestClient
from celaje.common.rest.client import operation, part

Body = dict[str, Any]

# MAC addresses of other ports that one creation may meet: with 24 bits of its own each is one in thousands.
_TAKEN = 8


class NetworkClient(RestClient):
    service_type = "network"

    def networks(self, **filters: Any) -> list[Body]:
        return self.request("GET", "/v2.0/networks", query=filters).body["networks"]

    def network(self, network_id: str) -> Body:
        return self.request("GET", f"/v2.0/networks/{part(network_id)}").body["network"]

    def subnets(self, network_id: str) -> list[Body]:
        return self.request("GET", "/v2.0/subnets", query={"network_id": network_id}).body["subnets"]

    def security_groups(self, **filters: Any) -> list[Body]:
        return self.request("GET", "/v2.0/security-groups", query=filters).body["security_groups"]

    def floating_ips(self, **filters: Any) -> list[Body]:
        return self.request("GET", "/v2.0/floatingips", query=filters).body["floatingips"]

    def ports(self, **filters: Any) -> list[Body]:
        return self.request("GET", "/v2.0/ports", query=filters).body["ports"]

    def port(self, port_id: str) -> Body:
        return self.request("GET", f"/v2.0/ports/{part(port_id)}").body["port"]

    @operation
    def describe_network(self, network_id: str) -> Body:
        """{"id", "name", "mtu", "subnets": {subnet id: what a guest must know}}."""
        network = self.network(network_id)
        return describe_network(network, self.subnets(network_id))

    @operation
    def create_port(self, port: Body) -> Body:
        """Make a port of a server, or find the one that was made by the same request: Neutron has one port of
        a MAC address in a network, so `mac_address` (see `mac_address`) is what makes it repeatable, by two
        conductors at the same time too."""
        for mac in itertools.islice(_macs(port["mac_address"]), _TAKEN):
            try:
                body = {"port": {**port, "mac_address": mac}}
                return self.request("POST", "/v2.0/ports", body=body).body["port"]
            except Conflict as conflict:
                # Whatever the words are: the addresses asked for, or the quota, may be this very port's.
                found = self.ports(network_id=port["network_id"], mac_address=mac)
                if not found:
                    raise
                if found[0]["device_id"] == port["device_id"]:
                    return found[0]
                refused = conflict
        raise refused

    @operation
    def delete_made_port(self, port: Body) -> None:
        """Take back what `create_port` may have made; nothing to do when it has not."""
        for mac in itertools.islice(_macs(port["mac_address"]), _TAKEN):
            found = self.ports(network_id=port["network_id"], mac_address=mac)
            if not found:
                return
            if found[0]["device_id"] == port["device_id"]:
                self.delete_port(found[0]["id"])
                return

    @operation
    def update_port(self, port_id: str, changes: Body) -> Body:
        """Bind (binding:host_id, device_id, device_owner) or change a port."""
        answer = self.request("PUT", f"/v2.0/ports/{part(port_id)}", body={"port": changes})
        return answer.body["port"]

    @operation
    def unbind_port(self, port_id: str) -> None:
        """Give a port that the user brought back to him. A port that is gone is no error."""
        changes = {"device_id": "", "device_owner": "", "binding:host_id": ""}
        try:
            self.request("PUT", f"/v2.0/ports/{part(port_id)}", body={"port": changes})
        except NotFound:
            return

    @operation
    def delete_port(self, port_id: str) -> None:
        """A port that is gone is no error."""
        try:
            self.request("DELETE", f"/v2.0/ports/{part(port_id)}")
        except NotFound:
            return

    @operation
    def delete_ports_of(self, device_id: str, but: list[str]) -> list[str]:
        """Delete every port with this device_id, `but` those; the ids. Takes back a creation of which only
        the device is known."""
        found = [one["id"] for one in self.ports(device_id=device_id) if one["id"] not in but]
        for port_id in found:
            self.delete_port(port_id)
        return found


def describe_network(network: Body, subnets: list[Body]) -> Body:
    return {
        "id": network["id"],
        "name": network["name"],
        "mtu": network.get("mtu"),
        "subnets": {
            subnet["id"]: {
                "id": subnet["id"],
                "cidr": subnet["cidr"],
                "gateway_ip": subnet.get("gateway_ip"),
                "dns_nameservers": subnet.get("dns_nameservers") or [],
                "enable_dhcp": subnet.get("enable_dhcp", True),
                "ip_version": subnet.get("ip_version", 4),
            }
            for subnet in subnets
        },
    }


def described(port: Body, network: Body) -> Body:
    """A port as workers and views need it: {"port_id", "mac_address", "network": {"id", "name", "mtu"},
    "fixed_ips": [{"ip_address", "subnet": {...}}], "vif_type", "vnic_type", "details", "status"}."""
    return {
        "port_id": port["id"],
        "mac_address": port.get("mac_address"),
        "network": {key: network.get(key) for key in ("id", "name", "mtu")},
        "fixed_ips": [
            {
                "ip_address": fixed["ip_address"],
                "subnet": network["subnets"].get(fixed["subnet_id"], {"id": fixed["subnet_id"]}),
            }
            for fixed in port.get("fixed_ips") or []
        ],
        "vif_type": port.get("binding:vif_type"),
        "vnic_type": port.get("binding:vnic_type", "normal"),
        "details": port.get("binding:vif_details") or {},
        "status": port.get("status"),
    }


def mac_address(base: str, key: str) -> str:
    """The MAC address of the port that is made for `key`: always the same below this `base`."""
    return mac_addresses.below(base, hashlib.sha256(key.encode()).digest())


def _macs(first: str) -> Iterator[str]:
    """`first`, and which ones to take, always in this order, where another's port has it."""
    yield first
    for number in itertools.count(1):
        yield mac_address(first[:9] + "00:00:00", f"{first}/{number}")
