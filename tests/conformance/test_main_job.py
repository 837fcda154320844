"""The main job: a volume attached to a running server, by unmodified clients.

Once with real disks and a real guest and once on simulated drivers; by the `openstack` command, by
openstacksdk, and through a kill -9 in the middle.
"""

import subprocess
import time

import pytest

from tests.conformance.running import RunningCloud
from tests.guest.build import guest_image

REAL = pytest.param(
    "real", marks=[pytest.mark.guest, pytest.mark.timeout(600), pytest.mark.xdist_group("guest")]
)
FAKE = pytest.param("fake", marks=[pytest.mark.timeout(300)])


@pytest.fixture(params=[FAKE, REAL])
def running(request, tmp_path):
    cloud = RunningCloud(tmp_path / "state", request.param)
    cloud.drivers = request.param
    cloud.start()
    yield cloud
    if cloud.process.poll() is None:
        assert cloud.stop() == 0, cloud.said()
    assert cloud.guests() == []


@pytest.fixture(scope="session")
def image_file(tmp_path_factory):
    return guest_image()


@pytest.fixture
def public_key(tmp_path):
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True, timeout=30
    )
    return tmp_path / "key.pub"


def console_says(read, words, seconds=120.0):
    """Wait until the guest has said `words`; returns its console."""
    end = time.monotonic() + seconds
    while True:
        text = read()
        if words in text:
            return text
        assert time.monotonic() < end, f"the guest did not say {words!r}:\n{text[-2000:]}"
        time.sleep(0.5)


def test_by_the_openstack_command(running, image_file, public_key):
    real = running.drivers == "real"
    stack = running.openstack
    j = ("-f", "json")

    assert stack("token", "issue", *j)["project_id"]
    services = {row["Type"] for row in stack("catalog", "list", *j)}
    assert services >= {"identity", "image", "compute", "network", "placement"}

    image = stack(
        "image", "create", "--disk-format", "qcow2", "--container-format", "bare", "--file", str(image_file),
        "tiny", *j,
    )  # fmt: skip
    assert image["status"] == "active"
    stack("network", "create", "n1")
    stack("subnet", "create", "--network", "n1", "--subnet-range", "10.1.0.0/24", "s1")
    stack("keypair", "create", "--public-key", str(public_key), "k1")
    server = stack(
        "server", "create", "--image", "tiny", "--flavor", "m1.tiny", "--network", "n1", "--key-name", "k1",
        "--wait", "vm1", *j,
    )  # fmt: skip
    assert server["status"] == "ACTIVE"
    assert "10.1.0." in str(server["addresses"])

    stack("volume", "create", "--size", "1", "v1")
    bootable = stack("volume", "create", "--size", "1", "--image", "tiny", "--bootable", "v2", *j)
    end = time.monotonic() + 60
    while (shown := stack("volume", "show", "v2", *j))["status"] != "available":
        assert shown["status"] in ("creating", "downloading"), shown
        assert time.monotonic() < end
    assert shown["bootable"] is True or shown["bootable"] == "true"
    assert bootable["id"] == shown["id"]

    stack("server", "add", "volume", "vm1", "v1")
    v1 = _becomes(lambda: stack("volume", "show", "v1", *j), "in-use")
    assert v1["attachments"][0]["server_id"] == server["id"]

    def console():
        return stack("console", "log", "show", "vm1")

    if real:
        text = console_says(console, "vdb=1024M")
        assert "KEY" in text, "the key of the config drive reached the guest"

    for action, status in (
        ("stop", "SHUTOFF"),
        ("start", "ACTIVE"),
        ("pause", "PAUSED"),
        ("unpause", "ACTIVE"),
    ):
        stack("server", action, "vm1")
        _becomes(lambda: stack("server", "show", "vm1", *j), status)
    stack("server", "reboot", "--wait", "vm1")
    _becomes(lambda: stack("server", "show", "vm1", *j), "ACTIVE")

    if real:
        console_says(console, "READY")
    stack("volume", "set", "--size", "2", "v1")
    v1 = _becomes(lambda: stack("volume", "show", "v1", *j), "in-use", lambda row: row["size"] == 2)
    if real:
        console_says(console, "2048M")

    stack("server", "remove", "volume", "vm1", "v1")
    _becomes(lambda: stack("volume", "show", "v1", *j), "available")
    stack("server", "delete", "--wait", "vm1")
    stack("volume", "delete", "v1")
    stack("volume", "delete", "v2")
    end = time.monotonic() + 60
    while stack("volume", "list", *j):
        assert time.monotonic() < end
    assert stack("server", "list", *j) == []
    assert [
        row
        for row in stack("port", "list", "--network", "n1", *j)
        if row.get("Device Owner") == "compute:nova"
    ] == []
    assert running.guests() == []


