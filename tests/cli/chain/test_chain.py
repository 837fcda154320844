"""The chain is what the code has: its links follow the flow, the tables and the handlers, and the rules judge
them."""

import json
import socket
from pathlib import Path

import pytest

from celaje.cli import anatomy
from celaje.cli.chain import client
from celaje.cli.chain.handlers import handling
from celaje.cli.chain.links import Builder
from celaje.cli.chain.operations import NESTED, OPERATIONS
from celaje.cli.chain.outline import Recorder, outline
from celaje.cli.chain.rules import is_sound, verdicts
from celaje.cli.chain.simulation import ENDLESS, Simulation
from celaje.cli.configured import Configured
from celaje.common.errors import ConfigurationError
from celaje.common.flow.flows import Flows
from celaje.common.flow.run import Run

CLOUDS = "clouds:\n  celaje:\n    auth: {}\n    api_timeout: 20\n  other:\n    auth: {}\n"


@pytest.fixture
def chain(tmp_path):
    """Of an operation under a configuration: chain("attach", "[DEFAULT]...")."""

    def build(operation, text="", state=True, **more):
        file = tmp_path / "celaje.conf"
        file.write_text(text)
        configured = Configured(tmp_path if state else None, [file])
        return Builder(configured, **more).build(operation, OPERATIONS[operation])

    return build


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_every_call_of_the_flow_is_a_link_with_the_tables_timeout(chain, name):
    operation = OPERATIONS[name]
    built = chain(name)
    found = {link.what.removeprefix("calls "): link for link in built.links if link.kind == "call"}
    conf = Configured(None).service(operation.service)
    made = outline(operation.service, operation.flow, operation.arguments, conf, operation.answers)
    calls = [step for step in made.steps if step.kind == "call"]
    table = {(row["topic"], row["message"]): row["timeout"] for row in anatomy.messages(operation.service)}
    for step in calls:
        message = step.name.removeprefix(f"{step.target}.")
        link = found[f"{step.target}: {message}"]
        assert link.option == table[step.target, message] == step.timeout
        assert link.seconds == getattr(conf, step.timeout)


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_the_request_submits_the_flow_of_the_chain(name):
    operation = OPERATIONS[name]
    assert operation.flow in handling(operation.service, *operation.request).flows


def test_waiting_handlers_are_found_with_their_options():
    attach = handling("compute", "POST", "/v2.1/servers/x/os-volume_attachments")
    assert (attach.waits, attach.checkpoint) == ([(None, "api_wait_timeout")], "reserved")
    assert handling("volume", "PUT", "/v3/attachments/x").waits == [(None, "attachment_wait_timeout")]
    assert handling("compute", "POST", "/v2.1/servers").waits == []
    assert handling("volume", "POST", "/v3/attachments/x/action", "os-complete").flows == []
    with pytest.raises(LookupError):
        handling("volume", "POST", "/v3/nothing")


def test_every_flow_that_a_chains_step_waits_for_is_known():
    """A REST step whose handler waits for a flow must lead into it, or be said not to."""
    for operation in OPERATIONS.values():
        conf = Configured(None).service(operation.service)
        made = outline(operation.service, operation.flow, operation.arguments, conf, operation.answers)
        for step in made.steps:
            for request in step.requests if step.name not in operation.plain else ():
                handled = handling(step.target, *request)
                assert not handled.waits or set(handled.flows) & set(NESTED), (step.name, handled)
    assert hasattr(Flows, "wait") and hasattr(Flows, "result")  # the names that handlers are read for


def test_where_a_value_comes_from(chain, tmp_path):
    built = chain("attach", "[DEFAULT]\n\nrpc_response_timeout = 7\n")
    (call,) = [link for link in built.links if link.hop == "backend"]
    assert (call.seconds, call.origin) == (7, f"{tmp_path / 'celaje.conf'}:3")


def test_the_client_is_answered_at_the_checkpoint(chain):
    kinds = [link.kind for link in chain("attach").links]
    assert kinds[:3] == ["client", "api", "flow"]
    assert kinds.index("checkpoint") < kinds.index("call")


def test_between_processes_rest_has_an_end_and_within_one_it_has_none(chain):
    def rest(built):
        return {link.seconds for link in built.links if link.kind == "rest"}

    assert rest(chain("attach")) == {None}
    assert None not in rest(chain("attach", state=False))


@pytest.mark.parametrize(
    ("text", "outer", "inner"),
    [
        ("[DEFAULT]\nattachment_wait_timeout = 30\n", "attachment_wait_timeout", "rpc_response_timeout"),
        ("[flows]\nserver_attach_deadline = 30\n", "[flows] server_attach_deadline", "rpc_response_timeout"),
        ("[flows]\nvolume_connect_deadline = 9\n", "[flows] volume_connect_deadline", "rpc_response_timeout"),
    ],
)
def test_the_wrong_order_is_found(chain, text, outer, inner):
    found = verdicts(chain("attach", text))
    assert not is_sound(found)
    assert (outer, inner) in [(one.outer.option, one.inner.option) for one in found]


