"""One bus, a table with every kind of message, and servers that are stopped at the end.

`cloud` is on every driver, `local_cloud` in process only: for what no broker promises, or what looks inside.
"""

import threading
import time

import amqp
import pytest
from tests.servers import rabbitmq
from tests.servers.shared import spare_port

from celaje.common import clock
from celaje.common.messaging import Client, Messages, Server, call, cast, connect, fanout
from celaje.common.messaging.rabbit.address import settings

SERVERS = ("one", "two", "three", "late", "other", "outer", "inner", "witness", "nobody")


class Worker(Messages):
    """What the tests send."""

    topic = "worker"
    version = "1.2"

    @call(timeout="rpc_response_timeout")
    def echo(self, value: object = None) -> object:
        "Gives back its argument."

    @call(timeout=30.0)
    def run(self, name: str) -> object:
        "Runs the function that the test put under this name."

    @cast(since="1.1")
    def note(self, value: object) -> None:
        "Keeps its argument."

    @fanout()
    def report(self, value: object) -> None:
        "Keeps its argument, everywhere."

    @cast(may_be_lost=True)
    def hint(self, value: object) -> None:
        "Keeps its argument, if it arrives."


class Endpoint:
    def __init__(self):
        self.seen = []
        self.functions = {}
        self.changed = threading.Condition()

    def echo(self, value=None):
        return value

    def run(self, name):
        return self.functions[name]()

    def note(self, value):
        with self.changed:
            self.seen.append(value)
            self.changed.notify_all()

    report = hint = note

    def wait_for(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.seen) >= count, 10), self.seen
            return list(self.seen)


class Cloud:
    """A bus, its servers and threads of callers."""

    def __init__(self, url="inproc://", conf=None):
        self.bus = connect(url, conf)
        self.client = Client(Worker, self.bus, {"rpc_response_timeout": 60.0}.__getitem__)
        self.servers = []

    def serve(self, name="one", endpoint=None, table=Worker, **options):
        endpoint = endpoint or Endpoint()
        server = Server(self.bus, table.target(name), endpoint, table, **options)
        server.start()
        self.servers.append(server)
        return server, endpoint

    def close(self):
        for server in self.servers:
            server.kill()
        self.bus.close()


class Caller:
    """A call on a thread of its own: `result()` gives its reply or raises its error."""

    def __init__(self, function, *args, **kwargs):
        self.outcome = None
        self.error = None
        self.thread = threading.Thread(target=self._run, args=(function, args, kwargs), daemon=True)
        self.thread.start()

    def _run(self, function, args, kwargs):
        try:
            self.outcome = function(*args, **kwargs)
        except BaseException as error:
            self.error = error

    @property
    def done(self):
        return not self.thread.is_alive()

    def result(self):
        self.thread.join(10)
        assert self.done, "the call did not end"
        if self.error is not None:
            raise self.error
        return self.outcome


class Gate:
    """A function of the endpoint that tells when it is entered and ends when it is opened."""

    def __init__(self, result="done"):
        self.entered = threading.Event()
        self.open = threading.Event()
        self.result = result

    def __call__(self):
        self.entered.set()
        assert self.open.wait(10)
        return self.result


def eventually(predicate, message="it did not happen", seconds=10):
    end = time.monotonic() + seconds
    while not predicate():
        assert time.monotonic() < end, message
        time.sleep(0.002)


@pytest.fixture
def local_cloud():
    cloud = Cloud()
    yield cloud
    cloud.close()


@pytest.fixture
def rabbit_url():
    """A broker whose queues of earlier tests are gone."""
    url = rabbitmq.url(rabbitmq.SERVER.get())
    yield url
    empty(url)


@pytest.fixture
def zmq_url():
    """A meeting point of the test's own."""
    return f"zmq://127.0.0.1:{spare_port()}"


@pytest.fixture(params=["inproc", "rabbit", "zmq"])
def cloud(request):
    url = "inproc://" if request.param == "inproc" else request.getfixturevalue(f"{request.param}_url")
    cloud = Cloud(url)
    yield cloud
    cloud.close()


def empty(url):
    """Delete the queues and exchanges that the tests here use."""
    broker = settings(url)
    with amqp.Connection(str(broker.brokers[0]), virtual_host=broker.virtual_host) as connection:
        channel = connection.channel()
        for server in ("", *(f".{name}" for name in SERVERS)):
            channel.queue_delete(f"worker{server}")
        channel.exchange_delete("celaje")


@pytest.fixture
def virtual():
    """A clock that the test moves; before the cloud, so that all threads wait on it."""
    with clock.installed(clock.VirtualClock()) as virtual:
        yield virtual


@pytest.fixture
def virtual_cloud(virtual):
    cloud = Cloud()
    yield cloud
    cloud.close()
