"""Ports that the service makes for itself: router legs and floating IPs. Called by the API's units."""

from typing import Any

from celaje.common.db import Transaction
from celaje.network import errors
from celaje.network.db import ipam, networks, ports
from celaje.network.db.security_groups import standard

Row = dict[str, Any]


def add(
    tx: Transaction,
    conf: Any,
    network_id: str,
    *,
    project_id: str,
    device_id: str,
    device_owner: str,
    fixed_ips: list[dict[str, str]] | None,
) -> tuple[Row, list[Row]]:
    """A port of the service on the network, with addresses; no security groups. Returns its row and its
    addresses."""
    subnet_rows = networks.subnets(tx, network_id)
    mac = ports.new_mac(conf.base_mac)
    row: Row = {
        **standard(project_id),
        "network_id": network_id,
        "name": "",
        "admin_state_up": True,
        "status": "DOWN",
        "flow_id": None,
        "mac_address": mac,
        "device_id": device_id,
        "device_owner": device_owner,
        "port_security_enabled": False,
        "allowed_address_pairs": [],
        "extra_dhcp_opts": [],
        "binding_host_id": "",
        "binding_vnic_type": "normal",
        "binding_vif_type": "unbound",
        "binding_vif_details": {},
        "binding_profile": {},
        "binding_generation": 0,
    }
    given = ipam.allocate(tx, network_id, subnet_rows, row["id"], mac, fixed_ips, service=True)
    ports.add(tx, row, mac_given=False)
    return row, given


def drop(tx: Transaction, port_id: str | None) -> None:
    if port_id is not None:
        ports.remove(tx, port_id)


def own_address(given: list[Row], version: int = 4) -> str | None:
    """The first address of this IP version."""
    for row in given:
        if (":" in row["ip_address"]) == (version == 6):
            return row["ip_address"]
    return None


def refuse_internal(network: Row | None, network_id: str) -> Row:
    """The network, which must be an external one. Raises HTTPBadRequest, NetworkNotFound."""
    if network is None:
        raise errors.NetworkNotFound(id=network_id)
    if not network["router_external"]:
        raise errors.HTTPBadRequest(f"Network {network_id} is not an external network")
    return network
