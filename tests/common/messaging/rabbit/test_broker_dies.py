"""The broker is killed, started again, or loses its data, while messages are on their way."""

import threading

import pytest
from tests.common.messaging.conftest import Caller, Endpoint, Worker, eventually
from tests.servers.shared import spare_port

from celaje.common.messaging import Client, MessagingTimeout, NoSuchServer, Target, WorkerLost, connect
from celaje.common.messaging.rabbit import publisher
from celaje.common.messaging.rabbit.link import BrokerUnreachable

from .conftest import options

pytestmark = pytest.mark.timeout(180)


class Load:
    """Senders of casts that keep what was answered, and callers that keep how their calls ended."""

    def __init__(self, cloud, server):
        self.answered, self.ended, self.over = [], [], threading.Event()
        self._to = cloud.client.to(server)
        self.threads = [Caller(self._cast, number) for number in range(3)]
        self.threads += [Caller(self._call, number) for number in range(3)]

    def _cast(self, me):
        turn = 0
        while not self.over.is_set():
            self._to.note([me, turn])
            self.answered.append([me, turn])
            turn += 1

    def _call(self, me):
        turn = 0
        while not self.over.is_set():
            turn += 1
            try:
                assert self._to.echo.with_timeout(8)([me, turn]) == [me, turn]
                self.ended.append("reply")
            except (MessagingTimeout, NoSuchServer, WorkerLost) as error:
                self.ended.append(type(error).__name__)
                # Nobody is asked again before there was time to come back.
                self.over.wait(0.05)

    def grows(self, count=20):
        """Until that many more casts were answered and calls replied to."""
        casts, replies = len(self.answered) + count, self.ended.count("reply") + count
        end = threading.Event()
        for _ in range(1200):
            if len(self.answered) >= casts and self.ended.count("reply") >= replies:
                return
            end.wait(0.05)
        raise AssertionError(f"it does not go on: {len(self.answered)}/{casts} {self.ended[-5:]}")

    def stop(self):
        self.over.set()
        for thread in self.threads:
            # Longer than a call's timeout: none may hang past it.
            thread.thread.join(12)
            assert thread.done, "a call or cast hangs"
            assert thread.error is None, thread.error


@pytest.mark.parametrize("rounds", [2])
def test_no_answered_cast_is_lost_when_the_broker_is_killed_under_load(mortal, mortal_cloud, rounds):
    _, endpoint = mortal_cloud.serve("one")
    load = Load(mortal_cloud, "one")
    for _ in range(rounds):
        load.grows()
        mortal.restart()
    load.grows()
    load.stop()
    eventually(lambda: len({tuple(note) for note in list(endpoint.seen)}) >= len(load.answered))
    seen = {tuple(note) for note in endpoint.seen}
    assert {tuple(note) for note in load.answered} <= seen
    # What was delivered twice was recognised.
    assert len(endpoint.seen) == len(seen)


def test_everything_is_declared_again_when_the_broker_lost_its_data(mortal, mortal_cloud):
    _, endpoint = mortal_cloud.serve("one")
    load = Load(mortal_cloud, "one")
    load.grows()
    mortal.restart(wiped=True)
    load.grows()
    load.stop()
    mortal_cloud.client.report("all")
    eventually(lambda: "all" in endpoint.seen)


def test_casts_for_a_server_that_is_down_outlive_the_broker(mortal, mortal_cloud):
    for number in range(5):
        mortal_cloud.client.to("late").note(number)
    mortal.restart()
    _, endpoint = mortal_cloud.serve("late", threads=1)
    assert endpoint.wait_for(5) == [0, 1, 2, 3, 4]


def test_a_call_while_the_broker_is_away_ends_by_its_timeout(mortal, mortal_cloud):
    _, endpoint = mortal_cloud.serve("one")
    assert mortal_cloud.client.to("one").echo(1) == 1
    endpoint.functions["never"] = lambda: endpoint.seen.append("never")
    mortal.settle()
    mortal.kill()
    try:
        with pytest.raises(MessagingTimeout):
            mortal_cloud.client.to("one").run.with_timeout(0.5)("never")
        waiting = Caller(mortal_cloud.client.to("one").note, "later")
        waiting.thread.join(0.5)
        assert not waiting.done
    finally:
        mortal.start()
    waiting.thread.join(30)
    assert waiting.done
    assert waiting.error is None
    eventually(lambda: endpoint.seen)
    # A call that nobody waits for any more is not begun when the broker is back.
    assert endpoint.seen == ["later"]


