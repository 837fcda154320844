"""The receiving end of a driver's benchmark as a process of its own, as it is in a cluster.

Two ends that share one interpreter's lock would measure that. `python -m tests.bench.other_end KIND URL` says
where it is, and ends with its standard input.
"""

import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

import amqp
import zmq

from celaje.common.messaging import Server, connect
from celaje.common.messaging.rabbit.address import settings
from tests.bench.test_rabbit import BODY, Endpoint, Worker


class OtherEnd:
    """That process; `said` is what it tells of itself."""

    def __init__(self, kind, url):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.other_end", kind, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        self.said = self.process.stdout.readline().strip()

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


def celaje(url):
    bus = connect(url)
    Server(bus, Worker.target("one"), Endpoint(), Worker, threads=4).start()
    return "ready"


def zmq_raw(_):
    """One thread that reads and answers."""
    router = zmq.Context().socket(zmq.ROUTER)
    port = router.bind_to_random_port("tcp://127.0.0.1")

    def serve():
        while True:
            who, data = router.recv_multipart()
            if not data.startswith(b"cast"):
                router.send_multipart([who, data])

    threading.Thread(target=serve, daemon=True).start()
    return port


def zmq_pooled(_):
    """A thread that reads, one that works: the least for a server that does more than one thing at a time."""
    context = zmq.Context()
    pull, work = context.socket(zmq.PULL), queue.SimpleQueue()
    port = pull.bind_to_random_port("tcp://127.0.0.1")

    def read():
        while True:
            work.put(pull.recv())

    def serve():
        answer = None
        while True:
            data = work.get()
            if data.startswith(b"answer to "):
                answer = context.socket(zmq.PUSH)
                answer.connect(data.removeprefix(b"answer to ").decode())
            elif not data.startswith(b"cast"):
                answer.send(data)

    for function in (read, serve):
        threading.Thread(target=function, daemon=True).start()
    return port


def rabbit_raw(url):
    """py-amqp: acknowledged, answers confirmed."""
    broker = settings(url)
    where = {"host": str(broker.brokers[0]), "virtual_host": broker.virtual_host}
    serving, answering = amqp.Connection(**where), amqp.Connection(**where, confirm_publish=True)
    serving.connect()
    answering.connect()
    serve, answer = serving.channel(), answering.channel()
    serve.queue_declare("raw", durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
    serve.basic_qos(0, 4, False)

    def served(message):
        if message.properties.get("reply_to"):
            answer.basic_publish(amqp.Message(BODY), routing_key="raw.replies", mandatory=True)
        serve.basic_ack(message.delivery_info["delivery_tag"])

    serve.basic_consume("raw", callback=served)

    def run():
        while True:
            serving.drain_events()

    threading.Thread(target=run, daemon=True).start()
    return "ready"


if __name__ == "__main__":
    kinds = {"celaje": celaje, "zmq-raw": zmq_raw, "zmq-pooled": zmq_pooled, "rabbit-raw": rabbit_raw}
    print(kinds[sys.argv[1]](sys.argv[2]), flush=True)
    sys.stdin.read()
    os._exit(0)
