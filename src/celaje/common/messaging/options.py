"""The options of the message layer, by oslo.messaging's names.

Registered by `common/config.py`; clients find them through the timeouts that they are given.
"""

from oslo_config import cfg

OPTIONS = [
    cfg.StrOpt(
        "transport_url",
        default="inproc://",
        secret=True,
        help="Where the messages travel: inproc:// inside one process.",
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
