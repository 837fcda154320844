"""The table of contents of the Identity API: method, path, policy rule, handler.

Identity's rules speak of targets (a user's domain, a token's user), so most handlers check them once they
have loaded those. Unscoped tokens may come in: a rule decides what they may do.
"""

from functools import partial

from celaje.common.wsgi import Route
from celaje.identity.api import (
    access_rules,
    access_tokens,
    application_credentials,
    credentials,
    domains,
    endpoint_filters,
    endpoint_groups,
    endpoints,
    grants,
    groups,
    implied_roles,
    oauth1,
    project_tags,
    projects,
    regions,
    revocation_events,
    role_assignments,
    roles,
    services,
    tokens,
    trusts,
    users,
    versions,
)

# The rule does not speak of a target: the pipeline checks it.
_route = partial(Route, scope="any")
# The handler checks the rule against what it has loaded.
_checked = partial(Route, scope="any", authorize="handler")

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
    _checked("GET", "/v3/users", "identity:list_users", users.index),
    _checked("POST", "/v3/users", "identity:create_user", users.create, 201, schema=users.CREATE),
    _checked("GET", "/v3/users/{user_id}", "identity:get_user", users.show),
    _checked("PATCH", "/v3/users/{user_id}", "identity:update_user", users.update, schema=users.UPDATE),
    _checked("DELETE", "/v3/users/{user_id}", "identity:delete_user", users.delete, 204),
    # The old password is the right to it.
    Route(
        "POST", "/v3/users/{user_id}/password", None, users.change_password, 204, schema=users.CHANGE_PASSWORD
    ),
    _checked("GET", "/v3/users/{user_id}/projects", "identity:list_user_projects", projects.of_user),
    _checked("GET", "/v3/users/{user_id}/groups", "identity:list_groups_for_user", groups.of_user),
]

_PROJECT = "/v3/projects/{project_id}"
_PROJECTS = [
    _checked("GET", "/v3/projects", "identity:list_projects", projects.index),
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
    _checked("GET", "/v3/domains", "identity:list_domains", domains.index),
    _route("POST", "/v3/domains", "identity:create_domain", domains.create, 201, schema=domains.CREATE),
    _checked("GET", _DOMAIN, "identity:get_domain", domains.show),
    _route("PATCH", _DOMAIN, "identity:update_domain", domains.update, schema=domains.UPDATE),
    _route("DELETE", _DOMAIN, "identity:delete_domain", domains.delete, 204),
]

