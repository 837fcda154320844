"""The REST client, in process and over real HTTP: identification, errors, streams, broken connections."""

import contextlib
import socket
import threading
import tracemalloc
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import falcon
import msgspec
import pytest

from celaje.common import clock, context, errors
from celaje.common.rest import HttpTransport, InProcessTransport, RestClient, ServiceCredentials
from celaje.common.rest.client import ServiceFailed, find_message

MIB = 1 << 20


class JarClient(RestClient):
    service_type = "jar"
    version = "1.5"


class Shop:
    """A WSGI application that notes what it is asked and answers as told."""

    def __init__(self):
        self.asked = []
        self.answers = []
        self.received = 0
        self.logins = 0

    def __call__(self, environ, start_response):
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path.endswith("/v3/auth/tokens"):
            self.logins += 1
            ends = clock.iso(clock.now().replace(year=clock.now().year + 1), microseconds=True, zulu=True)
            start_response("201 Created", [("X-Subject-Token", f"own-{self.logins}")])
            return [msgspec.json.encode({"token": {"expires_at": ends}})]
        if path.endswith("/upload"):
            while chunk := environ["wsgi.input"].read(1 << 16):
                self.received += len(chunk)
            start_response("200 OK", [])
            return []
        if path.endswith("/download"):
            start_response("200 OK", [("Content-Length", str(64 * MIB))])
            return (b"x" * MIB for _ in range(64))
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        self.asked.append((method, path, environ["QUERY_STRING"], dict(environ), body))
        status, answer = self.answers.pop(0) if self.answers else (200, {"ok": True})
        start_response(
            falcon.util.misc.code_to_http_status(status), [("X-Openstack-Request-Id", "req-there")]
        )
        return [answer if isinstance(answer, bytes) else msgspec.json.encode(answer)]


