import datetime
import logging
import sys
import threading

import pytest

from celaje.common import context
from celaje.common.errors import CelajeError, ConfigurationError, Invalid, NotFound, RemoteError, Unavailable
from celaje.common.messaging import (
    Client,
    Envelope,
    Messages,
    NoSuchMethod,
    NoSuchServer,
    Server,
    Target,
    UnsupportedVersion,
    call,
    cast,
    connect,
)
from celaje.common.messaging.pending import Pending

from .conftest import Caller, Endpoint, Gate, Worker, eventually


def test_a_call_returns_the_reply_by_position_and_name(cloud):
    cloud.serve()
    proxy = cloud.client.to("one")
    assert proxy.echo({"a": [1, None]}) == {"a": [1, None]}
    assert proxy.echo(value="x") == "x"
    assert cloud.client.echo() is None


def test_arguments_and_results_are_isolated(cloud):
    _, endpoint = cloud.serve()
    kept = {"inner": []}
    endpoint.functions["kept"] = lambda: kept
    cloud.client.run("kept")["inner"].append(1)
    assert kept == {"inner": []}
    sent = {"list": [1]}
    cloud.client.to("one").note(sent)
    sent["list"].append(2)
    assert endpoint.wait_for(1) == [{"list": [1]}]


def test_datetimes_travel(cloud):
    cloud.serve()
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5)
    assert cloud.client.echo({"at": moment}) == {"at": moment}


@pytest.mark.parametrize(
    ("args", "kwargs"), [((), {}), ((1, 2), {}), (("a",), {"name": "b"}), ((), {"x": 1})]
)
def test_wrong_arguments_are_refused_before_sending(cloud, args, kwargs):
    with pytest.raises(TypeError, match=r"run\(name: str\)"):
        cloud.client.run(*args, **kwargs)


def test_what_cannot_travel_is_refused_at_the_sender(cloud):
    cloud.serve()
    with pytest.raises(TypeError, match=r"value\.x is a object"):
        cloud.client.echo({"x": object()})


def test_unknown_messages_are_no_attributes(cloud):
    with pytest.raises(AttributeError, match="Worker has no message 'nothing'"):
        _ = cloud.client.nothing
    assert not hasattr(cloud.client.to("one"), "__deepcopy__")


def test_a_sender_tells_message_target_and_timeout(cloud):
    sender = cloud.client.to("h@file").note
    assert (sender.message.name, sender.message.kind) == ("note", "cast")
    assert sender.target == Target("worker", "h@file", version="1.1")
    echo = cloud.client.echo
    assert (echo.timeout, echo.with_timeout(3).timeout, echo.timeout) == (60.0, 3.0, 60.0)
    with pytest.raises(TypeError, match="only a call has a timeout"):
        sender.with_timeout(1)


def test_timeouts_from_a_configuration_object(cloud):
    class Group:
        create_timeout = 7

    class Conf:
        volume = Group

    class Table(Messages):
        topic = "t"

        @call(timeout="volume.create_timeout")
        def create(self) -> None: ...

    assert Client(Table, cloud.bus, Conf()).create.timeout == 7.0


def test_timeouts_from_oslo_config(local_cloud):
    from oslo_config import cfg

    from celaje.common.messaging.options import OPTIONS

    conf = cfg.ConfigOpts()
    conf.register_opts(OPTIONS)
    conf([], default_config_files=[])
    assert Client(Worker, local_cloud.bus, conf).echo.timeout == 60.0
    bus = connect(conf.transport_url, conf)
    assert (bus.monitor_interval, bus.monitor_timeout) == (5.0, 20.0)


def test_a_hint_arrives_and_never_fails_its_sender(cloud):
    _, endpoint = cloud.serve("one")
    cloud.client.to("one").hint(1)
    assert endpoint.wait_for(1) == [1]
    with pytest.raises(TypeError, match="value is a object"):
        cloud.client.hint(object())
    cloud.bus.close()
    assert cloud.client.to("one").hint(2) is None


def test_the_context_travels_without_the_token(cloud):
    _, endpoint = cloud.serve()
    seen = []
    endpoint.functions["who"] = lambda: seen.append(context.current())
    asker = context.RequestContext(
        user_id="u", roles=("member",), token="secret", step=context.Step("flow", 2, 1)
    )
    with context.using(asker):
        cloud.client.run("who")
    assert seen[0].request_id == asker.request_id
    assert seen[0].roles == ("member",)
    assert seen[0].step == context.Step("flow", 2, 1)
    assert seen[0].token is None


