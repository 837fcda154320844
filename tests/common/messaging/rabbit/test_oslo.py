"""oslo.messaging is the oracle: a stock client calls our server, our client a stock server."""

import datetime
import threading

import oslo_messaging
import pytest
from oslo_config import cfg
from tests.common.messaging.conftest import Caller, Gate, Worker, eventually

from celaje.common import context
from celaje.common.errors import NotFound, RemoteError
from celaje.common.messaging import (
    Client,
    MessagingTimeout,
    NoSuchMethod,
    NoSuchServer,
    Target,
    UnsupportedVersion,
)
from celaje.common.messaging.notifications import Notifier


def transport(url, notifications=False):
    # Its own: oslo.messaging registers some of what it reads only there.
    conf = cfg.CONF
    conf([], default_config_files=[])
    make = oslo_messaging.get_notification_transport if notifications else oslo_messaging.get_rpc_transport
    made = make(conf, url, allowed_remote_exmods=["celaje.common.errors"])
    conf.set_override("rabbit_quorum_queue", True, "oslo_messaging_rabbit")
    return made


class OsloEndpoint:
    """Every method takes the context first, as theirs do."""

    target = oslo_messaging.Target(version="1.2")

    def __init__(self):
        self.seen = []
        self.changed = threading.Condition()
        self.contexts = []
        self.gate = Gate()

    def echo(self, ctxt, value=None):
        self.contexts.append(ctxt)
        return value

    def run(self, ctxt, name):
        if name == "slow":
            return self.gate()
        raise {"value": ValueError("no"), "known": NotFound("no volume v", volume_id="v")}[name]

    def note(self, ctxt, value):
        self.seen.append(value)

    report = note


@pytest.fixture
def oslo_client(rabbit_url):
    made = transport(rabbit_url)
    target = oslo_messaging.Target(exchange="celaje", topic="worker", version="1.0")
    yield oslo_messaging.get_rpc_client(made, target, timeout=20)
    made.cleanup()


@pytest.fixture
def oslo_server(rabbit, rabbit_url):
    made = transport(rabbit_url)
    endpoint = OsloEndpoint()
    server = oslo_messaging.get_rpc_server(
        made,
        oslo_messaging.Target(exchange="celaje", topic="worker", server="one"),
        [endpoint],
        executor="threading",
    )
    server.start()
    # It declares at once, and consumes when its thread comes to it.
    eventually(lambda: rabbit.bus.has_consumer(Target("worker", "one")))
    eventually(lambda: rabbit.bus.has_consumer(Target("worker")))
    yield endpoint
    endpoint.gate.open.set()
    server.stop()
    server.wait()
    made.cleanup()


ASKER = {"request_id": "req-1", "user_id": "u", "project_id": "p", "roles": ["member"], "odd": 1}


# A stock client, our server.


def test_a_stock_client_calls_our_server(rabbit, oslo_client):
    _, endpoint = rabbit.serve("one")
    seen = []
    endpoint.functions["who"] = lambda: seen.append(context.current())
    to_one = oslo_client.prepare(server="one")
    assert to_one.call({}, "echo", value={"a": [1, None, "ü"]}) == {"a": [1, None, "ü"]}
    assert oslo_client.call({}, "echo") is None
    to_one.call(ASKER, "run", name="who")
    assert (seen[0].request_id, seen[0].user_id, seen[0].roles) == ("req-1", "u", ("member",))


def test_a_stock_client_casts_and_fans_out_to_our_server(rabbit, oslo_client):
    _, one = rabbit.serve("one")
    _, two = rabbit.serve("two")
    oslo_client.prepare(server="two", version="1.1").cast({}, "note", value="cast")
    assert two.wait_for(1) == ["cast"]
    oslo_client.prepare(fanout=True).cast({}, "report", value="all")
    assert two.wait_for(2) == ["cast", "all"]
    assert one.wait_for(1) == ["all"]


def test_a_stock_client_gets_our_errors(rabbit, oslo_client):
    _, endpoint = rabbit.serve("one")

    def fail():
        raise NotFound("no volume v", volume_id="v")

    def crash():
        raise ValueError("password is hunter2")

    endpoint.functions |= {"fail": fail, "crash": crash}
    with pytest.raises(NotFound, match="no volume v") as caught:
        oslo_client.call({}, "run", name="fail")
    assert caught.value.details == {"volume_id": "v"}
    with pytest.raises(RemoteError) as crashed:
        oslo_client.call({}, "run", name="crash")
    assert "hunter2" not in str(crashed.value)
    with pytest.raises(oslo_messaging.RemoteError, match="NoSuchMethod"):
        oslo_client.call({}, "nothing")
    with pytest.raises(oslo_messaging.RemoteError, match="UnsupportedVersion"):
        oslo_client.prepare(version="1.9").call({}, "echo")


