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
