"""Call and cast over RabbitMQ beside raw py-amqp with the same guarantees, in the same run: quorum queue,
persistent, confirmed, acknowledged; a call's reply through a queue of the caller's own."""

import threading

import amqp
import pytest

from celaje.common.messaging import Client, Messages, Server, call, cast, connect
from celaje.common.messaging.rabbit.address import settings
from tests.bench.conftest import median
from tests.servers import rabbitmq

pytestmark = pytest.mark.bench
ROUNDS = 300
VOLUME = {"id": "8f0c3c1e-2b5d-4b7a-9a57-6d3a1f8b5c11", "size": 1, "name": "disk", "metadata": {"a": "b"}}
BODY = '{"oslo.version": "2.0", "oslo.message": "' + "x" * 700 + '"}'


class Worker(Messages):
    topic = "bench"

    @call(timeout=30.0)
    def create_volume(self, volume: dict) -> dict: ...

    @cast()
    def note(self, volume: dict) -> None: ...


class Endpoint:
    def create_volume(self, volume: dict) -> dict:
        return volume

    def note(self, volume: dict) -> None: ...


class Raw:
    """The least that gives the same: a connection for sending, one for replies, one for the server."""

    def __init__(self, url):
        broker = settings(url)
        where = {"host": str(broker.brokers[0]), "virtual_host": broker.virtual_host}
        self.sending = amqp.Connection(**where, confirm_publish=True)
        self.receiving, self.serving = amqp.Connection(**where), amqp.Connection(**where)
        self.answering = amqp.Connection(**where, confirm_publish=True)
        for connection in (self.sending, self.receiving, self.serving, self.answering):
            connection.connect()
        self.send = self.sending.channel()
        replies = self.receiving.channel()
        replies.queue_declare("raw.replies", auto_delete=False)
        replies.basic_consume("raw.replies", no_ack=True, callback=lambda message: None)
        self.serve = self.serving.channel()
        self.serve.queue_declare("raw", durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
        self.serve.basic_qos(0, 4, False)
        self.serve.basic_consume("raw", callback=self.served)
        self.answer = self.answering.channel()
        self.over = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.over:
            try:
                self.serving.drain_events(timeout=0.2)
            except TimeoutError:
                continue

    def served(self, message):
        if message.properties.get("reply_to"):
            self.answer.basic_publish(amqp.Message(BODY), routing_key="raw.replies", mandatory=True)
        self.serve.basic_ack(message.delivery_info["delivery_tag"])

    def cast(self):
        self.send.basic_publish(amqp.Message(BODY, delivery_mode=2), routing_key="raw", mandatory=True)

    def call(self):
        message = amqp.Message(BODY, delivery_mode=2, reply_to="raw.replies")
        self.send.basic_publish(message, routing_key="raw", mandatory=True)
        self.receiving.drain_events(timeout=10)

    def close(self):
        self.over = True
        self.thread.join(5)
        for connection in (self.sending, self.receiving, self.serving, self.answering):
            connection.close()


def together(function, threads, rounds):
    """Microseconds a message when several threads send at once."""

    def work():
        for _ in range(rounds):
            function()

    def burst():
        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    return median(burst, 3, warm=1) / (threads * rounds)


def test_call_and_cast_over_rabbitmq(report):
    url = rabbitmq.url(rabbitmq.SERVER.get())
    raw, bus = Raw(url), connect(url)
    server = Server(bus, Worker.target("one"), Endpoint(), Worker, threads=4)
    server.start()
    proxy = Client(Worker, bus, lambda option: 30.0).to("one")
    try:
        limit = median(raw.cast, ROUNDS)
        report.add("cast", median(lambda: proxy.note(volume=VOLUME), ROUNDS), limit, "raw py-amqp")
        report.add("cast, 16 at once", together(lambda: proxy.note(volume=VOLUME), 16, 40), limit, "raw")
        limit = median(raw.call, ROUNDS)
        report.add("call", median(lambda: proxy.create_volume(volume=VOLUME), ROUNDS), limit, "raw py-amqp")
        report.add(
            "call, 16 at once", together(lambda: proxy.create_volume(volume=VOLUME), 16, 40), limit, "raw"
        )
    finally:
        server.stop(5)
        bus.close()
        raw.close()
