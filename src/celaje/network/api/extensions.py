"""The extensions that this service has: exactly those, since clients choose their way by them.

Aliases and names are Neutron's; Tempest and the clients look for the alias.
"""

from typing import Any

from celaje.common.wsgi import Request
from celaje.network.errors import ExtensionNotFound

# alias: (name, what it means here)
EXTENSIONS: dict[str, tuple[str, str]] = {
    "agent": ("agent", "The network workers are listed as agents."),
    "allowed-address-pairs": ("Allowed Address Pairs", "Further addresses that a port may use."),
    "availability_zone": ("Availability Zone", "Zones of the network workers."),
    "binding": ("Port Binding", "Ports are bound to hosts."),
    "default-subnetpools": ("Default Subnetpools", "A subnet may ask for the default pool."),
    "empty-string-filtering": ("Empty String Filtering Extension", "A filter may be an empty string."),
    "ext-gw-mode": ("Neutron L3 Configurable external gateway mode", "SNAT of a gateway can be off."),
    "external-net": ("Neutron external network", "Networks that routers have their gateways on."),
    "extra_dhcp_opt": ("Neutron Extra DHCP options", "DHCP options of one port."),
    "extraroute": ("Neutron Extra Route", "Static routes of a router."),
    "extraroute-atomic": ("Atomically add/remove extra routes", "Routes come and go one by one."),
    "filter-validation": ("Filter parameters validation", "An unknown filter is refused."),
    "fip-port-details": ("Floating IP Port Details Extension", "A floating IP shows its port."),
    "ip-substring-filtering": ("IP address substring filtering", "Ports by a part of their address."),
    "net-mtu": ("Network MTU", "Networks have an MTU."),
    "net-mtu-writable": ("Network MTU (writable)", "It can be set."),
    "network-ip-availability": ("Network IP Availability", "How many addresses are left."),
    "network_availability_zone": ("Network Availability Zone", "Hints for networks."),
    "pagination": ("Pagination support", "Lists in pages, with links."),
    "port-mac-address-regenerate": ("Neutron Port MAC address regenerate", "A MAC of null is made up anew."),
    "port-security": ("Port Security", "Anti-spoofing of networks and ports can be off."),
    "port-security-groups-filtering": ("Port filtering on security groups", "Ports by security group."),
    "project-id": ("project_id field enabled", "Owners are called project_id."),
    "provider": ("Provider Network", "What a network is on the wire."),
    "quotas": ("Quota management support", "Limits of projects."),
    "quota_details": ("Quota details management support", "Limits with usage."),
    "router": ("Neutron L3 Router", "Routers and floating IPs."),
    "router_availability_zone": ("Router Availability Zone", "Hints for routers."),
    "security-group": ("security-group", "Groups of rules for ports."),
    "security-groups-normalized-cidr": (
        "Normalized CIDR field for security group rules",
        "Prefixes as kept.",
    ),
    "sort-key-validation": ("Sort Key Validation", "An unknown sort key is refused."),
    "sorting": ("Sorting support", "Lists in an order that the client names."),
    "standard-attr-description": ("standard-attr-description", "Every resource has a description."),
    "standard-attr-revisions": ("Resource revision numbers", "Every change has a number."),
    "standard-attr-tag": ("Tag support for resources with standard attribute", "Every resource has tags."),
    "standard-attr-timestamp": ("Resource timestamps", "When it was made and changed."),
    "stateful-security-group": ("Stateful security group", "A group may be stateless."),
    "subnet-service-types": ("Subnet service types", "What a subnet is for."),
    "subnet_allocation": ("Subnet Allocation", "Subnets out of pools."),
    "subnet-external-network": ("Subnet belongs to external network", "Shown on the subnet."),
}

_SINCE = "2026-01-01T00:00:00-00:00"


def _view(alias: str) -> dict[str, Any]:
    name, words = EXTENSIONS[alias]
    return {"alias": alias, "name": name, "description": words, "updated": _SINCE, "links": []}


def listing(request: Request) -> dict[str, Any]:
    return {"extensions": [_view(alias) for alias in EXTENSIONS]}


def show(request: Request, alias: str) -> dict[str, Any]:
    if alias not in EXTENSIONS:
        raise ExtensionNotFound(alias=alias[:64])
    return {"extension": _view(alias)}
