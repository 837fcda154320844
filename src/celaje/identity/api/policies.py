"""Who may do what in identity: Keystone's rule names and defaults (Secure RBAC personas and scopes).

`role:admin` on any scope rules the whole cloud, as in Keystone; `role:reader` on the system reads all of it;
manager and reader of a domain manage and read what is in their domain.
"""

from celaje.common.policy import Rule

_SYSTEM_READER = "(role:reader and system_scope:all)"
_ADMIN = "rule:admin_required"
_READ = f"{_ADMIN} or {_SYSTEM_READER}"
_NOT_NOBODYS = "not None:%(target.project.domain_id)s"
_OF_DOMAIN = "domain_id:%(target.{kind}.domain_id)s"

_EVERYWHERE = ("system", "domain", "project")
_CLOUD = ("system", "project")


def _domain(role: str, *kinds: str) -> str:
    """Holders of a role on the domain that the targets are in."""
    return f"(role:{role} and {' and '.join(_OF_DOMAIN.format(kind=kind) for kind in kinds)})"


def _of_project(role: str) -> str:
    return f"(role:{role} and domain_id:%(target.project.domain_id)s and {_NOT_NOBODYS})"


def _grants(role: str) -> str:
    """Actor and target both in the caller's domain."""
    ways = [
        f"(role:{role} and domain_id:%(target.{actor}.domain_id)s and domain_id:%({target})s)"
        for actor in ("user", "group")
        for target in ("target.project.domain_id", "target.domain.id")
    ]
    return f"({' or '.join(ways)})"


_OWN_ROLE = "(domain_id:%(target.role.domain_id)s or None:%(target.role.domain_id)s)"
_MAKE_GRANT = (
    f"{_ADMIN} or ({_grants('admin')} and {_OWN_ROLE}) or "
    f"({_grants('manager')} and rule:domain_managed_target_role)"
)

_NAMED = {
    "admin_required": "role:admin or is_admin:1",
    "service_role": "role:service",
    "service_or_admin": "rule:admin_required or rule:service_role",
    "owner": "user_id:%(user_id)s",
    "admin_or_owner": "rule:admin_required or rule:owner",
    "token_subject": "user_id:%(target.token.user_id)s",
    "admin_or_token_subject": "rule:admin_required or rule:token_subject",
    "service_admin_or_token_subject": "rule:service_or_admin or rule:token_subject",
    "domain_managed_target_role": (
        "'manager':%(target.role.name)s or 'member':%(target.role.name)s or 'reader':%(target.role.name)s"
    ),
}

_OF_CREDENTIAL = "user_id:%(target.credential.user_id)s"
_OF_USER = "user_id:%(target.user.id)s"
_PROJECT_USER = "project_id:%(target.project.id)s"
_READ_PROJECT = f"{_READ} or {_of_project('reader')} or {_PROJECT_USER}"
_MANAGE_PROJECT = f"{_ADMIN} or {_of_project('manager')}"
_READ_GROUP = f"{_READ} or {_domain('reader', 'group')}"
_MANAGE_GROUP = f"{_ADMIN} or {_domain('manager', 'group')}"
_MANAGE_MEMBERS = f"{_ADMIN} or {_domain('manager', 'group', 'user')}"
_MANAGE_USER = f"{_ADMIN} or {_domain('manager', 'user')}"
_ASSIGNMENTS = (
    f"{_READ} or (role:reader and domain_id:%(target.domain_id)s and not None:%(target.domain_id)s)"
)

