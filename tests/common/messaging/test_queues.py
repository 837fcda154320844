import threading

import pytest

from celaje.common.messaging import NoSuchServer, Target

from .conftest import Caller, Endpoint, Gate, eventually


def test_casts_wait_for_their_server(cloud):
    for number in range(5):
        cloud.client.to("late").note(number)
    _, other = cloud.serve("other")
    cloud.client.to("other").note("here")
    assert other.wait_for(1) == ["here"]
    _, endpoint = cloud.serve("late", threads=1)
    assert endpoint.wait_for(5) == [0, 1, 2, 3, 4]
    assert other.seen == ["here"]


def test_casts_to_a_topic_wait_for_any_server(cloud):
    cloud.client.note(1)
    _, endpoint = cloud.serve("one")
    assert endpoint.wait_for(1) == [1]


def test_a_cast_returns_before_the_work(cloud):
    assert cloud.client.to("late").note(1) is None


def test_each_queue_keeps_its_order(cloud):
    _, endpoint = cloud.serve("one", threads=1)
    senders = [
        Caller(lambda me=me: [cloud.client.to("one").note([me, turn]) for turn in range(200)])
        for me in range(4)
    ]
    for sender in senders:
        sender.result()
    seen = endpoint.wait_for(800)
    for me in range(4):
        assert [turn for who, turn in seen if who == me] == list(range(200))


def test_own_queue_topic_and_fanout_are_taken_by_age(local_cloud):
    _, endpoint = local_cloud.serve("one", threads=1)
    gate = endpoint.functions["gate"] = Gate()
    caller = Caller(local_cloud.client.run, "gate")
    assert gate.entered.wait(10)
    local_cloud.client.note(1)
    local_cloud.client.to("one").note(2)
    local_cloud.client.report(3)
    local_cloud.client.note(4)
    gate.open.set()
    assert endpoint.wait_for(4) == [1, 2, 3, 4]
    caller.result()


def test_servers_of_a_topic_share_the_work(cloud):
    endpoints = [cloud.serve(name, threads=1)[1] for name in ("one", "two", "three")]
    gates = [Gate(number) for number in range(3)]
    for endpoint in endpoints:
        endpoint.functions.update({str(number): gate for number, gate in enumerate(gates)})
    callers = [Caller(cloud.client.run, str(number)) for number in range(3)]
    # One thread each: all three are entered only if every server took one.
    assert all(gate.entered.wait(10) for gate in gates)
    for gate in gates:
        gate.open.set()
    assert sorted(caller.result() for caller in callers) == [0, 1, 2]
    for number in range(90):
        cloud.client.note(number)
    eventually(lambda: sum(len(endpoint.seen) for endpoint in endpoints) == 90)
    assert sorted(note for endpoint in endpoints for note in endpoint.seen) == list(range(90))


def test_a_message_to_one_server_reaches_only_that_one(cloud):
    _, one = cloud.serve("one")
    _, two = cloud.serve("two")
    for number in range(20):
        cloud.client.to("two").note(number)
    assert len(two.wait_for(20)) == 20
    assert one.seen == []


def test_a_fanout_reaches_all_that_are_present_and_nobody_later(cloud):
    cloud.client.report("before")
    _, one = cloud.serve("one")
    _, two = cloud.serve("two")
    cloud.client.report({"n": [1]})
    assert one.wait_for(1) == two.wait_for(1) == [{"n": [1]}]
    assert one.seen[0] is not two.seen[0]
    _, late = cloud.serve("late")
    cloud.client.to("late").note("own")
    assert late.wait_for(1) == ["own"]


def test_a_fanout_has_no_single_receiver(cloud):
    with pytest.raises(TypeError, match="goes to all of worker"):
        _ = cloud.client.to("one").report


def test_a_stopped_server_leaves_its_queue_to_the_next(local_cloud):
    server, endpoint = local_cloud.serve("one", threads=1)
    gate = endpoint.functions["gate"] = Gate()
    caller = Caller(local_cloud.client.to("one").run, "gate")
    assert gate.entered.wait(10)
    local_cloud.client.to("one").note("kept")
    waiting = Caller(local_cloud.client.to("one").echo, 1)
    eventually(lambda: len(local_cloud.bus._topic(Target("worker")).queue("one")) == 2)
    stopping = Caller(server.stop, 10)
    # A call that was not begun fails, a cast stays.
    with pytest.raises(NoSuchServer):
        waiting.result()
    assert not stopping.done
    gate.open.set()
    assert caller.result() == "done"
    assert stopping.result() is True
    assert endpoint.seen == []
    _, successor = local_cloud.serve("one")
    assert successor.wait_for(1) == ["kept"]


def test_nothing_is_lost_or_doubled_while_servers_come_and_go(cloud):
    endpoint = Endpoint()
    over = threading.Event()

    def churn(name):
        while not over.is_set():
            server, _ = cloud.serve(name, endpoint, threads=2)
            cloud.client.to(name).note(None)
            assert server.stop(10)

    churners = [Caller(churn, name) for name in ("one", "two")]
    senders = [
        Caller(lambda me=me: [cloud.client.note([me, turn]) for turn in range(150)]) for me in range(3)
    ]
    for sender in senders:
        sender.result()
    over.set()
    for churner in churners:
        churner.result()
    cloud.serve("one", endpoint)
    cloud.serve("two", endpoint)
    wanted = sorted([me, turn] for me in range(3) for turn in range(150))
    eventually(lambda: len([note for note in list(endpoint.seen) if note]) >= 450)
    assert sorted(note for note in endpoint.seen if note) == wanted


def test_poll_ends_when_its_time_is_over(virtual_cloud, virtual):
    listener = virtual_cloud.bus.listen(Target("worker", "one"))
    poll = Caller(listener.poll, 5)
    topic = virtual_cloud.bus._topic(Target("worker"))
    eventually(lambda: len(topic.waiters) == 1)
    virtual.advance(5)
    assert poll.result() is None
    assert not topic.waiters
    virtual_cloud.client.to("one").note(1)
    assert listener.poll().envelope.arguments == {"value": 1}
