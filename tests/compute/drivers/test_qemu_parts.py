"""The QEMU driver's parts that need no guest: disks, ports, processes, records, protocol, probe."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.cloud import until
from tests.compute.drivers.builders import UUID, a_port, a_server

from celaje.common.errors import DriverError
from celaje.common.qemu import process
from celaje.common.qemu.qmp import QmpClient, QmpError, QmpTimeout
from celaje.compute.drivers.base import ImageRefused, UnsupportedConnection, UnsupportedInterface
from celaje.compute.drivers.qemu import QemuDriver, disks, domain, network, probe, volumes


def qemu_img(*arguments):
    subprocess.run(["qemu-img", *map(str, arguments)], check=True, timeout=20, capture_output=True)


def an_image(path, **changes):
    return {"id": "i", "path": str(path), "disk_format": "qcow2", **changes}


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.qcow2"
    qemu_img("create", "-f", "qcow2", path, "8M")
    return path


def test_root_disk_is_an_overlay_of_the_flavors_size(tmp_path, small):
    root = tmp_path / "root.qcow2"
    for _ in range(2):
        disks.create_root(an_image(small), 2, root)
    told = subprocess.run(
        ["qemu-img", "info", "--output=json", root], capture_output=True, check=True, timeout=20
    )
    info = json.loads(told.stdout)
    assert info["virtual-size"] == 2 << 30
    assert info["full-backing-filename"] == str(small)
    assert info["backing-filename-format"] == "qcow2"


def test_a_flavor_without_a_disk_takes_the_images_size(tmp_path, small):
    disks.create_root(an_image(small), 0, tmp_path / "root.qcow2")
    assert disks.virtual_size(str(tmp_path / "root.qcow2"), "qcow2") == 8 << 20


def test_images_that_lie_are_refused(tmp_path, small):
    root = tmp_path / "root.qcow2"
    with pytest.raises(ImageRefused, match="declared as raw"):
        disks.create_root(an_image(small, disk_format="raw"), 1, root)
    backed = tmp_path / "backed.qcow2"
    qemu_img("create", "-f", "qcow2", "-F", "raw", "-b", "/etc/hostname", backed, "1M")
    with pytest.raises(ImageRefused, match="backing file"):
        disks.create_root(an_image(backed), 1, root)
    with pytest.raises(ImageRefused, match="bytes instead of 5"):
        disks.create_root(an_image(small, size=5), 1, root)
    with pytest.raises(ImageRefused, match="cannot run images of format vmdk"):
        disks.create_root(an_image(small, disk_format="vmdk"), 1, root)
    with pytest.raises(ImageRefused, match="No such file"):
        disks.create_root(an_image(tmp_path / "gone"), 1, root)
    with pytest.raises(ImageRefused, match="needs a root disk of 3 GB"):
        disks.create_root(an_image(small, min_disk=3), 1, root)
    assert not root.exists()


def test_an_image_larger_than_the_flavor_is_refused(tmp_path):
    large = tmp_path / "large.qcow2"
    qemu_img("create", "-f", "qcow2", large, "3G")
    with pytest.raises(ImageRefused, match="needs a root disk of 3 GB; the flavor has 2"):
        disks.create_root(an_image(large), 2, tmp_path / "root.qcow2")


def test_swap_disk_has_a_header_that_blkid_would_know(tmp_path):
    disks.create_swap(tmp_path / "swap", 64)
    data = (tmp_path / "swap").read_bytes()
    assert len(data) == 64 << 20
    assert data[4086:4096] == b"SWAPSPACE2"
    assert int.from_bytes(data[1028:1032], "little") == (64 << 20) // 4096 - 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"device_path": "relative"}, "not an absolute path"),
        ({"device_path": "/a/../etc/passwd"}, "not an absolute path"),
        ({"device_path": "/etc/hostname", "format": "vmdk"}, "none of qcow2, raw"),
        ({"device_path": "/nowhere/at/all"}, "does not exist"),
        ({}, "not an absolute path"),
    ],
)
def test_bad_volume_paths_are_refused(data, words):
    with pytest.raises(DriverError, match=words):
        volumes.source_of({"driver_volume_type": "local", "data": data})


def test_unknown_connections_are_refused():
    with pytest.raises(UnsupportedConnection, match="'fibre_channel'"):
        volumes.source_of({"driver_volume_type": "fibre_channel", "data": {}})


CEPH = {
    "name": "volumes/volume-1",
    "hosts": ["192.0.2.1"],
    "ports": ["6789"],
    "auth_enabled": True,
    "auth_username": "cinder",
}


def test_a_volume_of_a_ceph_cluster(tmp_path):
    ring = tmp_path / "ceph.client.cinder.keyring"
    ring.write_text("[client.other]\n\tkey = b3RoZXI=\n[client.cinder]\n\tkey = a2V5\n\tcaps mon = x\n")
    where = str(tmp_path / "ceph.client.{user}.keyring")
    source = volumes.source_of({"driver_volume_type": "rbd", "data": CEPH}, where)
    assert source.secrets == {"cephx": "a2V5"} and "a2V5" not in str(source.kept)
    disk = domain.Disk(device="vdb", slot=1, volume="1", **source.kept)
    volumes.keep_secrets(tmp_path, "1", source)
    (secret,) = volumes.objects(disk, tmp_path)
    node = volumes.node(disk)["file"]
    assert Path(secret["file"]).read_text() == "a2V5" and secret["id"] == node["key-secret"]
    assert (node["pool"], node["image"], node["user"]) == ("volumes", "volume-1", "cinder")
    assert node["server"] == [{"host": "192.0.2.1", "port": "6789"}]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "volumes"}, "POOL/IMAGE"),
        ({"name": "a/b/c"}, "POOL/IMAGE"),
        ({"name": "a/b@c"}, "POOL/IMAGE"),
        ({"hosts": []}, "no monitors"),
        ({"ports": []}, "no monitors"),
        ({"auth_username": "../../root"}, "not a name"),
        ({"auth_username": "nobody"}, "cannot be read"),
    ],
)
def test_bad_connections_to_ceph_are_refused(tmp_path, change, words):
    with pytest.raises(DriverError, match=words):
        volumes.source_of({"driver_volume_type": "rbd", "data": CEPH | change}, f"{tmp_path}/{{user}}")


def test_port_becomes_a_private_net_with_its_own_address():
    netdev = network.netdev_of(a_port())
    assert netdev["net"] == "192.168.77.0/24"
    assert (netdev["host"], netdev["dhcpstart"]) == ("192.168.77.1", "192.168.77.41")
    assert network.nic_of(a_port(), "rp3")["host_mtu"] == 1450


@pytest.mark.parametrize("address", ["192.168.77.2", "192.168.77.3", "192.168.77.254"])
@pytest.mark.parametrize("gateway", ["192.168.77.1", "192.168.77.3", None])
def test_slirps_own_addresses_never_take_the_guests(address, gateway):
    if address == gateway:
        return
    subnet = {"cidr": "192.168.77.0/24", "gateway_ip": gateway}
    netdev = network.netdev_of(a_port(fixed_ips=[{"ip_address": address, "subnet": subnet}]))
    assert len({netdev["host"], netdev["dhcpstart"], netdev["dns"]}) == 3


def test_ports_that_cannot_be_plugged_are_refused():
    with pytest.raises(UnsupportedInterface, match="vif_type 'binding_failed'"):
        network.netdev_of(a_port(vif_type="binding_failed"))
    outside = [{"ip_address": "10.0.0.1", "subnet": {"cidr": "192.168.77.0/24"}}]
    with pytest.raises(DriverError, match="not an address of"):
        network.netdev_of(a_port(fixed_ips=outside))
    tiny = [{"ip_address": "10.0.0.1", "subnet": {"cidr": "10.0.0.0/30", "gateway_ip": "10.0.0.2"}}]
    with pytest.raises(DriverError, match="too small"):
        network.netdev_of(a_port(fixed_ips=tiny))
    assert network.netdev_of(a_port(fixed_ips=[])) is None


@pytest.fixture
def sleeper():
    """A process that has our uuid on its command line, like a guest's."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", UUID])
    # The kernel tells of the start before it shows the new command line.
    until(lambda: UUID.encode() in Path(f"/proc/{child.pid}/cmdline").read_bytes())
    yield child
    child.kill()
    child.wait(10)


