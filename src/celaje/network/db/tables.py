"""Tables of the network service. Read by the query modules beside it and by the migrations.

Addresses are kept twice: as clients write them, and as `address_key`, 32 hexadecimal digits that sort like
the numbers they stand for, IPv4 and IPv6 alike.
"""

from typing import Any

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, UniqueConstraint

from celaje.common.db import Json, Moment, new_metadata
from celaje.common.flow import flow_tables
from celaje.common.service.records import service_table
from celaje.common.wsgi.request_pages import request_table

METADATA = new_metadata()
REQUESTS = request_table(METADATA)
FLOWS = flow_tables(METADATA)
SERVICES = service_table(METADATA)


def _standard() -> list[Column[Any]]:
    """What every resource of Neutron has (its standard attributes)."""
    return [
        Column("id", String(36), primary_key=True),
        Column("project_id", String(64), nullable=False),
        Column("description", String(255), nullable=False),
        Column("revision_number", Integer, nullable=False),
        Column("created_at", Moment, nullable=False),
        Column("updated_at", Moment, nullable=False),
    ]


NETWORKS = Table(
    "networks",
    METADATA,
    *_standard(),
    Column("name", String(255), nullable=False),
    Column("admin_state_up", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("router_external", Boolean, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("port_security_enabled", Boolean, nullable=False),
    Column("mtu", Integer, nullable=False),
    Column("network_type", String(32), nullable=False),
    Column("physical_network", String(64)),
    Column("segmentation_id", Integer),
    # type:physical network:id, so that one unique key keeps segments apart whatever is NULL in them
    Column("segment_key", String(128), unique=True),
    Column("availability_zone_hints", Json, nullable=False),
    Index(None, "project_id"),
    Index(None, "name"),
    Index(None, "shared"),
    Index(None, "router_external"),
)

SUBNETS = Table(
    "subnets",
    METADATA,
    *_standard(),
    Column("network_id", String(36), nullable=False),
    Column("name", String(255), nullable=False),
    Column("ip_version", Integer, nullable=False),
    Column("cidr", String(64), nullable=False),
    Column("gateway_ip", String(64)),
    Column("enable_dhcp", Boolean, nullable=False),
    Column("dns_nameservers", Json, nullable=False),
    Column("host_routes", Json, nullable=False),
    Column("service_types", Json, nullable=False),
    Column("ipv6_address_mode", String(16)),
    Column("ipv6_ra_mode", String(16)),
    Column("subnetpool_id", String(36)),
    Index(None, "network_id"),
    Index(None, "project_id"),
    Index(None, "subnetpool_id"),
)

ALLOCATION_POOLS = Table(
    "allocation_pools",
    METADATA,
    Column("subnet_id", String(36), primary_key=True),
    Column("first_key", String(32), primary_key=True),
    Column("last_key", String(32), nullable=False),
    # Where the next search begins: behind the address given last, so that addresses rest before reuse.
    Column("cursor_key", String(32), nullable=False),
)

PORTS = Table(
    "ports",
    METADATA,
    *_standard(),
    Column("network_id", String(36), nullable=False),
    Column("name", String(255), nullable=False),
    Column("admin_state_up", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("flow_id", String(36)),
    Column("mac_address", String(32), nullable=False),
    Column("device_id", String(255), nullable=False),
    Column("device_owner", String(255), nullable=False),
    Column("port_security_enabled", Boolean, nullable=False),
    Column("allowed_address_pairs", Json, nullable=False),
    Column("extra_dhcp_opts", Json, nullable=False),
    Column("binding_host_id", String(255), nullable=False),
    Column("binding_vnic_type", String(64), nullable=False),
    Column("binding_vif_type", String(64), nullable=False),
    Column("binding_vif_details", Json, nullable=False),
    Column("binding_profile", Json, nullable=False),
    # Counts the bindings, so that a worker can tell a late message of an old one.
    Column("binding_generation", Integer, nullable=False),
    UniqueConstraint("network_id", "mac_address"),
    Index(None, "project_id"),
    Index(None, "device_id"),
    Index(None, "binding_host_id"),
    Index(None, "name"),
    Index(None, "mac_address"),
)

IP_ALLOCATIONS = Table(
    "ip_allocations",
    METADATA,
    # The one thing that must never be given twice.
    Column("subnet_id", String(36), primary_key=True),
    Column("address_key", String(32), primary_key=True),
    Column("ip_address", String(64), nullable=False),
    Column("port_id", String(36), nullable=False),
    Column("network_id", String(36), nullable=False),
    Column("position", Integer, nullable=False),
    Index(None, "port_id"),
    Index(None, "ip_address"),
    Index(None, "network_id"),
)

ROUTERS = Table(
    "routers",
    METADATA,
    *_standard(),
    Column("name", String(255), nullable=False),
    Column("admin_state_up", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("distributed", Boolean, nullable=False),
    Column("ha", Boolean, nullable=False),
    Column("flavor_id", String(36)),
    Column("availability_zone_hints", Json, nullable=False),
    Column("routes", Json, nullable=False),
    Column("gateway_port_id", String(36)),
    Column("gateway_network_id", String(36)),
    Column("enable_snat", Boolean, nullable=False),
    # The network worker that routes it; none before one has been found.
    Column("host", String(255)),
    Index(None, "project_id"),
    Index(None, "name"),
    Index(None, "gateway_network_id"),
    Index(None, "host"),
)

FLOATING_IPS = Table(
    "floating_ips",
    METADATA,
    *_standard(),
    Column("floating_network_id", String(36), nullable=False),
    Column("floating_ip_address", String(64), nullable=False),
    Column("floating_port_id", String(36), nullable=False),
    Column("port_id", String(36)),
    Column("fixed_ip_address", String(64)),
    Column("router_id", String(36)),
    Column("status", String(16), nullable=False),
    UniqueConstraint("floating_network_id", "port_id", "fixed_ip_address"),
    Index(None, "project_id"),
    Index(None, "port_id"),
    Index(None, "router_id"),
    Index(None, "floating_ip_address"),
)

SECURITY_GROUPS = Table(
    "security_groups",
    METADATA,
    *_standard(),
    Column("name", String(255), nullable=False),
    Column("stateful", Boolean, nullable=False),
    # The project whose default group this is; unique, so two first requests make one group.
    Column("default_of", String(64), unique=True),
    Index(None, "project_id"),
    Index(None, "name"),
)

SECURITY_GROUP_RULES = Table(
    "security_group_rules",
    METADATA,
    *_standard(),
    Column("security_group_id", String(36), nullable=False),
    Column("direction", String(16), nullable=False),
    Column("ethertype", String(8), nullable=False),
    Column("protocol", String(40)),
    Column("port_range_min", Integer),
    Column("port_range_max", Integer),
    Column("remote_ip_prefix", String(64)),
    Column("remote_group_id", String(36)),
    # All that makes two rules the same rule.
    Column("rule_key", String(255), nullable=False),
    UniqueConstraint("security_group_id", "rule_key"),
    Index(None, "project_id"),
    Index(None, "remote_group_id"),
)

PORT_SECURITY_GROUPS = Table(
    "port_security_groups",
    METADATA,
    Column("port_id", String(36), primary_key=True),
    Column("security_group_id", String(36), primary_key=True),
    Index(None, "security_group_id"),
)

SUBNET_POOLS = Table(
    "subnet_pools",
    METADATA,
    *_standard(),
    Column("name", String(255), nullable=False),
    Column("ip_version", Integer, nullable=False),
    Column("prefixes", Json, nullable=False),
    Column("default_prefixlen", Integer, nullable=False),
    Column("min_prefixlen", Integer, nullable=False),
    Column("max_prefixlen", Integer, nullable=False),
    Column("default_quota", Integer),
    Column("shared", Boolean, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Index(None, "project_id"),
)

QUOTAS = Table(
    "quotas",
    METADATA,
    Column("project_id", String(64), primary_key=True),
    Column("resource", String(64), primary_key=True),
    Column("limit", Integer, nullable=False),
)

TAGS = Table(
    "tags",
    METADATA,
    Column("resource_id", String(36), primary_key=True),
    Column("tag", String(255), primary_key=True),
    Index(None, "tag"),
)
