"""An in-process call beside its limit: two bare queue hops with a msgpack copy each way, in the same run."""

import statistics
import threading
import time
from collections import deque

import msgspec
import pytest

from celaje.common import context
from celaje.common.messaging import Client, Messages, Server, call, connect
from tests.bench.figures import Theme

ROUNDS = 3000
VOLUME = {"id": "8f0c3c1e-2b5d-4b7a-9a57-6d3a1f8b5c11", "size": 1, "name": "disk", "metadata": {"a": "b"}}


class Worker(Messages):
    topic = "worker"

    @call(timeout=30.0)
    def create_volume(self, volume: dict) -> dict: ...


class Endpoint:
    def create_volume(self, volume: dict) -> dict:
        return volume


class BareQueue:
    def __init__(self):
        self.condition = threading.Condition(threading.Lock())
        self.items = deque()

    def put(self, item):
        with self.condition:
            self.items.append(item)
            self.condition.notify()

    def get(self):
        with self.condition:
            while not self.items:
                self.condition.wait(60)
            return self.items.popleft()


def durations(function, rounds):
    spent = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        spent.append((time.perf_counter() - start) * 1e6)
    return spent


@pytest.mark.bench
def test_call_against_a_bare_hop():
    encode, decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder().decode
    asked, answered = BareQueue(), BareQueue()

    def serve():
        while (data := asked.get()) is not None:
            answered.put(encode(decode(data)))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()

    def bare():
        asked.put(encode(VOLUME))
        return decode(answered.get())

    bus = connect("inproc://")
    server = Server(bus, Worker.target("one"), Endpoint(), Worker, threads=4)
    server.start()
    proxy = Client(Worker, bus, lambda option: 60.0).to("one")
    asker = context.RequestContext(user_id="u" * 32, project_id="p" * 32, roles=("admin", "member"))
    try:
        with context.using(asker):
            limit, calls = [], []
            assert proxy.create_volume(volume=VOLUME) == bare() == VOLUME
            # In turns, so that the machine's noise meets both.
            for _ in range(10):
                limit += durations(bare, ROUNDS // 10)
                calls += durations(lambda: proxy.create_volume(volume=VOLUME), ROUNDS // 10)
    finally:
        asked.put(None)
        server.stop(5)
        bus.close()
    bare_median, call_median = statistics.median(limit), statistics.median(calls)
    with Theme("messages") as figures:
        figures.add(
            "RPC call in process",
            call_median,
            "us",
            limit=bare_median,
            of="two bare queue hops with a msgpack copy",
            hold="<= 2 x",
            held=call_median <= 2 * bare_median,
            note=f"fastest tenth {sorted(calls)[ROUNDS // 10]:.1f} / {sorted(limit)[ROUNDS // 10]:.1f} us",
        )
