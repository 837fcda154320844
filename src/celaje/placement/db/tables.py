"""Placement's tables. Resource classes and traits are named in the rows that use them: their sets are
small, names never get long, and a claim needs no look-up of ids."""

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, String, Table, UniqueConstraint

from celaje.common.db import Moment, new_metadata
from celaje.common.wsgi.request_pages import request_table

METADATA = new_metadata()
REQUESTS = request_table(METADATA)

PROVIDERS = Table(
    "resource_providers",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("generation", Integer, nullable=False),
    Column("parent_uuid", String(36), index=True),
    Column("root_uuid", String(36), nullable=False, index=True),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

INVENTORIES = Table(
    "inventories",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("provider_id", Integer, ForeignKey("resource_providers.id"), nullable=False),
    Column("resource_class", String(255), nullable=False, index=True),
    Column("total", Integer, nullable=False),
    Column("reserved", Integer, nullable=False),
    Column("min_unit", Integer, nullable=False),
    Column("max_unit", Integer, nullable=False),
    Column("step_size", Integer, nullable=False),
    Column("allocation_ratio", Float, nullable=False),
    Column("updated_at", Moment, nullable=False),
    UniqueConstraint("provider_id", "resource_class"),
)

CONSUMERS = Table(
    "consumers",
    METADATA,
    Column("uuid", String(36), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("project_id", String(255), nullable=False),
    Column("user_id", String(255), nullable=False),
    Column("consumer_type", String(255)),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Index("ix_consumers_owner", "project_id", "user_id"),
)

ALLOCATIONS = Table(
    "allocations",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("consumer_uuid", String(36), ForeignKey("consumers.uuid"), nullable=False),
    Column("provider_id", Integer, ForeignKey("resource_providers.id"), nullable=False),
    Column("resource_class", String(255), nullable=False),
    Column("used", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("consumer_uuid", "provider_id", "resource_class"),
    # Covers the sum of what is used, which every claim asks for.
    Index("ix_allocations_usage", "provider_id", "resource_class", "used"),
)

RESOURCE_CLASSES = Table(
    "resource_classes",
    METADATA,
    Column("name", String(255), primary_key=True),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

TRAITS = Table(
    "traits",
    METADATA,
    Column("name", String(255), primary_key=True),
    Column("created_at", Moment, nullable=False),
)

PROVIDER_TRAITS = Table(
    "provider_traits",
    METADATA,
    Column("provider_id", Integer, ForeignKey("resource_providers.id"), primary_key=True),
    Column("trait", String(255), primary_key=True, index=True),
)

PROVIDER_AGGREGATES = Table(
    "provider_aggregates",
    METADATA,
    Column("provider_id", Integer, ForeignKey("resource_providers.id"), primary_key=True),
    Column("aggregate_uuid", String(36), primary_key=True, index=True),
)