# name -> (check, scope types)
_OPERATIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    # Tokens and what one can log in to
    "check_token": (f"{_READ} or rule:token_subject", _EVERYWHERE),
    "validate_token": (f"{_READ} or rule:service_role or rule:token_subject", _EVERYWHERE),
    "revoke_token": ("rule:admin_or_token_subject", _EVERYWHERE),
    "get_auth_catalog": ("", ()),
    "get_auth_projects": ("", ()),
    "get_auth_domains": ("", ()),
    "get_auth_system": ("", ()),
    "list_revoke_events": ("rule:service_or_admin", _CLOUD),
    # Users
    "get_user": (f"{_READ} or {_domain('reader', 'user')} or {_OF_USER}", _EVERYWHERE),
    "list_users": (f"{_READ} or (role:reader and domain_id:%(target.domain_id)s)", _EVERYWHERE),
    "list_projects_for_user": ("", ()),
    "list_domains_for_user": ("", ()),
    "create_user": (_MANAGE_USER, _EVERYWHERE),
    "update_user": (_MANAGE_USER, _EVERYWHERE),
    "delete_user": (_MANAGE_USER, _EVERYWHERE),
    # Projects and their tags
    "get_project": (_READ_PROJECT, _EVERYWHERE),
    "list_projects": (f"{_READ} or (role:reader and domain_id:%(target.domain_id)s)", _EVERYWHERE),
    "list_user_projects": (f"{_READ} or {_domain('reader', 'user')} or {_OF_USER}", _EVERYWHERE),
    "create_project": (_MANAGE_PROJECT, _EVERYWHERE),
    "update_project": (_MANAGE_PROJECT, _EVERYWHERE),
    "delete_project": (_MANAGE_PROJECT, _EVERYWHERE),
    "list_project_tags": (_READ_PROJECT, _EVERYWHERE),
    "get_project_tag": (_READ_PROJECT, _EVERYWHERE),
    "update_project_tags": (_MANAGE_PROJECT, _EVERYWHERE),
    "create_project_tag": (_MANAGE_PROJECT, _EVERYWHERE),
    "delete_project_tags": (_MANAGE_PROJECT, _EVERYWHERE),
    "delete_project_tag": (_MANAGE_PROJECT, _EVERYWHERE),
    # Domains
    "get_domain": (
        f"{_READ} or domain_id:%(target.domain.id)s or project_domain_id:%(target.domain.id)s",
        _EVERYWHERE,
    ),
    "list_domains": (f"{_READ} or (role:reader and domain_id:%(target.domain.id)s)", _EVERYWHERE),
    "create_domain": (_ADMIN, _CLOUD),
    "update_domain": (_ADMIN, _CLOUD),
    "delete_domain": (_ADMIN, _CLOUD),
    # Groups
    "get_group": (_READ_GROUP, _EVERYWHERE),
    "list_groups": (_READ_GROUP, _EVERYWHERE),
    "list_groups_for_user": (f"{_READ} or {_domain('reader', 'user')} or rule:owner", _EVERYWHERE),
    "create_group": (_MANAGE_GROUP, _EVERYWHERE),
    "update_group": (_MANAGE_GROUP, _EVERYWHERE),
    "delete_group": (_MANAGE_GROUP, _EVERYWHERE),
    "list_users_in_group": (_READ_GROUP, _EVERYWHERE),
    "check_user_in_group": (f"{_READ} or {_domain('reader', 'group', 'user')}", _EVERYWHERE),
    "add_user_to_group": (_MANAGE_MEMBERS, _EVERYWHERE),
    "remove_user_from_group": (_MANAGE_MEMBERS, _EVERYWHERE),
    # Roles and what they imply
    "get_role": (f"{_READ} or (role:manager and rule:domain_managed_target_role)", _EVERYWHERE),
    "list_roles": (f"{_READ} or (role:manager and not domain_id:None)", _EVERYWHERE),
    "create_role": (_ADMIN, _CLOUD),
    "update_role": (_ADMIN, _CLOUD),
    "delete_role": (_ADMIN, _CLOUD),
    "get_domain_role": (_READ, _CLOUD),
    "list_domain_roles": (_READ, _CLOUD),
    "create_domain_role": (_ADMIN, _CLOUD),
    "update_domain_role": (_ADMIN, _CLOUD),
    "delete_domain_role": (_ADMIN, _CLOUD),
    "get_implied_role": (_READ, _CLOUD),
    "list_implied_roles": (_READ, _CLOUD),
    "create_implied_role": (_ADMIN, _CLOUD),
    "delete_implied_role": (_ADMIN, _CLOUD),
    "list_role_inference_rules": (_READ, _CLOUD),
    "check_implied_role": (_READ, _CLOUD),
    # Role assignments
    "check_grant": (f"{_READ} or ({_grants('reader')} and {_OWN_ROLE})", _EVERYWHERE),
    "list_grants": (f"{_READ} or {_grants('reader')}", _EVERYWHERE),
    "create_grant": (_MAKE_GRANT, _EVERYWHERE),
    "revoke_grant": (_MAKE_GRANT, _EVERYWHERE),
    "list_role_assignments": (_ASSIGNMENTS, _EVERYWHERE),
    "list_role_assignments_for_tree": (_ASSIGNMENTS, _EVERYWHERE),
    # Catalog
    "get_region": ("", _EVERYWHERE),
    "list_regions": ("", _EVERYWHERE),
    # Credentials
    "get_credential": (f"{_READ} or {_OF_CREDENTIAL}", _EVERYWHERE),
    "list_credentials": (f"{_READ} or {_OF_CREDENTIAL}", _EVERYWHERE),
    "create_credential": (f"{_ADMIN} or {_OF_CREDENTIAL}", _EVERYWHERE),
    "update_credential": (f"{_ADMIN} or {_OF_CREDENTIAL}", _EVERYWHERE),
    "delete_credential": (f"{_ADMIN} or {_OF_CREDENTIAL}", _EVERYWHERE),
    "get_application_credential": (f"{_READ} or rule:owner", _CLOUD),
    "list_application_credentials": (f"{_READ} or rule:owner", _CLOUD),
    "create_application_credential": ("rule:owner", ("project",)),
    "delete_application_credential": ("rule:admin_or_owner", _CLOUD),
    "get_access_rule": (f"{_SYSTEM_READER} or {_OF_USER}", _CLOUD),
    "list_access_rules": (f"{_SYSTEM_READER} or {_OF_USER}", _CLOUD),
    "delete_access_rule": (f"(role:admin and system_scope:all) or {_OF_USER}", _CLOUD),
}

