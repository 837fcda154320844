"""A worker that is down: its work waits, is seen to wait, and is done when it comes up."""

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

# Seconds after which what waits for a worker that was given up is failed.
DEADLINE = 30


def test_work_for_a_back_end_waits_for_its_workers(cluster):
    sdk = cluster.sdk()
    kept = sdk.create_volume(size=1, wait=True)
    for name in ("volume-worker1", "volume-worker2"):
        cluster.kill(name)
    sdk.block_storage.delete_volume(kept.id)

    def waits() -> bool:
        shown = [row for row in sdk.block_storage.services() if row.binary == "cinder-volume"]
        return shown[0].state == "down"

    cluster.until(waits, 60, "the service list shows the workers as down")
    assert sdk.block_storage.get_volume(kept.id).status == "deleting"
    waiting = _waiting(cluster)
    assert any("storage@shared" in (where or "") for where in waiting), waiting
    cluster.await_up(cluster.start("volume-worker2"))
    cluster.until(lambda: sdk.get_volume(kept.id) is None, 60, "the volume's end")


def test_work_for_a_worker_gone_for_good_fails_at_its_deadline(cluster):
    """It waits, every look shows for whom; the operator gives the worker up; the way out frees the volume."""
    sdk = cluster.sdk()
    volume = sdk.create_volume(size=1, wait=True)
    deadline = {"flows": {"volume_extend_deadline": DEADLINE}}
    for name in ("volume-api1", "volume-api2"):
        cluster.reconfigure(name, deadline)
    for name in ("volume-worker1", "volume-worker2"):
        cluster.kill(name)
    try:
        sdk.block_storage.extend_volume(volume, 3)
        files = cluster.files("volume-conductor1")

        def waits() -> bool:
            found = cluster.celaje("flow", "list", "--running", "--resource", volume.id, *files)
            return "waits for volume-worker.storage@shared" in found

        cluster.until(waits, DEADLINE, "the flow list shows it as waiting for the worker")
        assert sdk.block_storage.get_volume(volume.id).status == "extending"
        cluster.celaje("service", "disable", "cinder-volume", "storage@shared", *_clouds(cluster))
        cluster.until(
            lambda: sdk.block_storage.get_volume(volume.id).status == "error_extending",
            DEADLINE + 60,
            "its way out",
        )
        assert not waits()
        failed = cluster.celaje("flow", "list", "--failed", "--resource", volume.id, *files)
        assert "volume.extend" in failed
        # Nothing new goes there.
        refused = sdk.block_storage.create_volume(size=1)
        cluster.until(lambda: sdk.block_storage.get_volume(refused.id).status == "error", 60, "a refusal")
        assert sdk.block_storage.get_volume(volume.id).size == 1
    finally:
        for name in ("volume-worker1", "volume-worker2"):
            cluster.await_up(cluster.start(name))
        cluster.celaje("service", "enable", "cinder-volume", "storage@shared", *_clouds(cluster))
        for name in ("volume-api1", "volume-api2"):
            cluster.reconfigure(name, {})
    cluster.await_workers()
    sdk = cluster.sdk()
    for each in (volume, refused):
        sdk.block_storage.delete_volume(each.id, force=True)
        cluster.until(lambda each=each: sdk.get_volume(each.id) is None, 60, "the volume's end")


def test_a_server_is_built_when_its_hosts_worker_is_back(cluster, flavor, image, network):
    """Placed just before the host's worker goes: nobody else takes it, and nobody fails it."""
    sdk = cluster.sdk()
    server = sdk.create_server("w1", image=image, flavor=flavor, network=network, wait=True, auto_ip=False)
    host = server.compute_host
    cluster.kill(f"{host}-worker")
    sdk.compute.stop_server(server)
    cluster.until(lambda: _waiting(cluster), 30, "the flow waits")
    shown = sdk.compute.get_server(server)
    assert (shown.status, shown.task_state) == ("ACTIVE", "powering-off")
    assert any(f"compute.{host}" == where for where in _waiting(cluster)), _waiting(cluster)
    cluster.await_up(cluster.start(f"{host}-worker"))
    sdk.compute.wait_for_server(shown, status="SHUTOFF", interval=0.1, wait=60)
    sdk.delete_server(server.id, wait=True)


def test_a_host_gone_for_good_gets_no_more_work(cluster, flavor, image, network):
    sdk = cluster.sdk()
    (service,) = [row for row in sdk.compute.services(binary="nova-compute") if row.host == "compute3"]
    cluster.celaje("service", "disable", "nova-compute", "compute3", "--reason", "gone", *_clouds(cluster))
    listed = cluster.celaje("service", "list", *_clouds(cluster))
    (line,) = [line for line in listed.splitlines() if "nova-compute" in line and "compute3" in line]
    assert "disabled" in line
    servers = [
        sdk.create_server(f"g{number}", image=image, flavor=flavor, network=network, wait=True, auto_ip=False)
        for number in range(6)
    ]
    assert {server.compute_host for server in servers} == {"compute1", "compute2"}
    cluster.celaje("service", "enable", "nova-compute", "compute3", *_clouds(cluster))
    assert sdk.compute.services(binary="nova-compute")
    (service,) = [row for row in sdk.compute.services(binary="nova-compute") if row.host == "compute3"]
    assert service.status == "enabled"
    for server in servers:
        sdk.delete_server(server.id, wait=True)


def _clouds(cluster) -> list[str]:
    return ["--clouds", str(cluster.clouds_yaml()), "--cloud", "test"]


def _waiting(cluster) -> list[str | None]:
    """What flows wait for, by their rows."""
    from sqlalchemy import select

    from tests.cluster.view import View

    view = View(cluster)
    try:
        found = []
        for service in view.running.values():
            if service.flow_tables is not None:
                flows = service.flow_tables.flows.c
                query = select(flows.waiting_on).where(flows.state == "waiting")
                found += service.database.read(lambda tx, query=query: [row[0] for row in tx.execute(query)])
        return found
    finally:
        view.close()
