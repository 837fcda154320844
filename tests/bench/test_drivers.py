"""A call and a cast over each message driver beside the raw client below it, in one run.

The raw clients send as many bytes with the same promises as far as they have any: py-amqp confirms and
acknowledges. ZeroMQ's is told twice: as two threads with a socket each, and with what lets many threads call
at once, a reader at each end and a thread that works.
"""

import queue
import threading

import msgspec
import pytest
import zmq

from celaje.common.messaging import Client, Server, connect
from tests.bench.conftest import median
from tests.bench.figures import Theme
from tests.bench.test_messaging import BareQueue
from tests.bench.test_rabbit import BODY, VOLUME, Endpoint, Raw, Worker
from tests.servers import rabbitmq
from tests.servers.shared import spare_port

pytestmark = pytest.mark.bench
ROUNDS = 300
TURNS = 5


class BareInproc:
    """Two queues and a msgpack copy each way."""

    encode, decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder().decode

    def __init__(self):
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

    def __init__(self):
        self.context = zmq.Context()
        self.router = self.context.socket(zmq.ROUTER)
        port = self.router.bind_to_random_port("tcp://127.0.0.1")
        self.dealer = self.context.socket(zmq.DEALER)
        self.dealer.connect(f"tcp://127.0.0.1:{port}")
        self.body = BODY.encode()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            who, data = self.router.recv_multipart()
            if data == b"end":
                return
            if not data.startswith(b"cast"):
                self.router.send_multipart([who, data])

    def call(self):
        self.dealer.send(self.body)
        return self.dealer.recv()

    def cast(self):
        self.dealer.send(b"cast" + self.body)

    def close(self):
        self.dealer.send(b"end")
        self.thread.join(5)
        self.context.destroy(0)


class PooledZmq(BareZmq):
    """The least for many callers: readers hand over to a thread that works, and to the one that waits."""

    def __init__(self):
        self.work, self.replies = queue.SimpleQueue(), queue.SimpleQueue()
        self.lock = threading.Lock()
        super().__init__()
        self.back = self.context.socket(zmq.PULL)
        port = self.back.bind_to_random_port("tcp://127.0.0.1")
        self.out = self.context.socket(zmq.PUSH)
        self.out.connect(f"tcp://127.0.0.1:{port}")
        threading.Thread(target=self._work, daemon=True).start()
        threading.Thread(target=self._read, daemon=True).start()

    def _serve(self):
        while True:
            _, data = self.router.recv_multipart()
            self.work.put(data)
            if data == b"end":
                return

    def _work(self):
        while (data := self.work.get()) != b"end":
            if not data.startswith(b"cast"):
                self.out.send(data)
        self.out.send(b"end")

    def _read(self):
        while (data := self.back.recv()) != b"end":
            self.replies.put(data)
        self.replies.put(data)

    def call(self):
        with self.lock:
            self.dealer.send(self.body)
        return self.replies.get()

    def close(self):
        self.dealer.send(b"end")
        assert self.replies.get(timeout=10) == b"end"
        self.thread.join(5)
        self.context.destroy(0)


def url(driver):
    if driver == "rabbit":
        return rabbitmq.url(rabbitmq.SERVER.get())
    return "inproc://" if driver == "inproc" else f"zmq://127.0.0.1:{spare_port()}"


def ours(bus, sending, measure):
    server = Server(bus, Worker.target("one"), Endpoint(), Worker, threads=4)
    server.start()
    proxy = Client(Worker, sending, lambda option: 30.0).to("one")
    try:
        assert proxy.create_volume(volume=VOLUME) == VOLUME
        return measure(lambda: proxy.create_volume(volume=VOLUME), lambda: proxy.note(volume=VOLUME))
    finally:
        server.stop(5)


def test_each_driver_beside_its_raw_client():
    limits = {
        "inproc": [("two queues and a copy", BareInproc)],
        "rabbit": [("raw py-amqp", None)],
        "zmq": [("raw DEALER and ROUTER", BareZmq), ("the same with readers and a worker", PooledZmq)],
    }
    holds = {"inproc": 2.0, "rabbit": 1.5, "zmq": 1.5}
    with Theme("drivers") as figures:
        for driver, raws in limits.items():
            where = url(driver)
            bus = connect(where)
            # One bus is a world of its own in process; elsewhere the sender is another one.
            sending = bus if driver == "inproc" else connect(where)
            bare = [(name, Raw(where) if kind is None else kind()) for name, kind in raws]

            def measure(call, cast, bare=bare):
                # In turns, so that the machine's noise meets all; the middle of the turns' ratios.
                found = []
                for _ in range(TURNS):
                    mine = (median(call, ROUNDS), median(cast, ROUNDS))
                    theirs = [(median(raw.call, ROUNDS), median(raw.cast, ROUNDS)) for _, raw in bare]
                    found.append((mine, theirs))
                return found

            try:
                found = ours(bus, sending, measure)
            finally:
                for _, raw in bare:
                    raw.close()
                if sending is not bus:
                    sending.close()
                bus.close()
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
