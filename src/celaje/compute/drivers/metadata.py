"""What a guest may read about itself, in OpenStack's and EC2's layout, as files for a config drive.

The worker calls it and hands the files to a driver's `spawn`. Layout: Nova's "metadata" and "config drive"
guides.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

from celaje.common.errors import DriverError
from celaje.compute.drivers.base import BlockDevice, Port, Server

VERSIONS = ("2012-08-10", "2013-04-04", "2015-10-15", "2016-06-30", "2018-08-27", "latest")


def metadata_files(
    server: Server, network_info: Sequence[Port] = (), block_device_info: Sequence[BlockDevice] = ()
) -> dict[str, bytes]:
    """The files of a config drive: path and content."""
    documents = {
        "meta_data.json": _encode(_meta_data(server)),
        "network_data.json": _encode(_network_data(network_info)),
        "vendor_data.json": b"{}",
        "vendor_data2.json": b"{}",
    }
    user_data = server.get("user_data")
    if user_data:
        try:
            documents["user_data"] = base64.b64decode(user_data, validate=False)
        except binascii.Error as error:
            raise DriverError(f"Server {server['uuid']}: user_data is not base64: {error}") from error
    files = {f"openstack/{version}/{name}": data for version in VERSIONS for name, data in documents.items()}
    ec2 = _encode(_ec2(server, network_info, block_device_info))
    for version in ("2009-04-04", "latest"):
        files[f"ec2/{version}/meta-data.json"] = ec2
        if "user_data" in documents:
            files[f"ec2/{version}/user-data"] = documents["user_data"]
    return files


def _encode(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True).encode()


def _meta_data(server: Server) -> dict[str, Any]:
    document: dict[str, Any] = {
        "uuid": server["uuid"],
        "name": server["name"],
        "hostname": server.get("hostname") or server["name"],
        "project_id": server.get("project_id", ""),
        "launch_index": 0,
        "availability_zone": server.get("availability_zone", "nova"),
        "devices": [],
        "dedicated_cpus": [],
    }
    if server.get("metadata"):
        document["meta"] = server["metadata"]
    key = server.get("key_data")
    if key:
        name = server.get("key_name") or "key"
        document["public_keys"] = {name: key}
        document["keys"] = [{"name": name, "type": "ssh", "data": key}]
    return document


def _network_data(network_info: Sequence[Port]) -> dict[str, Any]:
    links: list[dict[str, Any]] = []
    networks: list[dict[str, Any]] = []
    services: list[dict[str, Any]] = []
    for port in network_info:
        link = f"tap{port['port_id'][:11]}"
        network = port.get("network") or {}
        links.append(
            {
                "id": link,
                "vif_id": port["port_id"],
                "type": "phy",
                "mtu": network.get("mtu"),
                "ethernet_mac_address": port["mac_address"],
            }
        )
        for fixed in port.get("fixed_ips") or ():
            subnet = fixed["subnet"]
            cidr = ip_network(subnet["cidr"])
            form = f"ipv{cidr.version}"
            entry: dict[str, Any] = {
                "id": f"network{len(networks)}",
                "link": link,
                "network_id": network.get("id"),
                "type": f"{form}_dhcp" if subnet.get("enable_dhcp", True) else form,
            }
            if entry["type"] == form:
                anywhere = "0.0.0.0" if cidr.version == 4 else "::"
                entry |= {"ip_address": fixed["ip_address"], "netmask": str(cidr.netmask), "routes": []}
                if subnet.get("gateway_ip"):
                    default = {"network": anywhere, "netmask": anywhere, "gateway": subnet["gateway_ip"]}
                    entry["routes"].append(default)
            networks.append(entry)
            services += [{"type": "dns", "address": str(dns)} for dns in subnet.get("dns_nameservers") or ()]
    unique = [service for number, service in enumerate(services) if service not in services[:number]]
    return {"links": links, "networks": networks, "services": unique}


def _ec2(
    server: Server, network_info: Sequence[Port], block_device_info: Sequence[BlockDevice]
) -> dict[str, Any]:
    addresses = [fixed["ip_address"] for port in network_info for fixed in port.get("fixed_ips") or ()]
    first = next((address for address in addresses if ":" not in address), "")
    devices = {"ami": "vda", "root": "/dev/vda"}
    volumes = [item for item in block_device_info if item.get("device_name")]
    devices |= {f"ebs{number}": item["device_name"] for number, item in enumerate(volumes)}
    hostname = server.get("hostname") or server["name"]
    document: dict[str, Any] = {
        # EC2 ids are 8 hex digits; the uuid's first ones are stable and need no table.
        "instance-id": f"i-{server['uuid'][:8]}",
        "hostname": hostname,
        "local-hostname": hostname,
        "public-hostname": hostname,
        "local-ipv4": first,
        "public-ipv4": "",
        "ami-launch-index": 0,
        "block-device-mapping": devices,
        "placement": {"availability-zone": server.get("availability_zone", "nova")},
    }
    if server.get("key_data"):
        name = server.get("key_name") or "key"
        document["public-keys"] = {"0": {"_name": f"0={name}", "openssh-key": server["key_data"]}}
    return document
