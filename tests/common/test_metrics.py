"""Figures for Prometheus: what is counted, who may read it, and that its own parser understands it."""

import http.client

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select

from celaje.common import metrics, trail
from celaje.common.errors import ConfigurationError
from celaje.common.metrics.histogram import Histogram
from celaje.common.metrics.page import Listener, Page, token_of
from celaje.volume.db.tables import FLOWS as VOLUME_FLOWS
from tests.cloud import until


def asked(application, authorization=None, method="GET"):
    """(status, headers, text) of /metrics."""
    environ = {"REQUEST_METHOD": method, "PATH_INFO": "/metrics"}
    if authorization:
        environ["HTTP_AUTHORIZATION"] = authorization
    seen = []
    body = b"".join(application(environ, lambda status, headers: seen.extend([status, dict(headers)])))
    return int(seen[0][:3]), seen[1], body.decode()


def read(cloud):
    """(name, labels) -> value, as Prometheus' parser has them."""
    token = (cloud.state / "metrics.token").read_text()
    status, headers, text = asked(cloud.application, f"Bearer {token}")
    assert (status, headers["Content-Type"][:26]) == (200, "text/plain; version=0.0.4;")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(figures, name, **labels):
    """The sum over all rows that have these labels."""
    return sum(
        number
        for (called, found), number in figures.items()
        if called == name and labels.items() <= set(found)
    )


def test_an_attach_shows_in_every_family(shared_cloud):
    compute, volume = shared_cloud.as_user("compute"), shared_cloud.as_user("volume")
    before = read(shared_cloud)
    made = volume.post("/v3/volumes", {"volume": {"size": 1}}).ok(202)["volume"]["id"]
    until(lambda: volume.get(f"/v3/volumes/{made}").ok()["volume"]["status"] == "available")
    assert volume.get("/v3/volumes/nowhere").status == 404
    compute.post("/v2.1/servers", {"server": {}})

    def grown(name, **labels):
        return value(read(shared_cloud), name, **labels) - value(before, name, **labels)

    create = {"service": "volume", "flow": "volume.create", "state": "done"}
    until(lambda: grown("celaje_flow_seconds_count", **create) == 1)
    assert grown("celaje_request_seconds_count", service="volume", method="POST", status="202") == 1
    assert grown("celaje_request_seconds_count", service="volume", status="404") == 1
    assert grown("celaje_request_seconds_count", service="compute", status="400") == 1
    assert grown("celaje_route_seconds_count", service="volume", route="POST /v3/volumes") == 1
    assert (
        grown("celaje_rpc_call_seconds_count", topic="volume-worker", message="create_volume", outcome="ok")
        == 1
    )
    assert grown("celaje_rpc_work_seconds_count", topic="volume-worker", message="create_volume") == 1
    assert grown("celaje_driver_seconds_count", operation="create_volume", outcome="ok") == 1
    assert grown("celaje_database_commits_total", service="volume") >= 3
    assert grown("celaje_database_statements_total", service="volume") >= 10
    figures = read(shared_cloud)
    assert value(figures, "celaje_database_connections", service="volume", state="most") > 0
    assert value(figures, "celaje_flows_open", flow="volume.create") == 0
    assert value(figures, "celaje_flows_at_work", service="volume") == 0
    buckets = [
        number
        for (name, labels), number in figures.items()
        if name == "celaje_request_seconds_bucket" and ("le", "+Inf") in labels
    ]
    assert sum(buckets) == value(figures, "celaje_request_seconds_count")


