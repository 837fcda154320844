"""What import plugins do: unpack, convert, give properties; and what they refuse."""

import gzip
import io
import os
import subprocess
import zipfile

import pytest
from tests.cloud import until
from tests.image.scene import OCTETS, Personas, flows_ended, make, small_cloud, stored_files
from tests.image.web_server import REACHABLE, WebServer

from celaje.common import disk_format
from celaje.image import decompression

PLUGINS = ["image_decompression", "image_conversion", "inject_image_metadata"]
MIB = 1 << 20
DATA = os.urandom(MIB) + bytes(MIB)


@pytest.fixture
def start(tmp_path):
    clouds = []

    def begin(*plugins, **more):
        options = {("image_import_options", "image_import_plugins"): list(plugins) or PLUGINS, **REACHABLE}
        for name, value in more.items():
            group, _, option = name.partition("__")
            options[group, option] = value
        clouds.append(small_cloud(tmp_path / f"state{len(clouds)}", options))
        return Personas(clouds[-1])

    yield begin
    for cloud in clouds:
        cloud.stop(grace=5)


@pytest.fixture
def server():
    made = WebServer()
    yield made
    made.close()


def qcow2(tmp_path, content=DATA):
    (tmp_path / "raw").write_bytes(content)
    command = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", tmp_path / "raw", tmp_path / "qcow2"]
    subprocess.run(command, check=True, timeout=60)
    return (tmp_path / "qcow2").read_bytes()


def zipped(**files):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def imported(client, data, status="active", **body):
    """The image after its import, and the task's message."""
    image = make(client, **body)
    client.request("PUT", f"/v2/images/{image['id']}/stage", raw=data, headers=OCTETS).ok(204)
    client.post(f"/v2/images/{image['id']}/import", {"method": {"name": "glance-direct"}}).ok(202)

    def ended():
        task = client.get(f"/v2/images/{image['id']}/tasks").ok()["tasks"][-1]
        return task if task["status"] in ("success", "failure") else None

    task = until(ended, what="the import to end")
    shown = client.get(f"/v2/images/{image['id']}").ok()
    assert shown["status"] == status, task
    return shown, task["message"]


def content(client, image):
    return client.get(f"/v2/images/{image['id']}/file").body


def test_a_compressed_qcow2_becomes_raw(start, tmp_path):
    glance = start()
    image, _ = imported(glance.member(), gzip.compress(qcow2(tmp_path)), disk_format="qcow2")
    assert (image["disk_format"], image["container_format"]) == ("raw", "bare")
    assert image["size"] == image["virtual_size"] == len(DATA)
    assert content(glance.member(), image) == DATA
    flows_ended(glance.service)
    until(lambda: len(stored_files(glance.service)) == 1)


def test_from_the_web(start, server, tmp_path):
    glance = start(image_conversion__output_format="qcow2")
    me = glance.member()
    server.pages["/image"] = zipped(disk=DATA)
    image = make(me)
    uri = {"name": "web-download", "uri": f"{server.url}/image"}
    me.post(f"/v2/images/{image['id']}/import", {"method": uri}).ok(202)
    until(lambda: me.get(f"/v2/images/{image['id']}").ok()["status"] == "active")
    shown = me.get(f"/v2/images/{image['id']}").ok()
    assert (shown["disk_format"], shown["virtual_size"]) == ("qcow2", len(DATA))
    found = tmp_path / "found"
    found.write_bytes(content(me, image))
    assert disk_format.inspect_file(found).problems == ()
    subprocess.run(
        ["qemu-img", "convert", "-f", "qcow2", "-O", "raw", found, tmp_path / "raw"], check=True, timeout=60
    )
    assert (tmp_path / "raw").read_bytes() == DATA
    flows_ended(glance.service)
    until(lambda: len(stored_files(glance.service)) == 1)


def test_what_needs_nothing_stays_as_it_is(start):
    glance = start()
    assert content(glance.member(), imported(glance.member(), DATA)[0]) == DATA
    packed = gzip.compress(b"kept")
    image, _ = imported(glance.member(), packed, container_format="compressed", disk_format="raw")
    assert content(glance.member(), image) == packed


def test_properties(start):
    glance = start(
        "inject_image_metadata", inject_metadata_properties__inject={"os_distro": "trisquel", "origin": "web"}
    )
    image, _ = imported(glance.member(), b"data", origin="mine")
    assert (image["os_distro"], image["origin"]) == ("trisquel", "web")
    image, _ = imported(glance.admin(), b"data", origin="mine")
    assert "os_distro" not in image and image["origin"] == "mine"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (gzip.compress(DATA)[:-20], "end-of-stream"),
        (gzip.compress(DATA)[:-8] + bytes(8), "CRC"),
        (zipped(one=b"1", two=b"2"), "exactly one"),
        (b"PK\x03\x04" + bytes(100), "directory"),
        (b"xx-lh5-" + bytes(100), "LHA"),
        (gzip.compress(bytes(9 * MIB)), "larger"),
        (zipped(bomb=bytes(9 * MIB)), "larger"),
    ],
)
def test_what_cannot_be_unpacked_leaves_nothing(start, data, words):
    glance = start(image_import_options__largest_output=8 * MIB)
    _, message = imported(glance.member(), data, status="queued")
    assert words in message, message
    flows_ended(glance.service)
    until(lambda: stored_files(glance.service) == [])


def test_what_cannot_be_converted_leaves_nothing(start, tmp_path):
    glance = start("image_conversion", image_import_options__largest_output=8 * MIB)
    me = glance.member()
    disguised = qcow2(tmp_path, content=disk_format.empty_qcow2(MIB))
    huge = disk_format.empty_qcow2(1 << 40)
    for data, declared, words in (
        (disguised, "qcow2", "holds another"),
        (huge, "qcow2", "larger"),
        (DATA, "qcow2", "declared as qcow2"),
        (DATA, "ami", "cannot be converted"),
    ):
        _, message = imported(me, data, status="queued", disk_format=declared)
        assert words in message, message
    flows_ended(glance.service)
    until(lambda: stored_files(glance.service) == [])


def test_an_archive_with_a_huge_directory_is_not_read(tmp_path):
    target = tmp_path / "archive"
    with zipfile.ZipFile(target, "w") as archive:
        for number in range(5000):
            archive.writestr(f"{number:060}", b"")
    with pytest.raises(decompression.CannotDecompress, match="exactly one"):
        list(decompression.opened(target))
