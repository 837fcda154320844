"""Who has the cluster's key belongs to it; nobody else gets a byte through."""

import pytest
import zmq
from tests.common.messaging.conftest import eventually

from celaje.common.errors import ConfigurationError
from celaje.common.messaging import NoSuchServer, Target
from celaje.common.messaging.zmq.address import settings
from celaje.common.messaging.zmq.curve import Keys, make_key_file

from .conftest import options


@pytest.fixture
def key_file(tmp_path):
    make_key_file(tmp_path / "key")
    return str(tmp_path / "key")


def test_a_cluster_with_a_key(join, key_file):
    one, two = join(curve_secret_key_file=key_file), join(curve_secret_key_file=key_file)
    _, endpoint = one.serve("one")
    assert two.client.to("one").echo("secret") == "secret"
    two.client.to("one").note(1)
    assert endpoint.wait_for(1) == [1]


@pytest.mark.parametrize("stranger_has", ["no key", "another key"])
def test_a_stranger_is_refused(join, key_file, tmp_path, caplog, stranger_has):
    home = join(curve_secret_key_file=key_file)
    _, endpoint = home.serve("one")
    make_key_file(tmp_path / "another")
    values = {} if stranger_has == "no key" else {"curve_secret_key_file": str(tmp_path / "another")}
    stranger = join(rpc_poll_timeout=1.0, **values)
    with pytest.raises(NoSuchServer):
        stranger.client.to("one").echo(1)
    stranger.client.report("all")
    stranger.client.to("one").note("cast")
    eventually(lambda: "does not let us in" in caplog.text)
    # Those of the house go on, and know nothing of the stranger.
    friend = join(curve_secret_key_file=key_file)
    friend.client.to("one").note("friend")
    assert endpoint.wait_for(1) == ["friend"]
    assert set(home.bus._dispatch.directory.peers) == {home.bus._name, friend.bus._name}
    assert not stranger.bus.has_consumer(Target("worker", "one"))


def test_the_cluster_s_public_key_alone_opens_nothing(join, key_file, caplog):
    """The key that proves the server to a client is no secret to whoever has seen a configuration."""
    home = join(curve_secret_key_file=key_file)
    _, endpoint = home.serve("one")
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        socket.linger = 0
        socket.curve_serverkey = Keys(key_file).public
        socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
        socket.connect(home.bus._door.address)
        socket.send(b"anything")
        eventually(lambda: "a stranger at 127.0.0.1 is refused" in caplog.text)
    assert endpoint.seen == []


def test_what_zeromq_s_own_tool_makes_is_read(tmp_path):
    import zmq.auth

    _, secret = zmq.auth.create_certificates(tmp_path, "cluster")
    (tmp_path / "cluster.key_secret").chmod(0o600)
    assert Keys(secret).public == zmq.auth.load_certificate(secret)[0]


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (None, 0o600, "No such file"),
        ("nothing", 0o600, "no CURVE key pair"),
        ('public-key = "x"\nsecret-key = "y"\n', 0o600, "no CURVE key pair"),
        ("nothing", 0o644, "readable by its owner only"),
    ],
)
def test_key_files_that_cannot_be_used(tmp_path, content, mode, words):
    path = tmp_path / "key"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    with pytest.raises(ConfigurationError, match=words):
        Keys(str(path))


def test_only_loopback_goes_without_a_key(key_file):
    with pytest.raises(ConfigurationError, match="could command this cloud"):
        settings("zmq://h", options(rpc_zmq_bind_address="192.0.2.1"))
    with pytest.raises(ConfigurationError, match="rpc_zmq_host"):
        settings("zmq://h", options(rpc_zmq_bind_address="*", curve_secret_key_file=key_file))
    found = settings(
        "zmq://one,[::1]:9,two:7/",
        options(rpc_zmq_bind_address="*", rpc_zmq_host="n1", curve_secret_key_file=key_file),
    )
    assert found.meeting_points == (("one", 9501), ("::1", 9), ("two", 7))
    assert found.host == "n1"
