"""The options of the message layer, by oslo.messaging's names.

Registered with the common options (`common/conf/options.py`); clients find them through the timeouts that
they are given.
"""

from oslo_config import cfg

OPTIONS = [
    cfg.StrOpt(
        "transport_url",
        default="inproc://",
        secret=True,
        help="Where messages go: inproc:// (this process), rabbit://user:password@host:5672/vhost with "
        "further hosts after commas, or zmq://.",
    ),
    cfg.StrOpt(
        "control_exchange",
        default="openstack",
        help="Exchange that notifications are published on.",
    ),
    cfg.FloatOpt(
        "rpc_response_timeout",
        default=60,
        min=0.001,
        help="Seconds that a call waits for its reply. The callee's work goes on after it.",
    ),
    cfg.FloatOpt(
        "call_monitor_interval",
        default=5,
        min=0.001,
        help="Seconds between the heartbeats that a callee sends while it works.",
    ),
    cfg.FloatOpt(
        "call_monitor_timeout",
        default=20,
        min=0.001,
        help="Seconds without a heartbeat after which a caller gives up a callee that had begun.",
    ),
]

# [oslo_messaging_rabbit]: names and meanings are oslo.messaging's. `rabbit_max_retries` is the one that it
# has dropped since; operators know it, and a bounded wait needs it.
RABBIT_OPTIONS = [
    cfg.IntOpt(
        "rabbit_max_retries",
        default=0,
        min=0,
        help="Attempts to reach a broker (one attempt tries every host of transport_url) after which what "
        "waits to be sent fails; 0: for ever. Servers that listen go on trying.",
    ),
    cfg.FloatOpt(
        "rabbit_retry_interval",
        default=1,
        min=0.001,
        help="Seconds between the first and the second attempt to reach a broker.",
    ),
    cfg.FloatOpt(
        "rabbit_retry_backoff",
        default=2,
        min=0,
        help="Seconds by which every further wait between attempts is longer than the one before.",
    ),
    cfg.FloatOpt(
        "rabbit_interval_max",
        default=30,
        min=0.001,
        help="Most seconds between two attempts to reach a broker.",
    ),
    cfg.BoolOpt(
        "rabbit_quorum_queue",
        default=True,
        help="Queues of topics and servers are quorum queues: replicated, and on disk before a cast returns. "
        "Must be the same for everything that shares a queue.",
    ),
    cfg.BoolOpt(
        "amqp_durable_queues",
        default=False,
        help="Without quorum queues: queues and messages survive the broker's restart. With them they do "
        "in any case.",
    ),
    cfg.IntOpt(
        "rabbit_transient_queues_ttl",
        default=1800,
        min=1,
        help="Seconds after which the broker removes a reply or fanout queue that nobody uses any more.",
    ),
    cfg.IntOpt(
        "heartbeat_timeout_threshold",
        default=60,
        min=0,
        help="Seconds of silence after which a connection counts as dead; 0: no heartbeats.",
    ),
    cfg.BoolOpt("ssl", default=False, help="Talk TLS with the broker."),
    cfg.StrOpt("ssl_ca_file", default="", help="Certificates that the broker's must be signed by."),
    cfg.StrOpt("ssl_cert_file", default="", help="This side's certificate, if the broker asks for one."),
    cfg.StrOpt("ssl_key_file", default="", help="The private key of ssl_cert_file."),
]

# [oslo_messaging_zmq]: the names of oslo.messaging's former driver where they mean the same here.
ZMQ_OPTIONS = [
    cfg.FloatOpt(
        "rpc_cast_timeout",
        default=-1,
        deprecated_group="DEFAULT",
        help="Seconds that a cast waits at its sender for a server to come up; -1: as long as the sender "
        "lives.",
    ),
    cfg.FloatOpt(
        "rpc_poll_timeout",
        default=1,
        min=0,
        deprecated_group="DEFAULT",
        help="Seconds for which a process that has just started looks for the others before a call that none "
        "of them takes fails.",
    ),
    cfg.StrOpt(
        "rpc_zmq_bind_address",
        default="127.0.0.1",
        deprecated_group="DEFAULT",
        help="Address that this process listens on; * for all of the machine. Anything but loopback needs "
        "curve_secret_key_file.",
    ),
    cfg.StrOpt(
        "rpc_zmq_host",
        deprecated_group="DEFAULT",
        help="Name or address by which the others reach this machine. Not set: rpc_zmq_bind_address.",
    ),
    cfg.PortOpt("rpc_zmq_min_port", default=0, help="First port that a process may take; 0: any free one."),
    cfg.PortOpt("rpc_zmq_max_port", default=65535, help="Last port that a process may take."),
    cfg.IntOpt(
        "rpc_zmq_topic_backlog",
        default=10000,
        min=1,
        deprecated_group="DEFAULT",
        help="Casts to one server, or to a topic, that wait at a sender. One more waits for room while "
        "somebody takes them, and fails while nobody does.",
    ),
    cfg.FloatOpt(
        "zmq_target_update",
        default=2,
        min=0.01,
        help="Seconds between two signs of life to every other process.",
    ),
    cfg.FloatOpt(
        "zmq_target_expire",
        default=10,
        min=0.05,
        help="Seconds without a sign of life after which a process counts as gone.",
    ),
    cfg.StrOpt(
        "curve_secret_key_file",
        help="ZeroMQ certificate with the key pair of the cluster, the same file for all its processes. Not "
        "set: no authentication and no encryption.",
    ),
]

# [upgrade_levels]: Nova's group; here a pin for each kind of receiver of the service.
UPGRADE_OPTIONS = [
    cfg.StrOpt(
        receiver,
        default="auto",
        regex=r"auto|[0-9]+\.[0-9]+",
        help=f"Newest version of the messages that are sent to the service's {receiver}s. auto: what all of "
        "them that live understand, by what they report.",
    )
    for receiver in ("conductor", "scheduler", "worker")
]

# [oslo_messaging_notifications]
NOTIFICATION_OPTIONS = [
    cfg.MultiStrOpt(
        "driver",
        default=[],
        help="messagingv2: publish what happens to resources in oslo.messaging's envelope; log: write it to "
        "the log; noop or nothing: do not.",
    ),
    cfg.ListOpt(
        "topics",
        default=["notifications"],
        help="Where notifications go: to the queues <topic>.info, <topic>.error and so on.",
    ),
]
