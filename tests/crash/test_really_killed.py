"""`celaje up` in processes of its own, killed with SIGKILL at moments that a seed chooses, and started again.

What the real processes leave behind must be sound as the public APIs and the drivers' own records show it.
"""

import json
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
from keystoneauth1.exceptions import ClientException
from openstack.exceptions import HttpException, SDKException

from tests.conformance.running import RunningCloud
from tests.guest.build import guest_image

_PASSING = {"creating", "downloading", "reserved", "attaching", "detaching", "extending", "deleting"}


@pytest.fixture(scope="module")
def image_file():
    return guest_image()


class Burst:
    """20 servers, 20 volumes, attachments and deletions of them, by 8 users at once. The cloud may
    vanish under it: `promised` holds what had a 2xx before."""

    def __init__(self, sdk, seed):
        self.sdk = sdk
        self.random = random.Random(seed)
        self.promised = {"server": set(), "volume": set()}
        self.deleted = {"server": set(), "volume": set()}
        self.gone = threading.Event()

    def begin(self):
        self.pool = ThreadPoolExecutor(8)
        order = list(range(20))
        self.random.shuffle(order)
        self.runs = [self.pool.submit(self._one, number) for number in order]

    def end(self):
        self.gone.set()
        self.pool.shutdown(wait=True, cancel_futures=True)
        for run in self.runs:
            if not run.cancelled():
                run.result()

    def _one(self, number):
        # A torn connection, or a refusal: both are answers of a cloud that dies.
        with suppress(SDKException, ClientException, OSError), self._no_server_error():
            volume = self.sdk.block_storage.create_volume(size=1, name=f"v{number}")
            self.promised["volume"].add(volume.id)
            server = self.sdk.compute.create_server(
                name=f"s{number}", flavor_id="42", image_id=self.image, networks=[{"uuid": self.network}]
            )
            self.promised["server"].add(server.id)
            self._await(lambda: self.sdk.compute.get_server(server.id).status == "ACTIVE")
            self._await(lambda: self.sdk.block_storage.get_volume(volume.id).status == "available")
            self.sdk.compute.create_volume_attachment(server.id, volume_id=volume.id)
            if number % 4 == 0:
                self._await(lambda: self.sdk.block_storage.get_volume(volume.id).status == "in-use")
                self.sdk.compute.delete_volume_attachment(server.id, volume.id)
            if number % 4 == 1:
                self.deleted["server"].add(server.id)
                self.sdk.compute.delete_server(server.id)

    @contextmanager
    def _no_server_error(self):
        try:
            yield
        except HttpException as error:
            assert (error.status_code or 0) < 500, error
            raise

    def _await(self, condition):
        while not condition():
            if self.gone.wait(0.02):
                raise OSError("the cloud is gone")


def settled(sdk, seconds=90):
    """Servers and volumes once nothing passes any more."""
    end = time.monotonic() + seconds
    while True:
        servers, volumes = list(sdk.compute.servers()), list(sdk.block_storage.volumes())
        moving = [one for one in servers if one.task_state or one.status == "BUILD"]
        moving += [one for one in volumes if one.status in _PASSING]
        attachments = list(sdk.block_storage.attachments())
        moving += [one for one in attachments if one.status in _PASSING]
        if not moving:
            return servers, volumes, attachments
        assert time.monotonic() < end, f"still passing: {moving}"
        time.sleep(0.1)


