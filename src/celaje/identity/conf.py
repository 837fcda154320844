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
        cfg.StrOpt(
            "password_hash_algorithm",
            default="argon2id",
            choices=["argon2id"],
            help="How passwords are hashed.",
        ),
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
    "token": [
        cfg.IntOpt("expiration", default=3600, min=1, help="Seconds a token holds."),
        cfg.BoolOpt(
            "allow_rescope_scoped_token", default=True, help="Whether a scoped token gets another scope."
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
        cfg.IntOpt("password_expires_days", min=1, help="Days a password holds. Not set: for ever."),
        cfg.StrOpt("password_regex", help="What a password must look like."),
        cfg.StrOpt("password_regex_description", help="The same in words, for the refusal."),
    ],
}
