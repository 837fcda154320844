"""The options that every service has, under the names that OpenStack's operators know.

`configuration.load` registers them beside a service's own; `celaje config sample` prints them.
"""

import functools
import socket
from collections.abc import Mapping, Sequence

from oslo_config import cfg

from celaje.common.messaging.options import (
    NOTIFICATION_OPTIONS,
    RABBIT_OPTIONS,
    UPGRADE_OPTIONS,
    ZMQ_OPTIONS,
)
from celaje.common.messaging.options import OPTIONS as MESSAGING

# Group name (None is [DEFAULT]) -> options: the shape of every service's OPTIONS.
Options = Mapping[str | None, Sequence[cfg.Opt]]


@functools.cache
def common_options() -> Options:
    return {
        None: _default(),
        "database": _database(),
        "oslo_policy": _policy(),
        "oslo_messaging_rabbit": RABBIT_OPTIONS,
        "oslo_messaging_zmq": ZMQ_OPTIONS,
        "oslo_messaging_notifications": NOTIFICATION_OPTIONS,
        "upgrade_levels": UPGRADE_OPTIONS,
        "api": _api(),
        "ssl": _ssl(),
        "oslo_middleware": [
            cfg.BoolOpt(
                "enable_proxy_headers_parsing",
                default=False,
                help="Whether the process stands behind a balancer that says how its client reached it "
                "(X-Forwarded-Proto, X-Forwarded-Host, X-Forwarded-Prefix, Forwarded): links in answers are "
                "by that. The balancer has to replace what clients send in these headers.",
            ),
        ],
        "keystone_authtoken": _authtoken(),
        "oauth2": _oauth2(),
        "fernet_tokens": _fernet_tokens(),
        "service": _service(),
        "flows": _flows(),
        "metrics": _metrics(),
        "opentelemetry": [
            cfg.URIOpt(
                "endpoint",
                schemes=["http", "https"],
                help="Collector that gets the spans of requests, flows, steps and hops by OTLP over HTTP, "
                "for example http://127.0.0.1:4318/v1/traces. Needs the extra `opentelemetry` and "
                "trace_hops. Not set: none are sent.",
            ),
        ],
    }


def _default() -> list[cfg.Opt]:
    return [
        cfg.BoolOpt("debug", default=False, help="Log at level DEBUG instead of INFO."),
        cfg.StrOpt("log_file", help="File to log to; standard error when not set."),
        cfg.StrOpt("log_dir", help="Folder that a relative log_file is in."),
        cfg.StrOpt(
            "log_rotation_type",
            default="none",
            choices=["none", "size"],
            ignore_case=True,
            help="none: the file grows until logrotate moves it away, which is noticed. size: it is moved "
            "aside at max_logfile_size_mb, and max_logfile_count old ones are kept.",
        ),
        cfg.IntOpt(
            "max_logfile_size_mb", default=200, min=1, help="MiB of a log file, with rotation by size."
        ),
        cfg.IntOpt("max_logfile_count", default=30, min=1, help="Old log files that are kept."),
        cfg.BoolOpt("use_json", default=False, help="Log one JSON object a line instead of plain text."),
        cfg.BoolOpt(
            "trace_hops",
            default=True,
            help="Note with each request and step what it called, for how long and with which timeout: what "
            "`celaje flow show` draws. Of a process, as the last of its services says. False saves a few "
            "hundredths of the processor's time; the steps themselves are written down all the same.",
        ),
        *MESSAGING,
        cfg.FloatOpt(
            "long_rpc_timeout",
            default=1800,
            min=0.001,
            help="Seconds that a call for long work (copying an image, starting a guest) waits for its "
            "reply, as long as the callee's heartbeats come.",
        ),
        cfg.StrOpt(
            "host",
            default=socket.gethostname(),
            sample_default="<name of this machine>",
            help="Name of this node in messages, service lists and schedulers. Not an address.",
        ),
        cfg.StrOpt("state_path", default="/var/lib/celaje", help="Folder for what the service keeps."),
        cfg.BoolOpt(
            "strict_config",
            default=False,
            help="Refuse to start on a key in the files that no service reads, instead of warning.",
        ),
    ]


def _policy() -> list[cfg.Opt]:
    """As oslo.policy has them; {service} because several services may read one configuration file."""
    return [
        cfg.StrOpt(
            "policy_file",
            default="{service}-policy.yaml",
            help="Rules that replace the service's defaults, YAML or JSON; {service} is its type (volume, "
            "compute ...). A relative name is looked for beside the configuration files, without any in "
            "state_path. It counts a moment after it changes.",
        ),
        cfg.MultiStrOpt(
            "policy_dirs",
            default=["{service}-policy.d"],
            help="Folders of such files, which win over policy_file, in the order of their names.",
        ),
        cfg.BoolOpt(
            "enforce_scope",
            default=True,
            help="Refuse a token of another scope (project, domain, system) than a rule is meant for. False: "
            "only the rule's check decides.",
        ),
    ]


