"""The table of contents of the volume API."""

# ruff: noqa: E501 (a route is one line)

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from celaje.common.errors import Invalid
from celaje.common.wsgi import Request, Route
from celaje.volume.api import (
    attachments,
    backup_records,
    backups,
    cgsnapshots,
    cleanup,
    clusters,
    consistencygroups,
    encryptions,
    extensions,
    group_snapshots,
    group_types,
    groups,
    hosts,
    log_levels,
    manageable,
    messages,
    metadata,
    qos_specs,
    quotas,
    resource_filters,
    schemas,
    services,
    snapshots,
    transfers,
    types,
    versions,
    volume_creation,
    volumes,
)
from celaje.volume.api import volume_actions as actions
from celaje.volume.api import volume_moves as moves


def _in_project(route: Route) -> list[Route]:
    """Both forms of a URL: below the project's id, and without it. 3.67 only tells clients of the latter:
    catalogs that name no project are used by clients that ask for no microversion, too."""
    return [
        replace(route, path=f"/v3/{{project_id}}{route.path}", handler=_own_project(route.handler)),
        replace(route, path=f"/v3{route.path}"),
    ]


def _own_project(handler: Callable[..., Any]) -> Callable[..., Any]:
    def handle(request: Request, project_id: str, **parameters: str) -> Any:
        if project_id != request.context.project_id:
            raise Invalid("Malformed request url")
        return handler(request, **parameters)

    return handle


# fmt: off
_DISCOVERY = [
    Route("GET", "/", None, versions.show_all),
    Route("GET", "/v3", None, versions.show_v3),
    Route("GET", "/v3/", None, versions.show_v3),
]

_VOLUMES = [
    Route("GET", "/volumes", "volume:get_all", volumes.index),
    Route("POST", "/volumes", "volume:create", volume_creation.create, 202, until=(3, 12), schema=volume_creation.SCHEMA),
    Route("POST", "/volumes", "volume:create", volume_creation.create, 202, since=(3, 13), until=(3, 46), schema=volume_creation.SCHEMA_3_13),
    Route("POST", "/volumes", "volume:create", volume_creation.create, 202, since=(3, 47), until=(3, 52), schema=volume_creation.SCHEMA_3_47),
    Route("POST", "/volumes", "volume:create", volume_creation.create, 202, since=(3, 53), schema=volume_creation.SCHEMA_3_53),
    Route("GET", "/volumes/detail", "volume:get_all", volumes.detail),
    Route("GET", "/volumes/summary", "volume:get_all", volumes.summary, since=(3, 12)),
    Route("GET", "/volumes/{volume_id}", "volume:get", volumes.show),
    Route("PUT", "/volumes/{volume_id}", "volume:update", volumes.update, until=(3, 52), schema=volumes.UPDATE),
    Route("PUT", "/volumes/{volume_id}", "volume:update", volumes.update, since=(3, 53), schema=volumes.UPDATE_3_53),
    Route("DELETE", "/volumes/{volume_id}", "volume:delete", volumes.delete, 202),
    Route("GET", "/volumes/{volume_id}/encryption", "volume_extension:volume_encryption_metadata", encryptions.of_volume),
    Route("GET", "/volumes/{volume_id}/encryption/{key}", "volume_extension:volume_encryption_metadata", encryptions.item_of_volume),
]

def _action(name: str, rule: str, handler: Callable[..., Any], schema: dict[str, Any], status: int = 202, **more: Any) -> Route:
    """One of the operations of POST /volumes/{id}/action; `schema` is of what stands under its name."""
    return Route("POST", "/volumes/{volume_id}/action", rule, handler, status, action=name, schema=schemas.wrapped(name, schema), **more)


_EXT = "volume_extension:volume_actions:"
_ADMIN = "volume_extension:volume_admin_actions:"

