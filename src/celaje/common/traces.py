"""The journals' hops as OpenTelemetry spans, sent to a collector over OTLP (the extra `opentelemetry`).

Hung on APIs and engines by Service where `[opentelemetry] endpoint` is set; imported only there. A trace's id
is the global request id, a request's span the first half of its own id, a flow's that of the flow's: so the
spans of many processes join without anything sent along but what is sent anyway.
"""

import datetime
import uuid
from collections.abc import Iterable
from typing import Any

from celaje import __version__
from celaje.common import clock
from celaje.common.errors import ConfigurationError
from celaje.common.trail import Hop
from celaje.common.wsgi.request import Request

Row = dict[str, Any]

_EPOCH = datetime.datetime(1970, 1, 1)


class Traces:
    """`service` and `host` are the resource that the spans are of."""

    def __init__(self, endpoint: str, service: str, host: str):
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            raise ConfigurationError(
                "[opentelemetry] endpoint is set, but its libraries are not here: pip install "
                f"'celaje[opentelemetry]' ({error})."
            ) from error
        self._resource = Resource.create(
            {"service.name": f"celaje-{service}", "service.version": __version__, "host.name": host}
        )
        self._processor = BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint))

    def stop(self) -> None:
        """Send what waits."""
        self._processor.shutdown()

    # What becomes a span.

    def request(self, request: Request, status: int) -> None:
        """An Api's observer. Plain reads are left out, as in the journal of requests."""
        asker, http = request.context, request.http
        if status < 400 and asker.global_request_id is None and http.method in ("GET", "HEAD"):
            return
        trace = _number(asker.global_request_id or asker.request_id)
        own = _half(asker.request_id)
        parent = _half(asker.global_request_id) if asker.global_request_id else 0
        began = clock.now() - datetime.timedelta(seconds=request.seconds)
        facts = {
            "http.request.method": http.method,
            "http.response.status_code": status,
            "http.route": request.route.path if request.route else None,
            "celaje.request_id": asker.request_id,
            "celaje.project_id": asker.project_id,
        }
        name = request.route.name if request.route else f"{http.method} {http.path}"
        failed = type(request.error).__name__ if status >= 500 and request.error is not None else None
        self._span(name, trace, own, parent, (_nanoseconds(began), request.seconds), "SERVER", facts, failed)
        hops = request.trail.whole() if request.trail else None
        self._hops(hops, trace, own, _nanoseconds(began))

    def flow(self, flow: Row, steps: Iterable[Row], state: str) -> None:
        """One that has ended, `done` or `failed`, with its steps as far as this process knows them."""
        root = flow["global_request_id"] or flow["request_id"] or f"req-{flow['id']}"
        trace, own = _number(root), _half(flow["id"])
        parent = _half(flow["request_id"]) if flow["request_id"] else 0
        began, ended = _nanoseconds(flow["created_at"]), clock.now()
        facts = {
            "celaje.flow_id": flow["id"],
            "celaje.resource": f"{flow['resource_type']} {flow['resource_id']}",
            "celaje.attempt": flow["attempt"],
        }
        took = (ended - flow["created_at"]).total_seconds()
        error = (flow["error"] or {}).get("class") if state == "failed" else None
        name = f"flow {flow['name']}"
        self._span(name, trace, own, parent, (began, took), "INTERNAL", facts, error)
        for step in steps:
            self._step(step, trace, own)

    def _step(self, step: Row, trace: int, parent: int) -> None:
        if not step.get("finished_at"):
            return
        own, began = _fresh(), _nanoseconds(step["started_at"])
        took = (step["finished_at"] - step["started_at"]).total_seconds()
        facts = {
            "celaje.target": step.get("target"),
            "celaje.timeout": step.get("timeout"),
            "celaje.tries": step["tries"],
        }
        error = (step.get("error") or {}).get("class") if step["outcome"] == "error" else None
        name = f"{step['kind']} {step['name']}"
        self._span(name, trace, own, parent, (began, took), "INTERNAL", facts, error)
        self._hops(step.get("trail"), trace, own, began)

    def _hops(self, hops: list[Hop] | None, trace: int, parent: int, began: int) -> None:
        for hop in hops or ():
            if "took" not in hop:
                continue  # a change of state takes no time
            own, start = _fresh(), began + round(hop["at"] * 1e9)
            facts = {
                "celaje.to": hop.get("to"),
                "celaje.timeout": hop.get("timeout"),
                "celaje.waited": hop.get("waited"),
                "http.response.status_code": hop.get("status"),
                "celaje.request_id": hop.get("request_id"),
            }
            kind = "CLIENT" if hop["kind"] in ("call", "cast", "fanout", "rest") else "INTERNAL"
            name = f"{hop['kind']} {hop['name']}"
            self._span(name, trace, own, parent, (start, hop["took"]), kind, facts, hop.get("error"))
            # The callee's own clock began when it took the message up.
            self._hops(hop.get("hops"), trace, own, start + round(hop.get("waited", 0.0) * 1e9))

    def _span(  # noqa: PLR0917 - what a span is made of
        self,
        name: str,
        trace: int,
        own: int,
        parent: int,
        when: tuple[int, float],
        kind: str,
        facts: dict[str, Any],
        error: str | None,
    ) -> None:
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
        from opentelemetry.trace.status import Status, StatusCode

        sampled = TraceFlags(TraceFlags.SAMPLED)
        began, took = when
        span = ReadableSpan(
            name=name,
            context=SpanContext(trace, own, False, sampled),
            parent=SpanContext(trace, parent, True, sampled) if parent else None,
            resource=self._resource,
            attributes={key: value for key, value in facts.items() if value is not None},
            kind=SpanKind[kind],
            status=Status(StatusCode.ERROR, error) if error else Status(StatusCode.UNSET),
            start_time=began,
            end_time=began + round(took * 1e9),
        )
        self._processor.on_end(span)


def _number(request_id: str) -> int:
    """`req-<uuid>` as a trace id; of an id of another form, a number that it always has."""
    text = request_id.removeprefix("req-")
    try:
        return uuid.UUID(text).int
    except ValueError:
        return uuid.uuid5(uuid.NAMESPACE_OID, text).int


def _half(identifier: str) -> int:
    """A span id; 0 would mean none."""
    return (_number(identifier) >> 64) or 1


def _fresh() -> int:
    return int.from_bytes(clock.random_bytes(8)) or 1


def _nanoseconds(moment: datetime.datetime) -> int:
    return round((moment - _EPOCH) / datetime.timedelta(microseconds=1)) * 1000
