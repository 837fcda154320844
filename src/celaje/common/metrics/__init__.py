"""Figures of a process for Prometheus: counted where the work is done, rendered when somebody asks.

Requests, messages, REST hops, drivers' calls and flows are observed here by those who do them; what only has
a present value (connections, open flows) is read from the services at the time of asking, in `page`.
"""

from typing import Any

from celaje.common.metrics.histogram import Histogram

REQUESTS = Histogram(
    "celaje_request_seconds",
    "Requests to an API, until the answer was ready.",
    ("service", "method", "status"),
)
ROUTES = Histogram(
    "celaje_route_seconds", "The same by route of the API's table.", ("service", "route"), buckets=()
)
HOPS = {
    "call": Histogram(
        "celaje_rpc_call_seconds",
        "Calls by message, until the reply, or until the caller left.",
        ("topic", "message", "outcome"),
    ),
    "cast": Histogram(
        "celaje_rpc_cast_seconds",
        "Casts and fanouts, until the bus had them.",
        ("topic", "message", "outcome"),
        buckets=(),
    ),
    "rest": Histogram("celaje_rest_seconds", "Requests to other services.", ("service", "status", "outcome")),
    "driver": Histogram("celaje_driver_seconds", "Calls of a driver.", ("driver", "operation", "outcome")),
}
HOPS["fanout"] = HOPS["cast"]
MESSAGES = Histogram(
    "celaje_rpc_work_seconds", "Messages that were worked on here.", ("topic", "message", "outcome")
)
FLOWS = Histogram(
    "celaje_flow_seconds",
    "Flows that ended here, from their submission.",
    ("service", "flow", "state"),
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000),
)
ALL = [REQUESTS, ROUTES, *dict.fromkeys(HOPS.values()), MESSAGES, FLOWS]


def hop(kind: str, name: str, took: float, facts: dict[str, Any]) -> None:
    """One hop of a trail, as `common/trail.py` describes it; kinds that nobody counts are left out."""
    histogram = HOPS.get(kind)
    if histogram is None:
        return
    to, outcome = facts.get("to") or "", facts.get("error") or "ok"
    if kind == "rest":
        histogram.observe((to, str(facts.get("status") or ""), outcome), took)
    elif kind == "driver":
        histogram.observe((to, name, outcome), took)
    else:
        # The topic without the host: a thousand hosts would make a thousand rows.
        histogram.observe((to.partition(".")[0], name, outcome), took)