def _database() -> list[cfg.Opt]:
    return [
        cfg.StrOpt(
            "connection",
            secret=True,
            help="SQLAlchemy URL: postgresql://..., mysql+pymysql://..., sqlite:///... {service} in it is "
            "the service's type, since each needs a database of its own. Not set: SQLite below state_path.",
        ),
        cfg.IntOpt("max_pool_size", default=5, min=1, help="Connections that are kept open."),
        cfg.IntOpt("max_overflow", default=50, min=0, help="Connections beyond max_pool_size under load."),
        cfg.IntOpt(
            "pool_timeout",
            default=30,
            min=1,
            help="Seconds that conductors and flows wait for a free connection. A request to an API waits a "
            "thirtieth of it, then it is answered 503 with Retry-After.",
        ),
        cfg.IntOpt(
            "max_retries", default=10, min=-1, help="Attempts to connect at start; -1 tries for ever."
        ),
        cfg.IntOpt("retry_interval", default=10, min=0, help="Seconds between attempts to connect."),
        cfg.StrOpt(
            "sqlite_synchronous",
            default="FULL",
            choices=["FULL", "NORMAL"],
            ignore_case=True,
            help="SQLite only. FULL: what was answered survives a power cut. NORMAL: only a crash of the "
            "process, and less waiting for the disk.",
        ),
    ]


def _api() -> list[cfg.Opt]:
    return [
        cfg.IntOpt(
            "max_limit",
            default=1000,
            min=1,
            deprecated_opts=[cfg.DeprecatedOpt("osapi_max_limit", group="DEFAULT")],
            help="Most items of one page of a list; a greater ?limit= gets this many.",
        ),
        cfg.IntOpt(
            "max_request_body_size",
            default=114688,
            min=1,
            deprecated_opts=[
                cfg.DeprecatedOpt("osapi_max_request_body_size", group="DEFAULT"),
                cfg.DeprecatedOpt("max_request_body_size", group="oslo_middleware"),
            ],
            help="Bytes of a JSON body; more is answered 413. Uploads of images and objects are not bound.",
        ),
        cfg.IntOpt(
            "requests_kept",
            default=10000,
            min=0,
            help="Requests that the service's database remembers, for `celaje flow show` and `celaje why`: "
            "those that changed something, were refused, or came from another service. 0 remembers none. "
            "Who looks reads through all of them: ten times as many take ten times as long.",
        ),
        cfg.StrOpt(
            "public_endpoint",
            help="URL that links in answers begin with, where a balancer hides it. Not set: the URL the "
            "client used.",
        ),
        cfg.HostAddressOpt(
            "bind_host",
            default="127.0.0.1",
            deprecated_opts=_listen("bind_host", "osapi_volume_listen", "osapi_compute_listen"),
            help="Address that an API process listens on.",
        ),
        cfg.PortOpt(
            "bind_port",
            deprecated_opts=_listen("bind_port", "osapi_volume_listen_port", "osapi_compute_listen_port"),
            help="Port that an API process listens on. Not set: the service's known one (identity 5000, "
            "image 9292, network 9696, volume 8776, compute 8774, placement 8778).",
        ),
        cfg.IntOpt(
            "threads",
            default=16,
            min=1,
            help="Requests that an API process works on at one time; more wait for a thread.",
        ),
        cfg.IntOpt(
            "backlog",
            default=1024,
            min=128,
            help="Connections that wait at an API process to be taken.",
        ),
    ]


def _listen(*names: str) -> list[cfg.DeprecatedOpt]:
    """The services' own names for it, all in [DEFAULT]."""
    return [cfg.DeprecatedOpt(name, group="DEFAULT") for name in names]


def _ssl() -> list[cfg.Opt]:
    """oslo.service's group, for who lets no balancer end TLS."""
    return [
        cfg.StrOpt(
            "cert_file",
            help="Certificate (PEM, with its chain) that the process's APIs are served with. Not set: plain "
            "HTTP, for a balancer that ends TLS.",
        ),
        cfg.StrOpt("key_file", help="The private key of cert_file."),
        cfg.StrOpt(
            "ca_file",
            help="Authority of the clients' certificates: who has none of it is not let in. Not set: clients "
            "need no certificate.",
        ),
    ]


