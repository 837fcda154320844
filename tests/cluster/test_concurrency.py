"""Active-active: many clients at once through both of each API, conductor, scheduler and worker."""

import ipaddress
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openstack.exceptions as sdk_errors
import pytest

from tests.cluster.configuration import HOST_MEMORY
from tests.cluster.layout import COMPUTE_HOSTS

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

BUSY = (sdk_errors.ConflictException, sdk_errors.BadRequestException, sdk_errors.ForbiddenException)


def at_once(calls: Iterable[Callable[[], Any]]) -> list[Any]:
    """All begin together; results or the errors of clients, in their order."""
    calls = list(calls)
    together = threading.Barrier(len(calls))

    def one(call: Callable[[], Any]) -> Any:
        together.wait(30)
        try:
            return call()
        except sdk_errors.HttpException as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def refused(results: list[Any]) -> list[sdk_errors.HttpException]:
    return [one for one in results if isinstance(one, sdk_errors.HttpException)]


def granted(results: list[Any]) -> list[Any]:
    return [one for one in results if not isinstance(one, sdk_errors.HttpException)]


def attach(sdk: Any, server: Any, volume: Any) -> Any:
    return sdk.compute.create_volume_attachment(server, volume_id=volume.id)


@pytest.fixture
def sdks(cluster):
    """Clients with connections of their own."""
    return [cluster.sdk() for _ in range(8)]


def test_the_volume_quota_is_exact(cluster, sdks):
    sdk = sdks[0]
    project = sdk.current_project_id
    sdk.set_volume_quotas(project, volumes=5)
    try:
        results = at_once(
            lambda one=one: one.block_storage.create_volume(size=1) for one in sdks for _ in range(2)
        )
        assert len(granted(results)) == 5
        assert {error.status_code for error in refused(results)} == {413}
        usage = sdk.block_storage.get_quota_set(project, usage=True)
        assert usage.usage["volumes"] == 5
    finally:
        sdk.set_volume_quotas(project, volumes=100)
    for volume in granted(results):
        sdk.block_storage.wait_for_status(volume, "available", interval=0.1, wait=60)
        sdk.delete_volume(volume.id, wait=True)


def test_the_server_quota_is_exact(cluster, sdks, flavor, image, network):
    sdk = sdks[0]
    project = sdk.current_project_id
    sdk.set_compute_quotas(project, instances=3)
    body = {"flavor_id": flavor, "image_id": image, "networks": [{"uuid": network}]}
    try:
        results = at_once(
            lambda one=one, number=number: one.compute.create_server(name=f"q{number}", **body)
            for number, one in enumerate(sdks)
        )
        assert len(granted(results)) == 3
        assert {error.status_code for error in refused(results)} == {403}
    finally:
        sdk.set_compute_quotas(project, instances=100, cores=100)
    for server in granted(results):
        sdk.compute.wait_for_server(server, interval=0.1, wait=60)
        sdk.delete_server(server.id, wait=True)


def test_one_volume_for_two_servers_at_once(cluster, sdks, flavor, image, network):
    sdk = sdks[0]
    servers = [
        sdk.create_server(f"a{number}", image=image, flavor=flavor, network=network, wait=True, auto_ip=False)
        for number in range(2)
    ]
    for _ in range(4):
        volume = sdk.create_volume(size=1, wait=True)
        results = at_once(
            lambda one=one, server=server, volume=volume: attach(one, server, volume)
            for one, server in zip(sdks, servers, strict=False)
        )
        assert len(granted(results)) == 1, results
        assert all(isinstance(error, BUSY) for error in refused(results)), results
        sdk.block_storage.wait_for_status(volume, "in-use", interval=0.1, wait=60)
        (attachment,) = sdk.block_storage.get_volume(volume.id).attachments
        server = next(server for server in servers if server.id == attachment["server_id"])
        sdk.detach_volume(server, sdk.get_volume(volume.id), wait=True)
        sdk.delete_volume(volume.id, wait=True)
    for server in servers:
        sdk.delete_server(server.id, wait=True)


def test_delete_against_attach(cluster, sdks, flavor, image, network):
    """Whoever comes first has it; afterwards the volume is either gone or in use, and nothing between."""
    sdk = sdks[0]
    server = sdk.create_server("d1", image=image, flavor=flavor, network=network, wait=True, auto_ip=False)
    outcomes: Counter[str] = Counter()
    for _ in range(6):
        volume = sdk.create_volume(size=1, wait=True)
        deleted, attached = at_once(
            [
                lambda one=volume.id: sdks[0].block_storage.delete_volume(one, ignore_missing=False),
                lambda one=volume: attach(sdks[1], server, one),
            ]
        )
        lost = refused([deleted, attached])
        assert len(lost) == 1, (deleted, attached)
        if lost[0] is attached:
            outcomes["deleted"] += 1
            cluster.until(lambda one=volume.id: sdk.get_volume(one) is None, 60, "the volume's end")
        else:
            outcomes["attached"] += 1
            sdk.block_storage.wait_for_status(volume, "in-use", interval=0.1, wait=60)
            sdk.detach_volume(server, sdk.get_volume(volume.id), wait=True)
            sdk.delete_volume(volume.id, wait=True)
    assert outcomes.total() == 6
    sdk.delete_server(server.id, wait=True)