def test_domain_errors_travel(cloud):
    _, endpoint = cloud.serve()

    def fail():
        raise NotFound("no volume v", volume_id="v", odd=object())

    endpoint.functions["fail"] = fail
    with pytest.raises(NotFound, match="no volume v") as caught:
        cloud.client.run("fail")
    assert caught.value.details["volume_id"] == "v"
    assert caught.value.details["odd"].startswith("<object")


def test_other_errors_travel_as_remote_errors_without_their_words(cloud, caplog):
    _, endpoint = cloud.serve()

    def fail():
        raise ValueError("password is hunter2")

    endpoint.functions["fail"] = fail
    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(RemoteError, match="run failed on worker@one") as caught,
    ):
        cloud.client.run("fail")
    assert caught.value.details["error_class"] == "builtins.ValueError"
    assert "hunter2" not in str(caught.value.to_dict())
    assert "hunter2" in caplog.text
    # The server goes on.
    assert cloud.client.echo(1) == 1


def test_an_error_class_that_is_not_registered_here_becomes_a_remote_error(cloud):
    _, endpoint = cloud.serve()

    class Local(CelajeError):
        text = "local"

    def fail():
        raise Local

    endpoint.functions["fail"] = fail
    name = Local.qualified_name()
    held = CelajeError.registry.pop(name)
    try:
        with pytest.raises(RemoteError, match="local") as caught:
            cloud.client.run("fail")
    finally:
        CelajeError.registry[name] = held
    assert caught.value.details["error_class"] == name


def test_a_result_that_cannot_travel_is_a_remote_error(cloud):
    _, endpoint = cloud.serve()
    endpoint.functions["odd"] = lambda: {"x": object()}
    with pytest.raises(RemoteError, match="TypeError"):
        cloud.client.run("odd")
    assert cloud.client.echo(1) == 1


def newer_table(since, version):
    class Newer(Messages):
        topic = "worker"

        @call(timeout=10.0)
        def echo(self, value: object = None) -> object: ...

    Newer.version = version
    row = Newer._table["echo"]
    Newer._table["echo"] = type(row)(**{**vars(row), "since": since})
    return Newer


@pytest.mark.parametrize("since", ["1.3", "2.0", "0.9"])
def test_versions_that_the_server_does_not_speak(cloud, since):
    cloud.serve()
    with pytest.raises(UnsupportedVersion, match=r"worker@one speaks version 1\.2, and echo needs " + since):
        Client(newer_table(since, since), cloud.bus, None).echo(1)


def test_a_newer_sender_is_served_where_the_message_is_old(cloud):
    cloud.serve()
    assert Client(newer_table("1.0", "1.9"), cloud.bus, None).echo(1) == 1


def send(cloud, method, kind="call", arguments=None, target=None, since="1.0"):
    pending = Pending()
    target = target or Target("worker", "one", version=since)
    cloud.bus.publish(
        Envelope(cloud.bus.new_id(), kind, target, method, arguments or {}, context.current().to_dict()),
        pending,
    )
    pending.wait(10, 20)
    return CelajeError.from_dict(pending.outcome.error)


def test_only_messages_of_the_table_can_be_reached(cloud):
    cloud.serve()
    assert isinstance(send(cloud, "wait_for", arguments={"count": 0}), NoSuchMethod)
    assert isinstance(send(cloud, "__init__"), NoSuchMethod)
    assert isinstance(send(cloud, "echo", target=Target("worker", "one", namespace="other")), NoSuchMethod)
    assert isinstance(send(cloud, "echo", arguments={"other": 1}), Invalid)
    assert isinstance(send(cloud, "echo", since="nonsense"), UnsupportedVersion)


def test_a_call_to_nobody_fails_at_once(cloud):
    with pytest.raises(NoSuchServer, match="Nobody listens on worker@one; echo was not begun") as caught:
        cloud.client.to("one").echo(1)
    assert isinstance(caught.value, Unavailable)
    with pytest.raises(NoSuchServer):
        cloud.client.echo(1)
    cloud.serve("two")
    with pytest.raises(NoSuchServer):
        cloud.client.to("one").echo(1)
    assert cloud.bus.has_consumer(Target("worker", "two"))
    assert cloud.bus.has_consumer(Target("worker"))
    assert not cloud.bus.has_consumer(Target("worker", "one"))
    assert not cloud.bus.has_consumer(Target("worker", "two", exchange="other"))