def test_the_right_order_is_not_complained_of(chain):
    assert verdicts(chain("attach")) == []
    assert all(is_sound(verdicts(chain(name))) for name in OPERATIONS)


ETC = Path(__file__).parents[3] / "etc"


@pytest.mark.parametrize("files", [(), ("celaje.conf", "{service}.conf")], ids=["defaults", "etc"])
def test_what_is_shipped_is_sound_and_has_not_even_a_tie(celaje, files):
    """The defaults alone, and etc/ as it stands, both behind etc/haproxy.cfg."""
    given = [word for file in files for word in ("--config-file", ETC / file)]
    said = celaje("timeouts", "--haproxy", ETC / "haproxy.cfg", "--json", *given, seconds=90)
    told = json.loads(said.stdout)
    assert {one["operation"] for one in told} == set(OPERATIONS)
    assert (said.returncode, [verdict for one in told for verdict in one["verdicts"]]) == (0, [])


@pytest.mark.parametrize("name", OPERATIONS)
def test_with_guests_of_qemu_and_their_disks_it_is_sound_too(chain, name):
    text = "[DEFAULT]\ncompute_driver = qemu\nenabled_backends = disk\n[disk]\nvolume_driver = nbd\n"
    assert verdicts(chain(name, text, state=False)) == []


def test_what_a_hypervisors_driver_waits_for_is_in_the_chain(chain):
    from celaje.common.qemu import qmp
    from celaje.compute.drivers.qemu import hotplug

    built = chain("attach", "[DEFAULT]\ncompute_driver = qemu\n", state=False)
    own = {link.what: link.seconds for link in built.links if link.who == "hypervisor qemu"}
    assert sorted(own.values()) == [qmp.COMMAND_TIMEOUT, hotplug.BLOCK_TIMEOUT]
    played = Simulation(built, {"hypervisor": ENDLESS}).play()
    assert (played.first.who, played.error) == ("hypervisor qemu", "DriverError")


def test_the_client_waits_for_nothing_after_its_answer(chain, tmp_path):
    clouds = tmp_path / "clouds.yaml"
    clouds.write_text(CLOUDS)
    # Twenty seconds are less than many calls take; but those come after the client's answer.
    found = verdicts(chain("create-server", clouds_yaml=clouds))
    assert not [one for one in found if one.outer.kind == "client"]
    found = verdicts(chain("attach", clouds_yaml=clouds))
    (late,) = [one for one in found if one.outer.kind == "client"]
    assert (late.outer.origin, late.inner.kind) == (f"{clouds}:4", "api")


def test_the_clients_own_timeout(tmp_path):
    file = tmp_path / "clouds.yaml"
    file.write_text(CLOUDS)
    assert client.timeout(file, "celaje") == (20, f"{file}:4")
    assert client.timeout(file, "other") == (None, f"{file}: no api_timeout")
    assert client.clouds(file) == ["celaje", "other"]
    with pytest.raises(ConfigurationError, match="no cloud third"):
        client.timeout(file, "third")
    file.write_text("clouds: {celaje: {api_timeout: soon}}\n")
    with pytest.raises(ConfigurationError, match=f"{file}:1"):
        client.timeout(file, "celaje")


def test_of_every_hop_it_is_told_what_ends_a_hang(chain):
    for name in OPERATIONS:
        built = chain(name, state=False)
        for hop in built.hops:
            played = Simulation(built, {hop: ENDLESS}).play()
            assert played.first is not None and played.error, (name, hop)


def test_cephs_patience_is_in_the_chain(chain):
    text = "[DEFAULT]\nenabled_backends = ceph\n[ceph]\nvolume_driver = rbd\n"
    options = [link.option for link in chain("attach", text, state=False).links]
    assert "[ceph] rados_connect_timeout" not in options  # Ceph's own default
    text += "rados_connect_timeout = 7\n"
    options = [link.option for link in chain("attach", text, state=False).links]
    assert "[ceph] rados_connect_timeout" in options


def test_a_drivers_own_end_is_in_the_chain(chain):
    text = "[DEFAULT]\nenabled_backends = disk\n[disk]\nvolume_driver = file\nimage_conversion_timeout = 5\n"
    built = chain("create-volume", text, state=False)
    (own,) = [link for link in built.links if link.kind == "driver"]
    assert (own.seconds, own.who) == (5, "back end disk")
    played = Simulation(built, {"backend": 60}).play()
    assert (played.first, played.error, played.ends) == (own, "DriverError", 5)


