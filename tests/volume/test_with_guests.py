"""Data that a real guest wrote, looked at after everything that a cloud does with volumes.

The cloud is whole and real: QEMU guests, files and NBD exports. The guest formats nothing: it writes random
data to the disk and tells its SHA-256, which must be the same wherever that data turns up.
"""

import json
import os
import re
import socket
import threading
import time

import pytest
from tests.cloud import Client, until
from tests.guest.build import guest_image

from celaje.cloud import Cloud
from celaje.seeds import Seeds

pytestmark = [pytest.mark.guest, pytest.mark.data, pytest.mark.timeout(900), pytest.mark.xdist_group("guest")]

NOVA = {"X-OpenStack-Nova-API-Version": "2.90"}
CINDER = {"OpenStack-API-Version": "volume 3.71"}
OCTETS = {"Content-Type": "application/octet-stream"}
MEGABYTES = 8
LUKS = {"provider": "luks", "control_location": "front-end", "cipher": "aes-xts-plain64", "key_size": 256}
LUKS_HEADER = 4040 * 512
PLAIN = "WHOEVER-READS-THIS-HAS-NO-KEY"


class Shell:
    """The shell on a guest's serial console, through QEMU's socket."""

    def __init__(self, folder):
        self._said = b""
        self._number = 0
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(0.2)
        # A socket's address is short, and the state's path is long.
        place = os.open(folder, os.O_PATH)
        self._socket.connect(f"/proc/self/fd/{place}/serial.sock")
        os.close(place)

    def run(self, command, seconds=120):
        """What the command prints; its end is told from the echo by a sum that only the shell works out."""
        self._number += 1
        tag = f"DONE-{self._number}-{1000 + self._number}"
        line = f"{command}\necho DONE-{self._number}-$((1000 + {self._number}))\n"
        self._said = b""
        self._socket.sendall(line.encode())
        end = time.monotonic() + seconds
        while tag.encode() not in self._said:
            assert time.monotonic() < end, f"{command}: {self._said[-2000:]!r}"
            try:
                self._said += self._socket.recv(65536)
            except TimeoutError:
                continue
        return self._said.decode(errors="replace").replace("\r", "")

    def digest(self, disk, megabytes=MEGABYTES):
        # Past the guest's own cache: what the disk holds.
        said = self.run(
            f"echo 3 > /proc/sys/vm/drop_caches; dd if={disk} bs=1M count={megabytes} 2>/dev/null | sha256sum"
        )
        return re.search(r"\b([0-9a-f]{64})\b", said).group(1)

    def fill(self, disk, megabytes=MEGABYTES):
        """Write random data, flush it, and tell its digest, which the disk must give back."""
        said = self.run(
            f"head -c {megabytes << 20} /dev/urandom > /run/stream; sha256sum /run/stream; "
            f"dd if=/run/stream of={disk} bs=1M conv=fsync 2>/dev/null; sync"
        )
        digest = re.search(r"\b([0-9a-f]{64})\b", said).group(1)
        assert self.digest(disk, megabytes) == digest
        return digest

    def size(self, disk):
        said = self.run(f"cat /sys/block/{disk.rpartition('/')[2]}/size")
        return int(re.search(r"^(\d+)$", said, re.MULTILINE).group(1)) * 512


