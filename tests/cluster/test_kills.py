"""kill -9 of one of each kind while users work: nothing lost, nothing stuck, reads answered meanwhile."""

import pytest

from tests.cluster.load import Load

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

KINDS = (
    "identity-api1",
    "placement-api2",
    "image-api1",
    "network-api2",
    "volume-api1",
    "compute-api2",
    "volume-conductor1",
    "compute-conductor2",
    "network-conductor1",
    "volume-scheduler2",
    "compute-scheduler1",
    "volume-worker1",
    "compute2-worker",
)


@pytest.mark.parametrize("name", KINDS)
def test_a_killed_process_takes_nothing_along(cluster, flavor, image, network, name, record_property):
    body = {"flavorRef": flavor, "imageRef": image, "networks": [{"uuid": network}]}
    with Load(cluster, body) as load:
        load.await_jobs(2)
        load.fault()
        cluster.kill(name)
        load.await_jobs(3)
        cluster.await_up(cluster.start(name))
        load.await_jobs(2)
    load.clear()
    report = load.report(f"kill -9 of {name}")
    record_property("report", str(report))
    print(report)
    assert (report.lost, report.stuck, report.wrong) == ([], [], []), report