def test_the_drivers_option_is_the_one_that_ends_qemu_img(tmp_path, monkeypatch):
    from celaje.common import processes
    from celaje.volume.drivers import file as file_driver

    seen = []

    def run(command, *, timeout, **_more):
        seen.append(timeout)
        raise processes.ProcessTimeout(command=" ".join(map(str, command)), timeout=timeout, stderr="")

    monkeypatch.setattr(processes, "run", run)
    conf = Configured(None, [_file(tmp_path)]).service("volume")
    driver = file_driver.FileDriver(conf.backends["disk"], backend="disk", host="h")
    source = tmp_path / "image"
    source.write_bytes(b"\0" * 512)
    with pytest.raises(processes.ProcessTimeout):
        driver._convert(source, "raw", tmp_path / "target", "qcow2")
    assert seen == [77]


def _file(folder):
    path = folder / "driver.conf"
    path.write_text(
        "[DEFAULT]\nenabled_backends = disk\n[disk]\nvolume_driver = file\n"
        f"volumes_dir = {folder}\nimage_conversion_timeout = 77\n"
    )
    return path


def test_what_ends_the_wait_for_the_message_bus(chain):
    def beside(text):
        built = chain("attach", text, state=False)
        return {link.option.rpartition(" ")[2]: link.seconds for link in built.beside}

    assert not [key for key in beside("") if key.startswith(("rabbit", "rpc"))]
    rabbit = "[DEFAULT]\ntransport_url = rabbit://u:p@h/\n"
    assert beside(rabbit)["rabbit_max_retries"] is None  # for ever
    # Attempts at 0, 1 and 1 + 3 s: the third one is the last.
    assert beside(f"{rabbit}[oslo_messaging_rabbit]\nrabbit_max_retries = 3\n")["rabbit_max_retries"] == 4
    zmq = beside("[DEFAULT]\ntransport_url = zmq://\n[oslo_messaging_zmq]\nrpc_poll_timeout = 5\n")
    assert (zmq["rpc_cast_timeout"], zmq["rpc_poll_timeout"]) == (None, 5)


# As a command.


def test_the_command_says_by_its_exit_code_whether_the_order_is_sound(celaje, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    said = celaje("timeouts", "--state", state)
    assert said.returncode == 0 and "The order is sound" in said.stdout
    assert all(len(line) <= 80 for line in said.stdout.splitlines()), said.stdout
    file = tmp_path / "haproxy.cfg"
    file.write_text("listen nova\n  timeout server 30s\n  server a 127.0.0.1:8774\n")
    said = celaje("timeouts", "attach", "--state", state, "--haproxy", file)
    assert said.returncode == 1
    words = " ".join(said.stdout.split())
    assert f"{file}:2) ends before api_wait_timeout (compute API, 105 s, default)" in words


def test_the_command_simulates(celaje, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    said = celaje("timeouts", "attach", "--state", state, "--simulate", "backend=30s")
    assert said.returncode == 0 and "the operation succeeds after 30 s" in " ".join(said.stdout.split())
    said = celaje("timeouts", "server.attach_volume", "--state", state, "--simulate", "backend=2m", "--json")
    assert said.returncode == 1
    (told,) = json.loads(said.stdout)
    assert told["sound"] and told["simulated"]["error"] == "ServiceFailed"
    assert told["simulated"]["first"]["option"] == "rpc_response_timeout"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["lunch"], "attach"),
        (["--simulate", "backend"], "backend=90s"),
        (["--simulate", "moon=1s"], "hypervisor"),
        (["--haproxy", "nothing.cfg"], "nothing.cfg"),
    ],
)
def test_what_cannot_be_asked_is_told(celaje, tmp_path, words, told):
    said = celaje("timeouts", "--state", tmp_path, *words)
    assert said.returncode == 1 and told in said.stderr


def test_the_http_option_is_the_one_that_ends_a_request_to_another_process(chain, tmp_path):
    from celaje.common.errors import Unavailable
    from celaje.common.rest.catalog import Endpoints

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/identity"
        text = f"[keystone_authtoken]\nauth_url = {url}\nhttp_connect_timeout = 0.3\n"
        rest = [link for link in chain("attach", text, state=False).links if link.kind == "rest"]
        assert {(link.option, link.seconds) for link in rest} == {
            ("[keystone_authtoken] http_connect_timeout", 0.3)
        }
        conf = Configured(None, [tmp_path / "celaje.conf"]).service("compute")
        with pytest.raises(Unavailable, match="timed out"):
            Endpoints(conf, "nova").to("identity").send("GET", "/v3", {}, None)


def test_whatever_a_flow_may_say_to_its_run_the_recorder_understands():
    said = {name for name, value in vars(Run).items() if callable(value) and name[0] != "_"} - {"unwind"}
    assert {"step", "ask", "write", "note", "done"} <= said <= set(dir(Recorder))
