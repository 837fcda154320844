"""Options that a domain may have of its own, and what they are by default.

They are kept for directories (LDAP) that a domain's users are in; names and defaults are those that
operators know. Passwords among them are stored and never shown.
"""

from typing import Any

from celaje.identity.errors import ForbiddenAction

Options = dict[str, dict[str, Any]]

_LDAP: dict[str, Any] = {
    "url": "ldap://localhost",
    "suffix": "cn=example,cn=com",
    "query_scope": "one",
    "page_size": 0,
    "alias_dereferencing": "default",
    "user_objectclass": "inetOrgPerson",
    "user_id_attribute": "cn",
    "user_name_attribute": "sn",
    "user_mail_attribute": "mail",
    "user_description_attribute": "description",
    "user_pass_attribute": "userPassword",
    "user_enabled_attribute": "enabled",
    "user_enabled_invert": False,
    "user_enabled_mask": 0,
    "user_enabled_default": "True",
    "user_attribute_ignore": ["default_project_id"],
    "user_enabled_emulation": False,
    "user_enabled_emulation_use_group_config": False,
    "user_additional_attribute_mapping": [],
    "group_objectclass": "groupOfNames",
    "group_id_attribute": "cn",
    "group_name_attribute": "ou",
    "group_members_are_ids": False,
    "group_member_attribute": "member",
    "group_desc_attribute": "description",
    "group_attribute_ignore": [],
    "group_additional_attribute_mapping": [],
    "use_tls": False,
    "tls_req_cert": "demand",
    "use_pool": True,
    "pool_size": 10,
    "pool_retry_max": 3,
    "pool_retry_delay": 0.1,
    "pool_connection_timeout": -1,
    "pool_connection_lifetime": 600,
    "use_auth_pool": True,
    "auth_pool_size": 100,
    "auth_pool_connection_lifetime": 60,
}
_LDAP_UNSET = """
    user debug_level chase_referrals user_tree_dn user_filter user_default_project_id_attribute
    user_enabled_emulation_dn group_tree_dn group_filter tls_cacertfile tls_cacertdir
"""

DEFAULTS: Options = {
    "identity": {"driver": "sql", "list_limit": None},
    "ldap": {**dict.fromkeys(_LDAP_UNSET.split()), **_LDAP},
}
SENSITIVE = {"ldap": frozenset(("password",))}


def refused(reason: str) -> ForbiddenAction:
    return ForbiddenAction(f"Invalid domain specific configuration: {reason}.")


def is_sensitive(group: str, option: str) -> bool:
    return option in SENSITIVE.get(group, ())


def check_names(group: str | None, option: str | None = None) -> None:
    """Raises ForbiddenAction for what no domain may have of its own."""
    if group is not None and group not in DEFAULTS:
        raise refused(f"Group {group[:64]} is not supported for domain specific configurations")
    known = option is None or (
        group is not None and (option in DEFAULTS[group] or is_sensitive(group, option))
    )
    if not known:
        raise refused(
            f"Option {str(option)[:64]} in group {group} is not supported for domain specific configurations"
        )


def check(config: Any) -> None:
    if not isinstance(config, dict) or not config:
        raise refused("No options specified")
    for group, options in config.items():
        if not isinstance(options, dict) or not options:
            raise refused(
                f"The value of group {group[:64]} specified in the config should be a dictionary of options"
            )
        for option in options:
            check_names(group, option)