def _becomes(show, status, also=lambda row: True, seconds=120.0):
    end = time.monotonic() + seconds
    while True:
        row = show()
        if row["status"] == status and also(row):
            return row
        assert "error" not in row["status"].lower(), row
        assert time.monotonic() < end, f"it did not become {status}: {row}"
        time.sleep(0.1)


def test_by_openstacksdk(running, image_file, public_key):
    sdk = running.sdk()
    image = sdk.create_image(
        "tiny", filename=str(image_file), disk_format="qcow2", container_format="bare", wait=True
    )
    network = sdk.network.create_network(name="n1")
    sdk.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.1.0.0/24", name="s1")
    sdk.create_keypair("k1", public_key.read_text())
    server = sdk.create_server(
        "vm1", image=image.id, flavor="m1.tiny", network=network.id, key_name="k1", wait=True, auto_ip=False
    )
    assert server.status == "ACTIVE"
    volume = sdk.create_volume(size=1, name="v1", wait=True)
    sdk.attach_volume(server, volume, wait=True)
    assert sdk.get_volume("v1").status == "in-use"
    if running.drivers == "real":
        console_says(lambda: sdk.get_server_console(server), "vdb=1024M")
    sdk.compute.stop_server(server)
    sdk.compute.wait_for_server(sdk.compute.get_server(server), status="SHUTOFF", interval=0.1)
    sdk.compute.start_server(server)
    sdk.compute.wait_for_server(sdk.compute.get_server(server), status="ACTIVE", interval=0.1)
    if running.drivers == "real":
        console_says(lambda: sdk.get_server_console(server), "READY")
    sdk.block_storage.extend_volume(volume, 2)
    end = time.monotonic() + 60
    while (shown := sdk.block_storage.get_volume(volume.id)).size != 2 or shown.status != "in-use":
        assert time.monotonic() < end, shown
        time.sleep(0.05)
    sdk.detach_volume(server, sdk.get_volume("v1"), wait=True)
    sdk.delete_server(server.id, wait=True)
    sdk.delete_volume(volume.id, wait=True)
    assert sdk.list_servers() == []
    assert sdk.list_volumes() == []


@pytest.mark.parametrize("running", [REAL], indirect=True)
def test_a_restart_brings_the_same_cloud_back_and_adopts_its_guest(running, image_file):
    sdk = running.sdk()
    image = sdk.create_image(
        "tiny", filename=str(image_file), disk_format="qcow2", container_format="bare", wait=True
    )
    server = sdk.create_server(
        "vm1", image=image.id, flavor="m1.tiny", network="private", wait=True, auto_ip=False
    )
    console_says(lambda: sdk.get_server_console(server), "READY")
    (guest,) = running.guests()
    running.kill()
    assert running.guests() == [guest], "a guest outlives its cloud's processes"
    running.start()
    sdk = running.sdk()
    assert sdk.get_server("vm1").status == "ACTIVE"
    volume = sdk.create_volume(size=1, name="v1", wait=True)
    sdk.attach_volume(server, volume, wait=True)
    console_says(lambda: sdk.get_server_console(server), "vdb=1024M")
    assert running.guests() == [guest]
    sdk.detach_volume(server, sdk.get_volume("v1"), wait=True)
    sdk.delete_server(server.id, wait=True)
    assert running.guests() == []
