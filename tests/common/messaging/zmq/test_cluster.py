"""Several buses of one cluster: how they meet, share work, and wait for each other."""

import datetime

import pytest
from tests.common.messaging.conftest import Caller, Gate, eventually

from celaje.common import clock
from celaje.common.messaging import NoSuchServer, Target, work
from celaje.common.messaging.zmq.dispatch import BacklogFull

from .conftest import listening


def test_calls_casts_and_fanouts_both_ways(join):
    one, two, three = join(), join(), join()
    _, first = one.serve("one")
    _, second = two.serve("two")
    # No wait before: who has just started looks for the others.
    assert three.client.to("one").echo({"n": [1, None]}) == {"n": [1, None]}
    assert three.client.to("two").echo(b"\x00\xff") == b"\x00\xff"
    listening(one, "two")
    assert one.client.to("two").echo(2) == 2
    listening(two, "one")
    two.client.to("one").note("cast")
    assert first.wait_for(1) == ["cast"]
    three.client.report("all")
    assert first.wait_for(2) == ["cast", "all"]
    assert second.wait_for(1) == ["all"]


def test_a_process_that_knows_nobody_yet_looks_before_it_says_so(join):
    """The second bus begins with a call; nothing has told it of the first."""
    _, _ = join().serve("one")
    assert join().client.to("one").echo(1) == 1
    with pytest.raises(NoSuchServer):
        join(rpc_poll_timeout=0.2).client.to("nobody").echo(1)


def test_a_cast_waits_for_a_server_that_comes_up_later(join):
    sender = join()
    for number in range(100):
        sender.client.to("late").note(number)
    sender.client.note("any")
    _, endpoint = join().serve("late", threads=1)
    assert sorted(endpoint.wait_for(101), key=str) == sorted([*range(100), "any"], key=str)
    assert [value for value in endpoint.seen if value != "any"] == list(range(100))


def test_a_cast_is_given_up_after_rpc_cast_timeout(join, caplog):
    sender = join(rpc_cast_timeout=0.2)
    sender.client.to("late").note("old")
    eventually(lambda: "note to worker@late is given up" in caplog.text)
    _, endpoint = join().serve("late")
    sender.client.to("late").note("new")
    assert endpoint.wait_for(1) == ["new"]


def test_servers_of_a_topic_share_the_calls_of_several_senders(join):
    """One thread each, and senders that do not know of each other's calls: a busy server sends back what
    another could begin at once."""
    endpoints = [join().serve(name, threads=1)[1] for name in ("one", "two", "three")]
    senders = [join() for _ in range(3)]
    for sender in senders:
        listening(sender, "one", "two", "three")
    for _ in range(5):
        gates = [Gate(number) for number in range(3)]
        for endpoint in endpoints:
            endpoint.functions.update({str(number): gate for number, gate in enumerate(gates)})
        callers = [Caller(sender.client.run, str(number)) for number, sender in enumerate(senders)]
        assert all(gate.entered.wait(10) for gate in gates)
        for gate in gates:
            gate.open.set()
        assert sorted(caller.result() for caller in callers) == [0, 1, 2]


def test_two_processes_may_serve_one_name(join):
    endpoints = [join().serve("one", threads=1)[1] for _ in range(2)]
    sender = join()
    eventually(lambda: len(sender.bus._dispatch.directory.hearing(("celaje", "worker"), "one")) == 2)
    gates = [Gate(number) for number in range(2)]
    for endpoint in endpoints:
        endpoint.functions.update({str(number): gate for number, gate in enumerate(gates)})
    callers = [Caller(sender.client.to("one").run, str(number)) for number in range(2)]
    assert all(gate.entered.wait(10) for gate in gates)
    for gate in gates:
        gate.open.set()
    assert sorted(caller.result() for caller in callers) == [0, 1]


def test_what_waits_for_an_idle_thread_is_done_in_its_turn(join):
    _, endpoint = join().serve("one", threads=1)
    senders = [join() for _ in range(2)]
    for sender in senders:
        listening(sender, "one")
    gate = endpoint.functions["gate"] = Gate()
    busy = Caller(senders[0].client.run, "gate")
    assert gate.entered.wait(10)
    waiting = [Caller(sender.client.echo, number) for number, sender in enumerate(senders * 5)]
    for sender in senders:
        for number in range(20):
            sender.client.note(number)
    assert not any(caller.done for caller in waiting)
    gate.open.set()
    assert busy.result() == "done"
    assert [caller.result() for caller in waiting] == list(range(10))
    assert sorted(endpoint.wait_for(40)) == sorted([*range(20)] * 2)


def test_large_messages(join):
    _, endpoint = join().serve("one")
    sender = join()
    large = "x" * 20_000_000
    assert sender.client.to("one").echo(large) == large
    sender.client.to("one").note(large)
    assert endpoint.wait_for(1) == [large]


def test_a_sender_waits_when_too_much_waits(join):
    _, endpoint = join().serve("one", threads=1)
    sender = join(rpc_zmq_topic_backlog=3)
    listening(sender, "one")
    gate = endpoint.functions["gate"] = Gate()
    caller = Caller(sender.client.run, "gate")
    assert gate.entered.wait(10)
    for number in range(3):
        sender.client.note(number)
    with (
        pytest.raises(BacklogFull, match="3 messages wait"),
        work.until(clock.now() + datetime.timedelta(seconds=0.2)),
    ):
        sender.client.note("too many")
    # A hint is worth no wait, and no error.
    assert sender.client.hint("too many") is None
    waiting = Caller(sender.client.note, 3)
    assert not waiting.thread.join(0.1)
    assert not waiting.done
    gate.open.set()
    waiting.result()
    assert caller.result() == "done"
    assert endpoint.wait_for(4) == [0, 1, 2, 3]


def test_nobody_waits_for_room_where_nobody_listens(join):
    sender = join(rpc_zmq_topic_backlog=3)
    for number in range(3):
        sender.client.to("late").note(number)
    with pytest.raises(BacklogFull, match="nobody takes them"):
        sender.client.to("late").note("too many")
    _, endpoint = join().serve("late", threads=1)
    assert endpoint.wait_for(3) == [0, 1, 2]


def test_the_meeting_point_goes_to_another_when_its_holder_ends(join):
    first, second = join(), join()
    first.serve("one")
    _, kept = second.serve("two")
    listening(first, "two")
    listening(second, "one")
    assert first.bus._door.holds
    first.close()
    eventually(lambda: second.bus._door.holds)
    assert not second.bus.has_consumer(Target("worker", "one"))
    third = join()
    third.client.to("two").note("found")
    assert kept.wait_for(1) == ["found"]


def test_who_closes_leaves_its_work_to_others(join):
    leaving, sender = join(), join()
    server, endpoint = leaving.serve("one", threads=1)
    listening(sender, "one")
    gate = endpoint.functions["gate"] = Gate()
    caller = Caller(sender.client.to("one").run, "gate")
    assert gate.entered.wait(10)
    for number in range(200):
        sender.client.to("one").note(number)
    server.kill()
    leaving.bus.close()
    gate.open.set()
    with pytest.raises(Exception, match=r"was lost while|was killed|has ended"):
        caller.result()
    _, successor = join().serve("one", threads=1)
    assert successor.wait_for(200) == list(range(200))
    assert endpoint.seen == []