def test_a_hint_waits_for_no_broker(mortal, mortal_cloud, virtual):
    _, endpoint = mortal_cloud.serve("one")
    mortal_cloud.client.to("one").hint("first")
    assert endpoint.wait_for(1) == ["first"]
    mortal.settle()
    mortal.kill()
    try:
        # Were it waited for, this would hang for ever: `rabbit_max_retries` is 0.
        mortal_cloud.client.to("one").hint("stale")
        virtual.advance(61)
        mortal_cloud.client.to("one").hint("fresh")
    finally:
        mortal.start()

    def back():
        # The link's waits between its attempts are on this clock.
        virtual.advance(0.5)
        return len(endpoint.seen) >= 2

    eventually(back, seconds=60)
    assert endpoint.seen == ["first", "fresh"]


def test_a_process_that_dies_leaves_its_work_to_the_next(rabbit, rabbit_url):
    """Not `kill`, which tells the caller: the connection goes and nothing is said."""
    begun, leave = threading.Event(), threading.Event()
    endpoint = Endpoint()
    endpoint.note = lambda value: begun.set() or leave.wait(10)
    other = type(rabbit)(rabbit_url)
    try:
        other.serve("one", endpoint, threads=1)
        rabbit.client.to("one").note("begun")
        rabbit.client.to("one").note("waiting")
        assert begun.wait(10)
        other.bus._consuming.close()
        _, successor = rabbit.serve("one", threads=1)
        assert sorted(successor.wait_for(2)) == ["begun", "waiting"]
    finally:
        leave.set()
        other.close()


def test_max_retries_bound_how_long_a_sender_waits():
    conf = options(rabbit_max_retries=2, rabbit_retry_interval=0.05, rabbit_retry_backoff=0.05)
    bus = connect(f"rabbit://guest:guest@127.0.0.1:{spare_port()}/", conf)
    try:
        client = Client(Worker, bus, lambda option: 5.0)
        with pytest.raises(BrokerUnreachable, match=r"attempts failed.*refused"):
            client.note(1)
        with pytest.raises(BrokerUnreachable):
            client.echo(1)
    finally:
        bus.close()


def test_closing_lets_go_who_waits_for_a_broker():
    bus = connect(f"rabbit://guest:guest@127.0.0.1:{spare_port()}/", options(rabbit_retry_interval=30))
    caller = Caller(Client(Worker, bus, lambda option: 5.0).note, 1)
    eventually(lambda: bus._publisher.backlog)
    bus.close()
    with pytest.raises(BrokerUnreachable, match="the bus is closed"):
        caller.result()


def test_the_next_host_is_tried_when_one_is_away(rabbit_url):
    away = spare_port()
    several = rabbit_url.replace("@127", f"@127.0.0.1:{away},127")
    for _ in range(3):
        bus = connect(several)
        try:
            assert bus.has_consumer(Target("worker", "one")) is False
        finally:
            bus.close()


def test_a_call_that_the_broker_lost_before_anybody_began_it_does_not_wait_in_vain(
    mortal, mortal_cloud, monkeypatch
):
    """It is sent again; when its queue is not there yet, the caller hears that it is lost."""
    monkeypatch.setattr(publisher, "_CONSUMER_KNOWN", 1000.0)
    server, _ = mortal_cloud.serve("one")
    assert mortal_cloud.client.to("one").echo(1) == 1
    server.stop()
    waiting = Caller(mortal_cloud.client.to("one").echo.with_timeout(1000), 2)
    expected = mortal_cloud.bus._replies._expected
    eventually(lambda: [one for one in expected.values() if one.publication.end is publisher.End.CONFIRMED])
    mortal.restart(wiped=True)
    mortal_cloud.serve("one")
    waiting.thread.join(60)
    assert waiting.done
    if waiting.error is None:
        assert waiting.result() == 2
    else:
        assert isinstance(waiting.error, WorkerLost)


def test_a_call_that_outlived_the_broker_in_its_queue_is_done_once(mortal, mortal_cloud, monkeypatch):
    """The broker has it and it is sent again: the server knows it by its identifier."""
    monkeypatch.setattr(publisher, "_CONSUMER_KNOWN", 1000.0)
    server, _ = mortal_cloud.serve("one")
    assert mortal_cloud.client.to("one").echo(1) == 1
    server.stop()
    waiting = Caller(mortal_cloud.client.to("one").run.with_timeout(1000), "once")
    expected = mortal_cloud.bus._replies._expected
    eventually(lambda: [one for one in expected.values() if one.publication.end is publisher.End.CONFIRMED])
    mortal.restart()
    endpoint = Endpoint()
    endpoint.functions["once"] = lambda: endpoint.seen.append("once")
    mortal_cloud.serve("one", endpoint)
    waiting.thread.join(60)
    assert waiting.done
    assert waiting.error is None
    mortal_cloud.client.to("one").note("last")
    eventually(lambda: "last" in endpoint.seen)
    assert endpoint.seen == ["once", "last"]