def test_only_the_servers_own_process_is_ended(sleeper):
    known = process.identify(sleeper.pid)
    stranger = "00000000-0000-4000-8000-000000000000"
    process.end(known, stranger)
    process.end({**known, "start_time": known["start_time"] - 1}, UUID)
    assert sleeper.poll() is None
    assert process.is_alive(known, UUID)
    assert not process.wait_gone(known, UUID, 0.01)
    process.end(known, UUID)
    assert sleeper.wait(10) == -15
    assert not process.is_alive(known, UUID)
    process.end(known, UUID)


def test_a_process_is_found_by_its_pidfile(sleeper, tmp_path):
    pidfile = tmp_path / "pid"
    assert process.find(pidfile, UUID) is None
    pidfile.write_text(f"{sleeper.pid}\n")
    assert process.find(pidfile, UUID) == process.identify(sleeper.pid)
    pidfile.write_text(f"{os.getpid()}\n")
    assert process.find(pidfile, UUID) is None


def test_record_reads_back(tmp_path):
    made = domain.Domain(UUID, "one", a_server()["flavor"], slots=4)
    made.disks.append(domain.Disk("/a", "raw", "/dev/vda", 0, volume=UUID))
    made.nics.append(domain.Nic(a_port(), made.free_slot()))
    assert domain.load(tmp_path) is None
    domain.save(made, tmp_path)
    assert domain.load(tmp_path) == made
    assert made.nics[0].slot == 1
    assert len(made.disks[0].node) + 2 <= 31