def looked_over(running, sdk):
    """The cloud as its APIs and its drivers show it agrees with itself. Returns servers and volumes."""
    servers, volumes, attachments = settled(sdk)
    ids = {one.id for one in servers}
    assert [one for one in servers if one.status == "ERROR"] == []
    assert [one for one in volumes if "error" in one.status] == []
    used = sdk.get_compute_limits()
    assert used.total_instances_used == len(servers)
    assert used.total_cores_used == len(servers)
    limits = sdk.block_storage.get_limits().absolute
    assert limits.total_volumes_used == len(volumes)
    assert limits.total_gigabytes_used == sum(one.size for one in volumes)
    assert {one.instance for one in attachments} <= ids
    busy = {one.volume_id for one in attachments}
    assert {one.id for one in volumes if one.status == "in-use"} == busy
    plugged = {
        attachment.volume_id for one in servers for attachment in sdk.compute.volume_attachments(one.id)
    }
    assert plugged == busy
    ports = [one for one in sdk.network.ports() if one.device_owner.startswith("compute:")]
    assert {one.device_id for one in ports} == ids
    assert len(ports) == len(ids)
    providers = sdk.placement.resource_providers()
    consumers = set()
    for provider in providers:
        found = sdk.placement.get(f"/resource_providers/{provider.id}/allocations").json()
        consumers |= set(found["allocations"])
    assert consumers == ids
    state = running.state
    guests = state / "compute" / "guests"
    if guests.exists():
        assert {path.stem for path in guests.glob("*.json")} == ids
        kept = json.loads((state / "volume" / "simulated.json").read_text())["volumes"]
        assert set(kept) == {one.id for one in volumes}
        assert {one for one in kept if kept[one]["connections"]} == busy
    return servers, volumes


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_in_a_burst(tmp_path, image_file, seed):
    running = RunningCloud(tmp_path / "state", "fake").start()
    chance = random.Random(seed)
    try:
        sdk = _roomy(running)
        image = sdk.create_image(
            "tiny", filename=str(image_file), disk_format="qcow2", container_format="bare", wait=True
        )
        burst = Burst(sdk, seed)
        burst.image, burst.network = image.id, sdk.network.find_network("private").id
        burst.begin()
        time.sleep(chance.uniform(0.1, 2.5))
        running.kill()
        burst.end()
        running.start()
        # And once more while it takes up what was left.
        time.sleep(chance.uniform(0.0, 0.5))
        running.kill()
        running.start()
        sdk = running.sdk()
        servers, volumes = looked_over(running, sdk)
        assert burst.promised["server"] - burst.deleted["server"] <= {one.id for one in servers}
        assert burst.promised["volume"] <= {one.id for one in volumes}
        for server in servers:
            sdk.delete_server(server.id, wait=True)
        settled(sdk)
        for volume in volumes:
            sdk.delete_volume(volume.id, wait=True)
        assert looked_over(running, sdk) == ([], [])
    finally:
        running.kill()
        print(running.said())  # shown when the test fails


def _roomy(running):
    sdk = running.sdk()
    project = sdk.current_project_id
    sdk.set_compute_quotas(project, instances=50, cores=50)
    quota = {"quota_set": {"volumes": 50}}
    answer = sdk.block_storage.put(f"/os-quota-sets/{project}", json=quota, microversion="3.71")
    assert answer.status_code == 200, answer.text
    return sdk


@pytest.mark.guest
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("guest")
def test_killed_with_real_guests(tmp_path, image_file):
    """Killed while a guest is built, gets a volume, loses it and is deleted: nothing of it is left over."""
    running = RunningCloud(tmp_path / "state", "real").start()
    chance = random.Random(4)
    try:
        sdk = running.sdk()
        image = sdk.create_image(
            "tiny", filename=str(image_file), disk_format="qcow2", container_format="bare", wait=True
        )
        network = sdk.network.find_network("private")
        volume = sdk.create_volume(size=1, name="disk", wait=True)
        server = sdk.compute.create_server(
            name="vm", flavor_id="42", image_id=image.id, networks=[{"uuid": network.id}]
        )

        def die(longest):
            time.sleep(chance.uniform(0, longest))
            running.kill()
            running.start()
            return running.sdk()

        sdk = die(0.6)
        (server,), _ = looked_over(running, sdk)
        assert server.status == "ACTIVE"
        assert len(running.guests()) == 1
        sdk.compute.create_volume_attachment(server.id, volume_id=volume.id)
        sdk = die(0.3)
        looked_over(running, sdk)
        assert sdk.get_volume(volume.id).status == "in-use"
        sdk.compute.delete_volume_attachment(server.id, volume.id)
        sdk = die(0.3)
        looked_over(running, sdk)
        assert sdk.get_volume(volume.id).status == "available"
        sdk.compute.create_volume_attachment(server.id, volume_id=volume.id)
        settled(sdk)
        sdk.compute.delete_server(server.id)
        sdk = die(0.3)
        assert looked_over(running, sdk)[0] == []
        assert running.guests() == []
        assert sdk.get_volume(volume.id).status == "available"
        sdk.delete_volume(volume.id, wait=True)
        assert looked_over(running, sdk) == ([], [])
        assert _disks(running.state / "volume") == []
        assert _disks(running.state / "compute" / "qemu" / "servers") == []
    finally:
        running.kill()
        print(running.said())
        for pid in running.guests():
            os.kill(pid, 9)


def _disks(folder):
    """What is left below a folder of disks, but for the service's own records."""
    if not folder.exists():
        return []
    names = (".qcow2", ".raw", ".img", ".iso", "volume-")
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and (path.suffix in names or path.name.startswith("volume-"))
    ]
