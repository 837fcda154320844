"""The tables of the volume service. Rows are really deleted: nothing in Cinder's API shows deleted ones."""

from typing import Any

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table, Text

from celaje.common.db import Json, Moment, new_metadata
from celaje.common.flow import flow_tables
from celaje.common.service import service_table
from celaje.common.wsgi.request_pages import request_table

METADATA = new_metadata()
REQUESTS = request_table(METADATA)
FLOWS = flow_tables(METADATA)
SERVICES = service_table(METADATA)


def _id(name: str = "id", **options: Any) -> Column[str]:
    return Column(name, String(36), **options)


VOLUMES = Table(
    "volumes",
    METADATA,
    _id(primary_key=True),
    Column("project_id", String(64), nullable=False),
    Column("user_id", String(64)),
    Column("name", String(255)),
    Column("description", String(255)),
    Column("size", Integer, nullable=False),
    # The size that an extension under way has promised; it counts in quotas and at the back end.
    Column("pending_size", Integer),
    # The type that a retype under way leads to; the volume counts in the quota of both.
    Column("pending_type_id", String(36)),
    Column("status", String(32), nullable=False),
    Column("attach_status", String(32), nullable=False),
    Column("migration_status", String(32)),
    Column("bootable", Boolean, nullable=False),
    Column("multiattach", Boolean, nullable=False),
    Column("readonly", Boolean),
    Column("availability_zone", String(255)),
    _id("volume_type_id", nullable=False),
    _id("snapshot_id"),
    _id("source_volid"),
    # host@backend#pool: where it lies, and the claim on that pool's capacity.
    Column("host", String(255)),
    # The pool that a migration under way has claimed besides.
    Column("pending_host", String(255)),
    Column("service_uuid", String(36)),
    _id("name_id"),
    _id("group_id"),
    Column("provider_id", String(255)),
    Column("provider_location", Text),
    Column("encryption_key_id", String(36)),
    Column("consumes_quota", Boolean, nullable=False),
    Column("metadata", Json, nullable=False),
    # Of the image that it was made from: Cinder's volume_image_metadata.
    Column("image_metadata", Json),
    # When somebody looks into a state that is driven from outside, see states.py.
    Column("expires_at", Moment),
    _id("flow_id"),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
    Column("launched_at", Moment),
    # Lists of a project by age; the quota's sums stop at this index.
    Index(None, "project_id", "created_at", "id"),
    Index(None, "project_id", "consumes_quota", "volume_type_id", "size", "pending_size"),
    Index(None, "created_at", "id"),
    Index(None, "host", "size", "pending_size"),
    Index(None, "pending_host"),
    Index(None, "group_id"),
    Index(None, "expires_at"),
    Index(None, "volume_type_id"),
    Index(None, "name"),
    Index(None, "status"),
)

SNAPSHOTS = Table(
    "snapshots",
    METADATA,
    _id(primary_key=True),
    _id("volume_id", nullable=False),
    Column("project_id", String(64), nullable=False),
    Column("user_id", String(64)),
    Column("name", String(255)),
    Column("description", String(255)),
    Column("volume_size", Integer, nullable=False),
    Column("status", String(32), nullable=False),
    Column("progress", String(8)),
    _id("volume_type_id", nullable=False),
    # The id that its data lies under, where it is not its own: it was there before, and is managed now.
    _id("name_id"),
    _id("group_snapshot_id"),
    Column("provider_id", String(255)),
    Column("provider_location", Text),
    Column("consumes_quota", Boolean, nullable=False),
    Column("metadata", Json, nullable=False),
    _id("flow_id"),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
    Index(None, "project_id", "created_at", "id"),
    Index(None, "project_id", "consumes_quota", "volume_type_id", "volume_size"),
    Index(None, "created_at", "id"),
    Index(None, "volume_id"),
    Index(None, "group_snapshot_id"),
    Index(None, "name"),
)

