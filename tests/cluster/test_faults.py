"""Faults under load, each with its figures: nothing lost, nothing stuck, all sound after it."""

import contextlib
import os
import signal
import subprocess
import time
from types import SimpleNamespace

import pytest

from tests.cluster.layout import Node
from tests.cluster.load import Load
from tests.servers import rabbitmq

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
with_broker = pytest.mark.skipif(
    os.environ.get("CELAJE_TEST_TRANSPORT") == "zmq", reason="without a broker there is none to lose"
)


@pytest.fixture
def body(flavor, image, network):
    return {"flavorRef": flavor, "imageRef": image, "networks": [{"uuid": network}]}


@pytest.fixture
def under_load(cluster, body, record_property):
    """`with under_load("what happens", jobs=4): ...`: the body is the fault, from its beginning to its end.
    It happens while users work, who must finish so many jobs after it; then everything is looked at."""

    @contextlib.contextmanager
    def begin(fault, *, jobs=4, seconds=120.0):
        with Load(cluster, body) as load:
            load.await_jobs(2)
            load.fault()
            yield
            load.mended()
            load.await_jobs(jobs, seconds)
        load.clear()
        report = load.report(fault)
        record_property("report", str(report))
        print(report)
        assert (report.lost, report.stuck, report.wrong) == ([], [], []), report

    return begin


STOPPED = (
    "identity-api2",
    "placement-api1",
    "image-api2",
    "network-api1",
    "volume-api2",
    "compute-api1",
    "volume-conductor2",
    "compute-conductor1",
    "network-conductor2",
    "volume-scheduler1",
    "compute-scheduler2",
    "volume-worker2",
    "compute1-worker",
)


@pytest.mark.parametrize("name", STOPPED)
def test_a_process_that_hangs_and_goes_on(cluster, under_load, name):
    """SIGSTOP for longer than leases and heartbeats last; what it does afterwards is fenced."""
    with under_load(f"SIGSTOP of {name}"):
        cluster.send_signal(name, signal.SIGSTOP)
        try:
            time.sleep(15)
        finally:
            cluster.send_signal(name, signal.SIGCONT)


# Shorter than calls and leases last, and longer.
@with_broker
@pytest.mark.parametrize("pause", [2, 30])
def test_the_broker_is_killed_and_comes_back(cluster, under_load, pause):
    with under_load("broker killed and started again"):
        rabbitmq.kill(cluster.broker)
        time.sleep(pause)
        cluster.broker = rabbitmq.start(cluster.folder / "rabbitmq", cluster.broker.port)


@with_broker
def test_an_api_that_is_started_while_the_broker_is_away_answers(cluster):
    sdk = cluster.sdk()
    rabbitmq.kill(cluster.broker)
    try:
        cluster.kill("volume-api1")
        cluster.await_up(cluster.start("volume-api1"))
        cluster.kill("volume-api2")
        volume = sdk.block_storage.create_volume(size=1)
        assert sdk.block_storage.get_volume(volume.id).status == "creating"
    finally:
        cluster.broker = rabbitmq.start(cluster.folder / "rabbitmq", cluster.broker.port)
    sdk.block_storage.wait_for_status(volume, "available", interval=0.1, wait=90)
    sdk.delete_volume(volume.id, wait=True)


@with_broker
def test_the_broker_comes_back_with_nothing(cluster, under_load):
    with under_load("broker killed, its data wiped"):
        rabbitmq.kill(cluster.broker)
        rabbitmq.wipe(cluster.broker)
        cluster.broker = rabbitmq.start(cluster.folder / "rabbitmq", cluster.broker.port)


@pytest.mark.parametrize("pause", [2, 30])
def test_the_database_crashes_and_comes_back(cluster, under_load, pause):
    with under_load("database crashed and started again"):
        cluster.restart_database(pause)


def test_all_sessions_of_the_database_are_cut(cluster, under_load):
    with under_load("all database sessions cut, five times"):
        for _ in range(5):
            cluster.cut_sessions()
            time.sleep(1)


def test_the_balancer_is_killed_and_comes_back(cluster, under_load):
    with under_load("HAProxy killed and started again"):
        cluster.signal_balancer(signal.SIGKILL)
        time.sleep(3)
        cluster.start_balancer()


def test_the_balancers_timeout_is_shorter_than_the_operation(cluster, under_load):
    """Attachments that wait two seconds for their back end behind `timeout server 1s`: the client is
    told 504, the work goes on."""
    with under_load("HAProxy's `timeout server` 1 s, the operation 2 s"):
        cluster.slow_backend("initialize_connection", 2.0)
        cluster.limit_balancer("1s")
        try:
            time.sleep(20)
        finally:
            cluster.slow_backend(None)
            cluster.limit_balancer("90s")


