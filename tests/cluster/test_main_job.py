"""The main job through HAProxy, on two of everything, by an unmodified client."""

import time

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


def test_by_openstacksdk(cluster, flavor, image, network):
    sdk = cluster.sdk()
    server = sdk.create_server("vm1", image=image, flavor=flavor, network=network, wait=True, auto_ip=False)
    assert server.status == "ACTIVE"
    assert server.addresses["n1"][0]["addr"].startswith("10.1.")
    volume = sdk.create_volume(size=1, name="v1", wait=True)
    sdk.attach_volume(server, volume, wait=True)
    assert sdk.get_volume("v1").status == "in-use"
    sdk.block_storage.extend_volume(volume, 2)
    cluster.until(
        lambda: (shown := sdk.block_storage.get_volume(volume.id)).size == 2 and shown.status == "in-use",
        60,
        "the volume of two GiB",
    )
    sdk.compute.stop_server(server)
    sdk.compute.wait_for_server(sdk.compute.get_server(server), status="SHUTOFF", interval=0.1)
    sdk.detach_volume(server, sdk.get_volume("v1"), wait=True)
    sdk.delete_server(server.id, wait=True)
    sdk.delete_volume(volume.id, wait=True)
    assert sdk.list_servers() == []
    assert sdk.list_volumes() == []


def test_both_of_each_api_are_used(cluster):
    """The balancer sees all of them as well, and each answers at its own port and below its prefix."""
    import http.client

    for node in (node for node in cluster.nodes.values() if node.is_api):
        connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=10)
        connection.request("GET", f"/{node.service}/")
        assert connection.getresponse().status in (200, 300), node.name
        connection.close()


def test_a_command_of_the_openstack_client(cluster, flavor):
    assert cluster.openstack("token", "issue", "-f", "json")["project_id"]
    rows = cluster.openstack("compute", "service", "list", "-f", "json")
    assert sum(row["Binary"] == "nova-compute" and row["State"] == "up" for row in rows) == 3


def test_a_process_that_is_told_to_end_does_so_cleanly(cluster):
    """A rolling restart: requests go on, each process ends with code 0 and comes back."""
    sdk = cluster.sdk()
    for name in ("compute-api1", "volume-conductor1", "volume-worker1", "compute-scheduler1"):
        volume = sdk.block_storage.create_volume(size=1, name=f"during-{name}")
        began = time.monotonic()
        assert cluster.terminate(name) == 0, cluster.said(name)
        assert time.monotonic() - began < 30
        assert sdk.compute.get_endpoint()
        assert list(sdk.compute.servers()) == []
        cluster.await_up(cluster.start(name))
        cluster.until(
            lambda volume=volume: sdk.block_storage.get_volume(volume.id).status == "available",
            60,
            f"the volume made while {name} ended",
        )
        sdk.delete_volume(volume.id, wait=True)
