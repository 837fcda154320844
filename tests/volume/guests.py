"""A whole cloud with QEMU guests that can be spoken to: what the tests of data that guests wrote look at.

The cloud is real: guests, files, NBD exports and iSCSI targets. A guest formats nothing: it writes random
data to the disk and tells its SHA-256, which must be the same wherever that data turns up.
"""

import os
import re
import socket
import threading
import time
from functools import partial

import pytest
from tests import cloud as clouds
from tests.cloud import Client
from tests.guest.build import guest_image

from celaje.cloud import Cloud
from celaje.seeds import Seeds

NOVA = {"X-OpenStack-Nova-API-Version": "2.90"}
CINDER = {"OpenStack-API-Version": "volume 3.71"}
OCTETS = {"Content-Type": "application/octet-stream"}
MEGABYTES = 4
LUKS = {"provider": "luks", "control_location": "front-end", "cipher": "aes-xts-plain64", "key_size": 256}
LUKS_HEADER = 4040 * 512
PLAIN = "WHOEVER-READS-THIS-HAS-NO-KEY"


# What takes seconds is not asked for a hundred times in each: the guests want the processor too.
until = partial(clouds.until, every=0.1)


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

    def servers(self, *names):
        """They boot side by side."""
        found = [self._begin_server(name) for name in names]
        for server_id in found:
            self.until_said(server_id, "READY", 300)
        return found

    def _begin_server(self, name):
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

    def lists(self, server_id, volume_id):
        """Whether the server says that it has the volume."""
        path = f"/v2.1/servers/{server_id}/os-volume_attachments"
        rows = self.compute.get(path, headers=NOVA).ok()["volumeAttachments"]
        return volume_id in [row["volumeId"] for row in rows]

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