@with_broker
@pytest.mark.parametrize("how", ["cut", "silence"])
@pytest.mark.parametrize("name", ["volume-worker1", "compute1-worker"])
def test_a_worker_is_cut_off_from_the_bus_and_back(cluster, under_load, name, how):
    """Its connections break, or nothing passes and nothing breaks. It lives and works on all the while."""
    words = "cut off from the bus" if how == "cut" else "and the bus hear nothing of each other"
    with under_load(f"{name} {words}"):
        gate = cluster.gates[name]
        getattr(gate, how)()
        try:
            time.sleep(15)
        finally:
            gate.open()


@with_broker
def test_a_step_whose_worker_was_cut_off_never_runs_beside_itself(cluster):
    """It goes on in the cut-off worker; the broker gives the message to the twin, which waits for the end of
    that before it looks at the volume itself, and finds it made."""
    sdk = cluster.sdk()
    assert cluster.terminate("volume-worker2") == 0
    cluster.slow_backend("create_volume", 8.0, times=1)
    volume = sdk.block_storage.create_volume(size=1)
    cluster.until(lambda: not cluster.rules_left(), 30, "the step is under way")
    cluster.gates["volume-worker1"].cut()
    cluster.await_up(cluster.start("volume-worker2"))
    time.sleep(10)
    cluster.gates["volume-worker1"].open()
    sdk.block_storage.wait_for_status(volume, "available", interval=0.1, wait=60)
    ended = [_last_line(cluster, f"volume-worker{number}", "create_volume done") for number in (1, 2)]
    assert ended == sorted(ended), ended
    cluster.slow_backend(None)
    sdk.delete_volume(volume.id, wait=True)


def _last_line(cluster, name, words):
    return [line for line in cluster.log_of(cluster.nodes[name]).read_text().splitlines() if words in line][
        -1
    ]


@pytest.mark.parametrize("seconds", [60, -60])
def test_the_clock_of_a_machine_steps(cluster, under_load, seconds):
    """One of the two controllers, with an API, conductor and scheduler of each kind, for a while."""
    with under_load(f"one controller's clock steps by {seconds:+} s and back"):
        cluster.step_clock("controller2", seconds)
        try:
            time.sleep(15)
        finally:
            cluster.step_clock("controller2", 0)


@pytest.fixture
def small_disk(cluster):
    """A volume worker whose volumes are files on a disk of 1 GiB."""
    folder = cluster.folder / "small"
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", str(folder)], check=True, timeout=20)
    try:
        node = cluster.add(
            Node(
                "small-worker",
                "small",
                ("volume.worker",),
                settings={
                    "DEFAULT": {"enabled_backends": "small"},
                    "small": {
                        "volume_driver": "file",
                        "volumes_dir": folder / "volumes",
                        "volume_backend_name": "small",
                    },
                },
            )
        )
        cluster.await_up(node)
        yield folder
        assert cluster.terminate(node) == 0
        cluster.remove(node)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=20)


def test_the_disk_of_a_volume_worker_is_full(cluster, under_load, small_disk, tmp_path, record_property):
    """What does not fit ends in `error` with the cause and leaves nothing; the rest works on, and so does the
    back end when there is room again."""
    sdk = cluster.sdk()
    volumes = small_disk / "volumes"
    kind = sdk.block_storage.create_type(name="small", extra_specs={"volume_backend_name": "small"})
    file = tmp_path / "heavy.raw"
    file.write_bytes(os.urandom(96 << 20))
    image = sdk.create_image(
        "heavy", filename=str(file), disk_format="raw", container_format="bare", wait=True
    )

    def create():
        made = sdk.block_storage.create_volume(size=1, image_id=image.id, volume_type="small")
        cluster.until(
            lambda: sdk.block_storage.get_volume(made.id).status in ("available", "error"), 90, "its end"
        )
        return sdk.block_storage.get_volume(made.id)

    kept = create()
    assert kept.status == "available"
    with under_load("the disk of one more volume worker full"):
        filler = small_disk / "filler"
        with open(filler, "wb") as full:
            free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
            # Thin as it is, the back end still promises a GiB.
            os.posix_fallocate(full.fileno(), 0, free - (64 << 20))
        refused = [create() for _ in range(3)]
        there = {path.name for path in volumes.iterdir() if path.is_file()}
        filler.unlink()
    assert [each.status for each in refused] == ["error"] * 3
    assert len(there) == 1, "nothing is left of what did not fit"
    told = [message.user_message for each in refused for message in _messages(sdk, each.id)]
    assert len(told) == 3, told
    again = create()
    assert again.status == "available"
    for each in (kept, again, *refused):
        sdk.delete_volume(each.id, wait=True)
    sdk.block_storage.delete_type(kind.id)
    sdk.delete_image(image.id, wait=True)


def _messages(sdk, volume_id):
    answer = sdk.block_storage.get(
        f"/messages?resource_uuid={volume_id}", headers={"OpenStack-API-Version": "volume 3.71"}
    )
    return [SimpleNamespace(**one) for one in answer.json()["messages"]]
