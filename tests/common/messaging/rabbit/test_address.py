import pytest

from celaje.common.errors import ConfigurationError
from celaje.common.messaging.rabbit.address import Broker, settings
from celaje.common.messaging.rabbit.retry import Backoff

from .conftest import options


def test_hosts_users_and_virtual_host():
    found = settings("rabbit://u:p%40ss@one,two:5673,v:q@[::1]:5674/cloud%2Fa")
    assert found.brokers == (
        Broker("one", 5672, "u", "p@ss"),
        Broker("two", 5673, "u", "p@ss"),
        Broker("::1", 5674, "v", "q"),
    )
    assert found.virtual_host == "cloud/a"
    assert "p@ss" not in repr(found)


@pytest.mark.parametrize(("path", "host"), [("", "/"), ("/", "/"), ("//", "/"), ("/x", "x")])
def test_the_virtual_host(path, host):
    assert settings(f"rabbit://h{path}").virtual_host == host


def test_tls_by_option_and_by_query():
    assert settings("rabbit://h").tls is None
    assert settings("rabbit://h?ssl=1").brokers[0].port == 5671
    by_option = settings(
        "rabbit://h", options(ssl=True, ssl_ca_file="/ca", ssl_cert_file="/c", ssl_key_file="/k")
    )
    assert by_option.tls["ca_certs"] == "/ca"
    assert (by_option.tls["certfile"], by_option.tls["keyfile"]) == ("/c", "/k")
    assert settings("rabbit://h?ssl=0", options(ssl=True)).tls is None


@pytest.mark.parametrize("url", ["rabbit://", "rabbit://u:hunter2@:1/", "rabbit://u:hunter2@h:x/"])
def test_what_cannot_be_read(url):
    with pytest.raises(ConfigurationError, match="transport_url: host 1") as caught:
        settings(url)
    assert "hunter2" not in caught.value.message


def test_the_waits_of_the_table():
    """rabbit_max_retries 0, rabbit_retry_interval 1, rabbit_retry_backoff 2, rabbit_interval_max 30."""
    backoff = Backoff(settings("rabbit://h"))
    waits = [backoff.failed() for _ in range(20)]
    assert waits[:4] == [1, 3, 5, 7]
    assert waits[14:] == [29, 30, 30, 30, 30, 30]
    assert not backoff.exhausted
    backoff.succeeded()
    assert backoff.failed() == 1


def test_a_bound_of_attempts():
    backoff = Backoff(settings("rabbit://h", options(rabbit_max_retries=2)))
    backoff.failed()
    assert not backoff.exhausted
    backoff.failed()
    assert backoff.exhausted