BACKUPS = Table(
    "backups",
    METADATA,
    _id(primary_key=True),
    _id("volume_id", nullable=False),
    _id("snapshot_id"),
    # The backup that this one adds to.
    _id("parent_id"),
    Column("project_id", String(64), nullable=False),
    Column("user_id", String(64)),
    Column("name", String(255)),
    Column("description", String(255)),
    Column("size", Integer, nullable=False),
    Column("status", String(32), nullable=False),
    Column("fail_reason", Text),
    Column("container", String(255), nullable=False),
    Column("availability_zone", String(255)),
    # Whose worker reaches its data.
    Column("host", String(255)),
    # Below which name its data lies; a record that was imported under another id shares it.
    Column("location", String(512), nullable=False),
    # What it keeps of the volume beside its data: {"name", "description", "metadata", "image_metadata"}.
    Column("volume_kept", Json, nullable=False),
    Column("object_count", Integer, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("encryption_key_id", String(36)),
    # Its volume's, which a volume made of an encrypted backup must have too.
    _id("volume_type_id"),
    # The moment whose data it is: the snapshot's, or its own creation.
    Column("data_timestamp", Moment),
    _id("flow_id"),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
    Index(None, "project_id", "created_at", "id"),
    Index(None, "project_id", "size"),
    Index(None, "created_at", "id"),
    Index(None, "volume_id", "data_timestamp"),
    Index(None, "parent_id"),
    Index(None, "location"),
)

ATTACHMENTS = Table(
    "attachments",
    METADATA,
    _id(primary_key=True),
    _id("volume_id", nullable=False),
    Column("project_id", String(64), nullable=False),
    Column("instance_uuid", String(36)),
    Column("attached_host", String(255)),
    Column("mountpoint", String(255)),
    # rw, ro, or "null": left to the connector
    Column("attach_mode", String(36)),
    Column("attach_status", String(32), nullable=False),
    Column("attach_time", Moment),
    Column("connector", Json),
    Column("connection_info", Json),
    Column("expires_at", Moment),
    _id("flow_id"),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
    Index(None, "volume_id"),
    Index(None, "instance_uuid"),
    Index(None, "project_id", "created_at", "id"),
    Index(None, "expires_at"),
)

TYPES = Table(
    "volume_types",
    METADATA,
    _id(primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("description", String(255)),
    Column("is_public", Boolean, nullable=False),
    Column("qos_specs_id", String(36)),
    Column("extra_specs", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
    Index(None, "created_at", "id"),
    Index(None, "qos_specs_id"),
)

TYPE_ACCESS = Table(
    "volume_type_access",
    METADATA,
    _id("volume_type_id", primary_key=True),
    Column("project_id", String(64), primary_key=True),
    Index(None, "project_id"),
)

DEFAULT_TYPES = Table(
    "default_volume_types",
    METADATA,
    Column("project_id", String(64), primary_key=True),
    _id("volume_type_id", nullable=False),
    Index(None, "volume_type_id"),
)

# How volumes of a type are encrypted.
TYPE_ENCRYPTIONS = Table(
    "volume_type_encryptions",
    METADATA,
    _id("volume_type_id", primary_key=True),
    _id("encryption_id", nullable=False),
    Column("provider", String(255), nullable=False),
    Column("control_location", String(16), nullable=False),
    Column("cipher", String(255)),
    Column("key_size", Integer),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
)

# Keys of encrypted volumes, of their backups and of the images made of them; nobody reads one without the key
# file that sealed it.
KEYS = Table(
    "encryption_keys",
    METADATA,
    _id(primary_key=True),
    Column("project_id", String(64)),
    Column("sealed", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
)

# For which image a key was made, and whether it goes with that, as the image said when it was last seen.
IMAGE_KEYS = Table(
    "image_keys",
    METADATA,
    _id(primary_key=True),
    Column("image_id", String(36), nullable=False),
    Column("goes_with_image", Boolean, nullable=False),
    # When it is looked for next.
    Column("expires_at", Moment, nullable=False, index=True),
)

# A type names its QoS specs in `qos_specs_id`.
QOS_SPECS = Table(
    "qos_specs",
    METADATA,
    _id(primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("consumer", String(16), nullable=False),
    Column("specs", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
    Index(None, "created_at", "id"),
)

# Volumes that wait for another project. Of the key only a salted digest is kept.
TRANSFERS = Table(
    "transfers",
    METADATA,
    _id(primary_key=True),
    _id("volume_id", nullable=False, unique=True),
    Column("project_id", String(64), nullable=False),
    Column("name", String(255)),
    Column("salt", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("no_snapshots", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index(None, "project_id", "created_at", "id"),
    Index(None, "created_at", "id"),
)

GROUP_TYPES = Table(
    "group_types",
    METADATA,
    _id(primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("description", String(255)),
    Column("is_public", Boolean, nullable=False),
    Column("group_specs", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
    Index(None, "created_at", "id"),
)

# `host` is the pool that the group was given; its volumes lie on that pool's back end.
GROUPS = Table(
    "groups",
    METADATA,
    _id(primary_key=True),
    Column("project_id", String(64), nullable=False),
    Column("user_id", String(64)),
    Column("name", String(255)),
    Column("description", String(255)),
    Column("status", String(32), nullable=False),
    _id("group_type_id", nullable=False),
    Column("volume_types", Json, nullable=False),
    Column("availability_zone", String(255)),
    Column("host", String(255)),
    _id("group_snapshot_id"),
    _id("source_group_id"),
    _id("flow_id"),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
    Index(None, "project_id", "created_at", "id"),
    Index(None, "created_at", "id"),
    Index(None, "group_type_id"),
    Index(None, "host"),
)

GROUP_SNAPSHOTS = Table(
    "group_snapshots",
    METADATA,
    _id(primary_key=True),
    _id("group_id", nullable=False),
    Column("project_id", String(64), nullable=False),
    Column("user_id", String(64)),
    Column("name", String(255)),
    Column("description", String(255)),
    Column("status", String(32), nullable=False),
    _id("group_type_id", nullable=False),
    _id("flow_id"),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
    Index(None, "project_id", "created_at", "id"),
    Index(None, "created_at", "id"),
    Index(None, "group_id"),
)

# `owner` is a project, or "class:default" for the cloud's own defaults.
QUOTAS = Table(
    "quotas",
    METADATA,
    Column("owner", String(80), primary_key=True),
    Column("resource", String(300), primary_key=True),
    Column("hard_limit", Integer, nullable=False),
)

# The ledger of pools: what they said last. What is allocated is counted from the volumes' rows.
BACKENDS = Table(
    "backends",
    METADATA,
    Column("name", String(255), primary_key=True),
    Column("host", String(255), nullable=False),
    Column("availability_zone", String(255)),
    Column("total_capacity_gb", Float),
    Column("reserved_percentage", Integer, nullable=False),
    Column("max_over_subscription_ratio", Float, nullable=False),
    Column("thin_provisioning_support", Boolean, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Index(None, "host"),
)

# Workers that share back ends: a row when the first of them reports. Who belongs to it the services tell.
CLUSTERS = Table(
    "clusters",
    METADATA,
    Column("name", String(255), primary_key=True),
    Column("disabled", Boolean, nullable=False),
    Column("disabled_reason", String(255)),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
)

MESSAGES = Table(
    "messages",
    METADATA,
    _id(primary_key=True),
    Column("project_id", String(64), nullable=False),
    Column("request_id", String(64)),
    Column("resource_type", String(64)),
    Column("resource_uuid", String(36)),
    Column("action_id", String(10), nullable=False),
    Column("detail_id", String(10), nullable=False),
    Column("message_level", String(16), nullable=False),
    # What our flow can tell beyond Cinder's fixed sentences: step and cause.
    Column("cause", Text),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index(None, "project_id", "created_at", "id"),
    Index(None, "resource_uuid"),
    Index(None, "expires_at"),
)
