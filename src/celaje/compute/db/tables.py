"""All tables of the compute service.

Queries in `compute/db/` use them. `servers.id` is the uuid of the API; a server that is gone keeps its row
with `deleted`, since administrators may list deleted servers.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from celaje.common.db import Json, Moment, new_metadata
from celaje.common.flow import flow_tables
from celaje.common.service import service_table
from celaje.common.wsgi.request_pages import request_table

METADATA = new_metadata()
REQUESTS = request_table(METADATA)
FLOWS = flow_tables(METADATA)
SERVICES = service_table(METADATA)

SERVERS = Table(
    "servers",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("project_id", String(64), nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("description", String(255)),
    Column("hostname", String(255)),
    Column("reservation_id", String(64)),
    Column("launch_index", Integer, nullable=False),
    # vm_state lasts, task_state passes and is owned by flow_id; see states.py.
    Column("vm_state", String(32), nullable=False),
    Column("task_state", String(64)),
    Column("power_state", Integer, nullable=False),
    Column("flow_id", String(36)),
    Column("progress", Integer, nullable=False),
    Column("locked", Boolean, nullable=False),
    Column("locked_by", String(16)),
    Column("locked_reason", String(255)),
    # The compute host and its hypervisor, as the API shows them, and the worker that serves them (one
    # worker may serve many simulated hosts).
    Column("host", String(255)),
    Column("node", String(255)),
    Column("worker", String(255)),
    Column("availability_zone", String(255)),
    Column("pinned_availability_zone", String(255)),
    Column("image_id", String(36)),
    Column("image_meta", Json),
    # The flavor as it was when the server was built: {"flavorid", "name", "memory_mb", "vcpus", "root_gb",
    # "ephemeral_gb", "swap", "rxtx_factor", "description", "is_public", "disabled", "extra_specs"}
    Column("flavor", Json, nullable=False),
    Column("flavorid", String(255), nullable=False),
    Column("vcpus", Integer, nullable=False),
    Column("memory_mb", Integer, nullable=False),
    Column("root_gb", Integer, nullable=False),
    Column("ephemeral_gb", Integer, nullable=False),
    Column("key_name", String(255)),
    Column("key_data", Text),
    Column("user_data", Text),
    Column("config_drive", Boolean, nullable=False),
    Column("disk_config", String(16), nullable=False),
    Column("access_ip_v4", String(39)),
    Column("access_ip_v6", String(39)),
    Column("root_device_name", String(255)),
    Column("admin_password", Text),
    Column("security_groups", Json, nullable=False),
    Column("scheduler_hints", Json),
    Column("trusted_image_certificates", Json),
    Column("fault", Json),
    Column("deleted", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
    Column("launched_at", Moment),
    Column("terminated_at", Moment),
    Column("deleted_at", Moment),
    # The list of a project, newest first; and quota counting without touching the rows.
    Index(None, "project_id", "deleted", "created_at", "id"),
    Index("ix_servers_usage", "project_id", "deleted", "user_id", "vcpus", "memory_mb"),
    Index("ix_servers_all", "deleted", "created_at", "id"),
    Index("ix_servers_host", "host", "deleted"),
    Index("ix_servers_updated", "updated_at"),
    Index("ix_servers_reservation", "reservation_id"),
    Index("ix_servers_flow", "flow_id"),
)

SERVER_METADATA = Table(
    "server_metadata",
    METADATA,
    Column("server_id", String(36), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("value", String(255), nullable=False),
)

SERVER_TAGS = Table(
    "server_tags",
    METADATA,
    Column("server_id", String(36), primary_key=True),
    Column("tag", String(80), primary_key=True),
    Index(None, "tag"),
)

INTERFACES = Table(
    "server_interfaces",
    METADATA,
    Column("server_id", String(36), primary_key=True),
    Column("port_id", String(36), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("network_id", String(36), nullable=False),
    Column("mac_address", String(32)),
    # Made by us for this server, so it goes with it; a port that the user brought is only unbound.
    Column("owned", Boolean, nullable=False),
    Column("tag", String(80)),
    # What the worker and the views need: {"port_id", "mac_address", "network", "fixed_ips", ...}
    Column("info", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index(None, "port_id"),
)

BLOCK_DEVICES = Table(
    "block_device_mappings",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("server_id", String(36), nullable=False),
    Column("source_type", String(16), nullable=False),
    Column("destination_type", String(16), nullable=False),
    Column("device_type", String(16)),
    Column("disk_bus", String(16)),
    Column("guest_format", String(16)),
    Column("boot_index", Integer),
    Column("device_name", String(255)),
    Column("image_id", String(36)),
    Column("snapshot_id", String(36)),
    Column("volume_id", String(36)),
    Column("volume_size", Integer),
    Column("volume_type", String(255)),
    Column("delete_on_termination", Boolean, nullable=False),
    Column("attachment_id", String(36)),
    Column("connection_info", Json),
    Column("tag", String(80)),
    # attaching, attached, swapping, detaching; with the flow that holds a passing one.
    Column("state", String(16), nullable=False),
    Column("flow_id", String(36)),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
    Index(None, "volume_id"),
    UniqueConstraint("server_id", "volume_id"),
)

# One hypervisor that a worker reports; `uuid` is its resource provider in placement.
COMPUTE_NODES = Table(
    "compute_nodes",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("host", String(255), nullable=False),
    Column("node", String(255), nullable=False),
    Column("worker", String(255), nullable=False),
    # Who would connect to a volume from here, as the driver says.
    Column("connector", Json),
    Column("hypervisor_type", String(64), nullable=False),
    Column("hypervisor_version", Integer, nullable=False),
    Column("host_ip", String(64)),
    Column("vcpus", Integer, nullable=False),
    Column("memory_mb", Integer, nullable=False),
    Column("disk_gb", Integer, nullable=False),
    Column("vcpus_used", Integer, nullable=False),
    Column("memory_mb_used", Integer, nullable=False),
    Column("disk_gb_used", Integer, nullable=False),
    Column("running_servers", Integer, nullable=False),
    Column("cpu_info", Json),
    Column("traits", Json),
    Column("cpu_allocation_ratio", Float, nullable=False),
    Column("ram_allocation_ratio", Float, nullable=False),
    Column("disk_allocation_ratio", Float, nullable=False),
    # What placement was last told; differs from the row's inventory until the flow has told it.
    Column("published", Json),
    Column("flow_id", String(36)),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
    UniqueConstraint("host", "node"),
    Index(None, "node"),
)

FLAVORS = Table(
    "flavors",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("flavorid", String(255), nullable=False, unique=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("memory_mb", Integer, nullable=False),
    Column("vcpus", Integer, nullable=False),
    Column("root_gb", Integer, nullable=False),
    Column("ephemeral_gb", Integer, nullable=False),
    Column("swap", Integer, nullable=False),
    Column("rxtx_factor", Float, nullable=False),
    Column("is_public", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("description", Text),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
)

FLAVOR_EXTRA_SPECS = Table(
    "flavor_extra_specs",
    METADATA,
    Column("flavor_id", Integer, primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("value", String(255), nullable=False),
)

FLAVOR_ACCESS = Table(
    "flavor_access",
    METADATA,
    Column("flavor_id", Integer, primary_key=True),
    Column("project_id", String(64), primary_key=True),
    Index(None, "project_id"),
)

KEYPAIRS = Table(
    "keypairs",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("fingerprint", String(255), nullable=False),
    Column("public_key", Text, nullable=False),
    Column("type", String(16), nullable=False),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("user_id", "name"),
)

AGGREGATES = Table(
    "aggregates",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
)

AGGREGATE_HOSTS = Table(
    "aggregate_hosts",
    METADATA,
    Column("aggregate_id", Integer, primary_key=True),
    Column("host", String(255), primary_key=True),
    Index(None, "host"),
)

# The key "availability_zone" makes the aggregate's hosts that zone.
AGGREGATE_METADATA = Table(
    "aggregate_metadata",
    METADATA,
    Column("aggregate_id", Integer, primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("value", String(255), nullable=False),
)

SERVER_GROUPS = Table(
    "server_groups",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("project_id", String(64), nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    # affinity, anti-affinity, soft-affinity, soft-anti-affinity
    Column("policy", String(255), nullable=False),
    Column("rules", Json),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
    Index(None, "project_id", "created_at"),
)

# Members may be listed after they are deleted; the row goes with the server.
SERVER_GROUP_MEMBERS = Table(
    "server_group_members",
    METADATA,
    Column("group_id", String(36), primary_key=True),
    Column("server_id", String(36), primary_key=True),
    Index(None, "server_id"),
)

# A limit of a project (user_id ""), or of one user in it.
QUOTAS = Table(
    "quotas",
    METADATA,
    Column("project_id", String(64), primary_key=True),
    Column("user_id", String(64), primary_key=True, default=""),
    Column("resource", String(64), primary_key=True),
    Column("hard_limit", BigInteger, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
)

QUOTA_CLASSES = Table(
    "quota_classes",
    METADATA,
    Column("class_name", String(64), primary_key=True),
    Column("resource", String(64), primary_key=True),
    Column("hard_limit", BigInteger, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
)
