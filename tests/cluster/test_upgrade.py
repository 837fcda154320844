"""A rolling upgrade, and the way back, while users work: old and new processes side by side on one broker and
one database. New is `newer.py`; the database comes first, then one process after the other."""

import re
import sys
from pathlib import Path

import pytest
from sqlalchemy import func, select

from tests.cluster.lab import Cluster
from tests.cluster.load import Load
from tests.cluster.test_workers_down import _waiting
from tests.cluster.view import View

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

NEWER = (sys.executable, "-m", "tests.cluster.newer")
# What an old process answers, or says in its log, to something that it does not know.
MISUNDERSTOOD = re.compile(r"UnsupportedVersion|NoSuchMethod|was sent with \(|FlowMismatch|Traceback")


def replace(cluster: Cluster, name: str, program: tuple[str, ...]) -> None:
    node = cluster.nodes[name]
    assert cluster.terminate(node) == 0, cluster.said(node)
    node.program = program
    cluster.await_up(cluster.start(node))


def created(view: View) -> dict[int, int]:
    """Flows that made volumes, by their version."""
    service = view.running["volume"]
    flows = service.flow_tables.flows.c
    query = select(flows.version, func.count()).where(flows.name == "volume.create").group_by(flows.version)
    return dict(service.database.read(lambda tx: [tuple(row) for row in tx.execute(query)]))


@pytest.fixture
def logs(cluster):
    """What the volume service's processes say during the test."""
    files = {name: cluster.log_of(node) for name, node in cluster.nodes.items() if node.service == "volume"}
    before = {name: file.stat().st_size for name, file in files.items()}

    def said() -> str:
        return "\n".join(file.read_bytes()[before[name] :].decode() for name, file in files.items())

    yield said


@pytest.fixture
def old_again(cluster):
    yield
    for node in cluster.nodes.values():
        if node.program:
            if node.up:
                cluster.kill(node)
            node.program = ()


def test_old_and_new_side_by_side(cluster, flavor, image, network, logs, old_again):
    body = {"flavorRef": flavor, "imageRef": image, "networks": [{"uuid": network}]}
    view = View(cluster)
    try:
        with Load(cluster, body, volumes=3, servers=1) as load:
            load.await_jobs(2)
            load.fault()
            before = created(view)
            # The database first; the old code goes on, and starts.
            cluster.celaje("db", "sync", *cluster.files("volume-api1"), program=NEWER)
            replace(cluster, "volume-scheduler1", ())
            load.await_jobs(2)

            # One of each is new: nobody says what the others do not understand.
            for name in ("volume-conductor1", "volume-api1", "volume-worker1"):
                replace(cluster, name, NEWER)
                load.await_jobs(2)
            load.await_jobs(6)
            assert created(view).keys() == before.keys() == {1}

            # Both conductors are new, so flows take the new steps; these wait for the last old worker.
            replace(cluster, "volume-conductor2", NEWER)
            replace(cluster, "volume-api2", NEWER)
            cluster.until(lambda: 2 in created(view), 60, "a flow of the new version")
            cluster.until(
                lambda: any("storage@shared" in (where or "") for where in _waiting(cluster)),
                60,
                "a step that waits for the old worker",
            )
            replace(cluster, "volume-worker2", NEWER)
            load.await_jobs(6)
            finished = select(func.count()).where(
                view.running["volume"].flow_tables.flows.c.version == 2,
                view.running["volume"].flow_tables.flows.c.state == "done",
            )
            assert view.running["volume"].database.read(lambda tx: tx.execute(finished).scalar()) > 0

            # And back, a conductor first: what is under way in the new version is left to the new one.
            replace(cluster, "volume-conductor1", ())
            load.await_jobs(4)
            for name in ("volume-api1", "volume-api2"):
                replace(cluster, name, ())
            cluster.until(lambda: not open_of_version_2(view), 90, "the end of what the new code began")
            for name in ("volume-conductor2", "volume-worker1", "volume-worker2"):
                replace(cluster, name, ())
            load.await_jobs(4)
        load.clear()
        report = load.report("rolling upgrade and back")
        print(report)
        assert (report.lost, report.stuck, report.wrong) == ([], [], []), report
        assert not (found := MISUNDERSTOOD.search(logs())), logs()[found.start() - 500 : found.end() + 1500]
    finally:
        view.close()


def open_of_version_2(view: View) -> int:
    flows = view.running["volume"].flow_tables.flows.c
    query = select(func.count()).where(flows.version == 2, flows.finished_at.is_(None))
    return view.running["volume"].database.read(lambda tx: tx.execute(query).scalar())


def test_the_newer_release_is_one(tmp_path):
    """It is started as the command is, and knows what the older one does not."""
    import subprocess

    code = (
        "import tests.cluster.newer as newer; from celaje.volume.rpc import VolumeWorkerMessages as table; "
        "print(table.version, table.message('polish_volume').since, newer.service.VolumeService.migrations)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stdout.startswith("1.1 1.1 ")