def test_figures_do_not_depend_on_what_is_kept(cloud):
    """Without hops (trace_hops = false) calls, drivers and REST hops are counted all the same, and so are
    those that belong to no request or step."""
    volume, compute = cloud.as_user("volume"), cloud.as_user("compute")
    before = read(cloud)
    trail.keep(False)
    try:
        made = volume.post("/v3/volumes", {"volume": {"size": 1}}).ok(202)["volume"]["id"]
        until(lambda: volume.get(f"/v3/volumes/{made}").ok()["volume"]["status"] == "available")
        refused = compute.post("/v2.1/servers", {"server": {"name": "n", "flavorRef": "1", "imageRef": made}})
        assert refused.status == 400
        (worker,) = cloud.running["volume"].workers.values()
        worker.report_capabilities()
    finally:
        trail.keep(True)
    figures = read(cloud)

    def grown(name, **labels):
        return value(figures, name, **labels) - value(before, name, **labels)

    assert grown("celaje_rpc_call_seconds_count", topic="volume-worker", message="create_volume") == 1
    assert grown("celaje_driver_seconds_count", operation="create_volume") == 1
    assert grown("celaje_driver_seconds_count", operation="capabilities") >= 1
    assert grown("celaje_rest_seconds_count", service="image", status="404") == 1
    (flow,) = cloud.running["volume"].database.read(
        lambda tx: tx.execute(select(VOLUME_FLOWS.flows.c.id).where(VOLUME_FLOWS.flows.c.resource_id == made))
    )
    steps = cloud.running["volume"].database.read(cloud.running["volume"].flows.steps, flow.id)
    assert not [hop for step in steps for hop in step["trail"] or () if hop["kind"] != "state"]


def test_a_flow_that_waits_is_open(cloud):
    service = cloud.running["volume"]
    (worker,) = [server for server in service._servers if server.target.topic == "volume-worker"]
    worker.stop(grace=5)
    cloud.as_user("volume").post("/v3/volumes", {"volume": {"size": 1}}).ok(202)
    until(
        lambda: (
            value(read(cloud), "celaje_flows_open", service="volume", flow="volume.create", state="waiting")
            == 1
        )
    )


def test_rest_between_services_is_counted(shared_cloud):
    before = value(read(shared_cloud), "celaje_rest_seconds_count", service="image", status="404")
    body = {"volume": {"size": 1, "imageRef": "11111111-2222-3333-4444-555555555555"}}
    shared_cloud.as_user("volume").post("/v3/volumes", body)
    assert value(read(shared_cloud), "celaje_rest_seconds_count", service="image", status="404") == before + 1


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer wrong", "Basic Zm9vOmJhcg==", "Bearer é"])
def test_without_the_token_nothing_is_told(shared_cloud, authorization):
    status, headers, text = asked(shared_cloud.application, authorization)
    assert (status, "celaje_" in text) == (401, False)
    assert headers["WWW-Authenticate"].startswith("Bearer")


def test_the_token_is_its_owners_alone(shared_cloud):
    assert (shared_cloud.state / "metrics.token").stat().st_mode & 0o777 == 0o600


def test_only_reading(shared_cloud):
    token = (shared_cloud.state / "metrics.token").read_text()
    assert asked(shared_cloud.application, f"Bearer {token}", "POST")[0] == 405
    assert asked(shared_cloud.application, f"Bearer {token}", "HEAD")[::2] == (200, "")


def test_a_listener_of_its_own(tmp_path):
    listener = Listener(Page({}, lambda: None), "127.0.0.1", 0)
    try:
        connection = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=10)
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        assert (answer.status, b"celaje_info" in answer.read()) == (200, True)
        connection = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=10)
        connection.request("GET", "/elsewhere")
        assert connection.getresponse().status == 404
        with pytest.raises(ConfigurationError, match=str(listener.port)):
            Listener(Page({}, lambda: None), "127.0.0.1", listener.port)
    finally:
        listener.stop()


def test_a_token_file_that_is_of_no_use(tmp_path):
    assert token_of(None) is None
    with pytest.raises(ConfigurationError, match="gone"):
        token_of(tmp_path / "gone")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ConfigurationError, match="empty"):
        token_of(tmp_path / "empty")


def test_labels_are_escaped_and_buckets_are_cumulative():
    made = Histogram("t", "about", ("who",), buckets=(1.0, 2.0))
    for seconds in (0.5, 1.0, 1.5, 9.0):
        made.observe(('a"b\\c\nd',), seconds)
    found = {(name, labels.get("le")): number for name, labels, number in made.samples()}
    assert found == {
        ("t_bucket", "1"): 2,
        ("t_bucket", "2"): 3,
        ("t_bucket", "+Inf"): 4,
        ("t_count", None): 4,
        ("t_sum", None): 12.0,
    }


def test_names_are_each_told_once():
    names = [histogram.name for histogram in metrics.ALL]
    assert len(names) == len(set(names))
