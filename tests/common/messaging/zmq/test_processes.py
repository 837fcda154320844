"""A process is killed, stopped, or started again while others talk to it."""

import signal
import threading

import pytest
from tests.common.messaging.conftest import Caller, eventually

from celaje.common.messaging import NoSuchServer, Target, WorkerLost

from .conftest import listening

pytestmark = pytest.mark.timeout(180)


def test_a_killed_process_is_noticed_and_its_successor_found(join, process):
    cloud = join()
    victim = process("one")
    listening(cloud, "one")
    assert cloud.client.to("one").run("name") == "one"
    caller = Caller(cloud.client.to("one").run.with_timeout(120), "never")
    victim.hear("never")
    victim.send(signal.SIGKILL)
    with pytest.raises(WorkerLost, match=r"connection to it broke|silent"):
        caller.result()
    eventually(lambda: not cloud.bus.has_consumer(Target("worker", "one")))
    with pytest.raises(NoSuchServer):
        cloud.client.to("one").run("name")
    for number in range(5):
        cloud.client.to("one").note(f"while down {number}")
    successor = process("one")
    for number in range(5):
        successor.hear(f"while down {number}")
    # Each once.
    assert len(successor.said) == 6
    assert cloud.client.to("one").run("name") == "one"


def test_no_cast_is_lost_when_servers_are_killed_under_load(join, process):
    """At least once: what the dead had in hand is done by the next."""
    cloud = join()
    servers = [process("one"), process("two")]
    listening(cloud, "one", "two")
    over, sent = threading.Event(), []

    def grows():
        wanted = len(sent) + 100
        eventually(lambda: len(sent) >= wanted, seconds=60)

    def send():
        while not over.is_set():
            cloud.client.note(f"n{len(sent)}")
            sent.append(f"n{len(sent)}")
            over.wait(0.001)

    sender = Caller(send)
    for _ in range(2):
        grows()
        servers[-2].end()
        servers.append(process("one"))
    grows()
    over.set()
    sender.result()

    def all_done():
        return set(sent) <= {line for server in servers for line in server.heard()}

    eventually(all_done, "casts are lost", seconds=60)


def test_a_process_that_was_stopped_is_lost_and_found_again(join, process):
    cloud = join()
    sleeper = process("one")
    listening(cloud, "one")
    sleeper.send(signal.SIGSTOP)
    cloud.client.to("one").note("while asleep")
    with pytest.raises(WorkerLost, match="silent"):
        cloud.client.to("one").run("name")
    assert not cloud.bus.has_consumer(Target("worker", "one"))
    sleeper.send(signal.SIGCONT)
    listening(cloud, "one")
    assert cloud.client.to("one").run("name") == "one"
    sleeper.hear("while asleep")
    cloud.client.to("one").note("last")
    sleeper.hear("last")
    # It was sent twice, and recognised.
    assert sleeper.said.count("while asleep") == 1


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_the_clock_of_the_receivers_machine_is_another(join, process, tmp_path, seconds):
    """How long a caller waits travels as seconds, not as a moment: a call is neither over when it comes nor
    kept for an hour."""
    step = tmp_path / "step"
    step.write_text(str(seconds))
    cloud = join()
    process("far", clock_step=step)
    listening(cloud, "far")
    assert cloud.client.to("far").echo.with_timeout(60)(1) == 1
    assert 0 < cloud.client.to("far").run.with_timeout(60)("left") <= 60
