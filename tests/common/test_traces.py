"""What a collector gets by OTLP is what `celaje flow show` draws: requests, flows, steps and hops, joined."""

import gzip
import http.server
import threading
from types import SimpleNamespace

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from celaje.common.conf import load
from celaje.common.errors import ConfigurationError
from celaje.journals import Storyteller
from tests.cloud import LabCloud, journals_of, until

MINE = "req-0badcafe-2222-4333-8444-555555555555"


class Collector:
    """An OTLP receiver on loopback; `spans` of all that has come, by span id."""

    def __init__(self):
        self.spans = {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                outer.take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                """Nothing of it belongs into a test's output."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}/v1/traces"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, request):
        for group in request.resource_spans:
            (service,) = [
                one.value.string_value for one in group.resource.attributes if one.key == "service.name"
            ]
            for scope in group.scope_spans:
                for span in scope.spans:
                    self.spans[span.span_id] = SimpleNamespace(
                        service=service,
                        name=span.name,
                        trace=span.trace_id.hex(),
                        parent=self.spans_key(span.parent_span_id),
                        began=span.start_time_unix_nano,
                        ended=span.end_time_unix_nano,
                        error=span.status.message,
                        facts={one.key: one.value for one in span.attributes},
                    )

    @staticmethod
    def spans_key(identifier):
        return identifier or None

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector(monkeypatch):
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    made = Collector()
    yield made
    made.stop()


def test_a_volume_of_a_bad_image_as_spans_is_what_flow_show_draws(collector, tmp_path):
    services = ("identity", "image", "volume")
    traced = {name: {("opentelemetry", "endpoint"): collector.endpoint} for name in services}
    cloud = LabCloud.at(tmp_path / "state", overrides=traced, services=services).begin()
    try:
        volume = cloud.as_user("volume")
        answer = volume.post("/v3/volumes", {"volume": {"size": 1}}, headers={"X-Openstack-Request-Id": MINE})
        made = answer.ok(202)["volume"]["id"]
        until(lambda: volume.get(f"/v3/volumes/{made}").ok()["volume"]["status"] == "available")
        refused = {"volume": {"size": 1, "imageRef": "11111111-2222-3333-4444-555555555555"}}
        volume.post("/v3/volumes", refused, headers={"X-Openstack-Request-Id": MINE})
    finally:
        cloud.stop(grace=5)  # sends what waits
    spans = {key: span for key, span in collector.spans.items() if span.trace == MINE[4:].replace("-", "")}
    names = [span.name for span in spans.values()]
    flow = next(span for span in spans.values() if span.name == "flow volume.create")
    request = spans[flow.parent]
    assert (request.name, request.service) == ("POST /v3/volumes", "celaje-volume")
    assert request.facts["http.response.status_code"].int_value == 202
    steps = [span for span in spans.values() if span.parent and spans.get(span.parent) is flow]
    assert [step.name for step in sorted(steps, key=lambda step: step.began)][-1].startswith(
        "step volume-worker"
    )
    assert "driver create_volume" in names
    # The image service's part is in the same trace: its request, and the hop that led there.
    assert any(span.service == "celaje-image" for span in spans.values())
    assert any(name.startswith("rest GET /v2/images") for name in names)
    for span in spans.values():
        assert span.began <= span.ended
        if span.parent in spans and span.name.startswith(("step", "driver", "call")):
            outer = spans[span.parent]
            assert outer.began - 1_000_000 <= span.began and span.ended <= outer.ended + 1_000_000, span
    journals = journals_of(tmp_path / "state")
    drawn = {node.what for root in Storyteller(journals).of_request(MINE) for node in root.walk()}
    journals.close()
    assert "create_volume" in drawn and "volume.create" in drawn


def test_without_the_extra_it_is_told_what_to_install(monkeypatch):
    import sys

    from celaje.common.traces import Traces

    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    with pytest.raises(ConfigurationError, match=r"celaje\[opentelemetry\]"):
        Traces("http://127.0.0.1:1/v1/traces", "volume", "h")


def test_a_collector_that_is_not_there_keeps_nobody(tmp_path, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    traced = {"volume": {("opentelemetry", "endpoint"): "http://127.0.0.1:1/v1/traces"}}
    cloud = LabCloud.at(tmp_path / "state", overrides=traced, services=("identity", "volume")).begin()
    try:
        volume = cloud.as_user("volume")
        made = volume.post("/v3/volumes", {"volume": {"size": 1}}).ok(202)["volume"]["id"]
        until(lambda: volume.get(f"/v3/volumes/{made}").ok()["volume"]["status"] == "available")
    finally:
        cloud.stop(grace=5)


def test_the_endpoint_is_a_url(tmp_path):
    (tmp_path / "c.conf").write_text("[opentelemetry]\nendpoint = file:///etc/passwd\n")
    with pytest.raises(ConfigurationError, match=r"c\.conf:2"):
        load("volume", {}, [tmp_path / "c.conf"])
