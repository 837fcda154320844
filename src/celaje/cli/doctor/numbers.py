"""Checks of numbers that must fit each other: threads and connections, heartbeats, the order of timeouts."""

from collections.abc import Iterator

from celaje.cli.doctor.examination import ERROR, NOTE, WARNING, Examination, Finding


def connections(exam: Examination) -> Iterator[Finding]:
    """Whether every thread that needs the database finds a connection."""
    told = set()
    for name, conf in exam.confs.items():
        threads = conf.api.threads + conf.flows.workers
        patience = conf.database.pool_timeout
        there = conf.database.max_pool_size + conf.database.max_overflow
        places = [exam.where(name, *at) for at in _CONNECTIONS]
        if threads > there and (threads, there, *places) not in told:
            told.add((threads, there, *places))
            yield Finding(
                WARNING,
                f"{threads} threads ({conf.api.threads} of the API, {conf.flows.workers} of flows) share "
                f"{there} database connections.",
                f"{name}: {', '.join(places)}",
                f"Under load requests are answered 503 after {patience / 30:g} s, flows wait {patience} s, "
                "while threads hold their work.",
                f"Set [database] max_overflow to {threads - conf.database.max_pool_size} or more.",
            )


_CONNECTIONS = (
    ("api", "threads"),
    ("flows", "workers"),
    ("database", "max_pool_size"),
    ("database", "max_overflow"),
)


def heartbeats(exam: Examination) -> Iterator[Finding]:
    """Whether a service that is well is surely seen in time."""
    told = set()
    for name, conf in exam.confs.items():
        for beat, silence, what in (
            (("service", "report_interval"), ("service", "service_down_time"), "a service"),
            (("service", "report_interval"), ("scheduler", "report_down_time"), "a host"),
            (
                ("oslo_messaging_zmq", "zmq_target_update"),
                ("oslo_messaging_zmq", "zmq_target_expire"),
                "a process",
            ),
            ((None, "call_monitor_interval"), (None, "call_monitor_timeout"), "a step at work"),
        ):
            if silence not in set(conf) or beat not in set(conf):
                continue
            every, patience = conf.origin(*beat)[0], conf.origin(*silence)[0]
            places = (exam.where(name, *beat), exam.where(name, *silence))
            if patience >= 2 * every or places in told:
                continue
            told.add(places)
            yield Finding(
                ERROR if patience <= every else WARNING,
                f"A sign of life comes every {every:g} s; after {patience:g} s without one {what} is lost.",
                " and ".join(places),
                f"One late report, and {what} that is well is taken for dead.",
                f"Let {silence[1]} be several times {beat[1]}.",
            )


def timeouts(exam: Examination) -> Iterator[Finding]:
    """Whether whoever waits, waits longer than what they wait for."""
    from celaje.cli.chain.links import Builder
    from celaje.cli.chain.operations import OPERATIONS
    from celaje.cli.chain.rules import verdicts

    if exam.broken:
        return
    builder = Builder(exam.configured)
    told = set()
    for name, operation in OPERATIONS.items():
        for verdict in verdicts(builder.build(name, operation)):
            if str(verdict) in told:
                continue
            told.add(str(verdict))
            outer, inner = verdict.outer, verdict.inner
            order = "together with" if verdict.tie else "before"
            yield Finding(
                NOTE if verdict.tie else WARNING,
                f"{outer.option or outer.what} of the {outer.who} ends {order} "
                f"{inner.option or inner.what} of the {inner.who}.",
                _both(outer.origin, inner.origin),
                verdict.cause,
                f"See celaje timeouts {name}.",
            )


def _both(one: str, other: str) -> str:
    return "both by default" if one == other == "default" else f"{one} and {other}"