def test_our_heartbeats_keep_a_stock_monitoring_client_waiting(rabbit, oslo_client):
    _, endpoint = rabbit.serve("one")
    gate = endpoint.functions["gate"] = Gate()
    # Patience of two seconds: shorter than the interval that our servers beat in by themselves.
    watching = oslo_client.prepare(call_monitor_timeout=2, timeout=30)
    caller = Caller(watching.call, {}, "run", name="gate")
    assert gate.entered.wait(10)
    caller.thread.join(3.5)
    assert not caller.done, caller.error
    gate.open.set()
    assert caller.result() == "done"


def test_a_stock_client_without_monitoring_gets_no_heartbeats(rabbit, oslo_client):
    rabbit.bus.monitor_interval = 0.05
    _, endpoint = rabbit.serve("one")
    gate = endpoint.functions["gate"] = Gate()
    beats = []
    rabbit.bus.drop(lambda passing: passing.kind == "heartbeat" and bool(beats.append(1)))
    caller = Caller(oslo_client.call, {}, "run", name="gate")
    assert gate.entered.wait(10)
    caller.thread.join(0.5)
    gate.open.set()
    assert caller.result() == "done"
    assert beats == []


# Our client, a stock server.


def test_our_client_calls_a_stock_server(rabbit, oslo_server):
    one = rabbit.client.to("one")
    with context.using(context.RequestContext(user_id="u", roles=("member",), token="secret")):
        assert one.echo({"a": [1, None, "ü"]}) == {"a": [1, None, "ü"]}
    assert rabbit.client.echo() is None
    sent = oslo_server.contexts[0]
    assert (sent["user_id"], sent["roles"]) == ("u", ["member"])
    assert "secret" not in str(sent)
    # What JSON has no form for is text there.
    assert one.echo(datetime.datetime(2026, 1, 2)) == "2026-01-02T00:00:00"


def test_our_client_casts_and_fans_out_to_a_stock_server(rabbit, oslo_server):
    rabbit.client.to("one").note("cast")
    rabbit.client.note("topic")
    rabbit.client.report("all")
    eventually(lambda: sorted(oslo_server.seen) == ["all", "cast", "topic"], oslo_server.seen)


def test_our_client_gets_the_errors_of_a_stock_server(rabbit, oslo_server):
    one = rabbit.client.to("one")
    with pytest.raises(RemoteError, match="no") as caught:
        one.run("value")
    assert caught.value.details["error_class"] == "builtins.ValueError"
    with pytest.raises(NotFound, match="no volume v"):
        one.run("known")


def test_versions_and_methods_that_a_stock_server_lacks(rabbit, oslo_server):
    class Newer(Worker):
        version = "1.9"

    row = Newer._table["echo"]
    Newer._table = {
        "echo": type(row)(**{**vars(row), "since": "1.9"}),
        "other": type(row)(**{**vars(row), "name": "other"}),
    }
    client = Client(Newer, rabbit.bus, lambda option: 20.0).to("one")
    with pytest.raises(UnsupportedVersion):
        client.echo(1)
    with pytest.raises(NoSuchMethod):
        client.other(1)


def test_a_stock_server_that_works_long_is_waited_for(rabbit, oslo_server):
    rabbit.bus.monitor_timeout = 2.0
    caller = Caller(rabbit.client.to("one").run.with_timeout(30), "slow")
    assert oslo_server.gate.entered.wait(10)
    caller.thread.join(3.5)
    assert not caller.done, caller.error
    oslo_server.gate.open.set()
    assert caller.result() == "done"


def test_a_call_that_a_stock_server_does_not_finish_ends_in_time(rabbit, oslo_server):
    with pytest.raises(MessagingTimeout):
        rabbit.client.to("one").run.with_timeout(0.5)("slow")
    with pytest.raises(NoSuchServer):
        rabbit.client.to("two").echo(1)


# Notifications.


class Configured:
    control_exchange = "openstack"

    class oslo_messaging_notifications:
        driver = ["messagingv2"]
        topics = ["notifications"]


def test_a_stock_listener_gets_our_notifications(rabbit, rabbit_url):
    notifier = Notifier(rabbit.bus, "volume.node1", Configured)
    # Before anybody listens: they wait in the queue.
    with context.using(context.RequestContext(user_id="u", token="secret")):
        notifier.info("volume.create.end", {"volume_id": "v", "size": 1})
    heard = []
    told = threading.Event()

    class Ear:
        def info(self, ctxt, publisher_id, event_type, payload, metadata):
            heard.append((ctxt, publisher_id, event_type, payload, metadata))
            told.set()

    made = transport(rabbit_url, notifications=True)
    listener = oslo_messaging.get_notification_listener(
        made, [oslo_messaging.Target(topic="notifications")], [Ear()], executor="threading"
    )
    listener.start()
    try:
        assert told.wait(20)
    finally:
        listener.stop()
        listener.wait()
        made.cleanup()
    ctxt, publisher, event, payload, metadata = heard[0]
    assert (publisher, event, payload) == ("volume.node1", "volume.create.end", {"volume_id": "v", "size": 1})
    assert ctxt["user_id"] == "u"
    assert "secret" not in str(ctxt)
    assert set(metadata) == {"message_id", "timestamp"}
