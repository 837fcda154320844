"""What `celaje timeouts` predicts is what happens: real clouds with one slow hop each, and one option that
ends it. For every link that it names, the option named is the one that ended the hop."""

import contextlib
import http.client
import json
import socket
import socketserver
import subprocess
import threading
import time
import wsgiref.simple_server

import pytest
from sqlalchemy import select

from celaje.cli.chain import haproxy
from celaje.cli.chain.links import Builder
from celaje.cli.chain.operations import OPERATIONS
from celaje.cli.chain.simulation import Simulation
from celaje.cli.configured import Configured
from celaje.common.db import fetch_all
from celaje.common.rest import RestClient
from celaje.compute.drivers.fake import Behaviour
from tests.cloud import LabCloud, until
from tests.compute.lab import LATEST, VOLUME, Lab
from tests.conformance.running import free_port

pytestmark = pytest.mark.timeout(120)

QUICK = "[flows]\npoll_interval = 0.05\n"


@pytest.fixture
def made(tmp_path):
    """A cloud with this configuration, and what `celaje timeouts` says of an operation in it."""
    with contextlib.ExitStack() as ends:

        def make(text, operation, **slow):
            file = tmp_path / "celaje.conf"
            file.write_text(text)
            cloud = LabCloud.at(tmp_path / "state", files=[file]).begin()
            ends.callback(cloud.stop, grace=5)
            configured = Configured(tmp_path / "state", [file])
            chain = Builder(configured).build(operation, OPERATIONS[operation])
            return Lab(cloud), Simulation(chain, slow).play()

        yield make


def ended(service, name):
    """The newest flow of the name, once it has ended."""
    flows = service.flows.tables.flows

    def look():
        query = select(flows).where(flows.c.name == name).order_by(flows.c.created_at.desc())
        rows = service.database.read(lambda tx: fetch_all(tx, query))
        return rows[0] if rows and rows[0]["finished_at"] else None

    return until(look, 60, f"{name} ends")


def error_of(row):
    return row["error"]["class"].rpartition(".")[2] if row["error"] else None


def steps(service, row):
    return service.database.read(service.flows.steps, row["id"])


def backend(operation, latency):
    return f"[fake]\nfake_rules = {json.dumps([{'operation': operation, 'latency': latency}])}\n"


def attach(lab, volume_id, server_id):
    return lab.user.post(
        f"/v2.1/servers/{server_id}/os-volume_attachments",
        {"volumeAttachment": {"volumeId": volume_id}},
        headers=LATEST,
    )


def pair(lab):
    """A server and a volume, made before anything is slow."""
    volume = lab.volume.post("/v3/volumes", {"volume": {"name": "v", "size": 1}}, headers=VOLUME).ok(202)
    server = lab.user.post("/v2.1/servers", {"server": lab.body()}, headers=LATEST).ok(202)
    assert error_of(ended(lab.service, "server.create")) is None
    assert error_of(ended(lab.cloud.running["volume"], "volume.create")) is None
    return volume["volume"]["id"], server["server"]["id"]


def test_a_slow_back_end_is_ended_by_the_volume_conductors_call(made):
    lab, played = made(
        f"[DEFAULT]\nrpc_response_timeout = 2\n{QUICK}" + backend("initialize_connection", 4),
        "attach",
        backend=4,
    )
    assert (played.first.option, played.first.who) == ("rpc_response_timeout", "volume conductor")
    # The back end has had its time: the server's flow is told so, and does not ask until its own deadline.
    assert (played.answer, played.error, played.ends) == ("success", "ServiceFailed", 2)

    assert attach(lab, *pair(lab)).status == 202
    row = ended(lab.cloud.running["volume"], "attachment.connect")
    assert error_of(row) == "MessagingTimeout"
    (step,) = [one for one in steps(lab.cloud.running["volume"], row) if one["kind"] == "step"]
    assert step["timeout"] == 2
    outer = ended(lab.service, "server.attach_volume")
    assert error_of(outer) == played.error
    assert "did not answer initialize_connection within 2 s" in outer["error"]["message"]