_ACTIONS = [
    _action("os-reserve", _EXT + "reserve", actions.reserve, actions.ANYTHING),
    _action("os-unreserve", _EXT + "unreserve", actions.unreserve, actions.ANYTHING),
    _action("os-begin_detaching", _EXT + "begin_detaching", actions.begin_detaching, actions.ANYTHING),
    _action("os-roll_detaching", _EXT + "roll_detaching", actions.roll_detaching, actions.ANYTHING),
    _action("os-attach", _EXT + "attach", actions.attach, actions.ATTACH),
    _action("os-detach", _EXT + "detach", actions.detach, actions.DETACH),
    _action("os-initialize_connection", _EXT + "initialize_connection", actions.initialize_connection, actions.CONNECT, 200),
    _action("os-terminate_connection", _EXT + "terminate_connection", actions.terminate_connection, actions.DISCONNECT),
    _action("os-extend", "volume:extend", actions.extend, actions.EXTEND),
    _action("os-extend_volume_completion", _ADMIN + "extend_volume_completion", actions.extend_completion, actions.EXTEND_COMPLETION, since=(3, 71)),
    _action("os-set_bootable", "volume:update", actions.set_bootable, actions.SET_BOOTABLE, 200),
    _action("os-update_readonly_flag", "volume:update_readonly_flag", actions.update_readonly_flag, actions.READONLY),
    _action("os-reset_status", _ADMIN + "reset_status", actions.reset_status, actions.RESET_STATUS),
    _action("os-force_delete", _ADMIN + "force_delete", actions.force_delete, actions.ANYTHING),
    _action("os-force_detach", _ADMIN + "force_detach", actions.force_detach, actions.FORCE_DETACH),
    _action("os-retype", "volume:retype", moves.retype, moves.RETYPE),
    _action("os-migrate_volume", _ADMIN + "migrate_volume", moves.migrate, moves.MIGRATE, until=(3, 15)),
    _action("os-migrate_volume", _ADMIN + "migrate_volume", moves.migrate, moves.MIGRATE_3_16, since=(3, 16)),
    _action("os-migrate_volume_completion", _ADMIN + "migrate_volume_completion", moves.migrate_completion, moves.MIGRATE_COMPLETION, 200),
    _action("revert", "volume:revert_to_snapshot", moves.revert, moves.REVERT, since=(3, 40)),
    _action("os-reimage", "volume:reimage", moves.reimage, moves.REIMAGE, since=(3, 68)),
    _action("os-volume_upload_image", _EXT + "upload_image", moves.upload, moves.UPLOAD, until=(3, 0)),
    _action("os-volume_upload_image", _EXT + "upload_image", moves.upload, moves.UPLOAD_3_1, since=(3, 1)),
    _action("os-unmanage", "volume_extension:volume_unmanage", manageable.unmanage, actions.ANYTHING),
    Route("POST", "/volumes/{volume_id}/action", "volume_extension:volume_image_metadata:set", metadata.set_image, action="os-set_image_metadata", schema=metadata.SET_IMAGE),
    Route("POST", "/volumes/{volume_id}/action", "volume_extension:volume_image_metadata:show", metadata.show_image, action="os-show_image_metadata"),
    Route("POST", "/volumes/{volume_id}/action", "volume_extension:volume_image_metadata:remove", metadata.unset_image, action="os-unset_image_metadata", schema=metadata.UNSET_IMAGE),
]