def test_addresses_are_never_given_twice(cluster, sdks):
    """A network of 13 addresses, and more who want one than there are."""
    sdk = sdks[0]
    network = sdk.network.create_network(name="small")
    sdk.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.9.0.0/28", name="small")
    results = at_once(
        lambda one=one: one.network.create_port(network_id=network.id) for one in sdks for _ in range(2)
    )
    ports = granted(results)
    addresses = [address["ip_address"] for port in ports for address in port.fixed_ips]
    assert len(addresses) == len(set(addresses)) == 13, sorted(addresses, key=ipaddress.ip_address)
    assert {error.status_code for error in refused(results)} == {409}
    macs = [port.mac_address for port in ports]
    assert len(macs) == len(set(macs))
    results = at_once(
        lambda one=one: one.network.create_port(
            network_id=network.id, fixed_ips=[{"ip_address": addresses[0]}]
        )
        for one in sdks
    )
    assert granted(results) == [], "an address that is in use"
    for port in ports:
        sdk.network.delete_port(port.id)
    results = at_once(
        lambda one=one: one.network.create_port(
            network_id=network.id, fixed_ips=[{"ip_address": addresses[0]}]
        )
        for one in sdks
    )
    assert len(granted(results)) == 1
    sdk.network.delete_port(granted(results)[0].id)
    sdk.network.delete_network(network.id)


def test_names_that_must_be_unique_are(cluster, sdks):
    sdk = sdks[0]
    keys = at_once(lambda one=one: one.compute.create_keypair(name="same") for one in sdks)
    assert len(granted(keys)) == 1
    assert {error.status_code for error in refused(keys)} == {409}
    sdk.compute.delete_keypair("same")
    projects = at_once(lambda one=one: one.identity.create_project(name="same") for one in sdks)
    assert len(granted(projects)) == 1
    assert {error.status_code for error in refused(projects)} == {409}
    sdk.identity.delete_project(granted(projects)[0].id)
    types = at_once(lambda one=one: one.block_storage.create_type(name="same") for one in sdks)
    assert len(granted(types)) == 1
    assert {error.status_code for error in refused(types)} == {409}
    sdk.block_storage.delete_type(granted(types)[0].id)


def test_a_host_takes_no_more_than_it_has(cluster, sdks, image, network):
    """Both schedulers want the same room; the ledger decides, and who finds none says so."""
    sdk = sdks[0]
    # Each simulated host has room for one of these.
    large = sdk.create_flavor("large", ram=int(HOST_MEMORY * 0.6), vcpus=1, disk=1).id
    sdk.set_compute_quotas(sdk.current_project_id, ram=-1)
    body = {"flavor_id": large, "image_id": image, "networks": [{"uuid": network}]}
    results = at_once(
        lambda one=one, number=number: one.compute.create_server(name=f"l{number}", **body)
        for number, one in enumerate(sdks[:6])
    )
    assert refused(results) == []
    names = {server.id for server in results}

    def settled() -> list[Any]:
        found = [one for one in sdk.compute.servers() if one.id in names]
        return found if all(one.status in ("ACTIVE", "ERROR") for one in found) else []

    servers = cluster.until(settled, 120, "all servers have settled")
    states = Counter(server.status for server in servers)
    assert states == {"ACTIVE": len(COMPUTE_HOSTS), "ERROR": 6 - len(COMPUTE_HOSTS)}
    hosts = [server.compute_host for server in servers if server.status == "ACTIVE"]
    assert len(set(hosts)) == len(hosts)
    for server in servers:
        sdk.delete_server(server.id, wait=True)
    sdk.delete_flavor(large)


def test_a_snapshot_against_its_volumes_end(cluster, sdks):
    sdk = sdks[0]
    for _ in range(6):
        volume = sdk.create_volume(size=1, wait=True)
        deleted, made = at_once(
            [
                lambda one=volume.id: sdks[0].block_storage.delete_volume(one, ignore_missing=False),
                lambda one=volume.id: sdks[1].block_storage.create_snapshot(volume_id=one),
            ]
        )
        lost = refused([deleted, made])
        assert len(lost) == 1, (deleted, made)
        if lost[0] is deleted:
            sdk.block_storage.wait_for_status(made, "available", interval=0.1, wait=60)
            sdk.delete_volume_snapshot(made.id, wait=True)
            sdk.delete_volume(volume.id, wait=True)
        else:
            cluster.until(lambda one=volume.id: sdk.get_volume(one) is None, 60, "the volume's end")