def test_the_answer_that_comes_late_is_fetched(made):
    """The volume API stops waiting, the work goes on: asked again it gives the one answer."""
    text = f"[DEFAULT]\nattachment_wait_timeout = 1\n{QUICK}"
    lab, _ = made(text + backend("initialize_connection", 3), "attach")
    assert attach(lab, *pair(lab)).status == 202
    assert error_of(ended(lab.service, "server.attach_volume")) is None
    flows = lab.cloud.running["volume"].flows.tables.flows
    query = select(flows).where(flows.c.name == "attachment.connect")
    assert len(lab.cloud.running["volume"].database.read(fetch_all, query)) == 1


def test_the_volume_api_stops_waiting_before_the_back_end_is_done(made):
    text = (
        "[DEFAULT]\nattachment_wait_timeout = 1\n[flows]\nserver_attach_deadline = 3\npoll_interval = 0.05\n"
    )
    lab, played = made(text + backend("initialize_connection", 5), "attach", backend=5)
    assert (played.first.option, played.first.who) == ("attachment_wait_timeout", "volume API")
    assert played.error == "DeadlineExceeded"

    assert attach(lab, *pair(lab)).status == 202
    row = ended(lab.service, "server.attach_volume")
    assert error_of(row) == played.error
    # The first connect was not ended by anybody: its own call had the time.
    assert error_of(ended(lab.cloud.running["volume"], "attachment.connect")) != "MessagingTimeout"


def test_a_slow_hypervisor_is_ended_by_the_compute_conductors_call(made):
    lab, played = made(f"[DEFAULT]\nrpc_response_timeout = 2\n{QUICK}", "attach", hypervisor=4)
    assert (played.first.option, played.first.who) == ("rpc_response_timeout", "compute conductor")
    volume_id, server_id = pair(lab)
    lab.driver.behaviour = Behaviour(latency={"attach_volume": 4})
    assert attach(lab, volume_id, server_id).status == 202
    row = ended(lab.service, "server.attach_volume")
    assert (error_of(row), played.error) == ("MessagingTimeout", "MessagingTimeout")
    assert "compute" in row["error"]["message"] and "attach_volume" in row["error"]["message"]
    assert played.ends == 2


def test_the_flows_deadline_ends_what_no_call_ends(made):
    text = "[flows]\nserver_attach_deadline = 1\npoll_interval = 0.05\n"
    lab, played = made(text + backend("initialize_connection", 2), "attach", backend=2)
    assert (played.first.option, played.error) == ("[flows] server_attach_deadline", "DeadlineExceeded")
    assert attach(lab, *pair(lab)).status == 202
    assert error_of(ended(lab.service, "server.attach_volume")) == played.error
    # What was waited for had succeeded.
    assert error_of(ended(lab.cloud.running["volume"], "attachment.connect")) is None


def test_the_compute_api_stops_waiting_for_the_reservation(made, monkeypatch):
    lab, played = made(f"[DEFAULT]\napi_wait_timeout = 1\n{QUICK}", "attach", **{"volume-api": 2})
    assert (played.first.option, played.first.who) == ("api_wait_timeout", "compute API")
    assert (played.answer, played.error) == ("503 Service Unavailable", None)
    volume_id, server_id = pair(lab)
    send = RestClient.request

    def slow(self, method, path, **more):
        if (method, path) == ("POST", "/v3/attachments"):
            time.sleep(2)
        return send(self, method, path, **more)

    monkeypatch.setattr(RestClient, "request", slow)
    assert attach(lab, volume_id, server_id).status == 503
    assert error_of(ended(lab.service, "server.attach_volume")) is None


def test_a_slow_copy_of_an_image_is_ended_by_volume_worker_timeout(made):
    text = f"[DEFAULT]\nvolume_worker_timeout = 1\n{QUICK}{backend('create_volume_from_image', 3)}"
    lab, played = made(text, "create-volume", backend=3)
    assert (played.first.option, played.error) == ("volume_worker_timeout", "MessagingTimeout")
    body = {"volume": {"name": "v", "size": 1, "imageRef": lab.image_id}}
    answer = lab.volume.post("/v3/volumes", body, headers=VOLUME)
    assert (answer.status, played.answer) == (202, "accepted")
    assert error_of(ended(lab.cloud.running["volume"], "volume.create")) == played.error