class Handler(BaseHTTPRequestHandler):
    """Just enough of an HTTP/1.1 server in front of a Shop."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _any(self):
        environ = {
            "REQUEST_METHOD": self.command,
            "PATH_INFO": self.path.partition("?")[0],
            "QUERY_STRING": self.path.partition("?")[2],
            "CONTENT_LENGTH": self.headers.get("Content-Length"),
            "wsgi.input": self,
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in self.headers.items()},
        }
        self.left = int(self.headers.get("Content-Length") or 0)
        self.chunked = "chunked" in (self.headers.get("Transfer-Encoding") or "")
        said = []
        chunks = self.server.shop(environ, lambda status, found: said.extend((status, found)))
        first = next(iter(chunks), b"") if isinstance(chunks, list) else None
        self.send_response(int(said[0][:3]))
        for name, value in said[1]:
            self.send_header(name, value)
        if first is not None:
            self.send_header("Content-Length", str(len(first)))
        self.end_headers()
        for chunk in [first] if first is not None else chunks:
            self.wfile.write(chunk)
        while self.left and self.read(self.left):
            pass  # what the application did not read
        if self.server.hang_up:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = _any

    def read(self, size):
        if not self.chunked:
            taken = self.rfile.read(min(size, self.left))
            self.left -= len(taken)
            return taken
        length = int(self.rfile.readline(), 16)
        data = self.rfile.read(length)
        self.rfile.readline()
        return data


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
def server(shop):
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.shop, running.hang_up, running.daemon_threads = shop, False, True
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join(5)


@pytest.fixture(params=["in process", "http"])
def transport(request, shop):
    if request.param == "in process":
        return InProcessTransport(lambda: shop, "/jar")
    running = request.getfixturevalue("server")
    return HttpTransport(f"http://127.0.0.1:{running.server_address[1]}/jar", timeout=10)


@pytest.fixture
def client(transport):
    return JarClient(transport, ServiceCredentials(lambda: transport, username="jar", password="secret"))


USER = context.RequestContext(token="users", global_request_id="req-global")


def test_who_asks_travels_along(client, shop):
    with context.using(USER):
        answer = client.request(
            "POST", "/jars", body={"jar": 1}, query={"a": 1, "b": None, "c": ["x", "y z"]}
        )
        client.as_service().request("GET", "/jars", version="1.9")
    client.request("GET", "/jars")
    assert (answer.status, answer.body) == (200, {"ok": True})
    (method, path, query, environ, body), service, anonymous = shop.asked
    assert (method, path.rpartition("/")[2], query) == ("POST", "jars", "a=1&c=x&c=y+z")
    assert msgspec.json.decode(body) == {"jar": 1}
    assert (environ["HTTP_X_AUTH_TOKEN"], environ["HTTP_X_SERVICE_TOKEN"]) == ("users", "own-1")
    assert environ["HTTP_X_OPENSTACK_REQUEST_ID"] == "req-global"
    assert environ["HTTP_OPENSTACK_API_VERSION"] == "jar 1.5"
    assert service[3]["HTTP_X_AUTH_TOKEN"] == "own-1"
    assert "HTTP_X_SERVICE_TOKEN" not in service[3]
    assert service[3]["HTTP_OPENSTACK_API_VERSION"] == "jar 1.9"
    assert anonymous[3]["HTTP_X_AUTH_TOKEN"] == "own-1"
    assert shop.logins == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, errors.Invalid),
        (401, errors.Unauthorized),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (413, errors.OverQuota),
        (500, ServiceFailed),
        (418, ServiceFailed),
        (503, errors.Unavailable),
    ],
)
def test_refusals_become_domain_errors_with_the_others_words(client, shop, status, error):
    shop.answers = [(status, {"itemNotFound": {"code": status, "message": "No such jar."}})] * 2
    with pytest.raises(error, match="No such jar") as caught:
        client.request("GET", "/jars/1")
    assert caught.value.details["request_id"] == "req-there"


@pytest.mark.parametrize("body", [b"", b"<html>gateway</html>", b"\xff", b"[]", b'{"x": {"y": [1]}}'])
def test_an_error_without_readable_words_is_still_an_error(client, shop, body):
    shop.answers = [(502, body)]
    with pytest.raises(errors.Unavailable, match="status 502"):
        client.request("GET", "/jars/1")


@pytest.mark.parametrize(
    "body",
    [
        {"badRequest": {"message": "why", "code": 400}},
        {"error": {"code": 400, "title": "Bad", "message": "why"}},
        {"NeutronError": {"type": "X", "message": "why", "detail": ""}},
        {"errors": [{"status": 400, "title": "Bad", "detail": "why"}]},
    ],
)
def test_words_are_found_in_every_dialect(body):
    assert find_message(body) == "why"


def test_a_refused_login_is_renewed_once(client, shop):
    shop.answers = [(401, {}), (200, {"fine": 1})]
    assert client.request("GET", "/jars").body == {"fine": 1}
    assert [asked[3]["HTTP_X_AUTH_TOKEN"] for asked in shop.asked] == ["own-1", "own-2"]
    shop.answers = [(401, {})] * 3
    with pytest.raises(errors.Unauthorized):
        client.request("GET", "/jars")
    assert len(shop.asked) == 4


def test_streams_are_never_held_whole(client, shop):
    tracemalloc.start()
    client.request("PUT", "/upload", stream=(b"x" * MIB for _ in range(64)))
    headers, chunks = client.download("/download")
    total = sum(len(chunk) for chunk in chunks)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (shop.received, total) == (64 * MIB, 64 * MIB)
    assert headers["content-length"] == str(64 * MIB)
    assert peak < 16 * MIB


def test_a_download_that_is_refused_raises(client, shop):
    shop.answers = [(404, {"error": {"message": "no such image"}})]
    with pytest.raises(errors.NotFound, match="no such image"):
        client.download("/images/1")


def http(server, timeout=10):
    return HttpTransport(f"http://127.0.0.1:{server.server_address[1]}/jar", timeout=timeout)


def test_connections_are_kept_and_used_again(server, shop):
    client = JarClient(http(server), None)
    for _ in range(5):
        client.request("GET", "/jars")
    assert len({asked[3]["wsgi.input"].client_address for asked in shop.asked}) == 1


def test_a_kept_connection_that_the_other_side_closed_is_made_anew(server, shop):
    client = JarClient(http(server), None)
    server.hang_up = True
    for number in range(3):
        # Whether the end of the connection is seen before the request is sent, or instead of an answer.
        assert client.request("PUT", "/jars", body={"n": number}).status == 200
    assert [msgspec.json.decode(asked[4])["n"] for asked in shop.asked] == [0, 1, 2]


def test_nobody_there_is_unavailable():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        transport = HttpTransport(f"http://127.0.0.1:{taken.getsockname()[1]}", timeout=2)
        with pytest.raises(errors.Unavailable, match="does not answer"):
            JarClient(transport, None).request("GET", "/")


def test_an_answer_that_breaks_off_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def half():
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

        thread = threading.Thread(target=half)
        thread.start()
        transport = HttpTransport(f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=5)
        with pytest.raises(errors.Unavailable):
            JarClient(transport, None).request("GET", "/")
        thread.join(5)


def test_silence_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        transport = HttpTransport(f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=0.1)
        with pytest.raises(errors.Unavailable):
            JarClient(transport, None).request("GET", "/")


def test_a_service_that_is_not_running_here_is_unavailable():
    with pytest.raises(errors.Unavailable):
        JarClient(InProcessTransport(lambda: None), None).request("GET", "/")


@pytest.mark.parametrize("endpoint", ["ftp://host/", "jar", "http:///x", ""])
def test_an_endpoint_that_is_no_url(endpoint):
    with pytest.raises(ValueError):
        HttpTransport(endpoint)
