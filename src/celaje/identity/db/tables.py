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
from celaje.common.wsgi.request_pages import request_table

METADATA = new_metadata()
REQUESTS = request_table(METADATA)

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
    Column("description", Text, default=""),
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
    # Whether the user has set it, not somebody else.
    Column("password_self_service", Boolean, nullable=False, default=False),
    Column("failed_logins", Integer, nullable=False, default=0),
    Column("failed_login_at", Moment),
    Column("created_at", Moment, nullable=False),
    # Kept only where inactive users are disabled.
    Column("last_active_at", Moment),
    Column("options", Json, nullable=False, default=dict),
    Column("extra", Json, nullable=False, default=dict),
    UniqueConstraint("domain_id", "name"),
    Index(None, "name"),
    Index(None, "default_project_id"),
)

# Hashes of passwords that were in use before, newest last; only as many as the operator's rules need.
PASSWORD_HISTORY = Table(
    "password_history",
    METADATA,
    _id(),
    _owner("user_id", "users"),
    Column("password_hash", String(255), nullable=False),
    Column("created_at", Moment, nullable=False),
    Index(None, "user_id"),
)

GROUPS = Table(
    "groups",
    METADATA,
    _id(),
    Column("name", String(64), nullable=False),
    _owner("domain_id", "projects"),
    Column("description", Text, default=""),
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

TRUSTS = Table(
    "trusts",
    METADATA,
    _id(),
    _owner("trustor_user_id", "users"),
    _owner("trustee_user_id", "users"),
    Column("project_id", String(64), ForeignKey("projects.id", ondelete="CASCADE")),
    Column("impersonation", Boolean, nullable=False),
    Column("expires_at", Moment),
    Column("remaining_uses", Integer),
    Column("redelegated_trust_id", String(64)),
    Column("redelegation_count", Integer, nullable=False, default=0),
    # Role ids.
    Column("roles", Json, nullable=False),
    Column("extra", Json, nullable=False, default=dict),
    Index(None, "trustor_user_id"),
    Index(None, "trustee_user_id"),
    Index(None, "project_id"),
    Index(None, "redelegated_trust_id"),
)

REGISTERED_LIMITS = Table(
    "registered_limits",
    METADATA,
    _id(),
    # Not references: a service or region may go before its limits do, as in Keystone.
    Column("service_id", String(64), nullable=False),
    Column("region_id", String(255)),
    Column("resource_name", String(255), nullable=False),
    Column("default_limit", Integer, nullable=False),
    Column("description", Text),
    Index(None, "service_id", "resource_name"),
    Index(None, "region_id"),
)

# For a project or for a domain; the other of the two is None.
LIMITS = Table(
    "limits",
    METADATA,
    _id(),
    _owner("registered_limit_id", "registered_limits"),
    Column("project_id", String(64), ForeignKey("projects.id", ondelete="CASCADE")),
    Column("domain_id", String(64), ForeignKey("projects.id", ondelete="CASCADE")),
    Column("resource_limit", Integer, nullable=False),
    Column("description", Text),
    Index(None, "registered_limit_id"),
    Index(None, "project_id"),
    Index(None, "domain_id"),
)

POLICIES = Table(
    "policies",
    METADATA,
    _id(),
    Column("type", String(255), nullable=False),
    Column("blob", Text, nullable=False),
    Column("extra", Json, nullable=False, default=dict),
    Index(None, "type"),
)

# To an endpoint, to a service, or to a service in a region; "" where one is not named.
POLICY_ASSOCIATIONS = Table(
    "policy_associations",
    METADATA,
    _owner("policy_id", "policies"),
    Column("endpoint_id", String(64), primary_key=True),
    Column("service_id", String(64), primary_key=True),
    Column("region_id", String(255), primary_key=True),
    Index(None, "policy_id"),
)

ENDPOINT_GROUPS = Table(
    "endpoint_groups",
    METADATA,
    _id(),
    Column("name", String(255), nullable=False),
    Column("description", Text),
    # interface, region_id, service_id: what endpoints must have to be in it.
    Column("filters", Json, nullable=False),
    Index(None, "name"),
)

ENDPOINT_GROUP_PROJECTS = Table(
    "endpoint_group_projects",
    METADATA,
    _owner("endpoint_group_id", "endpoint_groups", primary_key=True),
    _owner("project_id", "projects", primary_key=True),
    Index(None, "project_id"),
)

ENDPOINT_PROJECTS = Table(
    "endpoint_projects",
    METADATA,
    _owner("endpoint_id", "endpoints", primary_key=True),
    _owner("project_id", "projects", primary_key=True),
    Index(None, "project_id"),
)

# Secrets of OAuth1 are sealed: signatures are checked with them.
CONSUMERS = Table(
    "consumers",
    METADATA,
    _id(),
    Column("secret", Text, nullable=False),
    Column("description", Text),
    Column("extra", Json, nullable=False, default=dict),
)

REQUEST_TOKENS = Table(
    "request_tokens",
    METADATA,
    _id(),
    _owner("consumer_id", "consumers"),
    _owner("requested_project_id", "projects"),
    Column("secret", Text, nullable=False),
    # The next three are there once a user has authorized it.
    Column("verifier", String(64)),
    Column("authorizing_user_id", String(64)),
    Column("roles", Json),
    Column("expires_at", Moment),
    Index(None, "consumer_id"),
    Index(None, "requested_project_id"),
)

ACCESS_TOKENS = Table(
    "access_tokens",
    METADATA,
    _id(),
    _owner("consumer_id", "consumers"),
    _owner("authorizing_user_id", "users"),
    _owner("project_id", "projects"),
    Column("secret", Text, nullable=False),
    Column("roles", Json, nullable=False),
    Column("expires_at", Moment),
    Index(None, "consumer_id"),
    Index(None, "authorizing_user_id"),
    Index(None, "project_id"),
)

DOMAIN_CONFIGS = Table(
    "domain_configs",
    METADATA,
    _owner("domain_id", "projects", primary_key=True),
    Column("group", String(64), primary_key=True),
    Column("option", String(128), primary_key=True),
    # Sealed: some of them are passwords of other systems.
    Column("value", Text, nullable=False),
)

MAPPINGS = Table(
    "mappings",
    METADATA,
    _id(),
    Column("rules", Json, nullable=False),
    Column("schema_version", String(8), nullable=False),
)

IDENTITY_PROVIDERS = Table(
    "identity_providers",
    METADATA,
    _id(),
    _owner("domain_id", "projects"),
    Column("enabled", Boolean, nullable=False),
    Column("description", Text),
    # Minutes for which memberships hold that a login found.
    Column("authorization_ttl", Integer),
    Index(None, "domain_id"),
)

REMOTE_IDS = Table(
    "remote_ids",
    METADATA,
    Column("remote_id", String(255), primary_key=True),
    _owner("identity_provider_id", "identity_providers"),
    Index(None, "identity_provider_id"),
)

PROTOCOLS = Table(
    "protocols",
    METADATA,
    _owner("identity_provider_id", "identity_providers", primary_key=True),
    _id(),
    # Not a reference: a mapping may go before its protocols do, as in Keystone.
    Column("mapping_id", String(64), nullable=False),
    Column("remote_id_attribute", String(64)),
    Index(None, "mapping_id"),
)

SERVICE_PROVIDERS = Table(
    "service_providers",
    METADATA,
    _id(),
    Column("auth_url", Text, nullable=False),
    Column("sp_url", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("description", Text),
    Column("relay_state_prefix", String(255), nullable=False),
)

# Users that an identity provider vouches for: as whom it knows them.
FEDERATED_USERS = Table(
    "federated_users",
    METADATA,
    _owner("identity_provider_id", "identity_providers", primary_key=True),
    Column("protocol_id", String(64), primary_key=True),
    Column("unique_id", String(255), primary_key=True),
    _owner("user_id", "users"),
    Column("display_name", String(255)),
    Index(None, "user_id"),
)

# Groups that a federated login found, which hold for the provider's authorization_ttl.
EXPIRING_MEMBERSHIPS = Table(
    "expiring_memberships",
    METADATA,
    _owner("user_id", "users", primary_key=True),
    _owner("group_id", "groups", primary_key=True),
    _owner("identity_provider_id", "identity_providers", primary_key=True),
    Column("expires_at", Moment, nullable=False),
    Index(None, "group_id"),
    Index(None, "identity_provider_id"),
)