_METADATA = [
    Route("GET", "/volumes/{volume_id}/metadata", "volume:get_volume_metadata", metadata.OF_VOLUMES.index),
    Route("POST", "/volumes/{volume_id}/metadata", "volume:create_volume_metadata", metadata.OF_VOLUMES.create, schema=metadata.METADATA),
    Route("PUT", "/volumes/{volume_id}/metadata", "volume:update_volume_metadata", metadata.OF_VOLUMES.replace, schema=metadata.METADATA),
    Route("GET", "/volumes/{volume_id}/metadata/{key}", "volume:get_volume_metadata", metadata.OF_VOLUMES.show_item),
    Route("PUT", "/volumes/{volume_id}/metadata/{key}", "volume:update_volume_metadata", metadata.OF_VOLUMES.update_item, schema=metadata.ITEM),
    Route("DELETE", "/volumes/{volume_id}/metadata/{key}", "volume:delete_volume_metadata", metadata.OF_VOLUMES.delete_item),
    Route("GET", "/snapshots/{snapshot_id}/metadata", "volume:get_snapshot_metadata", metadata.OF_SNAPSHOTS.index),
    Route("POST", "/snapshots/{snapshot_id}/metadata", "volume:update_snapshot_metadata", metadata.OF_SNAPSHOTS.create, schema=metadata.METADATA),
    Route("PUT", "/snapshots/{snapshot_id}/metadata", "volume:update_snapshot_metadata", metadata.OF_SNAPSHOTS.replace, schema=metadata.METADATA),
    Route("GET", "/snapshots/{snapshot_id}/metadata/{key}", "volume:get_snapshot_metadata", metadata.OF_SNAPSHOTS.show_item),
    Route("PUT", "/snapshots/{snapshot_id}/metadata/{key}", "volume:update_snapshot_metadata", metadata.OF_SNAPSHOTS.update_item, schema=metadata.ITEM),
    Route("DELETE", "/snapshots/{snapshot_id}/metadata/{key}", "volume:delete_snapshot_metadata", metadata.OF_SNAPSHOTS.delete_item),
]

_SNAPSHOTS = [
    Route("GET", "/snapshots", "volume:get_all_snapshots", snapshots.index),
    Route("POST", "/snapshots", "volume:create_snapshot", snapshots.create, 202, schema=snapshots.CREATE),
    Route("GET", "/snapshots/detail", "volume:get_all_snapshots", snapshots.detail),
    Route("GET", "/snapshots/{snapshot_id}", "volume:get_snapshot", snapshots.show),
    Route("PUT", "/snapshots/{snapshot_id}", "volume:update_snapshot", snapshots.update, schema=snapshots.UPDATE),
    Route("DELETE", "/snapshots/{snapshot_id}", "volume:delete_snapshot", snapshots.delete, 202),
    Route("POST", "/snapshots/{snapshot_id}/action", "volume_extension:snapshot_admin_actions:reset_status", snapshots.reset_status, 202, action="os-reset_status", schema=snapshots.RESET_STATUS),
    Route("POST", "/snapshots/{snapshot_id}/action", "volume_extension:snapshot_admin_actions:force_delete", snapshots.force_delete, 202, action="os-force_delete"),
    Route("POST", "/snapshots/{snapshot_id}/action", "snapshot_extension:snapshot_actions:update_snapshot_status", snapshots.update_status, 202, action="os-update_snapshot_status", schema=snapshots.UPDATE_STATUS),
]

_ATTACHMENTS = [
    Route("GET", "/attachments", "volume:get_all", attachments.index, since=(3, 27)),
    Route("POST", "/attachments", "volume:attachment_create", attachments.create, since=(3, 27), until=(3, 53), schema=attachments.CREATE),
    Route("POST", "/attachments", "volume:attachment_create", attachments.create, since=(3, 54), schema=attachments.CREATE_3_54),
    Route("GET", "/attachments/detail", "volume:get_all", attachments.detail, since=(3, 27)),
    Route("GET", "/attachments/{attachment_id}", "volume:get", attachments.show, since=(3, 27)),
    Route("PUT", "/attachments/{attachment_id}", "volume:attachment_update", attachments.update, since=(3, 27), schema=attachments.UPDATE),
    Route("DELETE", "/attachments/{attachment_id}", "volume:attachment_delete", attachments.delete, since=(3, 27)),
    Route("GET", "/attachments/{attachment_id}/encryption", "volume:attachment_encryption", encryptions.of_attachment, since=(3, 27)),
    Route("POST", "/attachments/{attachment_id}/action", "volume:attachment_complete", attachments.complete, 204, since=(3, 44), action="os-complete", schema=attachments.COMPLETE),
]