def test_ports_run_out_with_a_clear_word():
    made = domain.Domain(UUID, "one", a_server()["flavor"], slots=1)
    made.nics.append(domain.Nic(a_port(), made.free_slot()))
    with pytest.raises(DriverError, match="all 1 PCIe ports are in use"):
        made.free_slot()


def test_vcpus_are_capped_only_without_kvm():
    made = domain.Domain(UUID, "one", {**a_server()["flavor"], "vcpus": 4}, slots=1)
    assert domain.vcpus_of(made, "tcg", 1) == 1
    assert domain.vcpus_of(made, "kvm", 1) == 4


@pytest.fixture
def qemu_end(tmp_path):
    """Plays QEMU's end of a socket: answers each command with the next of `replies`."""
    # Longer than a socket's address may be.
    folder = tmp_path / ("x" * 90)
    folder.mkdir()
    path = folder / "agent.qmp"
    listener = socket.socket(socket.AF_UNIX)
    here = os.open(folder, os.O_PATH)
    listener.bind(f"/proc/self/fd/{here}/agent.qmp")
    os.close(here)
    listener.listen(1)
    replies: list[list[dict]] = []

    def serve():
        connection, _ = listener.accept()
        with connection, connection.makefile("rw") as stream:
            # What QEMU had to say to the client before, who left.
            stream.write('{"event": "JOB_STATUS_CHANGE", "data": {}}\n{"QMP": {"version": {}}}\n')
            stream.flush()
            for line in stream:
                command = json.loads(line)
                answers = [{"return": {}}] if command["execute"] == "qmp_capabilities" else replies.pop(0)
                for answer in answers:
                    stream.write(json.dumps(answer) + "\n")
                stream.flush()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield path, replies
    listener.close()


