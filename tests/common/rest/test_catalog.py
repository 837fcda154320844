"""Services are found in the catalog: by type and alias, interface and region; below their version."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from celaje.common import clock
from celaje.common.errors import Unavailable
from celaje.common.rest import catalog
from celaje.common.rest.catalog import EndpointMissing, Endpoints, unversioned


class Network:
    """Every HttpTransport that is made, by its URL; `down` ones do not answer."""

    def __init__(self):
        self.catalog: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str]] = []
        self.logins = 0
        self.down: set[str] = set()

    def transport(self, url, timeout=None, ca_file=None, certificate=None):
        def send(method, path, headers, body):
            if url in self.down:
                raise Unavailable(f"{url} does not answer")
            if path.startswith("/v3/auth/tokens"):
                self.logins += 1
                ends = clock.iso(clock.now().replace(year=2999), microseconds=True, zulu=True)
                token = {"token": {"expires_at": ends, "catalog": self.catalog}}
                return 201, {"x-subject-token": f"t{self.logins}"}, [msgspec.json.encode(token)]
            self.asked.append((url, path))
            return 200, {}, [b"{}"]

        return SimpleNamespace(send=send)


@pytest.fixture
def network(monkeypatch):
    network = Network()
    monkeypatch.setattr(catalog, "HttpTransport", network.transport)
    return network


def endpoints(**values):
    options = {
        "auth_url": "http://id:5000/v3",
        "username": "cinder",
        "password": "secret",
        "project_name": "service",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
        "region_name": None,
        "interface": "internal",
        "cafile": None,
        "certfile": None,
        "keyfile": None,
        "http_connect_timeout": 60,
        **values,
    }
    return Endpoints(SimpleNamespace(keystone_authtoken=SimpleNamespace(**options)), "default-user")


def entry(kind, url, interface="internal", region="RegionOne"):
    return {"type": kind, "endpoints": [{"interface": interface, "region_id": region, "url": url}]}


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://vip:8774/v2.1", "http://vip:8774"),
        ("http://vip/volume/v3/%(project_id)s", "http://vip/volume"),
        ("https://vip:9292/", "https://vip:9292"),
        ("http://vip/placement", "http://vip/placement"),
    ],
)
def test_an_endpoint_up_to_its_version(url, base):
    assert unversioned(url) == base


def test_a_service_is_found_by_type_interface_and_region(network):
    network.catalog = [
        entry("volumev3", "http://vip:8776/v3", region="RegionTwo"),
        entry("block-storage", "http://public:8776/v3", interface="public"),
        entry("compute", "http://vip:8774/v2.1"),
    ]
    found = endpoints()
    found.to("compute").send("GET", "/v2.1/servers", {}, None)
    found.to("compute").send("GET", "/v2.1/servers", {}, None)
    found.to("volume").send("GET", "/v3/volumes", {}, None)
    assert network.asked == [
        ("http://vip:8774", "/v2.1/servers"),
        ("http://vip:8774", "/v2.1/servers"),
        ("http://vip:8776", "/v3/volumes"),
    ]
    assert network.logins == 1
    with pytest.raises(EndpointMissing, match="no internal endpoint of image"):
        found.to("image").send("GET", "/v2/images", {}, None)
    with pytest.raises(EndpointMissing, match="of volume in region RegionOne"):
        endpoints(region_name="RegionOne").to("volume").send("GET", "/v3", {}, None)


def test_an_endpoint_that_does_not_answer_is_looked_up_anew(network, monkeypatch):
    network.catalog = [entry("compute", "http://old:8774/v2.1")]
    found = endpoints()
    found.to("compute").send("GET", "/v2.1", {}, None)
    network.catalog = [entry("compute", "http://new:8774/v2.1")]
    network.down = {"http://old:8774"}
    with pytest.raises(Unavailable):
        found.to("compute").send("GET", "/v2.1", {}, None)
    assert network.logins == 1, "a catalog is not fetched for each failure"
    monkeypatch.setattr(catalog, "_SAME_CATALOG", 0.0)
    with pytest.raises(Unavailable):
        found.to("compute").send("GET", "/v2.1", {}, None)
    found.to("compute").send("GET", "/v2.1", {}, None)
    assert network.asked[-1] == ("http://new:8774", "/v2.1")


def test_without_a_login_it_says_what_is_missing(network):
    with pytest.raises(Unavailable, match=r"\[keystone_authtoken\] needs auth_url, username and password"):
        endpoints(password=None).to("compute").send("GET", "/", {}, None)
    with pytest.raises(Unavailable, match="auth_url is not set"):
        endpoints(auth_url=None).to("identity")


def test_how_long_an_answer_is_waited_for_is_told(network):
    """`celaje flow show` draws it beside the hop."""
    assert endpoints().to("volume").timeout == 60