_BACKUPS = [
    Route("GET", "/backups", "backup:get_all", backups.index),
    Route("POST", "/backups", "backup:create", backups.create, 202, until=(3, 42), schema=backups.CREATE),
    Route("POST", "/backups", "backup:create", backups.create, 202, since=(3, 43), until=(3, 50), schema=backups.CREATE_3_43),
    Route("POST", "/backups", "backup:create", backups.create, 202, since=(3, 51), schema=backups.CREATE_3_51),
    Route("GET", "/backups/detail", "backup:get_all", backups.detail),
    Route("POST", "/backups/import_record", "backup:backup-import", backup_records.import_, 201, schema=backup_records.IMPORT),
    Route("GET", "/backups/{backup_id}", "backup:get", backups.show),
    Route("PUT", "/backups/{backup_id}", "backup:update", backups.update, since=(3, 9), until=(3, 42), schema=backups.UPDATE),
    Route("PUT", "/backups/{backup_id}", "backup:update", backups.update, since=(3, 43), schema=backups.UPDATE_3_43),
    Route("DELETE", "/backups/{backup_id}", "backup:delete", backups.delete, 202),
    Route("POST", "/backups/{backup_id}/restore", "backup:restore", backups.restore, 202, schema=backups.RESTORE),
    Route("GET", "/backups/{backup_id}/export_record", "backup:export-import", backup_records.export),
    Route("POST", "/backups/{backup_id}/action", "volume_extension:backup_admin_actions:reset_status", backups.reset_status, 202, action="os-reset_status", schema=backups.RESET_STATUS),
    Route("POST", "/backups/{backup_id}/action", "volume_extension:backup_admin_actions:force_delete", backups.force_delete, 202, action="os-force_delete"),
]

_TYPES = [
    Route("GET", "/types", "volume_extension:type_get_all", types.index),
    Route("POST", "/types", "volume_extension:type_create", types.create, schema=types.CREATE),
    Route("GET", "/types/{type_id}", "volume_extension:type_get", types.show),
    Route("PUT", "/types/{type_id}", "volume_extension:type_update", types.update, schema=types.UPDATE),
    Route("DELETE", "/types/{type_id}", "volume_extension:type_delete", types.delete, 202),
    Route("GET", "/types/{type_id}/extra_specs", "volume_extension:types_extra_specs:index", types.index_specs),
    Route("POST", "/types/{type_id}/extra_specs", "volume_extension:types_extra_specs:create", types.create_specs, schema=types.CREATE_SPECS),
    Route("GET", "/types/{type_id}/extra_specs/{key}", "volume_extension:types_extra_specs:show", types.show_spec),
    Route("PUT", "/types/{type_id}/extra_specs/{key}", "volume_extension:types_extra_specs:update", types.update_spec, schema=types.UPDATE_SPEC),
    Route("DELETE", "/types/{type_id}/extra_specs/{key}", "volume_extension:types_extra_specs:delete", types.delete_spec, 202),
    Route("GET", "/types/{type_id}/os-volume-type-access", "volume_extension:volume_type_access:get_all_for_type", types.index_access),
    Route("POST", "/types/{type_id}/action", "volume_extension:volume_type_access:addProjectAccess", types.add_access, 202, action="addProjectAccess", schema=types.ADD_ACCESS),
    Route("POST", "/types/{type_id}/action", "volume_extension:volume_type_access:removeProjectAccess", types.remove_access, 202, action="removeProjectAccess", schema=types.REMOVE_ACCESS),
]



def _manageable(base: str, **since: Any) -> list[Route]:
    """Of volumes, at the old URL and the one that came with 3.8."""
    return [
        Route("GET", base, "volume_extension:list_manageable", manageable.index, **since),
        Route("POST", base, "volume_extension:volume_manage", manageable.manage, 202, until=(3, 15), schema=manageable.MANAGE, **since),
        Route("POST", base, "volume_extension:volume_manage", manageable.manage, 202, since=(3, 16), schema=manageable.MANAGE_3_16),
        Route("GET", f"{base}/detail", "volume_extension:list_manageable", manageable.detail, **since),
    ]


