"""Initial.

Written by tools/make_migration.py: one step, as long as the tables that it makes, frozen with a release.
"""

import sqlalchemy as sa
from alembic import op

from celaje.common.db.types import Json, Moment


def upgrade() -> None:
    op.create_table(
        "attachments",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("volume_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("instance_uuid", sa.String(length=36), nullable=True),
        sa.Column("attached_host", sa.String(length=255), nullable=True),
        sa.Column("mountpoint", sa.String(length=255), nullable=True),
        sa.Column("attach_mode", sa.String(length=36), nullable=True),
        sa.Column("attach_status", sa.String(length=32), nullable=False),
        sa.Column("attach_time", Moment(), nullable=True),
        sa.Column("connector", Json(), nullable=True),
        sa.Column("connection_info", Json(), nullable=True),
        sa.Column("expires_at", Moment(), nullable=True),
        sa.Column("flow_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
    )
    op.create_index(op.f("ix_attachments_expires_at"), "attachments", ["expires_at"], unique=False)
    op.create_index(op.f("ix_attachments_instance_uuid"), "attachments", ["instance_uuid"], unique=False)
    op.create_index(
        op.f("ix_attachments_project_id_attachments_created_at_attachments_id"),
        "attachments",
        ["project_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_attachments_volume_id"), "attachments", ["volume_id"], unique=False)
    op.create_table(
        "backends",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("availability_zone", sa.String(length=255), nullable=True),
        sa.Column("total_capacity_gb", sa.Float(), nullable=True),
        sa.Column("reserved_percentage", sa.Integer(), nullable=False),
        sa.Column("max_over_subscription_ratio", sa.Float(), nullable=False),
        sa.Column("thin_provisioning_support", sa.Boolean(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_backends")),
    )
    op.create_index(op.f("ix_backends_host"), "backends", ["host"], unique=False)
    op.create_table(
        "backups",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("volume_id", sa.String(length=36), nullable=False),
        sa.Column("snapshot_id", sa.String(length=36), nullable=True),
        sa.Column("parent_id", sa.String(length=36), nullable=True),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("fail_reason", sa.Text(), nullable=True),
        sa.Column("container", sa.String(length=255), nullable=False),
        sa.Column("availability_zone", sa.String(length=255), nullable=True),
        sa.Column("host", sa.String(length=255), nullable=True),
        sa.Column("location", sa.String(length=512), nullable=False),
        sa.Column("volume_kept", Json(), nullable=False),
        sa.Column("object_count", sa.Integer(), nullable=False),
        sa.Column("metadata", Json(), nullable=False),
        sa.Column("encryption_key_id", sa.String(length=36), nullable=True),
        sa.Column("volume_type_id", sa.String(length=36), nullable=True),
        sa.Column("data_timestamp", Moment(), nullable=True),
        sa.Column("flow_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backups")),
    )
    op.create_index(op.f("ix_backups_created_at_backups_id"), "backups", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_backups_location"), "backups", ["location"], unique=False)
    op.create_index(op.f("ix_backups_parent_id"), "backups", ["parent_id"], unique=False)
    op.create_index(
        op.f("ix_backups_project_id_backups_created_at_backups_id"),
        "backups",
        ["project_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_backups_project_id_backups_size"), "backups", ["project_id", "size"], unique=False
    )
    op.create_index(
        op.f("ix_backups_volume_id_backups_data_timestamp"),
        "backups",
        ["volume_id", "data_timestamp"],
        unique=False,
    )
    op.create_table(
        "clusters",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", sa.String(length=255), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_clusters")),
    )
    op.create_table(
        "default_volume_types",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("volume_type_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_default_volume_types")),
    )
    op.create_index(
        op.f("ix_default_volume_types_volume_type_id"),
        "default_volume_types",
        ["volume_type_id"],
        unique=False,
    )
    op.create_table(
        "encryption_keys",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=True),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_encryption_keys")),
    )
    op.create_table(
        "flow_signals",
        sa.Column("flow_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("data", Json(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("flow_id", "name", name=op.f("pk_flow_signals")),
    )
    op.create_table(
        "flow_steps",
        sa.Column("flow_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=96), nullable=False),
        sa.Column("target", sa.String(length=255), nullable=True),
        sa.Column("timeout", sa.Integer(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.Column("outcome", sa.String(length=8), nullable=True),
        sa.Column("result", Json(), nullable=True),
        sa.Column("error", Json(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("trail", Json(), nullable=True),
        sa.PrimaryKeyConstraint("flow_id", "number", name=op.f("pk_flow_steps")),
    )
    op.create_table(
        "flows",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("resource_type", sa.String(length=32), nullable=True),
        sa.Column("resource_id", sa.String(length=64), nullable=True),
        sa.Column("project_id", sa.String(length=64), nullable=True),
        sa.Column("user_id", sa.String(length=64), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.Column("global_request_id", sa.String(length=64), nullable=True),
        sa.Column("context", Json(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=True),
        sa.Column("arguments", Json(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("step", sa.String(length=96), nullable=True),
        sa.Column("checkpoint", sa.String(length=64), nullable=True),
        sa.Column("waiting_on", sa.String(length=255), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=True),
        sa.Column("due_at", Moment(), nullable=True),
        sa.Column("deadline_at", Moment(), nullable=False),
        sa.Column("result", Json(), nullable=True),
        sa.Column("error", Json(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("claimed_at", Moment(), nullable=True),
        sa.Column("updated_at", Moment(), nullable=True),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.Column("trail", Json(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flows")),
    )
    op.create_index(op.f("ix_flows_due_at"), "flows", ["due_at"], unique=False)
    op.create_index(op.f("ix_flows_finished_at"), "flows", ["finished_at"], unique=False)
    op.create_index(op.f("ix_flows_global_request_id"), "flows", ["global_request_id"], unique=False)
    op.create_index(op.f("ix_flows_request_id"), "flows", ["request_id"], unique=False)
    op.create_index(op.f("ix_flows_resource_id"), "flows", ["resource_id"], unique=False)
    op.create_index(op.f("ix_flows_waiting_on"), "flows", ["waiting_on"], unique=False)
    op.create_table(
        "group_snapshots",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("group_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("group_type_id", sa.String(length=36), nullable=False),
        sa.Column("flow_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_snapshots")),
    )
    op.create_index(
        op.f("ix_group_snapshots_created_at_group_snapshots_id"),
        "group_snapshots",
        ["created_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_group_snapshots_group_id"), "group_snapshots", ["group_id"], unique=False)
    op.create_index(
        op.f("ix_group_snapshots_project_id_group_snapshots_created_at_group_snapshots_id"),
        "group_snapshots",
        ["project_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "group_types",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("group_specs", Json(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_types")),
        sa.UniqueConstraint("name", name=op.f("uq_group_types_name")),
    )
    op.create_index(
        op.f("ix_group_types_created_at_group_types_id"), "group_types", ["created_at", "id"], unique=False
    )
    op.create_table(
        "groups",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("group_type_id", sa.String(length=36), nullable=False),
        sa.Column("volume_types", Json(), nullable=False),
        sa.Column("availability_zone", sa.String(length=255), nullable=True),
        sa.Column("host", sa.String(length=255), nullable=True),
        sa.Column("group_snapshot_id", sa.String(length=36), nullable=True),
        sa.Column("source_group_id", sa.String(length=36), nullable=True),
        sa.Column("flow_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
    )
    op.create_index(op.f("ix_groups_created_at_groups_id"), "groups", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_groups_group_type_id"), "groups", ["group_type_id"], unique=False)
    op.create_index(op.f("ix_groups_host"), "groups", ["host"], unique=False)
    op.create_index(
        op.f("ix_groups_project_id_groups_created_at_groups_id"),
        "groups",
        ["project_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "image_keys",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("image_id", sa.String(length=36), nullable=False),
        sa.Column("goes_with_image", sa.Boolean(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_image_keys")),
    )
    op.create_index(op.f("ix_image_keys_expires_at"), "image_keys", ["expires_at"], unique=False)
    op.create_table(
        "messages",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.Column("resource_type", sa.String(length=64), nullable=True),
        sa.Column("resource_uuid", sa.String(length=36), nullable=True),
        sa.Column("action_id", sa.String(length=10), nullable=False),
        sa.Column("detail_id", sa.String(length=10), nullable=False),
        sa.Column("message_level", sa.String(length=16), nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
    )
    op.create_index(op.f("ix_messages_expires_at"), "messages", ["expires_at"], unique=False)
    op.create_index(
        op.f("ix_messages_project_id_messages_created_at_messages_id"),
        "messages",
        ["project_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_messages_resource_uuid"), "messages", ["resource_uuid"], unique=False)
    op.create_table(
        "qos_specs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("consumer", sa.String(length=16), nullable=False),
        sa.Column("specs", Json(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_qos_specs")),
        sa.UniqueConstraint("name", name=op.f("uq_qos_specs_name")),
    )
    op.create_index(
        op.f("ix_qos_specs_created_at_qos_specs_id"), "qos_specs", ["created_at", "id"], unique=False
    )
    op.create_table(
        "quotas",
        sa.Column("owner", sa.String(length=80), nullable=False),
        sa.Column("resource", sa.String(length=300), nullable=False),
        sa.Column("hard_limit", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "resource", name=op.f("pk_quotas")),
    )
    op.create_table(
        "requests",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("page", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_requests")),
    )
    op.create_table(
        "services",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("binary", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("topic", sa.String(length=255), nullable=False),
        sa.Column("availability_zone", sa.String(length=255), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", sa.String(length=255), nullable=True),
        sa.Column("forced_down", sa.Boolean(), nullable=False),
        sa.Column("report_count", sa.Integer(), nullable=False),
        sa.Column("details", Json(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=True),
        sa.Column("last_seen_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_services")),
        sa.UniqueConstraint("host", "binary", name=op.f("uq_services_host_binary")),
        sa.UniqueConstraint("uuid", name=op.f("uq_services_uuid")),
    )
    op.create_table(
        "snapshots",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("volume_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("volume_size", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("progress", sa.String(length=8), nullable=True),
        sa.Column("volume_type_id", sa.String(length=36), nullable=False),
        sa.Column("name_id", sa.String(length=36), nullable=True),
        sa.Column("group_snapshot_id", sa.String(length=36), nullable=True),
        sa.Column("provider_id", sa.String(length=255), nullable=True),
        sa.Column("provider_location", sa.Text(), nullable=True),
        sa.Column("consumes_quota", sa.Boolean(), nullable=False),
        sa.Column("metadata", Json(), nullable=False),
        sa.Column("flow_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snapshots")),
    )
    op.create_index(
        op.f("ix_snapshots_created_at_snapshots_id"), "snapshots", ["created_at", "id"], unique=False
    )
    op.create_index(op.f("ix_snapshots_group_snapshot_id"), "snapshots", ["group_snapshot_id"], unique=False)
    op.create_index(op.f("ix_snapshots_name"), "snapshots", ["name"], unique=False)
    op.create_index(
        op.f(
            "ix_snapshots_project_id_snapshots_consumes_quota_snapshots_volume_type_id_snapshots_volume_size"
        ),
        "snapshots",
        ["project_id", "consumes_quota", "volume_type_id", "volume_size"],
        unique=False,
    )
    op.create_index(
        op.f("ix_snapshots_project_id_snapshots_created_at_snapshots_id"),
        "snapshots",
        ["project_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_snapshots_volume_id"), "snapshots", ["volume_id"], unique=False)
    op.create_table(
        "transfers",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("volume_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("no_snapshots", sa.Boolean(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfers")),
        sa.UniqueConstraint("volume_id", name=op.f("uq_transfers_volume_id")),
    )
    op.create_index(
        op.f("ix_transfers_created_at_transfers_id"), "transfers", ["created_at", "id"], unique=False
    )
    op.create_index(
        op.f("ix_transfers_project_id_transfers_created_at_transfers_id"),
        "transfers",
        ["project_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "volume_type_access",
        sa.Column("volume_type_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("volume_type_id", "project_id", name=op.f("pk_volume_type_access")),
    )
    op.create_index(
        op.f("ix_volume_type_access_project_id"), "volume_type_access", ["project_id"], unique=False
    )
    op.create_table(
        "volume_type_encryptions",
        sa.Column("volume_type_id", sa.String(length=36), nullable=False),
        sa.Column("encryption_id", sa.String(length=36), nullable=False),
        sa.Column("provider", sa.String(length=255), nullable=False),
        sa.Column("control_location", sa.String(length=16), nullable=False),
        sa.Column("cipher", sa.String(length=255), nullable=True),
        sa.Column("key_size", sa.Integer(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("volume_type_id", name=op.f("pk_volume_type_encryptions")),
    )
    op.create_table(
        "volume_types",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("qos_specs_id", sa.String(length=36), nullable=True),
        sa.Column("extra_specs", Json(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_volume_types")),
        sa.UniqueConstraint("name", name=op.f("uq_volume_types_name")),
    )
    op.create_index(
        op.f("ix_volume_types_created_at_volume_types_id"), "volume_types", ["created_at", "id"], unique=False
    )
    op.create_index(op.f("ix_volume_types_qos_specs_id"), "volume_types", ["qos_specs_id"], unique=False)
    op.create_table(
        "volumes",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("pending_size", sa.Integer(), nullable=True),
        sa.Column("pending_type_id", sa.String(length=36), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("attach_status", sa.String(length=32), nullable=False),
        sa.Column("migration_status", sa.String(length=32), nullable=True),
        sa.Column("bootable", sa.Boolean(), nullable=False),
        sa.Column("multiattach", sa.Boolean(), nullable=False),
        sa.Column("readonly", sa.Boolean(), nullable=True),
        sa.Column("availability_zone", sa.String(length=255), nullable=True),
        sa.Column("volume_type_id", sa.String(length=36), nullable=False),
        sa.Column("snapshot_id", sa.String(length=36), nullable=True),
        sa.Column("source_volid", sa.String(length=36), nullable=True),
        sa.Column("host", sa.String(length=255), nullable=True),
        sa.Column("pending_host", sa.String(length=255), nullable=True),
        sa.Column("service_uuid", sa.String(length=36), nullable=True),
        sa.Column("name_id", sa.String(length=36), nullable=True),
        sa.Column("group_id", sa.String(length=36), nullable=True),
        sa.Column("provider_id", sa.String(length=255), nullable=True),
        sa.Column("provider_location", sa.Text(), nullable=True),
        sa.Column("encryption_key_id", sa.String(length=36), nullable=True),
        sa.Column("consumes_quota", sa.Boolean(), nullable=False),
        sa.Column("metadata", Json(), nullable=False),
        sa.Column("image_metadata", Json(), nullable=True),
        sa.Column("expires_at", Moment(), nullable=True),
        sa.Column("flow_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=True),
        sa.Column("launched_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_volumes")),
    )
    op.create_index(op.f("ix_volumes_created_at_volumes_id"), "volumes", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_volumes_expires_at"), "volumes", ["expires_at"], unique=False)
    op.create_index(op.f("ix_volumes_group_id"), "volumes", ["group_id"], unique=False)
    op.create_index(
        op.f("ix_volumes_host_volumes_size_volumes_pending_size"),
        "volumes",
        ["host", "size", "pending_size"],
        unique=False,
    )
    op.create_index(op.f("ix_volumes_name"), "volumes", ["name"], unique=False)
    op.create_index(op.f("ix_volumes_pending_host"), "volumes", ["pending_host"], unique=False)
    op.create_index(
        op.f(
            "ix_volumes_project_id_volumes_consumes_quota_volumes_volume_type_id_volumes_size_volumes_pending_size"
        ),
        "volumes",
        ["project_id", "consumes_quota", "volume_type_id", "size", "pending_size"],
        unique=False,
    )
    op.create_index(
        op.f("ix_volumes_project_id_volumes_created_at_volumes_id"),
        "volumes",
        ["project_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_volumes_status"), "volumes", ["status"], unique=False)
    op.create_index(op.f("ix_volumes_volume_type_id"), "volumes", ["volume_type_id"], unique=False)
    # ### end Alembic commands ###
