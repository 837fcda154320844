"""Turns a port of the network service into QEMU's netdev and NIC device.

The driver calls it for the command line and for hot-plugging. `user` (slirp) needs no rights and no set-up:
each port is a private net with the port's own address, behind the host. Guests on it cannot see
each other. Mind that slirp connects as the QEMU process does: the gateway's address is this host's loopback
to the guest, and 169.254.169.254 is whatever answers there to the host.
"""

from ipaddress import IPv4Network, ip_address, ip_network
from typing import Any

from celaje.common.errors import DriverError
from celaje.compute.drivers.base import Port, UnsupportedInterface


def netdev_of(port: Port) -> dict[str, Any] | None:
    """Arguments of `-netdev` and `netdev_add`; None for a port without an IPv4 address (the cable is not
    plugged)."""
    if port.get("vif_type") != "user":
        raise UnsupportedInterface(port_id=port.get("port_id"), vif_type=port.get("vif_type"))
    fixed = next(
        (entry for entry in port.get("fixed_ips") or () if ip_address(entry["ip_address"]).version == 4), None
    )
    if fixed is None:
        return None
    subnet = fixed["subnet"]
    network = ip_network(subnet["cidr"])
    address = ip_address(fixed["ip_address"])
    if not isinstance(network, IPv4Network) or address not in network:
        raise DriverError(f"Port {port['port_id']}: {address} is not an address of {network}.")
    # Slirp answers on two addresses of the net, as gateway and as name server; neither may be the guest's.
    gateway = subnet.get("gateway_ip") or str(_free(network, {str(address)}))
    name_server = str(_free(network, {str(address), str(gateway)}))
    return {
        "type": "user",
        "id": netdev_id(port["port_id"]),
        "net": str(network),
        "host": str(gateway),
        "dhcpstart": str(address),
        "dns": name_server,
        "ipv6": False,
    }


def nic_of(port: Port, bus: str, plugged: bool = True) -> dict[str, Any]:
    """Arguments of `-device` and `device_add`."""
    device: dict[str, Any] = {
        "driver": "virtio-net-pci",
        "id": nic_id(port["port_id"]),
        "bus": bus,
        "mac": port["mac_address"],
        # No boot code of the card: it costs the firmware seconds and we never boot from the network.
        "romfile": "",
    }
    if plugged:
        device["netdev"] = netdev_id(port["port_id"])
    mtu = (port.get("network") or {}).get("mtu")
    if mtu:
        device["host_mtu"] = int(mtu)
    return device


def netdev_id(port_id: str) -> str:
    return f"net-{port_id}"


def nic_id(port_id: str) -> str:
    return f"nic-{port_id}"


def _free(network: IPv4Network, taken: set[str]) -> Any:
    """An address of the net that nobody needs: slirp's habitual .3 or .2, else from the top down."""
    size = network.num_addresses
    for offset in (3, 2, *range(size - 2, 0, -1)):
        if offset < size - 1 and str(network[offset]) not in taken:
            return network[offset]
    raise DriverError(f"Network {network} is too small for a guest, a gateway and a name server.")