_TRUSTOR = "user_id:%(target.trust.trustor_user_id)s"
_TRUSTEE = "user_id:%(target.trust.trustee_user_id)s"
_READ_TRUST = f"{_READ} or {_TRUSTOR} or {_TRUSTEE}"
_MAKE_EC2 = f"{_ADMIN} or (role:member and {_OF_CREDENTIAL})"

_OPERATIONS |= {
    # Trusts
    "create_trust": (_TRUSTOR, ("project",)),
    "list_trusts": (_READ, _CLOUD),
    "list_trusts_for_trustor": (f"{_READ} or {_TRUSTOR}", _CLOUD),
    "list_trusts_for_trustee": (f"{_READ} or {_TRUSTEE}", _CLOUD),
    "list_roles_for_trust": (_READ_TRUST, _CLOUD),
    "get_role_for_trust": (_READ_TRUST, _CLOUD),
    "get_trust": (_READ_TRUST, _CLOUD),
    "delete_trust": (f"{_ADMIN} or {_TRUSTOR}", _CLOUD),
    # OAuth1
    "authorize_request_token": (_ADMIN, ("project",)),
    "get_access_token": (_ADMIN, ("project",)),
    "get_access_token_role": (_ADMIN, ("project",)),
    "list_access_tokens": (_ADMIN, ("project",)),
    "list_access_token_roles": (_ADMIN, ("project",)),
    "delete_access_token": (_ADMIN, ("project",)),
    # EC2 and S3
    "ec2_get_credential": (f"{_READ} or {_OF_CREDENTIAL}", _CLOUD),
    "ec2_list_credentials": (f"{_READ} or rule:owner", _CLOUD),
    "ec2_create_credential": (_MAKE_EC2, _CLOUD),
    "ec2_delete_credential": (_MAKE_EC2, _CLOUD),
    "ec2tokens_validate": ("rule:service_or_admin", _EVERYWHERE),
    "s3tokens_validate": ("rule:service_or_admin", _EVERYWHERE),
    # Limits
    "get_limit_model": ("", _EVERYWHERE),
    "get_limit": (
        f"{_READ} or domain_id:%(target.limit.domain.id)s or domain_id:%(target.limit.project.domain_id)s or "
        "(project_id:%(target.limit.project_id)s and not None:%(target.limit.project_id)s)",
        _EVERYWHERE,
    ),
    "list_limits": ("", _EVERYWHERE),
    "get_registered_limit": ("", _EVERYWHERE),
    "list_registered_limits": ("", _EVERYWHERE),
    # Domain configuration
    "get_security_compliance_domain_config": ("", _EVERYWHERE),
    # Token lists of the past
    "revocation_list": ("rule:service_or_admin", _CLOUD),
    "revoke_tokens_for_user": ("rule:admin_or_owner", _EVERYWHERE),
}

