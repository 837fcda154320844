"""What RabbitMQ itself refuses or is configured for."""

import tempfile
from pathlib import Path

import amqp
import pytest
from tests.common.messaging.conftest import Cloud, Worker, eventually
from tests.servers import rabbitmq
from tests.servers.certificates import certificates
from tests.servers.shared import spare_port

from celaje.common.errors import ConfigurationError
from celaje.common.messaging import Client, Target, connect
from celaje.common.messaging.rabbit.address import settings

from .conftest import options


@pytest.fixture
def channel(rabbit_url):
    broker = settings(rabbit_url)
    with amqp.Connection(str(broker.brokers[0]), virtual_host=broker.virtual_host) as connection:
        yield connection.channel()


def test_a_queue_that_exists_otherwise_is_told_not_retried(rabbit, channel):
    channel.queue_declare("worker.one", durable=True, auto_delete=False)
    with pytest.raises(ConfigurationError, match=r"queue worker\.one with other properties.*x-queue-type"):
        rabbit.serve("one")
    # The next is not harmed by it.
    rabbit.serve("two")
    assert rabbit.client.to("two").echo(1) == 1


def test_an_exchange_that_exists_otherwise_is_told_to_the_sender(rabbit, channel):
    channel.exchange_declare("celaje", "direct", durable=True, auto_delete=False)
    with pytest.raises(ConfigurationError, match="exchange celaje with other properties"):
        rabbit.client.to("one").note(1)
    with pytest.raises(ConfigurationError, match="exchange celaje with other properties"):
        rabbit.client.to("one").echo(1)


def test_without_quorum_queues(rabbit_url):
    cloud = Cloud(rabbit_url, options(rabbit_quorum_queue=False))
    try:
        cloud.client.to("one").note("early")
        _, endpoint = cloud.serve("one")
        assert endpoint.wait_for(1) == ["early"]
        assert cloud.client.to("one").echo(1) == 1
    finally:
        cloud.close()


def test_a_message_that_is_none_is_thrown_away(rabbit, channel, caplog):
    _, endpoint = rabbit.serve("one")
    for body in ("no json", '{"oslo.version": "9.0", "oslo.message": "{}"}', "[1]", '{"args": {}}'):
        channel.basic_publish(amqp.Message(body), exchange="celaje", routing_key="worker.one")
    rabbit.client.to("one").note("after")
    assert endpoint.wait_for(1) == ["after"]
    assert caplog.text.count("a message is thrown away") == 4


def test_the_same_message_twice_is_worked_on_once(rabbit, channel):
    _, endpoint = rabbit.serve("one", threads=1)
    body = (
        '{"oslo.version": "2.0", "oslo.message": "{\\"method\\": \\"note\\", \\"version\\": \\"1.1\\", '
        '\\"args\\": {\\"value\\": 1}, \\"_unique_id\\": \\"same\\"}"}'
    )
    for _ in range(3):
        channel.basic_publish(amqp.Message(body), exchange="celaje", routing_key="worker.one")
    rabbit.client.to("one").note("last")
    assert endpoint.wait_for(2) == [1, "last"]


def test_a_queue_that_is_deleted_is_declared_again(rabbit, channel):
    _, endpoint = rabbit.serve("one")
    channel.queue_delete("worker.one")
    eventually(lambda: rabbit.bus.has_consumer(Target("worker", "one")))
    rabbit.client.to("one").note(1)
    assert endpoint.wait_for(1) == [1]


def test_a_password_that_is_refused_is_named_and_not_shown(rabbit_url, caplog):
    bus = connect(rabbit_url.replace("guest:guest", "guest:hunter2"), options(rabbit_max_retries=1))
    try:
        with pytest.raises(Exception, match="refuses the user, the password") as caught:
            Client(Worker, bus, lambda option: 5.0).note(1)
    finally:
        bus.close()
    assert "hunter2" not in str(caught.value) + caplog.text


def test_tls():
    with tempfile.TemporaryDirectory(prefix="celaje-rabbitmq-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        certificates(folder)
        port = spare_port()
        running = rabbitmq.make(folder, tls_port=port)
        url = f"rabbit://guest:guest@127.0.0.1:{port}/main?ssl=1"
        try:
            cloud = Cloud(url, options(ssl_ca_file=str(folder / "ca.pem")))
            cloud.serve("one")
            assert [cloud.client.to("one").echo(number) for number in range(50)] == list(range(50))
            assert cloud.client.echo("x" * 300_000) == "x" * 300_000
            cloud.close()
            stranger = connect(url, options(rabbit_max_retries=1))
            with pytest.raises(Exception, match="certificate verify failed"):
                Client(Worker, stranger, lambda option: 5.0).note(1)
            assert stranger.has_consumer(Target("worker")) is True
            stranger.close()
        finally:
            rabbitmq.stop(running)