def _manageable_snapshots(base: str, **since: Any) -> list[Route]:
    return [
        Route("GET", base, "snapshot_extension:list_manageable", manageable.index_snapshots, **since),
        Route("POST", base, "snapshot_extension:snapshot_manage", manageable.manage_snapshot, 202, schema=manageable.MANAGE_SNAPSHOT, **since),
        Route("GET", f"{base}/detail", "snapshot_extension:list_manageable", manageable.detail_snapshots, **since),
    ]


_MANAGEABLE = [
    *_manageable("/os-volume-manage"),
    *_manageable("/manageable_volumes", since=(3, 8)),
    *_manageable_snapshots("/os-snapshot-manage"),
    *_manageable_snapshots("/manageable_snapshots", since=(3, 8)),
    Route("POST", "/snapshots/{snapshot_id}/action", "snapshot_extension:snapshot_unmanage", manageable.unmanage_snapshot, 202, action="os-unmanage"),
]

_ENCRYPTIONS = [
    Route("GET", "/types/{type_id}/encryption", "volume_extension:volume_type_encryption:get", encryptions.index),
    Route("POST", "/types/{type_id}/encryption", "volume_extension:volume_type_encryption:create", encryptions.create, schema=encryptions.CREATE),
    Route("GET", "/types/{type_id}/encryption/{encryption_id}", "volume_extension:volume_type_encryption:get", encryptions.show),
    Route("PUT", "/types/{type_id}/encryption/{encryption_id}", "volume_extension:volume_type_encryption:update", encryptions.update, schema=encryptions.UPDATE),
    Route("DELETE", "/types/{type_id}/encryption/{encryption_id}", "volume_extension:volume_type_encryption:delete", encryptions.delete, 202),
]

_QOS_SPECS = [
    Route("GET", "/qos-specs", "volume_extension:qos_specs_manage:get_all", qos_specs.index),
    Route("POST", "/qos-specs", "volume_extension:qos_specs_manage:create", qos_specs.create, schema=qos_specs.CREATE),
    Route("GET", "/qos-specs/{qos_id}", "volume_extension:qos_specs_manage:get", qos_specs.show),
    Route("PUT", "/qos-specs/{qos_id}", "volume_extension:qos_specs_manage:update", qos_specs.update, schema=qos_specs.UPDATE),
    Route("DELETE", "/qos-specs/{qos_id}", "volume_extension:qos_specs_manage:delete", qos_specs.delete, 202),
    Route("PUT", "/qos-specs/{qos_id}/delete_keys", "volume_extension:qos_specs_manage:delete", qos_specs.delete_keys, 202, schema=qos_specs.DELETE_KEYS),
    Route("GET", "/qos-specs/{qos_id}/associations", "volume_extension:qos_specs_manage:get_all", qos_specs.associations),
    Route("GET", "/qos-specs/{qos_id}/associate", "volume_extension:qos_specs_manage:update", qos_specs.associate, 202),
    Route("GET", "/qos-specs/{qos_id}/disassociate", "volume_extension:qos_specs_manage:update", qos_specs.disassociate, 202),
    Route("GET", "/qos-specs/{qos_id}/disassociate_all", "volume_extension:qos_specs_manage:update", qos_specs.disassociate_all, 202),
]


def _transfers(base: str, create: list[Route]) -> list[Route]:
    """The old collection and the one that came with 3.55; they differ in what a new transfer may hold."""
    return [
        Route("GET", base, "volume:get_all_transfers", transfers.index),
        *(replace(route, path=base) for route in create),
        Route("GET", f"{base}/detail", "volume:get_all_transfers", transfers.detail),
        Route("GET", f"{base}/{{transfer_id}}", "volume:get_transfer", transfers.show),
        Route("DELETE", f"{base}/{{transfer_id}}", "volume:delete_transfer", transfers.delete, 202),
        Route("POST", f"{base}/{{transfer_id}}/accept", "volume:accept_transfer", transfers.accept, 202, schema=transfers.ACCEPT),
    ]