_FOR_READERS = """
    get_consumer list_consumers
    get_domain_config get_domain_config_default
    list_endpoint_groups get_endpoint_group list_projects_associated_with_endpoint_group
    list_endpoints_associated_with_endpoint_group get_endpoint_group_in_project
    list_endpoint_groups_for_project list_projects_for_endpoint check_endpoint_in_project
    list_endpoints_for_project
    list_identity_providers get_identity_provider get_mapping list_mappings get_protocol list_protocols
    list_service_providers get_service_provider
    get_policy list_policies check_policy_association_for_endpoint check_policy_association_for_service
    check_policy_association_for_region_and_service get_policy_for_endpoint list_endpoints_for_policy
"""
_FOR_ADMINS = """
    create_consumer update_consumer delete_consumer
    create_domain_config update_domain_config delete_domain_config
    create_endpoint_group update_endpoint_group delete_endpoint_group add_endpoint_group_to_project
    remove_endpoint_group_from_project add_endpoint_to_project remove_endpoint_from_project
    create_identity_provider update_identity_provider delete_identity_provider
    create_mapping update_mapping delete_mapping create_protocol update_protocol delete_protocol
    create_service_provider update_service_provider delete_service_provider
    create_limits update_limit delete_limit
    create_registered_limits update_registered_limit delete_registered_limit
    create_policy update_policy delete_policy
    create_policy_association_for_endpoint delete_policy_association_for_endpoint
    create_policy_association_for_service delete_policy_association_for_service
    create_policy_association_for_region_and_service delete_policy_association_for_region_and_service
"""
_OPERATIONS |= dict.fromkeys(_FOR_READERS.split(), (_READ, _CLOUD))
_OPERATIONS |= dict.fromkeys(_FOR_ADMINS.split(), (_ADMIN, _CLOUD))

for _actor in ("user", "group"):
    _OPERATIONS[f"list_system_grants_for_{_actor}"] = (_READ, _CLOUD)
    _OPERATIONS[f"check_system_grant_for_{_actor}"] = (_READ, _CLOUD)
    _OPERATIONS[f"create_system_grant_for_{_actor}"] = (_ADMIN, _CLOUD)
    _OPERATIONS[f"revoke_system_grant_for_{_actor}"] = (_ADMIN, _CLOUD)
for _kind in ("service", "endpoint"):
    _OPERATIONS[f"get_{_kind}"] = (_READ, _CLOUD)
    _OPERATIONS[f"list_{_kind}s"] = (_READ, _CLOUD)
for _kind in ("service", "endpoint", "region"):
    for _verb in ("create", "update", "delete"):
        _OPERATIONS[f"{_verb}_{_kind}"] = (_ADMIN, _CLOUD)

RULES = [Rule(name, check, scope_types=()) for name, check in _NAMED.items()] + [
    Rule(f"identity:{name}", check, scope_types=scopes) for name, (check, scopes) in _OPERATIONS.items()
]
