"""The table of contents of what the API reference calls extensions: `/v3/OS-...`, limits, policies, EC2.

`routes.py` puts it behind the resources that everybody uses.
"""

from celaje.common.wsgi import Route
from celaje.identity.api import (
    access_tokens,
    domain_configs,
    ec2_credentials,
    ec2_tokens,
    endpoint_filters,
    endpoint_groups,
    federated_login,
    identity_providers,
    limits,
    mappings,
    oauth1,
    oauth2,
    queries,
    registered_limits,
    retired,
    saml,
    service_providers,
    stored_policies,
    tokens,
    trusts,
)
from celaje.identity.api.routing import checked as _checked
from celaje.identity.api.routing import route as _route

_EC2 = "/v3/users/{user_id}/credentials/OS-EC2"
_EC2_ROUTES = [
    _checked("GET", _EC2, "identity:ec2_list_credentials", ec2_credentials.index),
    _checked(
        "POST",
        _EC2,
        "identity:ec2_create_credential",
        ec2_credentials.create,
        201,
        schema=ec2_credentials.CREATE,
    ),
    _checked("GET", f"{_EC2}/{{access}}", "identity:ec2_get_credential", ec2_credentials.show),
    _checked("DELETE", f"{_EC2}/{{access}}", "identity:ec2_delete_credential", ec2_credentials.delete, 204),
    _route("POST", "/v3/ec2tokens", "identity:ec2tokens_validate", ec2_tokens.create_ec2),
    _route("POST", "/v3/s3tokens", "identity:s3tokens_validate", ec2_tokens.create_s3),
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
    _route(
        "GET",
        _EP_GROUPS,
        "identity:list_endpoint_groups",
        endpoint_groups.index,
        query=queries.ENDPOINT_GROUPS,
    ),
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

_POLICY = "/v3/policies/{policy_id}"
_POLICIES = [
    _route("GET", "/v3/policies", "identity:list_policies", stored_policies.index),
    _route(
        "POST",
        "/v3/policies",
        "identity:create_policy",
        stored_policies.create,
        201,
        schema=stored_policies.CREATE,
    ),
    _route("GET", _POLICY, "identity:get_policy", stored_policies.show),
    _route("PATCH", _POLICY, "identity:update_policy", stored_policies.update, schema=stored_policies.UPDATE),
    _route("DELETE", _POLICY, "identity:delete_policy", stored_policies.delete, 204),
    _route(
        "GET",
        f"{_POLICY}/OS-ENDPOINT-POLICY/endpoints",
        "identity:list_endpoints_for_policy",
        stored_policies.list_endpoints,
    ),
    _route(
        "GET",
        "/v3/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy",
        "identity:get_policy_for_endpoint",
        stored_policies.of_endpoint,
    ),
]
for _kind, _path in (
    ("endpoint", "endpoints/{endpoint_id}"),
    ("service", "services/{service_id}"),
    ("region_and_service", "services/{service_id}/regions/{region_id}"),
):
    _where = f"{_POLICY}/OS-ENDPOINT-POLICY/{_path}"
    _what = f"policy_association_for_{_kind}"
    _POLICIES += [
        _route("GET", _where, f"identity:check_{_what}", stored_policies.check, 204),
        _route("PUT", _where, f"identity:create_{_what}", stored_policies.associate, 204),
        _route("DELETE", _where, f"identity:delete_{_what}", stored_policies.dissociate, 204),
    ]

_REGISTERED = "/v3/registered_limits/{limit_id}"
_LIMIT = "/v3/limits/{limit_id}"
_LIMITS = [
    _route(
        "GET",
        "/v3/registered_limits",
        "identity:list_registered_limits",
        registered_limits.index,
        query=queries.REGISTERED_LIMITS,
    ),
    _route(
        "POST",
        "/v3/registered_limits",
        "identity:create_registered_limits",
        registered_limits.create,
        201,
        schema=registered_limits.CREATE,
    ),
    _route("GET", _REGISTERED, "identity:get_registered_limit", registered_limits.show),
    _route(
        "PATCH",
        _REGISTERED,
        "identity:update_registered_limit",
        registered_limits.update,
        schema=registered_limits.UPDATE,
    ),
    _route("DELETE", _REGISTERED, "identity:delete_registered_limit", registered_limits.delete, 204),
    _route("GET", "/v3/limits/model", "identity:get_limit_model", limits.show_model),
    _route("GET", "/v3/limits", "identity:list_limits", limits.index, query=queries.LIMITS),
    _route("POST", "/v3/limits", "identity:create_limits", limits.create, 201, schema=limits.CREATE),
    _checked("GET", _LIMIT, "identity:get_limit", limits.show),
    _route("PATCH", _LIMIT, "identity:update_limit", limits.update, schema=limits.UPDATE),
    _route("DELETE", _LIMIT, "identity:delete_limit", limits.delete, 204),
]

_CONFIG = "/v3/domains/{domain_id}/config"
_DOMAIN_CONFIGS = [
    _route(
        "PUT",
        _CONFIG,
        "identity:create_domain_config",
        domain_configs.create,
        201,
        schema=domain_configs.BODY,
    ),
    _route(
        "GET",
        "/v3/domains/config/default",
        "identity:get_domain_config_default",
        domain_configs.show_defaults,
    ),
    _route(
        "GET",
        "/v3/domains/config/{group}/default",
        "identity:get_domain_config_default",
        domain_configs.show_defaults,
    ),
    _route(
        "GET",
        "/v3/domains/config/{group}/{option}/default",
        "identity:get_domain_config_default",
        domain_configs.show_defaults,
    ),
]
for _path in (_CONFIG, f"{_CONFIG}/{{group}}", f"{_CONFIG}/{{group}}/{{option}}"):
    _DOMAIN_CONFIGS += [
        _checked("GET", _path, "identity:get_domain_config", domain_configs.show),
        _route(
            "PATCH",
            _path,
            "identity:update_domain_config",
            domain_configs.update,
            schema=domain_configs.BODY,
        ),
        _route("DELETE", _path, "identity:delete_domain_config", domain_configs.delete, 204),
    ]

_FEDERATION = "/v3/OS-FEDERATION"
_PROVIDER = f"{_FEDERATION}/identity_providers/{{provider_id}}"
_PROTOCOL = f"{_PROVIDER}/protocols/{{protocol_id}}"
_SP = f"{_FEDERATION}/service_providers/{{provider_id}}"
_MAPPING = f"{_FEDERATION}/mappings/{{mapping_id}}"
_WEBSSO = "/v3/auth/OS-FEDERATION"
_FEDERATION_ROUTES = [
    _route(
        "GET",
        f"{_FEDERATION}/identity_providers",
        "identity:list_identity_providers",
        identity_providers.index,
    ),
    _route("GET", _PROVIDER, "identity:get_identity_provider", identity_providers.show),
    _route(
        "PUT",
        _PROVIDER,
        "identity:create_identity_provider",
        identity_providers.create,
        201,
        schema=identity_providers.CREATE,
    ),
    _route(
        "PATCH",
        _PROVIDER,
        "identity:update_identity_provider",
        identity_providers.update,
        schema=identity_providers.UPDATE,
    ),
    _route("DELETE", _PROVIDER, "identity:delete_identity_provider", identity_providers.delete, 204),
    _route("GET", f"{_PROVIDER}/protocols", "identity:list_protocols", identity_providers.list_protocols),
    _route("GET", _PROTOCOL, "identity:get_protocol", identity_providers.show_protocol),
    _route(
        "PUT",
        _PROTOCOL,
        "identity:create_protocol",
        identity_providers.create_protocol,
        201,
        schema=identity_providers.CREATE_PROTOCOL,
    ),
    _route(
        "PATCH",
        _PROTOCOL,
        "identity:update_protocol",
        identity_providers.update_protocol,
        schema=identity_providers.UPDATE_PROTOCOL,
    ),
    _route("DELETE", _PROTOCOL, "identity:delete_protocol", identity_providers.delete_protocol, 204),
    _route("GET", f"{_FEDERATION}/mappings", "identity:list_mappings", mappings.index),
    _route("GET", _MAPPING, "identity:get_mapping", mappings.show),
    _route("PUT", _MAPPING, "identity:create_mapping", mappings.create, 201, schema=mappings.BODY),
    _route("PATCH", _MAPPING, "identity:update_mapping", mappings.update, schema=mappings.BODY),
    _route("DELETE", _MAPPING, "identity:delete_mapping", mappings.delete, 204),
    _route(
        "GET", f"{_FEDERATION}/service_providers", "identity:list_service_providers", service_providers.index
    ),
    _route("GET", _SP, "identity:get_service_provider", service_providers.show),
    _route(
        "PUT",
        _SP,
        "identity:create_service_provider",
        service_providers.create,
        201,
        schema=service_providers.CREATE,
    ),
    _route(
        "PATCH",
        _SP,
        "identity:update_service_provider",
        service_providers.update,
        schema=service_providers.UPDATE,
    ),
    _route("DELETE", _SP, "identity:delete_service_provider", service_providers.delete, 204),
]
# No policy rule: the application credential is the right to it; what is retired is nobody's.
_OPEN = [
    Route("POST", "/v3/OS-OAUTH2/token", None, oauth2.create, body="raw"),
    Route("GET", "/v3/OS-SIMPLE-CERT/ca", None, retired.gone, 410),
    Route("GET", "/v3/OS-SIMPLE-CERT/certificates", None, retired.gone, 410),
    Route("GET", "/v3/auth/tokens/OS-PKI/revoked", None, retired.gone, 410),
]
# Keystone to Keystone: the token in the body is the right to an assertion; metadata is for everybody.
_SAML = [
    Route("POST", f"{_WEBSSO}/saml2", None, saml.create, schema=saml.CREATE),
    Route("POST", f"{_WEBSSO}/saml2/ecp", None, saml.create_enveloped, schema=saml.CREATE),
    Route("GET", f"{_FEDERATION}/saml2/metadata", None, saml.show_metadata),
]
# Older names of what is in /v3/auth now.
_FEDERATION_ROUTES += [
    _route("GET", f"{_FEDERATION}/projects", "identity:get_auth_projects", tokens.list_projects),
    _route("GET", f"{_FEDERATION}/domains", "identity:get_auth_domains", tokens.list_domains),
]
# The web server in front says who it is.
for _method in ("GET", "POST"):
    _FEDERATION_ROUTES += [
        Route(_method, f"{_PROTOCOL}/auth", None, federated_login.login, 201, body="none"),
        Route(_method, f"{_WEBSSO}/websso/{{protocol_id}}", None, federated_login.websso, body="none"),
        Route(
            _method,
            f"{_WEBSSO}/identity_providers/{{provider_id}}/protocols/{{protocol_id}}/websso",
            None,
            federated_login.websso_of,
            body="none",
        ),
    ]

EXTENSIONS: list[Route] = [
    *_EC2_ROUTES,
    *_TRUSTS,
    *_OAUTH1,
    *_ENDPOINT_FILTERS,
    *_POLICIES,
    *_LIMITS,
    *_DOMAIN_CONFIGS,
    *_FEDERATION_ROUTES,
    *_SAML,
    *_OPEN,
]