_CREATE_TRANSFER = Route("POST", "/", "volume:create_transfer", transfers.create, 202, schema=transfers.CREATE)
_TRANSFERS = [
    *_transfers("/os-volume-transfer", [_CREATE_TRANSFER]),
    *_transfers("/volume-transfers", [replace(_CREATE_TRANSFER, until=(3, 54)), replace(_CREATE_TRANSFER, since=(3, 55), schema=transfers.CREATE_3_55)]),
]

_GROUP_TYPES = [
    Route("GET", "/group_types", "celaje:any_token", group_types.index, since=(3, 11)),
    Route("POST", "/group_types", "group:group_types:create", group_types.create, 202, since=(3, 11), schema=group_types.CREATE),
    Route("GET", "/group_types/{type_id}", "celaje:any_token", group_types.show, since=(3, 11)),
    Route("PUT", "/group_types/{type_id}", "group:group_types:update", group_types.update, since=(3, 11), schema=group_types.UPDATE),
    Route("DELETE", "/group_types/{type_id}", "group:group_types:delete", group_types.delete, 202, since=(3, 11)),
    Route("GET", "/group_types/{type_id}/group_specs", "group:group_types_specs:get_all", group_types.index_specs, since=(3, 11)),
    Route("POST", "/group_types/{type_id}/group_specs", "group:group_types_specs:create", group_types.create_specs, 202, since=(3, 11), schema=group_types.CREATE_SPECS),
    Route("GET", "/group_types/{type_id}/group_specs/{key}", "group:group_types_specs:get", group_types.show_spec, since=(3, 11)),
    Route("PUT", "/group_types/{type_id}/group_specs/{key}", "group:group_types_specs:update", group_types.update_spec, since=(3, 11), schema=group_types.UPDATE_SPEC),
    Route("DELETE", "/group_types/{type_id}/group_specs/{key}", "group:group_types_specs:delete", group_types.delete_spec, 202, since=(3, 11)),
]


def _replication(action: str) -> Route:
    return Route("POST", "/groups/{group_id}/action", f"group:{action}", groups.replicate, 202, since=(3, 38), action=action, schema=schemas.wrapped(action, groups.REPLICATION))


_GROUPS = [
    Route("GET", "/groups", "group:get_all", groups.index, since=(3, 13)),
    Route("POST", "/groups", "group:create", groups.create, 202, since=(3, 13), schema=groups.CREATE),
    Route("GET", "/groups/detail", "group:get_all", groups.detail, since=(3, 13)),
    Route("POST", "/groups/action", "group:create", groups.create_from_source, 202, since=(3, 14), action="create-from-src", schema=groups.CREATE_FROM_SOURCE),
    Route("GET", "/groups/{group_id}", "group:get", groups.show, since=(3, 13)),
    Route("PUT", "/groups/{group_id}", "group:update", groups.update, 202, since=(3, 13), schema=groups.UPDATE),
    Route("POST", "/groups/{group_id}/action", "group:delete", groups.delete, 202, since=(3, 13), action="delete", schema=groups.DELETE),
    Route("POST", "/groups/{group_id}/action", "group:reset_status", groups.reset_status, 202, since=(3, 20), action="reset_status", schema=groups.RESET_STATUS),
    _replication("enable_replication"),
    _replication("disable_replication"),
    _replication("failover_replication"),
    _replication("list_replication_targets"),
    Route("GET", "/group_snapshots", "group:get_all_group_snapshots", group_snapshots.index, since=(3, 14)),
    Route("POST", "/group_snapshots", "group:create_group_snapshot", group_snapshots.create, 202, since=(3, 14), schema=group_snapshots.CREATE),
    Route("GET", "/group_snapshots/detail", "group:get_all_group_snapshots", group_snapshots.detail, since=(3, 14)),
    Route("GET", "/group_snapshots/{group_snapshot_id}", "group:get_group_snapshot", group_snapshots.show, since=(3, 14)),
    Route("DELETE", "/group_snapshots/{group_snapshot_id}", "group:delete_group_snapshot", group_snapshots.delete, 202, since=(3, 14)),
    Route("POST", "/group_snapshots/{group_snapshot_id}/action", "group:reset_group_snapshot_status", group_snapshots.reset_status, 202, since=(3, 19), action="reset_status", schema=group_snapshots.RESET_STATUS),
]