def test_many_callers_get_their_own_replies(cloud):
    cloud.serve("one", threads=4)
    cloud.serve("two", threads=4)
    wrong = []

    def work(number):
        for turn in range(100):
            if cloud.client.echo([number, turn]) != [number, turn]:
                wrong.append((number, turn))

    callers = [Caller(work, number) for number in range(8)]
    for caller in callers:
        caller.result()
    assert wrong == []


def test_threads_work_side_by_side_up_to_the_limit(cloud):
    _, endpoint = cloud.serve(threads=2)
    gates = [Gate(number) for number in range(3)]
    endpoint.functions.update({str(number): gate for number, gate in enumerate(gates)})
    callers = [Caller(cloud.client.run, str(number)) for number in range(3)]
    eventually(lambda: sum(gate.entered.is_set() for gate in gates) == 2)
    waiting = next(gate for gate in gates if not gate.entered.is_set())
    assert not waiting.entered.wait(0.02)
    for gate in gates:
        gate.open.set()
    assert [caller.result() for caller in callers] == [0, 1, 2]


def test_clouds_in_one_process_do_not_meet(local_cloud):
    local_cloud.serve()
    other = connect("inproc://")
    with pytest.raises(NoSuchServer):
        Client(Worker, other, lambda option: 5.0).echo(1)
    other.close()


def test_a_server_must_have_every_method_of_its_table(cloud):
    with pytest.raises(TypeError, match="object lacks echo, run, note, report, hint of Worker"):
        Server(cloud.bus, Worker.target("one"), object(), Worker)


def test_a_closed_bus_takes_nothing(cloud):
    cloud.serve()
    cloud.bus.close()
    with pytest.raises(NoSuchServer):
        cloud.client.note(1)
    with pytest.raises(NoSuchServer):
        cloud.bus.listen(Target("worker"))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("rabbit://u:hunter2@h:none/", "host 1 cannot be read"),
        ("zmq://h:none", "host 1 cannot be read"),
        ("kafka://h", "'kafka'"),
    ],
)
def test_transports_that_do_not_exist_are_named(url, words):
    with pytest.raises(ConfigurationError, match=words) as caught:
        connect(url)
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(("extra", "library"), [("rabbit", "amqp"), ("zmq", "zmq")])
def test_a_driver_without_its_library_names_the_extra(monkeypatch, extra, library):
    for name in [name for name in sys.modules if name.startswith(f"celaje.common.messaging.{extra}")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigurationError, match=rf"celaje\[{extra}\]") as caught:
        connect(f"{extra}://u:hunter2@h:5672/")
    assert "hunter2" not in caught.value.message


def test_a_nested_call_within_a_server(cloud):
    _, endpoint = cloud.serve("one", threads=1)
    cloud.serve("two", threads=1)
    endpoint.functions["nested"] = lambda: cloud.client.to("two").echo("deep")
    assert cloud.client.to("one").run("nested") == "deep"


def test_an_error_of_a_nested_call_is_marked_remote(cloud):
    _, endpoint = cloud.serve("one")
    endpoint.functions["nested"] = lambda: cloud.client.to("nobody").echo(1)
    with pytest.raises(NoSuchServer) as caught:
        cloud.client.to("one").run("nested")
    assert caught.value.remote
    with pytest.raises(NoSuchServer) as caught:
        cloud.client.to("nobody").echo(1)
    assert not caught.value.remote


def test_namespaces_tell_tables_apart(cloud):
    class Other(Messages):
        topic = "worker"
        namespace = "other"

        @cast()
        def note(self, value: object) -> None: ...

        @call(timeout=10.0)
        def echo(self, value: object = None) -> object: ...

    cloud.serve("one")
    cloud.serve("two", Endpoint(), table=Other)
    client = Client(Other, cloud.bus, None)
    assert client.to("two").echo(1) == 1
    with pytest.raises(NoSuchMethod):
        client.to("one").echo(1)


def test_threads_of_a_stopped_server_end(cloud):
    before = threading.active_count()
    server, _ = cloud.serve(threads=4)
    cloud.client.echo(1)
    assert server.stop(5)
    eventually(lambda: threading.active_count() <= before)
