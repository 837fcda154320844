"""What happens when a side is slow, silent or dead; on a virtual clock."""

import contextlib
import datetime
import logging
import threading

import pytest

from celaje.common import clock, context
from celaje.common.errors import Unavailable
from celaje.common.messaging import MessagingTimeout, WorkerLost, work
from celaje.common.messaging.errors import NotTakenUp

from .conftest import Caller, Gate, eventually


def asleep(virtual, count):
    """Until `count` waits with an end are under way, so that `advance` meets them."""
    eventually(lambda: len(virtual._sleepers) >= count)


def heartbeats(cloud):
    """A list that grows with every heartbeat on the bus; a virtual clock must not run ahead of them."""
    beats = []
    cloud.bus.drop(lambda passing: passing.kind == "heartbeat" and beats.append(1))
    return beats


def begin(cloud, name="gate", server="one", **options):
    served, endpoint = cloud.serve(server, **options)
    gate = endpoint.functions[name] = Gate()
    caller = Caller(cloud.client.to(server).run, name)
    assert gate.entered.wait(10)
    return served, endpoint, gate, caller


def test_a_timeout_names_what_and_whom_and_says_that_the_work_goes_on(virtual_cloud, virtual):
    orphans = []

    def hook(envelope, outcome, took):
        orphans.append((envelope, outcome, took, context.current()))

    _, endpoint = virtual_cloud.serve(on_orphan_reply=hook)
    gate = endpoint.functions["gate"] = Gate()

    def ask():
        with context.using(context.RequestContext(user_id="asker")):
            return virtual_cloud.client.to("one").run("gate")

    caller = Caller(ask)
    assert gate.entered.wait(10)
    asleep(virtual, 2)
    virtual.advance(30)
    with pytest.raises(
        MessagingTimeout, match=r"worker@one did not answer run within 30 s\. The work there goes on"
    ):
        caller.result()
    assert isinstance(caller.error, Unavailable)
    assert caller.error.details["seconds"] == 30.0
    virtual.advance(4)
    gate.open.set()
    eventually(lambda: orphans)
    envelope, outcome, took, asker = orphans[0]
    assert (envelope.method, outcome.result, took, asker.user_id) == ("run", "done", 34.0, "asker")


def test_a_hook_that_fails_does_not_end_the_server(virtual_cloud, virtual, caplog):
    def hook(*_):
        raise RuntimeError("journal")

    _, _, gate, caller = begin(virtual_cloud, on_orphan_reply=hook)
    asleep(virtual, 2)
    virtual.advance(30)
    with pytest.raises(MessagingTimeout):
        caller.result()
    gate.open.set()
    eventually(lambda: "journalling" in caplog.text)
    assert virtual_cloud.client.echo(1) == 1


def test_a_call_not_begun_in_time_is_dropped(virtual_cloud, virtual, caplog):
    _, endpoint, gate, caller = begin(virtual_cloud, threads=1)
    endpoint.functions["never"] = lambda: endpoint.seen.append("never")
    waiting = Caller(virtual_cloud.client.to("one").run.with_timeout(3), "never")
    asleep(virtual, 3)
    with caplog.at_level(logging.INFO):
        virtual.advance(3)
        with pytest.raises(MessagingTimeout, match="It was not seen to begin"):
            waiting.result()
        gate.open.set()
        assert caller.result() == "done"
        eventually(lambda: "run dropped, its caller has left" in caplog.text)
    assert virtual_cloud.client.echo(1) == 1
    assert endpoint.seen == []


def test_a_call_that_is_not_taken_up_in_time_for_a_heartbeat_says_so(virtual_cloud, virtual):
    """Whoever works is heard; a timeout in which nobody was is no answer."""
    _, _, gate, caller = begin(virtual_cloud, threads=1)
    waiting = Caller(virtual_cloud.client.to("one").run.with_timeout(20), "never")
    asleep(virtual, 3)
    virtual.advance(20)
    with pytest.raises(NotTakenUp):
        waiting.result()
    gate.open.set()
    with contextlib.suppress(WorkerLost):
        # Its own heartbeats may not have kept up with the clock's jump.
        caller.result()


def test_heartbeats_keep_a_slow_call_alive(virtual_cloud, virtual):
    beats = heartbeats(virtual_cloud)
    _, endpoint = virtual_cloud.serve()
    gate = endpoint.functions["gate"] = Gate()
    caller = Caller(virtual_cloud.client.to("one").run.with_timeout(300), "gate")
    assert gate.entered.wait(10)
    for turn in range(12):
        asleep(virtual, 2)
        virtual.advance(5)
        eventually(lambda wanted=turn + 1: len(beats) >= wanted)
    assert not caller.done
    gate.open.set()
    assert caller.result() == "done"


def test_a_silent_callee_is_lost(virtual_cloud, virtual):
    remove = virtual_cloud.bus.drop(lambda passing: passing.kind == "heartbeat")
    _, endpoint = virtual_cloud.serve()
    gate = endpoint.functions["gate"] = Gate()
    caller = Caller(virtual_cloud.client.to("one").run.with_timeout(300), "gate")
    assert gate.entered.wait(10)
    asleep(virtual, 2)
    virtual.advance(19.5)
    asleep(virtual, 2)
    assert not caller.done
    virtual.advance(0.5)
    with pytest.raises(WorkerLost, match="no heartbeat for 20 s"):
        caller.result()
    remove()
    gate.open.set()
    assert virtual_cloud.client.echo(1) == 1