class World:
    """The cloud, and what a user does in it. `backends`: drivers by name; `more`: options by service."""

    def __init__(self, state, backends=None, more=None):
        self._shells = {}
        backends = backends or {"near": "file", "far": "nbd", "over": "iscsi"}
        overrides = {
            "compute": {(None, "compute_driver"): "qemu"},
            "volume": {
                (None, "quota_volumes"): 100,
                (None, "enabled_backends"): list(backends),
                **{(name, "volume_driver"): driver for name, driver in backends.items()},
            },
            "network": {(None, "network_driver"): "user"},
        }
        for service, options in (more or {}).items():
            overrides.setdefault(service, {}).update(options)
        self.cloud = Cloud(state, overrides=overrides)
        self.cloud.start()
        Seeds(self.cloud).sow()
        self.login()
        for name, specs in (
            *((name, {"volume_backend_name": name}) for name in backends),
            ("any", {}),
        ):
            self.volume.post("/v3/types", {"volume_type": {"name": name, "extra_specs": specs}}).ok()
            secret = {"name": f"{name}-secret", "extra_specs": specs}
            type_id = self.volume.post("/v3/types", {"volume_type": secret}).ok()["volume_type"]["id"]
            self.volume.post(f"/v3/types/{type_id}/encryption", {"encryption": LUKS}).ok()
        image = {"name": "tiny", "disk_format": "qcow2", "container_format": "bare"}
        self.image_id = self.image.post("/v2/images", image).ok(201)["id"]
        raw = guest_image().read_bytes()
        sent = self.image.request("PUT", f"/v2/images/{self.image_id}/file", raw=raw, headers=OCTETS)
        assert sent.status == 204, sent.body
        self.network_id = self.network.get("/v2.0/networks?name=private").ok()["networks"][0]["id"]

    def login(self):
        auth = {
            "identity": {
                "methods": ["password"],
                "password": {
                    "user": {
                        "name": "admin",
                        "domain": {"id": "default"},
                        "password": self.cloud.secrets.password("admin"),
                    }
                },
            },
            "scope": {"project": {"name": "admin", "domain": {"id": "default"}}},
        }
        login = Client(self.cloud.transport_to("identity"), None).post("/v3/auth/tokens", {"auth": auth})
        token = login.ok(201)["token"]
        for name in ("compute", "volume", "image", "network"):
            client = Client(
                self.cloud.transport_to(name), login.headers["x-subject-token"], token["project"]["id"]
            )
            setattr(self, name, client)

    def close(self):
        driver = self.cloud.running["compute"].compute_worker.driver
        workers = self.cloud.running["volume"].workers
        self.cloud.stop(grace=5)
        driver.cleanup_host(stop_guests=True)
        for worker in workers.values():
            if hasattr(worker.driver, "daemon"):
                worker.driver.daemon.kill()

    def server(self, name):
        body = {
            "name": name,
            "flavorRef": "42",
            "imageRef": self.image_id,
            "networks": [{"uuid": self.network_id}],
        }
        server_id = self.compute.post("/v2.1/servers", {"server": body}, headers=NOVA).ok(202)["server"]["id"]

        def active():
            found = self.compute.get(f"/v2.1/servers/{server_id}", headers=NOVA).ok()["server"]
            assert found["status"] != "ERROR", found
            return found["status"] == "ACTIVE"

        until(active, 90)
        self.until_said(server_id, "READY")
        return server_id

    def until_said(self, server_id, words, seconds=120):
        driver = self.cloud.running["compute"].compute_worker.driver
        until(lambda: words in driver.console_output({"uuid": server_id}), seconds, words)

    def shell(self, server_id):
        if server_id not in self._shells:
            driver = self.cloud.running["compute"].compute_worker.driver
            self._shells[server_id] = Shell(driver.servers / server_id)
        return self._shells[server_id]

    def new_volume(self, **wanted):
        answer = self.volume.post("/v3/volumes", {"volume": {"size": 1, **wanted}}, headers=CINDER)
        return self.settled("volumes", answer.ok(202)["volume"]["id"])

    def settled(self, kind, resource_id, status="available"):
        def look():
            found = self.volume.get(f"/v3/{kind}/{resource_id}", headers=CINDER).ok()[kind[:-1]]
            assert not found["status"].startswith("error"), (found, self.messages())
            return found["status"] == status

        until(look, 180, f"{kind} {resource_id} {status}")
        return resource_id

    def show(self, volume_id):
        return self.volume.get(f"/v3/volumes/{volume_id}", headers=CINDER).ok()["volume"]

    def messages(self):
        return self.volume.get("/v3/messages", headers=CINDER).ok()["messages"]

    def attach(self, server_id, volume_id):
        """The device's name in the guest."""
        path = f"/v2.1/servers/{server_id}/os-volume_attachments"
        self.compute.post(path, {"volumeAttachment": {"volumeId": volume_id}}, headers=NOVA).ok(200)
        self.settled("volumes", volume_id, "in-use")
        ticks = threading.Event()
        for _ in range(200):
            said = self.shell(server_id).run("grep -H . /sys/block/vd*/serial")
            found = re.search(rf"/sys/block/(vd\w+)/serial:{volume_id[:20]}", said)
            if found:
                return f"/dev/{found.group(1)}"
            ticks.wait(0.2)
        pytest.fail(f"the guest does not see volume {volume_id}: {said}")

    def detach(self, server_id, volume_id):
        path = f"/v2.1/servers/{server_id}/os-volume_attachments/{volume_id}"
        self.compute.delete(path, headers=NOVA).ok(202)
        self.settled("volumes", volume_id)

    def action(self, volume_id, name, body):
        self.volume.post(f"/v3/volumes/{volume_id}/action", {name: body}, headers=CINDER).ok(202)

    def snapshot(self, volume_id):
        body = {"snapshot": {"volume_id": volume_id, "force": True}}
        answer = self.volume.post("/v3/snapshots", body, headers={"OpenStack-API-Version": "volume 3.50"})
        return self.settled("snapshots", answer.ok(202)["snapshot"]["id"])

    def passphrase(self, volume_id):
        service = self.cloud.running["volume"]
        shown = self.volume.get(f"/v3/volumes/{volume_id}/encryption", headers=CINDER).ok()
        return service.database.read(service.keys.passphrase, shown["encryption_key_id"])

    def backup(self, volume_id, **wanted):
        body = {"backup": {"volume_id": volume_id, **wanted}}
        answer = self.volume.post("/v3/backups", body, headers=CINDER)
        return self.settled("backups", answer.ok(202)["backup"]["id"])

    def restore(self, backup_id, **wanted):
        answer = self.volume.post(f"/v3/backups/{backup_id}/restore", {"restore": wanted}, headers=CINDER)
        volume_id = answer.ok(202)["restore"]["volume_id"]
        self.settled("volumes", volume_id)
        self.settled("backups", backup_id)
        return volume_id


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("world") / "state")
    yield made
    made.close()


