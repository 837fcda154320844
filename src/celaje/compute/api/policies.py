"""Policy rules of the compute API: Nova's rule names and Secure RBAC defaults.

Named expressions first; then servers and what hangs on them. The rules of flavors, key pairs and the other
resources stand in `resource_policies.py`.
"""

from celaje.common.policy import Rule
from celaje.compute.api.resource_policies import RULES as RESOURCE_RULES

EXPRESSIONS = [
    Rule("context_is_admin", "role:admin", "Who is an administrator.", ()),
    Rule("admin_api", "is_admin:True", "Administrators.", ()),
    Rule("admin_or_owner", "is_admin:True or project_id:%(project_id)s", "Administrators, owners.", ()),
    Rule("service_api", "role:service", "Another service of the cloud.", ()),
    Rule("project_manager_api", "role:manager and project_id:%(project_id)s", "Managers.", ()),
    Rule("project_member_api", "role:member and project_id:%(project_id)s", "Members.", ()),
    Rule("project_reader_api", "role:reader and project_id:%(project_id)s", "Readers.", ()),
    Rule(
        "project_manager_or_admin",
        "rule:project_manager_api or rule:context_is_admin",
        "Managers, admins.",
        (),
    ),
    Rule(
        "project_member_or_admin", "rule:project_member_api or rule:context_is_admin", "Members, admins.", ()
    ),
    Rule(
        "project_reader_or_admin", "rule:project_reader_api or rule:context_is_admin", "Readers, admins.", ()
    ),
]

_ADMIN = "rule:context_is_admin"
_MEMBER = "rule:project_member_or_admin"
_READER = "rule:project_reader_or_admin"
_P = "os_compute_api:"

# Who the default lets in, and the rule names without their common beginning.
_BY_CHECK: dict[str, tuple[str, ...]] = {
    _READER: (
        "servers:index",
        "servers:detail",
        "servers:show",
        "ips:index",
        "ips:show",
        "server-metadata:index",
        "server-metadata:show",
        "os-server-tags:index",
        "os-server-tags:show",
        "os-instance-actions:list",
        "os-instance-actions:show",
        "os-volumes-attachments:index",
        "os-volumes-attachments:show",
        "os-attach-interfaces:list",
        "os-attach-interfaces:show",
        "os-security-groups:list",
        "os-server-password:show",
        "server-topology:index",
    ),
    _MEMBER: (
        "servers:create",
        "servers:create:attach_volume",
        "servers:create:attach_network",
        "servers:create:trusted_certs",
        "servers:update",
        "servers:delete",
        "servers:start",
        "servers:stop",
        "servers:reboot",
        "servers:create_image",
        "servers:create_image:allow_volume_backed",
        "servers:rebuild",
        "servers:rebuild:trusted_certs",
        "servers:resize",
        "servers:confirm_resize",
        "servers:revert_resize",
        "servers:trigger_crash_dump",
        "server-metadata:create",
        "server-metadata:update",
        "server-metadata:update_all",
        "server-metadata:delete",
        "os-server-tags:update",
        "os-server-tags:update_all",
        "os-server-tags:delete",
        "os-server-tags:delete_all",
        "os-admin-password",
        "os-console-output",
        "os-remote-consoles",
        "os-deferred-delete:force",
        "os-deferred-delete:restore",
        "os-lock-server:lock",
        "os-lock-server:unlock",
        "os-pause-server:pause",
        "os-pause-server:unpause",
        "os-suspend-server:suspend",
        "os-suspend-server:resume",
        "os-rescue",
        "os-unrescue",
        "os-shelve:shelve",
        "os-shelve:unshelve",
        "os-create-backup",
        "os-multinic:add",
        "os-multinic:remove",
        "os-security-groups:add",
        "os-security-groups:remove",
        "os-volumes-attachments:create",
        "os-volumes-attachments:update",
        "os-volumes-attachments:delete",
        "os-attach-interfaces:create",
        "os-attach-interfaces:delete",
        "os-server-password:clear",
    ),
    _ADMIN: (
        "servers:index:get_all_tenants",
        "servers:detail:get_all_tenants",
        "servers:show:host_status",
        "servers:show:flavor-extra-specs",
        "servers:create:forced_host",
        "servers:create:zero_disk_flavor",
        "servers:allow_all_filters",
        "servers:create:requested_destination",
        "servers:migrations:index",
        "servers:migrations:show",
        "os-extended-server-attributes",
        "os-instance-actions:events",
        "os-instance-actions:events:details",
        "os-lock-server:unlock:unlock_override",
        "os-admin-actions:reset_state",
        "os-admin-actions:inject_network_info",
        "os-server-diagnostics",
        "os-migrations:index",
        "os-migrate-server:migrate",
        "os-migrate-server:migrate_live",
        "os-evacuate",
        "os-shelve:shelve_offload",
        "os-shelve:unshelve_to_host",
        "server-topology:host:index",
    ),
    "rule:service_api or rule:context_is_admin": (
        "os-server-external-events:create",
        "os-assisted-volume-snapshots:create",
        "os-volumes-attachments:swap",
    ),
}

# These say more than who may try: a value that a default-open rule guards is shown or taken only so.
_SPECIAL = [
    Rule(f"{_P}servers:show:host_status:unknown-only", _ADMIN, "See host_status UNKNOWN only."),
    Rule(
        f"{_P}os-flavor-extra-specs:index:in-server",
        _READER,
        "See the extra specs of the flavor inside a server.",
    ),
]

RULES = [
    *EXPRESSIONS,
    *(Rule(f"{_P}{name}", check) for check, names in _BY_CHECK.items() for name in names),
    *_SPECIAL,
    *RESOURCE_RULES,
]
