"""An image of 5 GiB up and down: throughput beside a bare granian stream and a file copy, and its memory.

CELAJE_BENCH_IMAGE_GIB sets another size.
"""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from tests.bench.http_client import Connection, request
from tests.bench.test_reads import login
from tests.conformance.running import RunningCloud, free_port

SIZE = int(float(os.environ.get("CELAJE_BENCH_IMAGE_GIB", "5")) * (1 << 30))
CHUNK = os.urandom(1 << 20)
# What a transfer may add to the process, whatever the image's size.
MOST_ADDED = 64 << 20


def head(method, path, *headers):
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def upload(port, path, *headers):
    """Seconds; the data is sent as fast as it is taken."""
    begun = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=600) as client:
        kind = "Content-Type: application/octet-stream"
        client.sendall(head("PUT", path, f"Content-Length: {SIZE}", kind, *headers))
        left = SIZE
        while left:
            client.sendall(CHUNK[:left])
            left -= min(left, len(CHUNK))
        status = client.recv(4096)
    assert b" 204 " in status.split(b"\r\n", 1)[0], status
    return time.perf_counter() - begun


def download(port, path, *headers):
    begun = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=600) as client:
        client.sendall(head("GET", path, "Connection: close", *headers))
        data = client.recv(65536)
        while b"\r\n\r\n" not in data:
            data += client.recv(65536)
        assert b" 200 " in data.split(b"\r\n", 1)[0], data[:200]
        found = len(data) - data.index(b"\r\n\r\n") - 4
        buffer = bytearray(1 << 20)
        while found < SIZE:
            read = client.recv_into(buffer)
            assert read, f"it ended after {found} bytes"
            found += read
    return time.perf_counter() - begun


def copy(source, target):
    begun = time.perf_counter()
    with open(source, "rb", buffering=0) as reader, open(target, "wb", buffering=0) as writer:
        while chunk := reader.read(256 * 1024):
            writer.write(chunk)
        os.fsync(writer.fileno())
    return time.perf_counter() - begun


def memory(pid, reset=False):
    """Bytes of the process's peak; `reset` begins a new one."""
    if reset:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) * 1024


@pytest.fixture
def cloud(tmp_path):
    running = RunningCloud(tmp_path / "state", "fake")
    running.state.mkdir()
    running.start()
    yield running
    running.stop()


@pytest.fixture
def bare(tmp_path):
    port = free_port()
    process = subprocess.Popen(
        [
            str(Path(sys.executable).parent / "granian"), "--interface", "wsgi", "--port", str(port),
            "--blocking-threads", "4", "--no-log", "tests.bench.bare_stream:app",
        ],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "CELAJE_BENCH_FILE": str(tmp_path / "bare")},
    )  # fmt: skip
    end = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.05)
    yield port
    process.terminate()
    process.wait(30)


@pytest.mark.bench
@pytest.mark.timeout(1200)
def test_a_large_image(cloud, bare, tmp_path):
    connection = Connection(cloud.port)
    token = login(connection, cloud)
    body = msgspec.json.encode({"disk_format": "raw", "container_format": "bare"})
    sent = [("X-Auth-Token", token), ("Content-Type", "application/json")]
    status, made = connection.ask(request("POST", "/image/v2/images", sent, body))
    assert status == 201, made
    path = f"/image/v2/images/{msgspec.json.decode(made)['id']}/file"
    pid = json.loads((cloud.state / "running.json").read_text())["pid"]

    before = memory(pid, reset=True)
    up = upload(cloud.port, path, f"X-Auth-Token: {token}")
    down = download(cloud.port, path, f"X-Auth-Token: {token}")
    added = memory(pid) - before
    bare_up, bare_down = upload(bare, "/"), download(bare, "/")
    copied = copy(tmp_path / "bare", tmp_path / "copy")

    def rate(seconds):
        return f"{SIZE / seconds / 1e6:7.0f} MB/s"

    print(f"\n{SIZE >> 20} MiB; memory added at the peak: {added / (1 << 20):.1f} MiB")
    print(f"upload    {rate(up)}   bare granian {rate(bare_up)}   ratio {bare_up / up:.2f}")
    print(f"download  {rate(down)}   bare granian {rate(bare_down)}   ratio {bare_down / down:.2f}")
    print(f"file copy {rate(copied)}")
    assert added < MOST_ADDED