@pytest.fixture(scope="module")
def servers(world):
    return world.server("one"), world.server("two")


@pytest.mark.parametrize("backend", ["near", "far", "over"])
def test_data_survives_whatever_is_done_with_its_volume(world, servers, backend):
    one, two = servers
    volume_id = world.new_volume(volume_type=backend)
    disk = world.attach(one, volume_id)
    written = world.shell(one).fill(disk)
    world.detach(one, volume_id)

    # Attached to another server.
    disk = world.attach(two, volume_id)
    assert world.shell(two).digest(disk) == written
    world.detach(two, volume_id)

    # Snapshot, then other data, then volumes from the snapshot and of the volume.
    snapshot_id = world.snapshot(volume_id)
    disk = world.attach(one, volume_id)
    later = world.shell(one).fill(disk)
    assert later != written
    world.detach(one, volume_id)
    from_snapshot = world.new_volume(snapshot_id=snapshot_id, size=2)
    clone = world.new_volume(source_volid=volume_id)
    for copy, content, size in ((from_snapshot, written, 2), (clone, later, 1)):
        disk = world.attach(two, copy)
        assert world.shell(two).digest(disk) == content
        assert world.shell(two).size(disk) == size << 30
        world.detach(two, copy)


@pytest.mark.parametrize("backend", ["near", "far", "over"])
def test_backups_give_back_what_a_guest_wrote(world, servers, backend):
    one, two = servers
    volume_id = world.new_volume(volume_type=backend)
    disk = world.attach(one, volume_id)
    first = world.shell(one).fill(disk)
    full = world.backup(volume_id, force=True)
    second = world.shell(one).fill(disk)
    world.detach(one, volume_id)
    later = world.backup(volume_id, incremental=True)
    disk = world.attach(one, volume_id)
    world.shell(one).fill(disk)
    world.detach(one, volume_id)
    restored = [(world.restore(full), first), (world.restore(later, volume_id=volume_id), second)]
    for copy, content in restored:
        disk = world.attach(two, copy)
        assert world.shell(two).digest(disk) == content
        world.detach(two, copy)


@pytest.mark.parametrize("backend", ["near", "far", "over"])
def test_extended_under_a_guest_that_writes(world, servers, backend):
    one, _ = servers
    volume_id = world.new_volume(volume_type=backend)
    disk = world.attach(one, volume_id)
    shell = world.shell(one)
    written = shell.fill(disk)
    for size in (2, 3):
        world.action(volume_id, "os-extend", {"new_size": size})
        world.settled("volumes", volume_id, "in-use")
        until(lambda size=size: shell.size(disk) == size << 30, 60, f"{size} GiB in the guest")
        assert shell.digest(disk) == written
        shell.run(f"dd if=/run/stream of={disk} bs=1M seek={size * 1024 - 16} conv=fsync")
        assert shell.digest(disk) == written
    world.detach(one, volume_id)


@pytest.mark.parametrize("kind", ["any", "any-secret"])
def test_data_survives_migration_between_back_ends(world, servers, kind):
    """Plain and encrypted, to every back end and on to the next."""
    one, two = servers
    volume_id = world.new_volume(volume_type=kind)
    disk = world.attach(one, volume_id)
    written = world.shell(one).fill(disk)
    world.detach(one, volume_id)
    pools = [pool["name"] for pool in world.volume.get("/v3/scheduler-stats/get_pools").ok()["pools"]]
    here = world.show(volume_id)["os-vol-host-attr:host"]
    assert len(pools) == 3
    for pool in [*(each for each in pools if each != here), here]:
        world.action(volume_id, "os-migrate_volume", {"host": pool})

        def moved(pool=pool):
            found = world.show(volume_id)
            assert found["migration_status"] != "error", (found, world.messages())
            return found["status"] == "available" and found["os-vol-host-attr:host"] == pool

        until(moved, 120, f"the volume at {pool}")
        disk = world.attach(two, volume_id)
        assert world.shell(two).digest(disk) == written
        world.detach(two, volume_id)


