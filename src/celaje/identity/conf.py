"""Identity's options, under the names that Keystone's operators know."""

from oslo_config import cfg

from celaje.common.conf import Options

OPTIONS: Options = {
    None: [
        cfg.IntOpt(
            "list_limit",
            min=1,
            help="Most items of a list when the client names no limit; the answer then says `truncated`.",
        ),
        cfg.IntOpt("max_db_limit", default=1000, min=1, help="Most items of a list in any case."),
        cfg.IntOpt("max_project_tree_depth", default=5, min=1, help="Levels of projects below a domain."),
    ],
    "identity": [
        cfg.StrOpt("default_domain_id", default="default", help="The domain of requests that name none."),
        cfg.IntOpt("password_hash_rounds", default=2, min=1, help="Argon2id: passes over the memory."),
        cfg.IntOpt("password_hash_memory", default=19456, min=8, help="Argon2id: KiB of memory a hash."),
        cfg.IntOpt("password_hash_parallelism", default=1, min=1, help="Argon2id: lanes."),
        cfg.IntOpt(
            "password_hash_concurrency",
            default=4,
            min=1,
            help="Hashes computed at one time; more logins wait. It bounds memory: each takes "
            "password_hash_memory.",
        ),
        cfg.IntOpt("max_password_length", default=4096, min=1, max=4096, help="Longest password accepted."),
        cfg.IntOpt(
            "password_memory_seconds",
            default=60,
            min=0,
            help="Seconds for which a proven password is recognised by a keyed digest in memory instead of "
            "being hashed again. 0: never.",
        ),
    ],
    "auth": [
        cfg.ListOpt(
            "methods",
            default=[
                "external",
                "password",
                "token",
                "oauth1",
                "mapped",
                "saml2",
                "openid",
                "application_credential",
                "totp",
            ],
            help="Login methods that are accepted.",
        ),
    ],
    "receipt": [
        cfg.IntOpt(
            "expiration",
            default=300,
            min=0,
            max=86400,
            help="Seconds for which a login of several methods may be continued.",
        ),
    ],
    "totp": [
        cfg.IntOpt(
            "included_previous_windows",
            default=1,
            min=0,
            max=10,
            help="Spans of 30 seconds before the present one whose passcodes are accepted, too.",
        ),
    ],
    "trust": [
        cfg.IntOpt(
            "max_redelegation_count", default=3, min=0, help="Most trusts that follow from a first one."
        ),
    ],
    "unified_limit": [
        cfg.StrOpt(
            "enforcement_model",
            default="flat",
            choices=["flat", "strict_two_level"],
            help="Whether projects' limits have to fit into their domain's.",
        ),
    ],
    "oauth1": [
        cfg.IntOpt(
            "request_token_duration", default=28800, min=0, help="Seconds a request token holds. 0: for ever."
        ),
        cfg.IntOpt(
            "access_token_duration", default=86400, min=0, help="Seconds an access token holds. 0: for ever."
        ),
    ],
    "oauth2": [
        cfg.ListOpt(
            "oauth2_authn_methods",
            default=["tls_client_auth", "client_secret_basic"],
            help="How clients of OAuth 2.0 show who they are. client_secret_basic: id and secret of an "
            "application credential. tls_client_auth: a certificate (RFC 8705), the id being a user's.",
        ),
        cfg.StrOpt(
            "oauth2_cert_dn_mapping_id",
            default="oauth2_mapping",
            help="The mapping that says which names in a client's certificate must be the user's.",
        ),
    ],
    "credential": [
        cfg.IntOpt(
            "auth_ttl",
            default=15,
            min=1,
            help="Minutes after which a signed EC2 or S3 request is too old to be accepted.",
        ),
        cfg.StrOpt(
            "key_file",
            help="File with the key that seals stored credentials, the same for every identity process. Not "
            "set: credentials.key below state_path.",
        ),
        cfg.IntOpt("user_limit", default=-1, min=-1, help="Most credentials a user has. -1: any number."),
    ],
    "federation": [
        cfg.StrOpt(
            "assertion_prefix",
            default="",
            help="Only variables of the web server's environment whose names begin so are an assertion. "
            "Headers (HTTP_...) are none unless this begins with HTTP_: set that only where a proxy in front "
            "sets them and takes away those that clients send.",
        ),
        cfg.StrOpt(
            "remote_id_attribute",
            help="The variable that tells the identity provider, where the protocol does not say another.",
        ),
        cfg.IntOpt(
            "default_authorization_ttl",
            default=0,
            min=0,
            help="Minutes for which memberships hold that a login through an identity provider found, where "
            "the provider does not say itself.",
        ),
        cfg.MultiStrOpt(
            "trusted_dashboard", default=[], help="Dashboards that may be given a token by a web login."
        ),
        cfg.StrOpt(
            "attribute_mapping_default_schema_version",
            default="1.0",
            choices=["1.0", "2.0", "3.0"],
            help="The version of mappings that name none.",
        ),
    ],
    "token": [
        cfg.IntOpt("expiration", default=3600, min=1, help="Seconds a token holds."),
        cfg.BoolOpt(
            "allow_rescope_scoped_token", default=True, help="Whether a scoped token gets another scope."
        ),
    ],
    "saml": [
        cfg.IntOpt(
            "assertion_expiration_time",
            default=3600,
            min=1,
            help="Seconds for which another cloud may take an assertion that this one makes.",
        ),
        cfg.StrOpt("certfile", help="The certificate of the key that signs assertions, PEM."),
        cfg.StrOpt("keyfile", help="The RSA key that signs assertions, PEM."),
        cfg.StrOpt("idp_entity_id", help="The URI by which other clouds know this one."),
        cfg.StrOpt("idp_sso_endpoint", help="Where its single sign-on is, as its metadata tells."),
        cfg.StrOpt("idp_lang", default="en", help="The language of the organization's names."),
        cfg.StrOpt("idp_organization_name", default="SAML Identity Provider", help="Of the metadata."),
        cfg.StrOpt(
            "idp_organization_display_name",
            default="OpenStack SAML Identity Provider",
            help="Of the metadata.",
        ),
        cfg.StrOpt("idp_organization_url", help="Of the metadata; without it no organization is told."),
        cfg.StrOpt("idp_contact_company", help="Of the metadata; without all of them no contact is told."),
        cfg.StrOpt("idp_contact_name", help="Given name of the contact."),
        cfg.StrOpt("idp_contact_surname", help="Family name of the contact."),
        cfg.StrOpt("idp_contact_email", help="Mail address of the contact."),
        cfg.StrOpt("idp_contact_telephone", help="Telephone number of the contact."),
        cfg.StrOpt(
            "idp_contact_type",
            default="other",
            choices=["technical", "support", "administrative", "billing", "other"],
            help="What the contact is for.",
        ),
        cfg.StrOpt(
            "idp_metadata_path",
            help="A file that is given out as metadata in place of what these options make.",
        ),
        cfg.StrOpt(
            "relay_state_prefix", default="ss:mem:", help="Of service providers that are made without one."
        ),
    ],
    "catalog": [
        cfg.IntOpt(
            "cache_time",
            default=5,
            min=0,
            help="Seconds after which another process's change of the catalog or the roles is seen.",
        ),
    ],
    "revoke": [
        cfg.IntOpt(
            "expiration_buffer",
            default=1800,
            min=0,
            help="Seconds a revocation event is kept beyond the life of the tokens it is about.",
        ),
        cfg.IntOpt(
            "poll_interval",
            default=30,
            min=1,
            help="Seconds between reads of the revocation events, which close the gap of a lost message.",
        ),
    ],
    "security_compliance": [
        cfg.IntOpt(
            "lockout_failure_attempts",
            min=1,
            help="Failed logins after which a user is locked. Not set: never.",
        ),
        cfg.IntOpt("lockout_duration", default=1800, min=1, help="Seconds a user stays locked."),
        cfg.IntOpt(
            "disable_user_account_days_inactive",
            min=1,
            help="Days without a login after which a user is disabled. Not set: never.",
        ),
        cfg.IntOpt(
            "unique_last_password_count",
            default=0,
            min=0,
            help="How many of the last passwords a user's own new one must differ from. 0: none.",
        ),
        cfg.IntOpt(
            "minimum_password_age",
            default=0,
            min=0,
            help="Days before a user may change their password again. 0: at once.",
        ),
        cfg.BoolOpt(
            "change_password_upon_first_use",
            default=False,
            help="Whether users have to change a password that somebody else has set.",
        ),
        cfg.IntOpt("password_expires_days", min=1, help="Days a password holds. Not set: for ever."),
        cfg.StrOpt("password_regex", help="What a password must look like."),
        cfg.StrOpt("password_regex_description", help="The same in words, for the refusal."),
    ],
}
