"""Policy rules of the routes in `resource_routes.py`. A part of `policies.py`, which declares the named
expressions (context_is_admin, admin_api, project_member_or_admin, project_reader_or_admin ...)."""

from celaje.common.policy import Rule

_P = "os_compute_api:"

# Who the default lets in ("@": everybody with a token), and the rule names without their common beginning.
_BY_CHECK: dict[str, tuple[str, ...]] = {
    "rule:context_is_admin": (
        "os-flavor-manage:create",
        "os-flavor-manage:update",
        "os-flavor-manage:delete",
        "os-flavor-access",
        "os-flavor-access:add_tenant_access",
        "os-flavor-access:remove_tenant_access",
        "os-flavor-extra-specs:create",
        "os-flavor-extra-specs:update",
        "os-flavor-extra-specs:delete",
        "os-quota-sets:update",
        "os-quota-sets:delete",
        "os-quota-class-sets:show",
        "os-quota-class-sets:update",
        "limits:other_project",
        "os-availability-zone:detail",
        "os-services:list",
        "os-services:update",
        "os-services:delete",
        "os-hypervisors:list",
        "os-hypervisors:list-detail",
        "os-hypervisors:statistics",
        "os-hypervisors:show",
        "os-hypervisors:uptime",
        "os-hypervisors:search",
        "os-hypervisors:servers",
        "os-aggregates:index",
        "os-aggregates:show",
        "os-aggregates:create",
        "os-aggregates:update",
        "os-aggregates:delete",
        "os-aggregates:add_host",
        "os-aggregates:remove_host",
        "os-aggregates:set_metadata",
        "os-server-groups:index:all_projects",
        "os-simple-tenant-usage:list",
    ),
    "rule:project_reader_or_admin": (
        "os-flavor-extra-specs:index",
        "os-flavor-extra-specs:show",
        "os-quota-sets:show",
        "os-quota-sets:detail",
        "os-server-groups:index",
        "os-server-groups:show",
        "os-simple-tenant-usage:show",
    ),
    "rule:project_member_or_admin": ("os-server-groups:create", "os-server-groups:delete"),
    "(rule:context_is_admin) or user_id:%(user_id)s": (
        "os-keypairs:index",
        "os-keypairs:show",
        "os-keypairs:create",
        "os-keypairs:delete",
    ),
    "@": (
        "os-quota-sets:defaults",
        "limits",
        "os-availability-zone:list",
        "extensions",
        # Nova reads flavors without a rule of its own: a token will do.
        "flavors",
    ),
}

RULES: list[Rule] = [Rule(f"{_P}{name}", check) for check, names in _BY_CHECK.items() for name in names]
