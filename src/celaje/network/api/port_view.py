"""A port as the API shows it. Called by the ports' API for every row of a list."""

from typing import Any

Row = dict[str, Any]


def port_view(row: Row, relations: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "network_id": row["network_id"],
        "admin_state_up": row["admin_state_up"],
        "status": row["status"],
        "mac_address": row["mac_address"],
        "fixed_ips": [
            {"subnet_id": fixed["subnet_id"], "ip_address": fixed["ip_address"]}
            for fixed in relations["fixed_ips"][row["id"]]
        ],
        "device_id": row["device_id"],
        "device_owner": row["device_owner"],
        "security_groups": relations["security_groups"][row["id"]],
        "port_security_enabled": row["port_security_enabled"],
        "allowed_address_pairs": row["allowed_address_pairs"],
        "extra_dhcp_opts": row["extra_dhcp_opts"],
        "binding:host_id": row["binding_host_id"],
        "binding:vnic_type": row["binding_vnic_type"],
        "binding:vif_type": row["binding_vif_type"],
        "binding:vif_details": row["binding_vif_details"],
        "binding:profile": row["binding_profile"],
        "qos_policy_id": None,
        "qos_network_policy_id": None,
        "resource_request": None,
    }
