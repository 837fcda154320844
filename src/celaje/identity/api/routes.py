"""The table of contents of the Identity API: method, path, policy rule, handler.

Identity's rules speak of targets (a user's domain, a token's user), so most handlers check them once they
have loaded those. Unscoped tokens may come in: a rule decides what they may do.
"""

from celaje.common.wsgi import Route
from celaje.identity.api import (
    access_rules,
    application_credentials,
    credentials,
    domains,
    endpoints,
    grants,
    groups,
    implied_roles,
    project_tags,
    projects,
    queries,
    regions,
    revocation_events,
    role_assignments,
    roles,
    services,
    tokens,
    users,
    versions,
)
from celaje.identity.api.extension_routes import EXTENSIONS
from celaje.identity.api.routing import checked as _checked
from celaje.identity.api.routing import route as _route

_DISCOVERY = [
    Route("GET", "/", None, versions.list_versions),
    Route("GET", "/v3", None, versions.show_version),
]

_TOKENS = [
    Route("POST", "/v3/auth/tokens", None, tokens.create, 201, schema=tokens.LOGIN),
    _checked("GET", "/v3/auth/tokens", "identity:validate_token", tokens.show),
    _checked("HEAD", "/v3/auth/tokens", "identity:check_token", tokens.show),
    _checked("DELETE", "/v3/auth/tokens", "identity:revoke_token", tokens.delete, 204),
    _route("GET", "/v3/auth/catalog", "identity:get_auth_catalog", tokens.catalog),
    _route("GET", "/v3/auth/projects", "identity:get_auth_projects", tokens.list_projects),
    _route("GET", "/v3/auth/domains", "identity:get_auth_domains", tokens.list_domains),
    _route("GET", "/v3/auth/system", "identity:get_auth_system", tokens.list_systems),
    _route("GET", "/v3/OS-REVOKE/events", "identity:list_revoke_events", revocation_events.index),
]

_USERS = [
    _checked("GET", "/v3/users", "identity:list_users", users.index, query=queries.USERS),
    _checked("POST", "/v3/users", "identity:create_user", users.create, 201, schema=users.CREATE),
    _checked("GET", "/v3/users/{user_id}", "identity:get_user", users.show),
    _checked("PATCH", "/v3/users/{user_id}", "identity:update_user", users.update, schema=users.UPDATE),
    _checked("DELETE", "/v3/users/{user_id}", "identity:delete_user", users.delete, 204),
    # The old password is the right to it.
    Route(
        "POST", "/v3/users/{user_id}/password", None, users.change_password, 204, schema=users.CHANGE_PASSWORD
    ),
    _checked(
        "DELETE", "/v3/users/{user_id}/tokens", "identity:revoke_tokens_for_user", users.revoke_tokens, 204
    ),
    _checked("GET", "/v3/users/{user_id}/projects", "identity:list_user_projects", projects.of_user),
    _checked("GET", "/v3/users/{user_id}/groups", "identity:list_groups_for_user", groups.of_user),
]

_PROJECT = "/v3/projects/{project_id}"
_PROJECTS = [
    _checked("GET", "/v3/projects", "identity:list_projects", projects.index, query=queries.PROJECTS),
    _checked("POST", "/v3/projects", "identity:create_project", projects.create, 201, schema=projects.CREATE),
    _checked("GET", _PROJECT, "identity:get_project", projects.show),
    _checked("PATCH", _PROJECT, "identity:update_project", projects.update, schema=projects.UPDATE),
    _checked("DELETE", _PROJECT, "identity:delete_project", projects.delete, 204),
    _checked("GET", f"{_PROJECT}/tags", "identity:list_project_tags", project_tags.index),
    _checked(
        "PUT",
        f"{_PROJECT}/tags",
        "identity:update_project_tags",
        project_tags.replace,
        schema=project_tags.REPLACE,
    ),
    _checked("DELETE", f"{_PROJECT}/tags", "identity:delete_project_tags", project_tags.clear, 204),
    _checked("GET", f"{_PROJECT}/tags/{{value}}", "identity:get_project_tag", project_tags.check, 204),
    _checked("PUT", f"{_PROJECT}/tags/{{value}}", "identity:create_project_tag", project_tags.add, 201),
    _checked("DELETE", f"{_PROJECT}/tags/{{value}}", "identity:delete_project_tag", project_tags.remove, 204),
]