def test_a_slow_spawn_is_ended_by_long_rpc_timeout(made):
    lab, played = made(f"[DEFAULT]\nlong_rpc_timeout = 1\n{QUICK}", "create-server", hypervisor=3)
    assert (played.first.option, played.error) == ("long_rpc_timeout", "MessagingTimeout")
    lab.driver.behaviour = Behaviour(latency={"spawn": 3})
    assert lab.user.post("/v2.1/servers", {"server": lab.body()}, headers=LATEST).status == 202
    assert error_of(ended(lab.service, "server.create")) == played.error


def test_a_slow_upload_is_ended_by_its_deadline(made):
    text = "[flows]\nupload_deadline = 1\npoll_interval = 0.05\n"
    lab, played = made(text, "upload-image", store=3)
    assert (played.first.option, played.error) == ("[flows] upload_deadline", "DeadlineExceeded")
    assert played.answer.startswith("an error")
    images = lab.cloud.as_user("image", "demo", "demo")
    image = images.post("/v2/images", {"name": "i", "disk_format": "raw", "container_format": "bare"}).ok(201)

    def chunks():
        yield b"\0" * 512
        ended(lab.cloud.running["image"], "image.upload")
        yield b"\0" * 512

    sent = images.request(
        "PUT",
        f"/v2/images/{image['id']}/file",
        raw=chunks(),
        headers={"Content-Type": "application/octet-stream"},
    )
    assert sent.status >= 400
    assert error_of(ended(lab.cloud.running["image"], "image.upload")) == played.error


def test_nothing_slow_nothing_ends(made):
    lab, played = made(QUICK, "attach")
    assert (played.first, played.error, played.answer, played.ends) == (None, None, "success", 0)
    assert attach(lab, *pair(lab)).status == 202
    assert error_of(ended(lab.service, "server.attach_volume")) is None


class Threaded(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        """Nothing of it belongs into a test's output."""


def test_through_haproxy_the_client_sees_504_and_the_work_goes_on(made, monkeypatch, tmp_path):
    lab, _ = made(QUICK, "attach")
    volume_id, server_id = pair(lab)
    server = wsgiref.simple_server.make_server(
        "127.0.0.1", 0, lab.cloud.application, server_class=Threaded, handler_class=Quiet
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = free_port()
    file = tmp_path / "haproxy.cfg"
    file.write_text(
        "defaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"
        f"listen nova\n  bind 127.0.0.1:{port}\n  timeout server 1s\n"
        f"  server a 127.0.0.1:{server.server_port}\n"
    )
    configured = Configured(tmp_path / "state", [tmp_path / "celaje.conf"])
    chain = Builder(configured, haproxy.read(file)).build("attach", OPERATIONS["attach"])
    played = Simulation(chain, {"volume-api": 4}).play()
    assert (played.first.option, played.first.origin) == ("timeout server", f"{file}:8")
    assert (played.answer, played.error) == ("504 Gateway Timeout", None)

    send = RestClient.request

    def slow(self, method, path, **more):
        if (method, path) == ("POST", "/v3/attachments"):
            time.sleep(4)
        return send(self, method, path, **more)

    monkeypatch.setattr(RestClient, "request", slow)
    balancer = subprocess.Popen(
        ["haproxy", "-f", file, "-db"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: _answers(port), 20, "HAProxy listens")
        status = _post(port, lab.user.token, server_id, volume_id)
    finally:
        balancer.terminate()
        balancer.wait(10)
        server.shutdown()
        server.server_close()
    assert status == 504
    assert error_of(ended(lab.service, "server.attach_volume")) is None


def _answers(port):
    with contextlib.suppress(OSError), contextlib.closing(socket.create_connection(("127.0.0.1", port), 1)):
        return True
    return False


def _post(port, token, server_id, volume_id):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(
        "POST",
        f"/compute/v2.1/servers/{server_id}/os-volume_attachments",
        json.dumps({"volumeAttachment": {"volumeId": volume_id}}),
        {"X-Auth-Token": token, "Content-Type": "application/json"},
    )
    status = connection.getresponse().status
    connection.close()
    return status
