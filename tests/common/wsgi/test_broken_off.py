"""A chunked body that breaks off is told from one that ends, behind a real granian."""

import os
import signal
import socket
import struct
import subprocess
import sys

import pytest

from celaje.common.wsgi.broken_off import broken_off
from tests.cloud import until

_SERVER = """
import sys
from granian.constants import Interfaces
from granian.server import Server
from celaje.common.wsgi.broken_off import broken_off

def app(environ, start_response):
    received = 0
    while chunk := environ["wsgi.input"].read(65536):
        received += len(chunk)
    verdict = broken_off(environ, received)
    with open(sys.argv[2], "a") as log:
        log.write(f"{environ['PATH_INFO']} {received} {verdict}\\n")
    start_response("200 OK", [("Content-Length", "0")])
    return []

if __name__ == "__main__":
    server = Server("app", address="127.0.0.1", port=int(sys.argv[1]), interface=Interfaces.WSGI,
                    workers=1, blocking_threads=4, websockets=False, log_enabled=False)
    server.serve(target_loader=lambda *_, **__: app, wrap_loader=False)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The port, and what the application has said about each path."""
    log = tmp_path_factory.mktemp("granian") / "log"
    log.touch()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", _SERVER, str(port), str(log)], start_new_session=True)
    until(lambda: _reachable(port), 30, "granian to listen")
    yield port, log
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(20)


def _reachable(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _begin(port, name, size=5):
    client = socket.create_connection(("127.0.0.1", port), 20)
    head = f"PUT /{name} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    client.sendall(head.encode() + f"{size:x}\r\n".encode() + b"x" * size + b"\r\n")
    return client


def _verdict(log, name):
    def look():
        return next(
            (line.split() for line in log.read_text().splitlines() if line.startswith(f"/{name} ")), None
        )

    _, received, verdict = until(look, 20, f"a verdict on {name}")
    return int(received), verdict == "True"


@pytest.mark.parametrize("size", [5, 3 << 20])
def test_a_body_that_ends(server, size):
    port, log = server
    with _begin(port, f"whole{size}", size) as client:
        client.sendall(b"0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    assert _verdict(log, f"whole{size}") == (size, False)


def test_an_empty_body(server):
    """openstackclient sends one when its standard input is empty."""
    port, log = server
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(b"PUT /empty HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    assert _verdict(log, "empty") == (0, False)


def test_a_second_body_on_the_same_connection(server):
    port, log = server
    with _begin(port, "first") as client:
        client.sendall(b"0\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        client.sendall(
            b"PUT /second HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
        )
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
    assert _verdict(log, "second") == (2, False)


@pytest.mark.parametrize("size", [5, 3 << 20])
def test_closed_between_two_chunks(server, size):
    port, log = server
    _begin(port, f"between{size}", size).close()
    assert _verdict(log, f"between{size}") == (size, True)


def test_closed_within_a_chunk_while_others_are_well(server):
    port, log = server
    with _begin(port, "well"):
        client = _begin(port, "within")
        client.sendall(b"ff\r\nabc")
        client.close()
        assert _verdict(log, "within")[1] is True


def test_reset(server):
    port, log = server
    client = _begin(port, "reset")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    assert _verdict(log, "reset")[1] is True


@pytest.mark.parametrize(
    "environ",
    [
        {"SERVER_SOFTWARE": "gunicorn", "HTTP_TRANSFER_ENCODING": "chunked"},
        {"SERVER_SOFTWARE": "Granian"},
        {},
    ],
)
def test_who_tells_of_it_himself_is_believed(environ):
    assert broken_off(environ, 5) is False
