"""TLS as an operator sets it up: at the process itself, with clients' certificates, at HAProxy before it."""

import contextlib
import signal
import subprocess
import time

import pytest

from celaje.common.errors import Unavailable
from celaje.common.rest.http_transport import HttpTransport
from tests.cloud import Client
from tests.conformance.running import BIN, free_port
from tests.servers import haproxy
from tests.servers.certificates import certificates

from .test_service import files, said  # noqa: F401 - a fixture


@pytest.fixture
def prepared(celaje, files, tmp_path):  # noqa: F811
    """Identity's database and keys; certificates."""
    certificates(tmp_path)
    assert celaje("db", "sync", "--service", "identity", *files).returncode == 0
    assert celaje("identity", "setup-keys", *files).returncode == 0
    return files


@contextlib.contextmanager
def serving(tmp_path, settings, words):
    """identity.api with these settings more; the port. `words` start the program."""
    config = tmp_path / "celaje.conf"
    plain = config.read_text()
    config.write_text(f"{plain}\n{settings}\n")
    with open(tmp_path / "log", "ab") as log:
        process = subprocess.Popen(
            [str(BIN / "celaje"), "service", "identity.api", *words], stdout=log, stderr=log
        )
    try:
        yield process, int(plain.rsplit("bind_port = ", 1)[1])
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, (tmp_path / "log").read_text()
        config.write_text(plain)


def reached(tmp_path, process, url, **options):
    """A client of the API, once it answers."""
    client = Client(HttpTransport(url, **options), None)
    end = time.monotonic() + 60
    while True:
        try:
            if client.get("/healthcheck").status == 200:
                return client
        except Unavailable:
            pass
        assert process.poll() is None and time.monotonic() < end, (tmp_path / "log").read_text()
        time.sleep(0.05)


def link(client, headers=None):
    return client.get("/v3", headers=headers or {}).ok()["version"]["links"][0]["href"]


def test_a_certificate_that_cannot_be_used_is_told(celaje, prepared, tmp_path):
    config = tmp_path / "celaje.conf"
    plain = config.read_text()
    for key, words in (("nothing.key", "nothing.key cannot be read"), ("ca.pem", "are no pair")):
        config.write_text(f"{plain}\n[ssl]\ncert_file = {tmp_path}/server.pem\nkey_file = {tmp_path}/{key}\n")
        done = celaje("service", "identity.api", *prepared)
        assert done.returncode == 1
        assert words in said(done)


def test_an_api_with_a_certificate_of_its_own(prepared, tmp_path):
    """Whoever trusts the authority is served, and finds https in the links."""
    settings = f"[ssl]\ncert_file = {tmp_path}/server.pem\nkey_file = {tmp_path}/server.key"
    with serving(tmp_path, settings, prepared) as (process, port):
        url = f"https://127.0.0.1:{port}"
        trusting = reached(tmp_path, process, url, ca_file=str(tmp_path / "ca.pem"))
        assert link(trusting).startswith(f"{url}/")
        for wrong in (url, url.replace("https", "http")):
            with pytest.raises(Unavailable):
                Client(HttpTransport(wrong), None).get("/healthcheck")


def test_clients_need_a_certificate_of_the_authority(prepared, tmp_path):
    settings = (
        f"[ssl]\ncert_file = {tmp_path}/server.pem\nkey_file = {tmp_path}/server.key\n"
        f"ca_file = {tmp_path}/ca.pem"
    )
    trusted = {"ca_file": str(tmp_path / "ca.pem")}
    own = (str(tmp_path / "client.pem"), str(tmp_path / "client.key"))
    strangers = (str(tmp_path / "stranger.pem"), str(tmp_path / "stranger.key"))
    with serving(tmp_path, settings, prepared) as (process, port):
        url = f"https://127.0.0.1:{port}"
        known = reached(tmp_path, process, url, certificate=own, **trusted)
        assert link(known).startswith(f"{url}/")
        for certificate in (None, strangers):
            with pytest.raises(Unavailable, match="does not answer"):
                Client(HttpTransport(url, certificate=certificate, **trusted), None).get("/healthcheck")
        assert link(known).startswith(f"{url}/")


BALANCER = """
global
    maxconn 100
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
listen identity
    bind 127.0.0.1:{front} ssl crt {pem}
    http-request set-header X-Forwarded-Proto https
    http-request del-header Forwarded
    server one 127.0.0.1:{back}
"""


@pytest.mark.cluster
@pytest.mark.parametrize("parsing", [True, False])
def test_haproxy_ends_tls(prepared, tmp_path, parsing):
    """Links lead back through it, if its headers are to count; who speaks to the process itself, or sends
    such a header, is not believed."""
    front = free_port()
    pem = tmp_path / "front.pem"
    pem.write_bytes((tmp_path / "server.pem").read_bytes() + (tmp_path / "server.key").read_bytes())
    settings = f"[oslo_middleware]\nenable_proxy_headers_parsing = {parsing}"
    with serving(tmp_path, settings, prepared) as (process, port):
        reached(tmp_path, process, f"http://127.0.0.1:{port}")
        folder = tmp_path / "haproxy"
        folder.mkdir()
        balancer = haproxy.start(folder, BALANCER.format(front=front, pem=pem, back=port), front)
        try:
            client = Client(HttpTransport(f"https://127.0.0.1:{front}", ca_file=f"{tmp_path}/ca.pem"), None)
            expected = "https" if parsing else "http"
            assert link(client).startswith(f"{expected}://127.0.0.1:{front}/v3")
            listed = client.get("/").body["versions"]["values"][0]["links"][0]["href"]
            assert listed.startswith(f"{expected}://127.0.0.1:{front}/")
            if parsing:
                lie = {"X-Forwarded-Proto": "http", "Forwarded": "proto=http;host=evil.example"}
                assert link(client, lie).startswith(f"https://127.0.0.1:{front}/v3")
        finally:
            haproxy.stop(balancer)