def test_a_call_that_waits_in_the_queue_is_not_lost(virtual_cloud, virtual):
    beats = heartbeats(virtual_cloud)
    _, _, gate, caller = begin(virtual_cloud, threads=1)
    waiting = Caller(virtual_cloud.client.to("one").echo, "later")
    asleep(virtual, 3)
    for turn in range(5):
        virtual.advance(5)
        eventually(lambda wanted=turn + 1: len(beats) >= wanted)
    assert not waiting.done
    gate.open.set()
    assert (caller.result(), waiting.result()) == ("done", "later")


def test_a_killed_server_is_noticed_at_once_and_never_replies(cloud):
    orphans = []
    served, endpoint, gate, caller = begin(cloud, on_orphan_reply=lambda *a: orphans.append(a))
    endpoint.functions["after"] = lambda: None
    served.kill()
    with pytest.raises(WorkerLost, match="the server was killed"):
        caller.result()
    gate.open.set()
    eventually(lambda: not served._threads)
    assert orphans == []


def test_a_killed_server_sends_nothing_more(cloud):
    _, witness = cloud.serve("witness")
    served, endpoint = cloud.serve("one")
    gate = Gate()

    def work_on():
        gate()
        try:
            cloud.client.to("witness").note("from the dead")
        except Exception:
            endpoint.seen.append("caught")

    endpoint.functions["gate"] = work_on
    caller = Caller(cloud.client.to("one").run, "gate")
    assert gate.entered.wait(10)
    served.kill()
    gate.open.set()
    with pytest.raises(WorkerLost):
        caller.result()
    eventually(lambda: not served._threads)
    cloud.client.to("witness").note("alive")
    assert witness.wait_for(1) == ["alive"]
    assert endpoint.seen == []


def test_a_killed_server_leaves_what_it_had_not_begun(cloud):
    served, _, gate, caller = begin(cloud, threads=1)
    cloud.client.to("one").note("kept")
    served.kill()
    gate.open.set()
    with pytest.raises(WorkerLost):
        caller.result()
    _, successor = cloud.serve("one")
    assert successor.wait_for(1) == ["kept"]


def test_stop_gives_up_what_does_not_end_in_its_grace(virtual_cloud, virtual):
    served, _, gate, caller = begin(virtual_cloud)
    stopping = Caller(served.stop, 10)
    asleep(virtual, 3)
    assert not caller.done
    virtual.advance(10)
    assert stopping.result() is False
    with pytest.raises(WorkerLost, match="did not finish it within 10 s"):
        caller.result()
    gate.open.set()


def test_a_nested_call_ends_with_the_outer_one(virtual_cloud, virtual):
    _, outer = virtual_cloud.serve("outer")
    _, inner = virtual_cloud.serve("inner")
    gate = inner.functions["gate"] = Gate()
    met = []

    def nested():
        try:
            virtual_cloud.client.to("inner").run.with_timeout(1000)("gate")
        except MessagingTimeout as error:
            met.append(error.details["seconds"])
            try:
                virtual_cloud.client.to("inner").echo(1)
            except MessagingTimeout as again:
                met.append(again.message)

    outer.functions["nested"] = nested
    caller = Caller(virtual_cloud.client.to("outer").run.with_timeout(8), "nested")
    assert gate.entered.wait(10)
    asleep(virtual, 4)
    virtual.advance(8)
    # Both waits end at the same moment: the outer caller may still get the answer, or not.
    with contextlib.suppress(MessagingTimeout):
        caller.result()
    eventually(lambda: len(met) == 2)
    assert met[0] == 8.0
    assert "echo was not sent to worker@inner" in met[1]
    gate.open.set()


def test_a_flow_sets_a_deadline_of_its_own(virtual_cloud, virtual):
    virtual_cloud.serve()
    expires = []
    virtual_cloud.bus.drop(
        lambda passing: passing.kind == "call" and expires.append(passing.envelope.expires)
    )
    end = clock.now() + datetime.timedelta(seconds=5)
    with work.until(end):
        virtual_cloud.client.echo(1)
        with work.until(end + datetime.timedelta(hours=1)):
            virtual_cloud.client.echo(1)
    virtual_cloud.client.echo(1)
    assert expires == [end, end, clock.now() + datetime.timedelta(seconds=60)]


def test_a_lost_request_and_a_lost_reply_end_by_timeout(virtual_cloud, virtual):
    virtual_cloud.serve()
    for kind, words in (("call", "not seen to begin"), ("reply", "goes on")):
        remove = virtual_cloud.bus.drop(lambda passing, kind=kind: passing.kind == kind)
        caller = Caller(virtual_cloud.client.echo.with_timeout(4), 1)
        asleep(virtual, 2)
        if kind == "reply":
            eventually(lambda: not virtual_cloud.servers[0]._running)
        virtual.advance(4)
        with pytest.raises(MessagingTimeout, match=words):
            caller.result()
        remove()
    assert virtual_cloud.client.echo(1) == 1


def test_a_lost_cast_is_lost(cloud):
    _, endpoint = cloud.serve(threads=1)
    remove = cloud.bus.drop(lambda passing: passing.kind == "cast" and passing.envelope.method == "note")
    cloud.client.to("one").note(1)
    remove()
    cloud.client.to("one").note(2)
    assert endpoint.wait_for(1) == [2]


@pytest.mark.parametrize("kind", ["call", "reply"])
def test_a_delayed_message_arrives_when_let_go(cloud, kind):
    cloud.serve()
    event = threading.Event()
    held = []
    remove = cloud.bus.delay(lambda passing: passing.kind == kind and (held.append(1) or True), event)
    caller = Caller(cloud.client.echo, "late")
    eventually(lambda: held)
    remove()
    assert cloud.client.echo("first") == "first"
    assert not caller.done
    event.set()
    assert caller.result() == "late"