_DOMAIN = "/v3/domains/{domain_id}"
_DOMAINS = [
    _checked("GET", "/v3/domains", "identity:list_domains", domains.index, query=queries.DOMAINS),
    _route("POST", "/v3/domains", "identity:create_domain", domains.create, 201, schema=domains.CREATE),
    _checked("GET", _DOMAIN, "identity:get_domain", domains.show),
    _route("PATCH", _DOMAIN, "identity:update_domain", domains.update, schema=domains.UPDATE),
    _route("DELETE", _DOMAIN, "identity:delete_domain", domains.delete, 204),
]

_GROUP = "/v3/groups/{group_id}"
_MEMBER = f"{_GROUP}/users/{{user_id}}"
_GROUPS = [
    _checked("GET", "/v3/groups", "identity:list_groups", groups.index, query=queries.GROUPS),
    _checked("POST", "/v3/groups", "identity:create_group", groups.create, 201, schema=groups.CREATE),
    _checked("GET", _GROUP, "identity:get_group", groups.show),
    _checked("PATCH", _GROUP, "identity:update_group", groups.update, schema=groups.UPDATE),
    _checked("DELETE", _GROUP, "identity:delete_group", groups.delete, 204),
    _checked("GET", f"{_GROUP}/users", "identity:list_users_in_group", groups.list_members),
    _checked("GET", _MEMBER, "identity:check_user_in_group", groups.check_member, 204),
    _checked("PUT", _MEMBER, "identity:add_user_to_group", groups.add_member, 204),
    _checked("DELETE", _MEMBER, "identity:remove_user_from_group", groups.remove_member, 204),
]

_ROLE = "/v3/roles/{role_id}"
_IMPLIED = "/v3/roles/{role_id}/implies/{implied_role_id}"
_ROLES = [
    _checked("GET", "/v3/roles", "identity:list_roles", roles.index, query=queries.ROLES),
    _checked("POST", "/v3/roles", "identity:create_role", roles.create, 201, schema=roles.CREATE),
    _checked("GET", _ROLE, "identity:get_role", roles.show),
    _checked("PATCH", _ROLE, "identity:update_role", roles.update, schema=roles.UPDATE),
    _checked("DELETE", _ROLE, "identity:delete_role", roles.delete, 204),
    _route("GET", "/v3/roles/{role_id}/implies", "identity:list_implied_roles", implied_roles.index),
    _route("GET", _IMPLIED, "identity:get_implied_role", implied_roles.show),
    _route("HEAD", _IMPLIED, "identity:check_implied_role", implied_roles.check, 204),
    _route("PUT", _IMPLIED, "identity:create_implied_role", implied_roles.create, 201),
    _route("DELETE", _IMPLIED, "identity:delete_implied_role", implied_roles.delete, 204),
    _route("GET", "/v3/role_inferences", "identity:list_role_inference_rules", implied_roles.list_rules),
    _checked(
        "GET",
        "/v3/role_assignments",
        "identity:list_role_assignments",
        role_assignments.index,
        query=queries.ROLE_ASSIGNMENTS,
    ),
]


def _grants(kind: grants.Kind) -> list[Route]:
    """PUT /v3/projects/{project_id}/users/{user_id}/roles/{role_id} and its many sisters."""
    handlers = grants.handlers(kind)
    one = f"{kind.path}/{{role_id}}{kind.suffix}"
    return [
        _checked("GET", f"{kind.path}{kind.suffix}", kind.rule("list"), handlers["list"]),
        _checked("GET", one, kind.rule("check"), handlers["check"], 204),
        _checked("PUT", one, kind.rule("create"), handlers["create"], 204),
        _checked("DELETE", one, kind.rule("revoke"), handlers["revoke"], 204),
    ]