_GROUP = "/v3/groups/{group_id}"
_MEMBER = f"{_GROUP}/users/{{user_id}}"
_GROUPS = [
    _checked("GET", "/v3/groups", "identity:list_groups", groups.index),
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
    _checked("GET", "/v3/roles", "identity:list_roles", roles.index),
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
    _checked("GET", "/v3/role_assignments", "identity:list_role_assignments", role_assignments.index),
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
    _route("GET", "/v3/endpoints", "identity:list_endpoints", endpoints.index),
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
    _route("GET", "/v3/regions", "identity:list_regions", regions.index),
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

_TRUST = "/v3/OS-TRUST/trusts/{trust_id}"
_TRUSTS = [
    _checked("GET", "/v3/OS-TRUST/trusts", "identity:list_trusts", trusts.index),
    _checked(
        "POST", "/v3/OS-TRUST/trusts", "identity:create_trust", trusts.create, 201, schema=trusts.CREATE
    ),
    _checked("GET", _TRUST, "identity:get_trust", trusts.show),
    _checked("DELETE", _TRUST, "identity:delete_trust", trusts.delete, 204),
    _checked("GET", f"{_TRUST}/roles", "identity:list_roles_for_trust", trusts.list_roles),
    _checked("GET", f"{_TRUST}/roles/{{role_id}}", "identity:get_role_for_trust", trusts.show_role),
]

_CONSUMER = "/v3/OS-OAUTH1/consumers/{consumer_id}"
_ACCESS = "/v3/users/{user_id}/OS-OAUTH1/access_tokens"
_OAUTH1 = [
    _route("GET", "/v3/OS-OAUTH1/consumers", "identity:list_consumers", oauth1.index),
    _route(
        "POST",
        "/v3/OS-OAUTH1/consumers",
        "identity:create_consumer",
        oauth1.create,
        201,
        schema=oauth1.CREATE,
    ),
    _route("GET", _CONSUMER, "identity:get_consumer", oauth1.show),
    _route("PATCH", _CONSUMER, "identity:update_consumer", oauth1.update, schema=oauth1.UPDATE),
    _route("DELETE", _CONSUMER, "identity:delete_consumer", oauth1.delete, 204),
    # Signed by the consumer instead of carrying a token.
    Route("POST", "/v3/OS-OAUTH1/request_token", None, oauth1.create_request_token, 201, body="none"),
    Route("POST", "/v3/OS-OAUTH1/access_token", None, oauth1.create_access_token, 201, body="none"),
    _route(
        "PUT",
        "/v3/OS-OAUTH1/authorize/{request_token_id}",
        "identity:authorize_request_token",
        oauth1.authorize,
        schema=oauth1.AUTHORIZE,
    ),
    _route("GET", _ACCESS, "identity:list_access_tokens", access_tokens.index),
    _route("GET", f"{_ACCESS}/{{token_id}}", "identity:get_access_token", access_tokens.show),
    _route("DELETE", f"{_ACCESS}/{{token_id}}", "identity:delete_access_token", access_tokens.delete, 204),
    _route(
        "GET", f"{_ACCESS}/{{token_id}}/roles", "identity:list_access_token_roles", access_tokens.list_roles
    ),
    _route(
        "GET",
        f"{_ACCESS}/{{token_id}}/roles/{{role_id}}",
        "identity:get_access_token_role",
        access_tokens.show_role,
    ),
]

_EP_GROUPS = "/v3/OS-EP-FILTER/endpoint_groups"
_EP_GROUP = f"{_EP_GROUPS}/{{group_id}}"
_EP_PROJECT = "/v3/OS-EP-FILTER/projects/{project_id}"
_EP_PAIR = f"{_EP_PROJECT}/endpoints/{{endpoint_id}}"
_EP_GROUP_PROJECT = f"{_EP_GROUP}/projects/{{project_id}}"
_ENDPOINT_FILTERS = [
    _route("GET", _EP_GROUPS, "identity:list_endpoint_groups", endpoint_groups.index),
    _route(
        "POST",
        _EP_GROUPS,
        "identity:create_endpoint_group",
        endpoint_groups.create,
        201,
        schema=endpoint_groups.CREATE,
    ),
    _route("GET", _EP_GROUP, "identity:get_endpoint_group", endpoint_groups.show),
    _route(
        "PATCH",
        _EP_GROUP,
        "identity:update_endpoint_group",
        endpoint_groups.update,
        schema=endpoint_groups.UPDATE,
    ),
    _route("DELETE", _EP_GROUP, "identity:delete_endpoint_group", endpoint_groups.delete, 204),
    _route(
        "GET",
        f"{_EP_GROUP}/endpoints",
        "identity:list_endpoints_associated_with_endpoint_group",
        endpoint_groups.list_endpoints,
    ),
    _route(
        "GET",
        f"{_EP_GROUP}/projects",
        "identity:list_projects_associated_with_endpoint_group",
        endpoint_groups.list_projects,
    ),
    _route("GET", _EP_GROUP_PROJECT, "identity:get_endpoint_group_in_project", endpoint_filters.show_group),
    _route(
        "PUT", _EP_GROUP_PROJECT, "identity:add_endpoint_group_to_project", endpoint_filters.add_group, 204
    ),
    _route(
        "DELETE",
        _EP_GROUP_PROJECT,
        "identity:remove_endpoint_group_from_project",
        endpoint_filters.remove_group,
        204,
    ),
    _route(
        "GET",
        f"{_EP_PROJECT}/endpoints",
        "identity:list_endpoints_for_project",
        endpoint_filters.list_endpoints,
    ),
    _route(
        "GET",
        f"{_EP_PROJECT}/endpoint_groups",
        "identity:list_endpoint_groups_for_project",
        endpoint_filters.list_groups,
    ),
    _route("GET", _EP_PAIR, "identity:check_endpoint_in_project", endpoint_filters.check, 204),
    _route("PUT", _EP_PAIR, "identity:add_endpoint_to_project", endpoint_filters.add, 204),
    _route("DELETE", _EP_PAIR, "identity:remove_endpoint_from_project", endpoint_filters.remove, 204),
    _route(
        "GET",
        "/v3/OS-EP-FILTER/endpoints/{endpoint_id}/projects",
        "identity:list_projects_for_endpoint",
        endpoint_filters.list_projects,
    ),
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
    *_TRUSTS,
    *_OAUTH1,
    *_ENDPOINT_FILTERS,
]
