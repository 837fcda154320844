"""A sender never sends what a receiver that lives does not understand."""

import pytest

from celaje.common.errors import Unavailable
from celaje.common.messaging import Client, Messages, NoSuchServer, UnsupportedVersion, call, cast
from celaje.common.messaging.errors import NotUnderstoodYet
from celaje.common.messaging.receivers import Receiver, Receivers, pins


class Grown(Messages):
    """The table of the tests, one release later."""

    topic = "worker"
    version = "1.4"

    @call(timeout=10.0, added={"loudly": "1.3"})
    def echo(self, value: object = None, loudly: bool = False) -> object: ...

    @call(timeout=10.0, since="1.4")
    def polish(self) -> object: ...

    @cast(may_be_lost=True, added={"more": "1.3"})
    def hint(self, value: object, more: object = None) -> None: ...

    @call(timeout=30.0)
    def run(self, name: str) -> object: ...


@pytest.fixture
def living():
    return [Receiver("one", "1.2")]


@pytest.fixture
def client(cloud, living):
    receivers = Receivers(lambda topic: list(living), lambda topic: None, patience=1000)
    return Client(Grown, cloud.bus, None, receivers=receivers)


def test_an_argument_that_says_nothing_is_left_out_for_an_old_receiver(cloud, client):
    cloud.serve()
    assert client.echo(1, loudly=False) == 1
    with pytest.raises(NotUnderstoodYet, match=r"worker speaks version 1\.2 so far, and echo needs 1\.3"):
        client.echo(1, loudly=True)


def test_a_new_message_is_not_sent_to_an_old_receiver(cloud, client, living):
    class Endpoint:
        def echo(self, value=None, loudly=False):
            return value

        polish = run = hint = echo

    cloud.serve()
    assert not client.polish.is_understood()
    with pytest.raises(NotUnderstoodYet) as told:
        client.to("one").polish()
    # A flow's step waits for it as for a worker that is down, and what it was to undo was not begun.
    assert isinstance(told.value, NoSuchServer)
    assert isinstance(told.value, Unavailable)
    living[:] = [Receiver("one", "1.4")]
    for server in cloud.servers:
        server.stop(5)
    cloud.serve(endpoint=Endpoint(), table=Grown)
    # It looks again, however fresh what it knew, before it refuses.
    assert client.to("one").polish() is None
    assert client.polish.is_understood()
    assert client.echo(2, loudly=True) == 2


def test_a_hint_that_is_not_understood_is_lost_without_a_word_to_its_sender(cloud, client):
    _, endpoint = cloud.serve()
    assert client.hint(1, more=2) is None
    assert client.hint(3, more=None) is None
    assert endpoint.wait_for(1) == [3]


def test_without_the_limit_the_receiver_refuses(cloud):
    cloud.serve()
    with pytest.raises(UnsupportedVersion):
        Client(Grown, cloud.bus, None).echo(1, loudly=True)
    assert issubclass(UnsupportedVersion, Unavailable)


def receivers_of(*found, pin=None):
    return Receivers(lambda topic: found, lambda topic: pin)


def test_the_oldest_of_those_that_live_decides():
    mixed = receivers_of(Receiver("a", "1.10"), Receiver("b", "1.9"), Receiver("gone", "1.1", up=False))
    assert mixed.spoken("worker") == "1.9"
    assert mixed.spoken("worker", "a") == "1.10"
    # What is sent to one that is down waits for it, and it comes back as it was.
    assert mixed.spoken("worker", "gone") == "1.1"
    assert mixed.spoken("worker", "never heard of") is None
    assert receivers_of(Receiver("gone", "1.1", up=False)).spoken("worker") == "1.1"
    assert receivers_of().spoken("worker") is None


def test_two_processes_under_one_name_count_both():
    both = receivers_of(Receiver("storage@shared", "1.3"), Receiver("storage@shared", "1.2"))
    assert both.spoken("worker", "storage@shared") == "1.2"


def test_the_operator_may_pin():
    class Conf:
        class upgrade_levels:
            conductor, scheduler, worker = "auto", "1.1", "2.7"

    pin = pins(Conf)
    assert [pin(topic) for topic in ("volume-conductor", "volume-scheduler", "volume-worker", "compute")] == [
        None,
        "1.1",
        "2.7",
        "2.7",
    ]
    assert pins(None)("volume-worker") is None
    assert receivers_of(Receiver("a", "1.9"), pin="1.1").spoken("worker") == "1.1"


def test_who_cannot_be_asked_is_taken_for_old_and_then_for_what_it_was():
    answers = [Unavailable("the database is away"), [Receiver("a", "1.4")], Unavailable("away again")]

    def look(topic):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    receivers = Receivers(look, lambda topic: None, patience=0)
    assert [receivers.spoken("worker") for _ in range(3)] == ["1.0", "1.4", "1.4"]


def test_what_was_found_is_believed_for_a_while(virtual):
    looks = []
    receivers = Receivers(lambda topic: looks.append(topic) or [], lambda topic: None, patience=10)
    for _ in range(3):
        receivers.spoken("worker")
    assert looks == ["worker"]
    virtual.advance(10)
    receivers.spoken("worker")
    assert len(looks) == 2
    receivers.spoken("worker", anew=True)
    assert len(looks) == 3


def test_an_argument_that_came_later_must_be_one_to_do_without():
    for added in ({"value": "1.1"}, {"nothing": "1.1"}, {"more": "1.2"}):
        with pytest.raises(TypeError, match=r"added later|since 1\.2"):

            class Bad(Messages):
                topic = "t"
                version = "1.1"

                @cast(added=added)
                def note(self, value: object, more: object = None) -> None: ...
