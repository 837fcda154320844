"""The image service's tables."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text

from celaje.common.db import Json, Moment, new_metadata
from celaje.common.flow import flow_tables
from celaje.common.wsgi.request_pages import request_table

METADATA = new_metadata()
REQUESTS = request_table(METADATA)
FLOWS = flow_tables(METADATA)

IMAGES = Table(
    "images",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("name", String(255)),
    Column("status", String(16), nullable=False),
    Column("visibility", String(16), nullable=False),
    Column("owner", String(255)),
    Column("disk_format", String(20)),
    Column("container_format", String(20)),
    Column("size", BigInteger),
    Column("virtual_size", BigInteger),
    Column("checksum", String(32)),
    Column("os_hash_algo", String(64)),
    Column("os_hash_value", String(128)),
    Column("min_disk", Integer, nullable=False),
    Column("min_ram", Integer, nullable=False),
    Column("protected", Boolean, nullable=False),
    Column("os_hidden", Boolean, nullable=False),
    # Names of the stores that hold the data, as the view shows them: spares lists a query for locations.
    Column("stores", Text),
    Column("flow_id", String(36)),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Index(None, "owner", "created_at"),
    Index(None, "visibility", "created_at"),
    Index(None, "created_at"),
    Index(None, "name"),
    Index(None, "status"),
    Index(None, "checksum"),
    Index(None, "os_hash_value"),
)

PROPERTIES = Table(
    "image_properties",
    METADATA,
    Column("image_id", String(36), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("value", Text, nullable=False),
    Index(None, "name"),
)

TAGS = Table(
    "image_tags",
    METADATA,
    Column("image_id", String(36), primary_key=True),
    Column("value", String(255), primary_key=True),
    Index(None, "value"),
)

MEMBERS = Table(
    "image_members",
    METADATA,
    Column("image_id", String(36), primary_key=True),
    Column("member_id", String(255), primary_key=True),
    Column("status", String(20), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Index(None, "member_id", "status"),
)

# `id` names the data in its store: not the image's id, so that an upload that was given up and comes back
# can never overwrite what a later one has stored for the same image.
LOCATIONS = Table(
    "image_locations",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("image_id", String(36), nullable=False),
    Column("position", Integer, nullable=False),
    Column("store", String(64), nullable=False),
    Column("url", Text, nullable=False),
    Column("metadata", Json, nullable=False),
    Index(None, "image_id"),
)

# Ids that images had: whoever still names one must never find another's image there.
DELETED_IMAGES = Table(
    "deleted_images",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("deleted_at", Moment, nullable=False),
)

# Data that is on its way, written down before its first byte: whatever is found in a store is either here
# or in image_locations. `lease_until` is NULL for data that is complete and waits (staged, or an import's).
UPLOADS = Table(
    "uploads",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("flow_id", String(36), nullable=False),
    Column("image_id", String(36), nullable=False),
    Column("owner", String(128)),
    Column("lease_until", Moment),
    Column("store", String(64), nullable=False),
    Column("url", Text),
    # Bytes that have come; of an import they are noted from time to time.
    Column("size", BigInteger),
    Index(None, "image_id"),
    Index(None, "lease_until"),
)

# Metadata definitions. Objects, properties and tags of a namespace are named pieces of JSON, told by `kind`.
NAMESPACES = Table(
    "metadef_namespaces",
    METADATA,
    Column("name", String(80), primary_key=True),
    Column("display_name", String(80)),
    Column("description", Text),
    Column("visibility", String(16), nullable=False),
    Column("protected", Boolean, nullable=False),
    Column("owner", String(255)),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Index(None, "created_at"),
)

DEFINITIONS = Table(
    "metadef_definitions",
    METADATA,
    Column("namespace", String(80), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("name", String(80), primary_key=True),
    Column("body", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

RESOURCE_TYPES = Table(
    "metadef_resource_types",
    METADATA,
    Column("name", String(80), primary_key=True),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

ASSOCIATIONS = Table(
    "metadef_associations",
    METADATA,
    Column("namespace", String(80), primary_key=True),
    Column("name", String(80), primary_key=True),
    Column("prefix", String(80)),
    Column("properties_target", String(80)),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Index(None, "name"),
)

# The image cache of each host: `cached` False while an image only waits to be fetched.
CACHE = Table(
    "image_cache",
    METADATA,
    Column("host", String(255), primary_key=True),
    Column("image_id", String(36), primary_key=True),
    Column("cached", Boolean, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("hits", Integer, nullable=False),
    Column("last_accessed", Moment, nullable=False),
    Column("last_modified", Moment, nullable=False),
    Index(None, "host", "last_accessed"),
)