def _authtoken() -> list[cfg.Opt]:
    """How a service logs in. Tokens of others are opened in process; nothing here is needed for that."""
    return [
        cfg.StrOpt(
            "auth_url",
            help="Identity's URL, where this service logs in and finds the others in the catalog.",
        ),
        cfg.StrOpt("auth_type", default="password", choices=["password"], help="How it logs in."),
        cfg.StrOpt(
            "username",
            help="This service's user. Not set: DevStack's name (glance, neutron, cinder, nova, placement).",
        ),
        cfg.StrOpt("password", secret=True, help="Its password."),
        cfg.StrOpt("project_name", default="service", help="The project that it acts in."),
        cfg.StrOpt("user_domain_name", default="Default", help="The domain of the user."),
        cfg.StrOpt("project_domain_name", default="Default", help="The domain of the project."),
        cfg.StrOpt("region_name", help="The region whose endpoints are used. Not set: any."),
        cfg.StrOpt(
            "interface",
            default="internal",
            choices=["internal", "public", "admin"],
            help="The endpoints of the catalog by which this service reaches the others.",
        ),
        cfg.StrOpt("cafile", help="Certificates that the other APIs' must be signed by."),
        cfg.StrOpt("certfile", help="This service's own certificate, where the other APIs ask for one."),
        cfg.StrOpt("keyfile", help="The private key of certfile. Not set: it is in certfile."),
        cfg.FloatOpt(
            "http_connect_timeout",
            default=90,
            min=0.1,
            help="Seconds that this service waits for an answer of another API. The work there goes on. "
            "Longer than that API's own waits.",
        ),
    ]


def _oauth2() -> list[cfg.Opt]:
    return [
        cfg.StrOpt(
            "client_certificate_variable",
            default="SSL_CLIENT_CERT",
            help="The variable in which whoever ends TLS in front hands on the client's certificate: PEM, "
            "escaped as in URLs or not, or DER in base64. HTTP_X_... for a header that a proxy sets, and "
            "drops where a client sends it. A token of OAuth 2.0 that is bound to a certificate is refused "
            "by every service without it.",
        ),
    ]


def _fernet_tokens() -> list[cfg.Opt]:
    return [
        cfg.StrOpt(
            "key_repository",
            default="/etc/celaje/fernet-keys",
            help="Folder with the keys of tokens, the same on every machine: each API opens tokens itself.",
        ),
        cfg.IntOpt(
            "max_active_keys",
            default=3,
            min=1,
            help="Keys that `celaje identity rotate-keys` leaves: the next one, the one that seals, and "
            "older ones, whose tokens hold until their key goes. Two more than rotations in a token's life.",
        ),
    ]


def _service() -> list[cfg.Opt]:
    return [
        cfg.IntOpt(
            "report_interval",
            default=10,
            min=1,
            deprecated_group="DEFAULT",
            help="Seconds between the signs of life (and of capacity) of a component.",
        ),
        cfg.IntOpt(
            "service_down_time",
            default=60,
            min=1,
            deprecated_group="DEFAULT",
            help="Seconds without a sign of life after which a component counts as down. Several "
            "report_intervals, or a late report takes a healthy one out.",
        ),
    ]


def _metrics() -> list[cfg.Opt]:
    """Figures for Prometheus, of a process: the first of its services with an API says."""
    return [
        cfg.StrOpt(
            "token_file",
            help="File with the token that /metrics asks for (Authorization: Bearer ...). Not set: an API's "
            "address does not serve it; celaje up makes metrics.token in its folder.",
        ),
        cfg.PortOpt(
            "bind_port",
            min=0,
            help="Port on which this process serves /metrics by itself: what has no API has no other. Not "
            "set: none.",
        ),
        cfg.HostAddressOpt(
            "bind_host",
            default="127.0.0.1",
            help="Address of bind_port. Where others reach it, set token_file, too.",
        ),
    ]


def _flows() -> list[cfg.Opt]:
    return [
        cfg.IntOpt("workers", default=16, min=1, help="Threads of a conductor, one a running flow."),
        cfg.IntOpt(
            "lease",
            default=30,
            min=1,
            help="Seconds after which a flow of a conductor that died may be taken by another.",
        ),
        cfg.FloatOpt(
            "poll_interval",
            default=5,
            min=0.01,
            help="Seconds between looks for flows whose nudge was lost.",
        ),
        cfg.IntOpt(
            "keep",
            default=30,
            min=0,
            help="Days after which what ended is deleted with its steps, servers' actions with it. 0: never.",
        ),
        cfg.StrOpt(
            "vault_key_file",
            help="File with the key that seals the users' tokens in flows' rows, the same on every machine "
            "with this service's API or conductor. Not set: vault.key below state_path.",
        ),
    ]
