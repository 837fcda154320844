"""`GET /metrics` in Prometheus' text format (exposition format 0.0.4), for whoever has the token.

Served below the address of an API process or of the whole cloud (`front_door`, `process`), and by a listener
of its own (`[metrics] bind_port`) in processes that have no API.
"""

import hmac
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from celaje import __version__
from celaje.common import metrics
from celaje.common.errors import CelajeError, ConfigurationError

log = logging.getLogger(__name__)

Sample = tuple[str, dict[str, str], float]


class Page:
    """`running` are the process's services. `token()` is what `Authorization: Bearer` must say; None: anybody
    may read, which only a listener on an address of its own lets them."""

    def __init__(self, running: Mapping[str, Any], token: Callable[[], str | None]):
        self._running = running
        self._token = token

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        status, words = "200 OK", ""
        if environ.get("REQUEST_METHOD", "GET") not in ("GET", "HEAD"):
            status, words = "405 Method Not Allowed", "Only GET.\n"
        elif not self._may_read(environ.get("HTTP_AUTHORIZATION", "")):
            status, words = "401 Unauthorized", "The bearer token of [metrics] token_file is needed.\n"
        else:
            words = self.text()
        data = words.encode()
        headers = [
            ("Content-Type", "text/plain; version=0.0.4; charset=utf-8"),
            ("Content-Length", str(len(data))),
        ]
        if status.startswith("401"):
            headers.append(("WWW-Authenticate", 'Bearer realm="metrics"'))
        start_response(status, headers)
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [data]

    def _may_read(self, authorization: str) -> bool:
        token = self._token()
        if token is None:
            return True
        kind, _, given = authorization.partition(" ")
        return kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())

    def text(self) -> str:
        lines: list[str] = []
        for histogram in metrics.ALL:
            _family(lines, histogram.name, histogram.kind, histogram.about, histogram.samples())
        info: list[Sample] = [("celaje_info", {"version": __version__}, 1.0)]
        _family(lines, "celaje_info", "gauge", "What runs here.", info)
        for name, kind, about, read in _PRESENT:
            found: list[Sample] = []
            for service, running in self._running.items():
                found += [(name, {"service": service, **labels}, value) for labels, value in read(running)]
            _family(lines, name, kind, about, found)
        return "\n".join(lines) + "\n"


def _family(lines: list[str], name: str, kind: str, about: str, samples: Iterable[Sample]) -> None:
    known = list(samples)
    if known:
        lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
        lines += [f"{sample}{_labels(labels)} {value:.10g}" for sample, labels, value in known]


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    shown = (f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{','.join(shown)}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


# What has a present value: (labels, value) of one service.

_Read = Iterator[tuple[dict[str, str], float]]


def _connections(service: Any) -> _Read:
    if service.has_database:
        in_use, most = service.database.connections
        yield {"state": "in_use"}, in_use
        yield {"state": "most"}, most


def _statements(service: Any) -> _Read:
    if service.has_database:
        yield {}, service.database.statements


def _commits(service: Any) -> _Read:
    if service.has_database:
        yield {}, service.database.commits


def _open_flows(service: Any) -> _Read:
    if service.engine is None:
        return
    try:
        counted = service.database.read(service.engine.flows.open_by_state)
    except CelajeError as error:
        log.warning("open flows cannot be counted: %s", error.message)
        return
    for (flow, state), number in counted.items():
        yield {"flow": flow, "state": state}, number


def _at_work(service: Any) -> _Read:
    if service.engine is not None:
        yield {}, service.engine.at_work


def _lost(service: Any) -> _Read:
    if service.request_journal is not None:
        yield {}, service.request_journal.lost_in_all


_PRESENT: tuple[tuple[str, str, str, Callable[[Any], _Read]], ...] = (
    ("celaje_database_connections", "gauge", "Connections in use, and the most that may be.", _connections),
    ("celaje_database_statements_total", "counter", "SQL statements.", _statements),
    ("celaje_database_commits_total", "counter", "Transactions committed.", _commits),
    ("celaje_flows_open", "gauge", "Flows that have not ended, in the whole service.", _open_flows),
    ("celaje_flows_at_work", "gauge", "Flows that this conductor has threads at.", _at_work),
    ("celaje_requests_not_journalled_total", "counter", "Requests left out of the journal.", _lost),
)


def token_of(file: str | Path | None) -> str | None:
    """The token that a file holds. Raises ConfigurationError for one that cannot be read or is empty."""
    if file is None:
        return None
    try:
        token = Path(file).read_text().strip()
    except OSError as error:
        raise ConfigurationError(f"[metrics] token_file {file}: {error.strerror}.") from error
    if not token:
        raise ConfigurationError(f"[metrics] token_file {file} is empty.")
    return token


class Listener:
    """The page on an address of its own, one request at a time."""

    def __init__(self, page: Page, host: str, port: int):
        from wsgiref.simple_server import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            # Whoever connects and says nothing must not keep the others away for ever.
            timeout = 5.0

            def log_message(self, *_: Any) -> None:
                """Every fifteen seconds a line would be no news."""

        def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            if environ.get("PATH_INFO") == "/metrics":
                return page(environ, start_response)
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"The figures are at /metrics.\n"]

        try:
            self._server = make_server(host, port, application, handler_class=Quiet)
        except OSError as error:
            raise ConfigurationError(f"[metrics] bind_port {host}:{port}: {error.strerror}.") from error
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
