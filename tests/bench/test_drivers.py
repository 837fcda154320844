"""A call and a cast over each message driver beside the raw client below it, in one run.

The raw clients send as many bytes with the same promises as far as they have any: py-amqp confirms and
acknowledges. ZeroMQ's is told twice: as two threads with a socket each, and with what lets many threads call
at once, a reader at each end and a thread that works. The receiving end is a process of its own, ours and
theirs (`other_end.py`); but in process, where both are threads of one.
"""

import queue
import threading

import amqp
import msgspec
import pytest
import zmq

from celaje.common.messaging import Client, Server, connect
from celaje.common.messaging.rabbit.address import settings
from tests.bench.conftest import median
from tests.bench.figures import Theme
from tests.bench.other_end import OtherEnd
from tests.bench.test_messaging import BareQueue
from tests.bench.test_rabbit import BODY, VOLUME, Endpoint, Worker
from tests.cloud import until
from tests.servers import rabbitmq
from tests.servers.shared import spare_port

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
ROUNDS = 300
TURNS = 5


class BareInproc:
    """Two queues and a msgpack copy each way."""

    encode, decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder().decode

    def __init__(self, url):
        self.asked, self.answered = BareQueue(), BareQueue()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while (item := self.asked.get()) is not None:
            data, answer = item
            if answer:
                self.answered.put(BareInproc.encode(BareInproc.decode(data)))

    def call(self):
        self.asked.put((BareInproc.encode(VOLUME), True))
        return BareInproc.decode(self.answered.get())

    def cast(self):
        self.asked.put((BareInproc.encode(VOLUME), False))

    def close(self):
        self.asked.put(None)


class BareZmq:
    """DEALER and ROUTER over TCP; whoever calls reads the reply himself."""

    kind, socket = "zmq-raw", zmq.DEALER

    def __init__(self, url):
        self.end = OtherEnd(self.kind, url)
        self.context = zmq.Context()
        self.dealer = self.context.socket(self.socket)
        self.dealer.connect(f"tcp://127.0.0.1:{self.end.said}")
        self.body = BODY.encode()

    def call(self):
        self.dealer.send(self.body)
        return self.dealer.recv()

    def cast(self):
        self.dealer.send(b"cast" + self.body)

    def close(self):
        self.end.close()
        self.context.destroy(0)


class PooledZmq(BareZmq):
    """The least for many callers: readers hand over to a thread that works, and to the one that waits."""

    kind, socket = "zmq-pooled", zmq.PUSH

    def __init__(self, url):
        super().__init__(url)
        self.replies, self.lock = queue.SimpleQueue(), threading.Lock()
        self.back = self.context.socket(zmq.PULL)
        port = self.back.bind_to_random_port("tcp://127.0.0.1")
        self.dealer.send(f"answer to tcp://127.0.0.1:{port}".encode())
        self.ending = False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        self.back.rcvtimeo = 200
        while not self.ending:
            try:
                self.replies.put(self.back.recv())
            except zmq.Again:
                continue

    def call(self):
        with self.lock:
            self.dealer.send(self.body)
        return self.replies.get()

    def close(self):
        self.ending = True
        self.thread.join(5)
        super().close()


class BareRabbit:
    """py-amqp, a connection for sending and one for replies: confirmed, persistent, through quorum queues."""

    def __init__(self, url):
        self.end = OtherEnd("rabbit-raw", url)
        broker = settings(url)
        where = {"host": str(broker.brokers[0]), "virtual_host": broker.virtual_host}
        self.sending = amqp.Connection(**where, confirm_publish=True)
        self.receiving = amqp.Connection(**where)
        for connection in (self.sending, self.receiving):
            connection.connect()
        self.send = self.sending.channel()
        replies = self.receiving.channel()
        replies.queue_declare("raw.replies", auto_delete=False)
        replies.basic_consume("raw.replies", no_ack=True, callback=lambda message: None)

    def cast(self):
        self.send.basic_publish(amqp.Message(BODY, delivery_mode=2), routing_key="raw", mandatory=True)

    def call(self):
        message = amqp.Message(BODY, delivery_mode=2, reply_to="raw.replies")
        self.send.basic_publish(message, routing_key="raw", mandatory=True)
        self.receiving.drain_events(timeout=10)

    def close(self):
        for connection in (self.sending, self.receiving):
            connection.close()
        self.end.close()


def url(driver):
    if driver == "rabbit":
        return rabbitmq.url(rabbitmq.SERVER.get())
    return "inproc://" if driver == "inproc" else f"zmq://127.0.0.1:{spare_port()}"


def ours(where, measure):
    """`measure` with a call and a cast to the other end, which listens when this returns from its first."""
    bus = connect(where)
    if where.startswith("inproc"):
        server = Server(bus, Worker.target("one"), Endpoint(), Worker, threads=4)
        server.start()
        end = None
    else:
        end = OtherEnd("celaje", where)
    proxy = Client(Worker, bus, lambda option: 30.0).to("one")
    try:
        # A process that has just started is not known everywhere yet.
        until(lambda: bus.has_consumer(Worker.target("one")), what="the other end")
        assert proxy.create_volume(volume=VOLUME) == VOLUME
        return measure(lambda: proxy.create_volume(volume=VOLUME), lambda: proxy.note(volume=VOLUME))
    finally:
        if end is None:
            server.stop(5)
        bus.close()
        if end is not None:
            end.close()


def test_each_driver_beside_its_raw_client():
    limits = {
        "inproc": [("two queues and a copy", BareInproc)],
        "rabbit": [("raw py-amqp", BareRabbit)],
        "zmq": [("raw DEALER and ROUTER", BareZmq), ("the same with readers and a worker", PooledZmq)],
    }
    holds = {"inproc": 2.0, "rabbit": 1.5, "zmq": 1.5}
    with Theme("drivers") as figures:
        for driver, raws in limits.items():
            where = url(driver)
            bare = [(name, kind(where)) for name, kind in raws]

            def measure(call, cast, bare=bare):
                # In turns, so that the machine's noise meets all; the middle of the turns' ratios.
                found = []
                for _ in range(TURNS):
                    mine = (median(call, ROUNDS), median(cast, ROUNDS))
                    theirs = [(median(raw.call, ROUNDS), median(raw.cast, ROUNDS)) for _, raw in bare]
                    found.append((mine, theirs))
                return found

            try:
                found = ours(where, measure)
            finally:
                for _, raw in bare:
                    raw.close()
            for place, what in enumerate(("call", "cast")):
                for number, (name, _) in enumerate(bare):
                    turns = sorted(found, key=lambda turn: turn[0][place] / turn[1][number][place])
                    mine, theirs = turns[len(turns) // 2]
                    hold = holds[driver] if what == "call" and number == 0 else None
                    figures.add(
                        f"{what} over {driver}",
                        mine[place],
                        "us",
                        limit=theirs[number][place],
                        of=name,
                        hold=f"<= {hold} x" if hold else "",
                        held=mine[place] <= hold * theirs[number][place] if hold else None,
                    )