_CONSISTENCY_GROUPS = [
    Route("GET", "/consistencygroups", "group:get_all", consistencygroups.index),
    Route("POST", "/consistencygroups", "group:create", consistencygroups.create, 202, schema=consistencygroups.CREATE),
    Route("GET", "/consistencygroups/detail", "group:get_all", consistencygroups.detail),
    Route("POST", "/consistencygroups/create_from_src", "group:create", consistencygroups.create_from_source, 202, schema=consistencygroups.CREATE_FROM_SOURCE),
    Route("GET", "/consistencygroups/{group_id}", "group:get", consistencygroups.show),
    Route("PUT", "/consistencygroups/{group_id}", "group:update", consistencygroups.update, 202, schema=consistencygroups.UPDATE),
    Route("PUT", "/consistencygroups/{group_id}/update", "group:update", consistencygroups.update_as_before, 202, schema=consistencygroups.UPDATE),
    Route("POST", "/consistencygroups/{group_id}/delete", "group:delete", consistencygroups.delete, 202, schema=consistencygroups.DELETE, optional_body=True),
    Route("GET", "/cgsnapshots", "group:get_all_group_snapshots", cgsnapshots.index),
    Route("POST", "/cgsnapshots", "group:create_group_snapshot", cgsnapshots.create, 202, schema=cgsnapshots.CREATE),
    Route("GET", "/cgsnapshots/detail", "group:get_all_group_snapshots", cgsnapshots.detail),
    Route("GET", "/cgsnapshots/{group_snapshot_id}", "group:get_group_snapshot", cgsnapshots.show),
    Route("DELETE", "/cgsnapshots/{group_snapshot_id}", "group:delete_group_snapshot", cgsnapshots.delete, 202),
]

# Cinder has these without a project in their URL only.
_DEFAULT_TYPES = [
    Route("GET", "/v3/default-types", "volume_extension:default_get_all", types.index_defaults, since=(3, 62)),
    Route("GET", "/v3/default-types/{of_project}", "volume_extension:default_get", types.show_default, since=(3, 62)),
    Route("PUT", "/v3/default-types/{of_project}", "volume_extension:default_set_or_update", types.set_default, since=(3, 62), schema=types.SET_DEFAULT),
    Route("DELETE", "/v3/default-types/{of_project}", "volume_extension:default_unset", types.unset_default, 204, since=(3, 62)),
]

