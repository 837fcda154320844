"""Placement's options, under the names that its operators know."""

from oslo_config import cfg

from celaje.common.conf import Options

_NOBODY = "00000000-0000-0000-0000-000000000000"

OPTIONS: Options = {
    "placement": [
        cfg.StrOpt(
            "incomplete_consumer_project_id",
            default=_NOBODY,
            help="Project of consumers whose allocations come by a microversion before 1.8, which names "
            "none.",
        ),
        cfg.StrOpt("incomplete_consumer_user_id", default=_NOBODY, help="User of such consumers."),
        cfg.IntOpt(
            "max_allocation_candidates",
            default=10000,
            min=-1,
            help="Most allocation candidates that one request gets, whatever its limit; -1: no bound. "
            "Nested and shared providers multiply, so a bound keeps one request from taking all memory.",
        ),
    ],
}
