"""Inputs of driver tests: servers, ports, volumes as the compute worker would hand them over."""

import base64
from typing import Any

USER_DATA = b"#!/bin/sh\necho HELLO-FROM-USER-DATA\n"
UUID = "6f3d1b6e-3b1f-4c6e-9d0a-6a5a2a9c1e01"


def a_server(uuid: str = UUID, **changes: Any) -> Any:
    flavor = {"vcpus": 1, "memory_mb": 128, "root_gb": 1, "ephemeral_gb": 0, "swap": 0, "extra_specs": {}}
    flavor |= changes.pop("flavor", {})
    return {
        "uuid": uuid,
        "name": "one",
        "hostname": "one",
        "flavor": flavor,
        "project_id": "p1",
        "metadata": {},
        "user_data": base64.b64encode(USER_DATA).decode(),
        **changes,
    }


def a_port(number: int = 1, **changes: Any) -> dict[str, Any]:
    subnet = {"cidr": "192.168.77.0/24", "gateway_ip": "192.168.77.1", "dns_nameservers": ["192.0.2.53"]}
    return {
        "port_id": f"00000000-0000-4000-8000-00000000000{number}",
        "mac_address": f"fa:16:3e:00:00:0{number}",
        "network": {"id": "n1", "mtu": 1450},
        "fixed_ips": [{"ip_address": f"192.168.77.{40 + number}", "subnet": subnet}],
        "vif_type": "user",
        "details": {},
        **changes,
    }
