"""Identity's tables. Domains are projects that act as one, as in Keystone; "" stands for "no domain", so
that unique keys hold there too."""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from celaje.common.db import Json, Moment, new_metadata

METADATA = new_metadata()

# No domain above: domains themselves, and roles that every domain may use.
NO_DOMAIN = ""


def _id() -> Column[str]:
    return Column("id", String(64), primary_key=True)


def _owner(name: str, table: str, *, primary_key: bool = False) -> Column[str]:
    """A reference whose rows go with what they refer to."""
    return Column(
        name,
        String(64),
        ForeignKey(f"{table}.id", ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=False,
    )


PROJECTS = Table(
    "projects",
    METADATA,
    _id(),
    Column("name", String(64), nullable=False),
    Column("domain_id", String(64), nullable=False),
    Column("parent_id", String(64), nullable=True),
    Column("is_domain", Boolean, nullable=False, default=False),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("description", Text, nullable=False, default=""),
    Column("options", Json, nullable=False, default=dict),
    Column("extra", Json, nullable=False, default=dict),
    UniqueConstraint("domain_id", "name"),
    Index(None, "parent_id"),
    Index(None, "name"),
)

PROJECT_TAGS = Table(
    "project_tags",
    METADATA,
    _owner("project_id", "projects", primary_key=True),
    Column("name", String(255), primary_key=True),
    Index(None, "name"),
)

USERS = Table(
    "users",
    METADATA,
    _id(),
    Column("name", String(255), nullable=False),
    _owner("domain_id", "projects"),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("default_project_id", String(64)),
    Column("password_hash", String(255)),
    Column("password_set_at", Moment),
    Column("password_expires_at", Moment),
    Column("failed_logins", Integer, nullable=False, default=0),
    Column("failed_login_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("options", Json, nullable=False, default=dict),
    Column("extra", Json, nullable=False, default=dict),
    UniqueConstraint("domain_id", "name"),
    Index(None, "name"),
    Index(None, "default_project_id"),
)

GROUPS = Table(
    "groups",
    METADATA,
    _id(),
    Column("name", String(64), nullable=False),
    _owner("domain_id", "projects"),
    Column("description", Text, nullable=False, default=""),
    Column("extra", Json, nullable=False, default=dict),
    UniqueConstraint("domain_id", "name"),
    Index(None, "name"),
)

MEMBERSHIPS = Table(
    "memberships",
    METADATA,
    _owner("user_id", "users", primary_key=True),
    _owner("group_id", "groups", primary_key=True),
    Index(None, "group_id"),
)

ROLES = Table(
    "roles",
    METADATA,
    _id(),
    Column("name", String(255), nullable=False),
    Column("domain_id", String(64), nullable=False, default=NO_DOMAIN),
    Column("description", Text),
    Column("options", Json, nullable=False, default=dict),
    Column("extra", Json, nullable=False, default=dict),
    UniqueConstraint("domain_id", "name"),
    Index(None, "name"),
)

IMPLIED_ROLES = Table(
    "implied_roles",
    METADATA,
    _owner("prior_role_id", "roles", primary_key=True),
    _owner("implied_role_id", "roles", primary_key=True),
)

# actor: "user" or "group"; target: "project", "domain" or "system" (target_id "system").
ASSIGNMENTS = Table(
    "assignments",
    METADATA,
    Column("actor", String(8), primary_key=True),
    Column("actor_id", String(64), primary_key=True),
    Column("target", String(8), primary_key=True),
    Column("target_id", String(64), primary_key=True),
    _owner("role_id", "roles", primary_key=True),
    Column("inherited", Boolean, primary_key=True),
    Index(None, "target", "target_id"),
    Index(None, "role_id"),
)

REGIONS = Table(
    "regions",
    METADATA,
    Column("id", String(255), primary_key=True),
    Column("description", Text, nullable=False, default=""),
    Column("parent_region_id", String(255)),
    Column("extra", Json, nullable=False, default=dict),
    Index(None, "parent_region_id"),
)

SERVICES = Table(
    "services",
    METADATA,
    _id(),
    Column("type", String(255), nullable=False),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("name", String(255)),
    Column("description", Text),
    Column("extra", Json, nullable=False, default=dict),
    Index(None, "type"),
)

ENDPOINTS = Table(
    "endpoints",
    METADATA,
    _id(),
    _owner("service_id", "services"),
    Column("interface", String(8), nullable=False),
    Column("region_id", String(255), ForeignKey("regions.id")),
    Column("url", Text, nullable=False),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("extra", Json, nullable=False, default=dict),
    Index(None, "service_id"),
    Index(None, "region_id"),
)

CREDENTIALS = Table(
    "credentials",
    METADATA,
    _id(),
    _owner("user_id", "users"),
    Column("project_id", String(64)),
    Column("type", String(255), nullable=False),
    # Sealed: it holds secrets that must be given back in plain (EC2 keys, TOTP seeds).
    Column("blob", Text, nullable=False),
    Column("extra", Json, nullable=False, default=dict),
    Index(None, "user_id"),
    Index(None, "type"),
)

APPLICATION_CREDENTIALS = Table(
    "application_credentials",
    METADATA,
    _id(),
    Column("name", String(255), nullable=False),
    _owner("user_id", "users"),
    _owner("project_id", "projects"),
    Column("secret_hash", String(255), nullable=False),
    Column("description", Text),
    Column("expires_at", Moment),
    Column("unrestricted", Boolean, nullable=False, default=False),
    # Role ids; access rule ids, None: no rules, everything is allowed.
    Column("roles", Json, nullable=False),
    Column("access_rules", Json),
    UniqueConstraint("user_id", "name"),
    Index(None, "project_id"),
)

ACCESS_RULES = Table(
    "access_rules",
    METADATA,
    _id(),
    _owner("user_id", "users"),
    Column("service", String(64), nullable=False),
    Column("method", String(16), nullable=False),
    Column("path", String(128), nullable=False),
    UniqueConstraint("user_id", "service", "method", "path"),
)

# What `common/revocations.py` matches; `event` is its JSON form.
REVOCATION_EVENTS = Table(
    "revocation_events",
    METADATA,
    _id(),
    Column("revoked_at", Float, nullable=False),
    Column("event", Json, nullable=False),
    Index(None, "revoked_at"),
)
