"""Checks of the message broker: can it be reached, and what would happen while it cannot."""

import contextlib
import itertools
import socket
from collections.abc import Iterator
from typing import Any

from celaje.cli.doctor.examination import ERROR, WARNING, Examination, Finding
from celaje.common.errors import CelajeError

_SECONDS = 3.0


def reachable(exam: Examination) -> Iterator[Finding]:
    told = set()
    for name, conf in exam.confs.items():
        url = conf.transport_url
        if url in told or url.startswith("inproc"):
            continue
        told.add(url)
        where = exam.where(name, None, "transport_url")
        if exam.state is not None:
            yield Finding(
                WARNING,
                "transport_url is not used by celaje up.",
                where,
                "All services of a state directory are in one process and speak by its own bus.",
                "Remove it, or run the services by themselves (celaje service).",
            )
            continue
        yield from (_meeting if url.startswith("zmq") else _asked)(conf, url, where)


def _meeting(conf: Any, url: str, where: str) -> Iterator[Finding]:
    """ZeroMQ has no broker to ask; its settings can contradict each other."""
    from celaje.common.messaging.zmq import address

    try:
        address.settings(url, conf)
    except CelajeError as error:
        yield Finding(ERROR, error.message, where, "No service starts with it.", "Mend the settings.")


def _asked(conf: Any, url: str, where: str) -> Iterator[Finding]:
    from celaje.common.messaging.bus import connect
    from celaje.common.messaging.rabbit import address

    try:
        settings = address.settings(url, conf)
    except CelajeError as error:
        yield Finding(ERROR, error.message, where, "No service starts with it.", "Mend the URL.")
        return
    except ModuleNotFoundError:
        with contextlib.suppress(ModuleNotFoundError):
            connect(url, conf)
        yield Finding(ERROR, "The library of the broker is missing.", where, "No service starts.", "")
        return
    silent = {broker: why for broker in settings.brokers if (why := _refusal(broker))}
    for broker, why in silent.items():
        alone = len(silent) == len(settings.brokers)
        yield Finding(
            ERROR if alone else WARNING,
            f"The broker {broker} cannot be reached: {why}.",
            where,
            schedule(settings) if alone else "The others carry the messages; one less may fail.",
            "Start it, or mend transport_url.",
        )


def schedule(settings: Any) -> str:
    """What would happen meanwhile, by the very rule that the links use."""
    from celaje.common.messaging.rabbit.retry import Backoff

    backoff = Backoff(settings)
    waits = [f"{backoff.failed():g}" for _ in range(5)]
    steady = next(
        wait for wait, following in itertools.pairwise(iter(backoff.failed, None)) if wait == following
    )
    words = f"Attempts follow after {', '.join(waits)} ... {steady:g} s"
    if not settings.max_retries:
        return f"{words}, for ever; meanwhile calls end by their timeout and casts wait."
    return f"{words}; after {settings.max_retries} of them what waits to be sent fails."


def _refusal(broker: Any) -> str:
    try:
        with socket.create_connection((broker.host, broker.port), _SECONDS):
            return ""
    except OSError as error:
        return error.strerror or str(error)