def test_qmp_answers_errors_and_events(qemu_end):
    path, replies = qemu_end
    gone = {"event": "DEVICE_DELETED", "data": {"device": "d1"}}
    replies += [
        [gone, {"return": {"status": "running"}}],
        [{"error": {"class": "DeviceNotFound", "desc": "no such device"}}],
        [],
    ]
    with QmpClient(path, timeout=5) as client:
        assert client.execute("query-status") == {"status": "running"}
        assert client.wait_event("DEVICE_DELETED", 0.01, device="d2") is None
        assert client.wait_event("DEVICE_DELETED", 0.01, device="d1") == gone
        assert client.wait_event("DEVICE_DELETED", 0.01, device="d1") is None
        with pytest.raises(QmpError, match="device_del: no such device") as caught:
            client.execute("device_del", {"id": "d1"})
        assert caught.value.details["error_class"] == "DeviceNotFound"
        with pytest.raises(QmpTimeout, match="no answer"):
            client.execute("stop", timeout=0.05)


def test_a_second_client_does_not_hang(qemu_end):
    path, _ = qemu_end
    with QmpClient(path, timeout=5), pytest.raises(QmpTimeout):
        QmpClient(path, timeout=0.05)


def test_no_qemu_is_told_in_words(tmp_path):
    found = probe.probe(tmp_path, program="qemu-of-another-world")
    assert not found.usable
    assert "not installed" in found.words[0]


def a_program(path, body):
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_kvm_that_hangs_is_not_used_and_is_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "KVM_SECONDS", 0.3)
    device = tmp_path / "kvm"
    device.write_text("")
    body = (
        'case $1 in --version) echo "QEMU emulator version 9.1.0";; *) echo run >> "$0.runs"; sleep 60;; esac'
    )
    program = a_program(tmp_path / "qemu", body)
    first = probe.probe(tmp_path / "s", program, device)
    assert (first.usable, first.accelerator, first.version_number) == (True, "tcg", 9001000)
    assert any("did not come through" in line for line in first.words)
    second = probe.probe(tmp_path / "s", program, device)
    assert any("remembered" in line for line in second.words)
    assert (tmp_path / "qemu.runs").read_text() == "run\n"
    os.utime(program, ns=(1, 1))
    probe.probe(tmp_path / "s", program, device)
    assert (tmp_path / "qemu.runs").read_text() == "run\nrun\n"


def test_kvm_that_works_is_used(tmp_path):
    device = tmp_path / "kvm"
    device.write_text("")
    body = 'case $1 in --version) echo "QEMU emulator version 8.2.1 (x)";; *) exit 33;; esac'
    found = probe.probe(tmp_path / "s", a_program(tmp_path / "qemu", body), device)
    assert found.accelerator == "kvm"
    refuses = 'case $1 in --version) echo "version 8.2.1";; *) echo "no such MSR" >&2; exit 1;; esac'
    found = probe.probe(tmp_path / "t", a_program(tmp_path / "qemu2", refuses), device)
    assert found.accelerator == "tcg"
    assert any("no such MSR" in line for line in found.words)


def test_without_the_device_nothing_is_run(tmp_path):
    body = 'case $1 in --version) echo "version 8.2.1";; *) exit 33;; esac'
    found = probe.probe(tmp_path / "s", a_program(tmp_path / "qemu", body), tmp_path / "none")
    assert found.accelerator == "tcg"
    assert any("does not exist" in line for line in found.words)


@pytest.mark.guest
def test_the_boot_sector_comes_through_emulated(tmp_path):
    works, why = probe.run_boot_sector(tmp_path, probe.PROGRAM, "tcg", 20)
    assert works, why


def test_uuids_do_not_leave_the_folder(tmp_path):
    with pytest.raises(DriverError, match="not a server's uuid"):
        QemuDriver(tmp_path).destroy(a_server("../../etc"))
