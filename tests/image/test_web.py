"""Whom a URL of a user's may reach, and that what comes is whole."""

import socket
from types import SimpleNamespace

import pytest
from tests.image.web_server import WebServer

from celaje.image.stores.base import DataNotFound
from celaje.image.web import OPTIONS, FetchFailed, UriRefused, Web


def web(**values):
    options = {option.dest: option.default for option in OPTIONS}
    return Web(SimpleNamespace(**{**options, "timeout": 5, **values}))


@pytest.fixture
def server():
    made = WebServer()
    yield made
    made.close()


@pytest.fixture
def here(server):
    return web(allowed_ports=[], allowed_addresses=["127.0.0.1"])


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1/image",
        "http://127.1.2.3/image",
        "http://[::1]/image",
        "http://[::ffff:127.0.0.1]/image",
        "http://[::ffff:169.254.169.254]/image",
        "http://[64:ff9b::a9fe:a9fe]/image",
        "http://[2002:7f00:1::]/image",
        "http://169.254.169.254/latest/meta-data",
        "http://[fd00:ec2::254]/latest",
        "http://[fe80::1]/image",
        "http://0.0.0.0/image",
        "http://224.0.0.1/image",
        "http://10.0.0.1:22/image",
        "ftp://example.org/image",
        "file:///etc/passwd",
        "gopher://example.org/",
        "http://user:secret@example.org/",
        "http://example.org:notaport/",
        "http:///image",
        "image",
        "http://example.org/a b",
        "http://example.org/\r\nX: y",
    ],
)
def test_refused_at_once(uri):
    with pytest.raises(UriRefused) as refusal:
        web().check(uri)
    assert "secret" not in refusal.value.message


def test_lists_as_glance_reads_them():
    assert web(allowed_hosts=["good.org"]).allows("http://good.org/x")
    assert not web(allowed_hosts=["good.org"]).allows("http://other.org/x")
    assert not web(disallowed_hosts=["bad.org"]).allows("http://bad.org/x")
    # Where there is an allowed list, the other one is not read.
    assert web(allowed_hosts=["bad.org"], disallowed_hosts=["bad.org"]).allows("http://bad.org/x")
    assert not web().allows("http://good.org:8080/x")
    assert web(allowed_ports=[]).allows("http://good.org:8080/x")
    assert not web(allowed_schemes=["https"]).allows("http://good.org/x")


@pytest.mark.parametrize("numbers", ["2130706433", "0x7f000001", "017700000001"])
def test_other_spellings_of_loopback(server, numbers):
    with pytest.raises((UriRefused, FetchFailed)):
        web(allowed_ports=[]).open(f"http://{numbers}:{server.port}/image")
    assert server.asked == []


def test_a_name_that_leads_to_loopback(server):
    with pytest.raises(UriRefused):
        web(allowed_ports=[]).open(f"http://localhost:{server.port}/image")
    assert server.asked == []


def test_a_name_that_changes_its_mind(server, monkeypatch):
    """The first answer is asked for once only; a second one, elsewhere, would be connected to by others."""
    asked = []
    real = socket.getaddrinfo

    def rebinding(host, port, *args, **kwargs):
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "127.0.0.2", port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    server.pages["/image"] = b"data"
    with web(allowed_ports=[], allowed_addresses=["127.0.0.1"]).open(
        f"http://x.test:{server.port}/image"
    ) as got:
        assert b"".join(got) == b"data"
    assert asked == ["x.test"]


def test_one_bad_address_among_good_ones(server, monkeypatch):
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, port, *args, **kwargs: (
            real("127.0.0.1", port, type=socket.SOCK_STREAM)
            + real("127.0.0.2", port, type=socket.SOCK_STREAM)
        ),
    )
    with pytest.raises(UriRefused):
        web(allowed_ports=[], allowed_addresses=["127.0.0.1"]).open(f"http://x.test:{server.port}/image")
    assert server.asked == []


def test_data(server, here):
    server.pages["/image?version=1"] = b"x" * (3 << 20)
    with here.open(f"{server.url}/image?version=1") as fetched:
        assert fetched.size == 3 << 20
        assert sum(map(len, fetched)) == 3 << 20
    assert here.size(f"{server.url}/image?version=1") == 3 << 20


def test_what_breaks_off_is_no_end(server, here):
    def half(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"x" * 50)
        handler.close_connection = True

    server.pages["/image"] = half
    with here.open(f"{server.url}/image") as fetched, pytest.raises(FetchFailed):
        list(fetched)


def test_chunked_that_breaks_off(server, here):
    def half(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"5\r\nhello\r\n")
        handler.close_connection = True

    server.pages["/image"] = half
    with here.open(f"{server.url}/image") as fetched, pytest.raises(FetchFailed):
        list(fetched)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects(server, here, status):
    server.pages["/near"] = lambda handler: handler.plain(status, b"", Location="/image")
    server.pages["/far"] = lambda handler: handler.plain(status, b"", Location="http://169.254.169.254/")
    server.pages["/other-port"] = lambda handler: handler.plain(status, b"", Location="http://127.0.0.1:1/")
    server.pages["/round"] = lambda handler: handler.plain(status, b"", Location="/round")
    server.pages["/image"] = b"data"
    with here.open(f"{server.url}/near") as fetched:
        assert b"".join(fetched) == b"data"
    for path in ("far", "other-port"):
        with pytest.raises(UriRefused):
            here.open(f"{server.url}/{path}")
    with pytest.raises(FetchFailed):
        here.open(f"{server.url}/round")


def test_answers_that_are_no_image(server, here):
    server.pages["/broken"] = lambda handler: handler.plain(500, b"sorry")
    with pytest.raises(DataNotFound):
        here.open(f"{server.url}/nothing")
    with pytest.raises(FetchFailed):
        here.open(f"{server.url}/broken")
    with pytest.raises(FetchFailed):
        web(allowed_ports=[], allowed_addresses=["127.0.0.1"]).open("http://127.0.0.1:1/")


def test_a_server_that_gives_no_parts(server, here):
    server.pages["/image"] = b"whole"
    with pytest.raises(FetchFailed):
        here.open(f"{server.url}/image", 2, 2)
