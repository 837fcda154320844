"""Timeouts of a haproxy.cfg as HAProxy has them: inherited from the defaults above, with their lines."""

import pytest

from celaje.cli.chain import haproxy
from celaje.common.errors import ConfigurationError

TEXT = """\
global
    maxconn 100  # not a proxy's
    timeout server 1s
defaults
    timeout connect 5000
    timeout client 50s
    timeout server 1m
frontend nova
    bind :8774
    default_backend nova_api
backend nova_api
    timeout server 90s
    server a 10.0.0.1:8774
listen cinder
    bind :8776
    timeout client 500ms
    http-request set-timeout server 3m
    server a 10.0.0.1:8776
defaults slow from
defaults later
    timeout server 2h
backend glance_api
    server g 10.0.0.1:9292
backend bare from plain
"""


@pytest.fixture
def read(tmp_path):
    def read(text):
        file = tmp_path / "haproxy.cfg"
        file.write_text(text)
        return {proxy.name: proxy for proxy in haproxy.read(file)}, file

    return read


def test_a_proxy_inherits_from_the_defaults_above_it(read):
    proxies, file = read(TEXT.replace("defaults slow from\n", "").replace("backend bare from plain\n", ""))
    nova, cinder, glance = proxies["nova_api"], proxies["cinder"], proxies["glance_api"]
    assert (nova.timeout("server").seconds, nova.timeout("server").place) == (90, f"{file}:12")
    assert (nova.timeout("connect").seconds, nova.timeout("connect").place) == (5, f"{file}:5")
    # A queue that says nothing waits as long as a connection.
    assert nova.timeout("queue").place == f"{file}:5"
    assert proxies["nova"].timeout("client").seconds == 50
    assert (cinder.timeout("client").seconds, cinder.timeout("server").seconds) == (0.5, 180)
    # A second defaults section begins anew.
    assert (glance.timeout("server").seconds, glance.timeout("connect")) == (7200, None)


def test_defaults_by_name(read):
    proxies, _ = read(
        "defaults a\n timeout server 1s\ndefaults b from a\n timeout client 2s\n"
        "backend x from a\nbackend y from b\n"
    )
    assert proxies["x"].timeout("server").seconds == 1 and proxies["x"].timeout("client") is None
    with pytest.raises(ConfigurationError, match=r"haproxy.cfg:1: .*nowhere"):
        read("backend x from nowhere\n")


def test_0_is_no_end(read):
    proxies, _ = read("backend x\n timeout server 0\n")
    assert proxies["x"].timeout("server") is None


@pytest.mark.parametrize("value", ["soon", "5 s", "${T}", "-1s"])
def test_a_time_that_is_none(read, value):
    with pytest.raises(ConfigurationError, match=r"haproxy.cfg:2"):
        read(f"backend x\n timeout server '{value}'\n")


def test_the_way_to_a_service(read):
    text = TEXT.replace("defaults slow from\n", "").replace("backend bare from plain\n", "")
    proxies = list(read(text)[0].values())
    way = haproxy.way_to(proxies, ("compute", "nova", "8774"))
    assert (way.client.name, way.server.name, way.sure) == ("nova", "nova_api", True)
    way = haproxy.way_to(proxies, ("volume", "cinder", "8776"))
    assert (way.client.name, way.server.name, way.sure) == ("cinder", "cinder", True)
    # Nobody names it: the most impatient one is shown, and said to be a guess.
    way = haproxy.way_to(proxies, ("placement", "8778"))
    assert (way.server.name, way.sure) == ("nova_api", False)
    assert haproxy.way_to([], ("compute",)) is None


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nothing\.cfg"):
        haproxy.read(tmp_path / "nothing.cfg")