@pytest.mark.parametrize("backend", ["near", "far", "over"])
def test_snapshot_and_clone_while_a_guest_has_the_volume_open(world, servers, backend):
    one, two = servers
    volume_id = world.new_volume(volume_type=backend)
    disk = world.attach(one, volume_id)
    written = world.shell(one).fill(disk)
    snapshot_id = world.snapshot(volume_id)
    later = world.shell(one).fill(disk)
    clone = world.new_volume(source_volid=volume_id)
    restored = world.new_volume(snapshot_id=snapshot_id)
    for copy, content in ((restored, written), (clone, later)):
        other = world.attach(two, copy)
        assert world.shell(two).digest(other) == content
        world.detach(two, copy)
    assert world.shell(one).digest(disk) == later
    world.detach(one, volume_id)


@pytest.mark.parametrize("backend", ["far", "over"])
def test_a_daemon_that_dies_under_a_guest(world, servers, backend):
    """The guest's writes wait, and go on when the worker has brought the daemon back."""
    one, _ = servers
    volume_id = world.new_volume(volume_type=backend)
    disk = world.attach(one, volume_id)
    shell = world.shell(one)
    written = shell.fill(disk)
    driver = world.cloud.running["volume"].workers[backend].driver
    driver.daemon.kill()
    shell.run(f"(dd if=/run/stream of={disk} bs=1M seek=64 conv=fsync; echo ended $? > /run/outcome) &")
    driver.capabilities()
    until(lambda: "ended 0" in shell.run("cat /run/outcome 2>/dev/null"), 90, "the write")
    assert shell.digest(disk) == written
    world.detach(one, volume_id)


def test_connections_tell_no_secret_when_they_are_over(world, servers):
    """Keys of connections are in no log line, and no longer in the journal of flows that ended."""
    volume_id = world.new_volume(volume_type="far")
    world.attach(servers[0], volume_id)
    answer = world.volume.get("/v3/attachments/detail", headers=CINDER).ok()
    mine = [row for row in answer["attachments"] if row["volume_id"] == volume_id]
    key = mine[0]["connection_info"]["auth_password"]
    world.detach(servers[0], volume_id)
    for name in ("volume", "compute"):
        service = world.cloud.running[name]
        steps = service.flow_tables.steps
        rows = service.database.read(lambda tx, steps=steps: tx.execute(steps.select()).fetchall())
        assert key not in json.dumps([str(row) for row in rows]), name


@pytest.mark.parametrize("backend", ["near", "far", "over"])
def test_an_encrypted_volume_is_noise_to_all_but_its_guests(world, servers, backend):
    """In the clear in the guest, LUKS everywhere else: the back end's file, a copy of it, the services'
    rows."""
    one, two = servers
    volume_id = world.new_volume(volume_type=f"{backend}-secret")
    disk = world.attach(one, volume_id)
    shell = world.shell(one)
    assert shell.size(disk) == (1 << 30) - LUKS_HEADER
    written = shell.fill(disk)
    shell.run(f"yes {PLAIN} | head -c 1048576 | dd of={disk} bs=1M seek=16 conv=fsync 2>/dev/null; sync")
    snapshot_id = world.snapshot(volume_id)
    world.action(volume_id, "os-extend", {"new_size": 2})
    world.settled("volumes", volume_id, "in-use")
    until(lambda: shell.size(disk) == (2 << 30) - LUKS_HEADER, 60, "2 GiB in the guest")
    assert shell.digest(disk) == written
    world.detach(one, volume_id)
    copies = [
        world.new_volume(source_volid=volume_id, size=2),
        world.new_volume(snapshot_id=snapshot_id, size=2),
    ]
    driver = world.cloud.running["volume"].workers[backend].driver
    for each in (volume_id, *copies):
        with driver.open_content({"id": each}) as path, open(path, "rb") as file:
            head = file.read(32 << 20)
        assert head.startswith(b"LUKS") and PLAIN.encode() not in head
        disk = world.attach(two, each)
        assert world.shell(two).digest(disk) == written
        assert PLAIN in world.shell(two).run(f"dd if={disk} bs=1M skip=16 count=1 2>/dev/null | head -n 1")
        world.detach(two, each)
    opened_with = world.passphrase(volume_id)
    for name in ("volume", "compute"):
        service = world.cloud.running[name]
        for table in service.metadata.sorted_tables:
            rows = service.database.read(lambda tx, table=table: tx.execute(table.select()).fetchall())
            assert opened_with not in json.dumps([str(row) for row in rows]), (name, table.name)