_ADMINISTRATION = [
    Route("GET", "/limits", "celaje:any_token", quotas.limits),
    Route("GET", "/os-quota-sets/{of_project}", "volume_extension:quotas:show", quotas.show, authorize="handler"),
    Route("GET", "/os-quota-sets/{of_project}/defaults", "volume_extension:quotas:show", quotas.defaults, authorize="handler"),
    Route("PUT", "/os-quota-sets/{of_project}", "volume_extension:quotas:update", quotas.update, schema=quotas.UPDATE),
    Route("DELETE", "/os-quota-sets/{of_project}", "volume_extension:quotas:delete", quotas.delete),
    Route("GET", "/os-quota-class-sets/{class_name}", "volume_extension:quota_classes:get", quotas.show_class),
    Route("PUT", "/os-quota-class-sets/{class_name}", "volume_extension:quota_classes:update", quotas.update_class, schema=quotas.UPDATE_CLASS),
    Route("GET", "/os-services", "volume_extension:services:index", services.index),
    Route("PUT", "/os-services/enable", "volume_extension:services:update", services.enable, schema=services.SWITCH),
    Route("PUT", "/os-services/disable", "volume_extension:services:update", services.disable, schema=services.SWITCH),
    Route("PUT", "/os-services/disable-log-reason", "volume_extension:services:update", services.disable_with_reason, schema=services.SWITCH_WITH_REASON),
    Route("PUT", "/os-services/freeze", "volume:freeze_host", services.freeze, 202, schema=services.ONE_HOST),
    Route("PUT", "/os-services/thaw", "volume:thaw_host", services.thaw, 202, schema=services.ONE_HOST),
    Route("PUT", "/os-services/failover_host", "volume:failover_host", services.failover_host, 202, schema=services.FAILOVER),
    Route("PUT", "/os-services/failover", "volume:failover_host", services.failover_host, 202, since=(3, 26), schema=services.FAILOVER),
    Route("PUT", "/os-services/get-log", "volume_extension:services:update", log_levels.get, since=(3, 32), schema=log_levels.GET),
    Route("PUT", "/os-services/set-log", "volume_extension:services:update", log_levels.set_, 202, since=(3, 32), schema=log_levels.SET),
    Route("POST", "/workers/cleanup", "workers:cleanup", cleanup.cleanup, 202, since=(3, 24), schema=cleanup.CLEANUP, optional_body=True),
    Route("GET", "/os-hosts", "volume_extension:hosts", hosts.index),
    Route("GET", "/os-hosts/{host_name}", "volume_extension:hosts", hosts.show),
    Route("PUT", "/os-hosts/{host_name}", "volume_extension:hosts", hosts.update, schema=hosts.UPDATE),
    Route("GET", "/capabilities/{host_name}", "volume_extension:capabilities", hosts.capabilities),
    Route("GET", "/clusters", "clusters:get_all", clusters.index, since=(3, 7)),
    Route("GET", "/clusters/detail", "clusters:get_all", clusters.detail, since=(3, 7)),
    Route("GET", "/clusters/{cluster_name}", "clusters:get", clusters.show, since=(3, 7)),
    Route("PUT", "/clusters/enable", "clusters:update", clusters.enable, since=(3, 7), schema=clusters.SWITCH),
    Route("PUT", "/clusters/disable", "clusters:update", clusters.disable, since=(3, 7), schema=clusters.SWITCH_WITH_REASON),
    Route("GET", "/os-availability-zone", "celaje:any_token", services.availability_zones),
    Route("GET", "/scheduler-stats/get_pools", "scheduler_extension:scheduler_stats:get_pools", services.pools),
    Route("GET", "/messages", "message:get_all", messages.index, since=(3, 3)),
    Route("GET", "/messages/{message_id}", "message:get", messages.show, since=(3, 3)),
    Route("DELETE", "/messages/{message_id}", "message:delete", messages.delete, 204, since=(3, 3)),
    Route("GET", "/extensions", "celaje:any_token", extensions.index),
    Route("GET", "/extensions/{alias}", "celaje:any_token", extensions.show),
    Route("GET", "/resource_filters", "celaje:any_token", resource_filters.index, since=(3, 33)),
]
# fmt: on

_OF_PROJECTS = [
    *_VOLUMES,
    *_ACTIONS,
    *_METADATA,
    *_SNAPSHOTS,
    *_ATTACHMENTS,
    *_TYPES,
    *_ENCRYPTIONS,
    *_BACKUPS,
    *_QOS_SPECS,
    *_TRANSFERS,
    *_MANAGEABLE,
    *_GROUP_TYPES,
    *_GROUPS,
    *_CONSISTENCY_GROUPS,
    *_ADMINISTRATION,
]

ROUTES = [*_DISCOVERY, *_DEFAULT_TYPES, *(row for route in _OF_PROJECTS for row in _in_project(route))]