_GRANTS = [route for kind in grants.KINDS for route in _grants(kind)]

_CATALOG = [
    _route("GET", "/v3/services", "identity:list_services", services.index),
    _route("POST", "/v3/services", "identity:create_service", services.create, 201, schema=services.CREATE),
    _route("GET", "/v3/services/{service_id}", "identity:get_service", services.show),
    _route(
        "PATCH",
        "/v3/services/{service_id}",
        "identity:update_service",
        services.update,
        schema=services.UPDATE,
    ),
    _route("DELETE", "/v3/services/{service_id}", "identity:delete_service", services.delete, 204),
    _route("GET", "/v3/endpoints", "identity:list_endpoints", endpoints.index, query=queries.ENDPOINTS),
    _route(
        "POST", "/v3/endpoints", "identity:create_endpoint", endpoints.create, 201, schema=endpoints.CREATE
    ),
    _route("GET", "/v3/endpoints/{endpoint_id}", "identity:get_endpoint", endpoints.show),
    _route(
        "PATCH",
        "/v3/endpoints/{endpoint_id}",
        "identity:update_endpoint",
        endpoints.update,
        schema=endpoints.UPDATE,
    ),
    _route("DELETE", "/v3/endpoints/{endpoint_id}", "identity:delete_endpoint", endpoints.delete, 204),
    _route("GET", "/v3/regions", "identity:list_regions", regions.index, query=queries.REGIONS),
    _route("POST", "/v3/regions", "identity:create_region", regions.create, 201, schema=regions.CREATE),
    _route("GET", "/v3/regions/{region_id}", "identity:get_region", regions.show),
    _route(
        "PUT", "/v3/regions/{region_id}", "identity:create_region", regions.create, 201, schema=regions.CREATE
    ),
    _route(
        "PATCH", "/v3/regions/{region_id}", "identity:update_region", regions.update, schema=regions.UPDATE
    ),
    _route("DELETE", "/v3/regions/{region_id}", "identity:delete_region", regions.delete, 204),
]

_CREDENTIAL = "/v3/credentials/{credential_id}"
_APPLICATION = "/v3/users/{user_id}/application_credentials"
_ACCESS_RULE = "/v3/users/{user_id}/access_rules/{rule_id}"
_CREDENTIALS = [
    _checked("GET", "/v3/credentials", "identity:list_credentials", credentials.index),
    _checked(
        "POST",
        "/v3/credentials",
        "identity:create_credential",
        credentials.create,
        201,
        schema=credentials.CREATE,
    ),
    _checked("GET", _CREDENTIAL, "identity:get_credential", credentials.show),
    _checked(
        "PATCH", _CREDENTIAL, "identity:update_credential", credentials.update, schema=credentials.UPDATE
    ),
    _checked("DELETE", _CREDENTIAL, "identity:delete_credential", credentials.delete, 204),
    _checked("GET", _APPLICATION, "identity:list_application_credentials", application_credentials.index),
    _checked(
        "POST",
        _APPLICATION,
        "identity:create_application_credential",
        application_credentials.create,
        201,
        schema=application_credentials.CREATE,
    ),
    _checked(
        "GET",
        f"{_APPLICATION}/{{credential_id}}",
        "identity:get_application_credential",
        application_credentials.show,
    ),
    _checked(
        "DELETE",
        f"{_APPLICATION}/{{credential_id}}",
        "identity:delete_application_credential",
        application_credentials.delete,
        204,
    ),
    _checked("GET", "/v3/users/{user_id}/access_rules", "identity:list_access_rules", access_rules.index),
    _checked("GET", _ACCESS_RULE, "identity:get_access_rule", access_rules.show),
    _checked("DELETE", _ACCESS_RULE, "identity:delete_access_rule", access_rules.delete, 204),
]

ROUTES: list[Route] = [
    *_DISCOVERY,
    *_TOKENS,
    *_USERS,
    *_PROJECTS,
    *_DOMAINS,
    *_GROUPS,
    *_ROLES,
    *_GRANTS,
    *_CATALOG,
    *_CREDENTIALS,
    *EXTENSIONS,
]
