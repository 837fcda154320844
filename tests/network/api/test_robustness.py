"""No body and no path makes the service fail: what it does not take it refuses."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.network.api.conftest import PATHS, make

from celaje.network.api.floating_ips import FLOATING_IPS_API
from celaje.network.api.networks import NETWORKS_API
from celaje.network.api.ports import PORTS_API
from celaje.network.api.routers import ROUTERS_API
from celaje.network.api.security_group_rules import SECURITY_GROUP_RULES_API
from celaje.network.api.security_groups import SECURITY_GROUPS_API
from celaje.network.api.subnet_pools import SUBNET_POOLS_API
from celaje.network.api.subnets import SUBNETS_API

APIS = [
    NETWORKS_API,
    SUBNETS_API,
    PORTS_API,
    ROUTERS_API,
    FLOATING_IPS_API,
    SECURITY_GROUPS_API,
    SECURITY_GROUP_RULES_API,
    SUBNET_POOLS_API,
]

UUID = "11111111-1111-1111-1111-111111111111"
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(
        [
            "10.0.0.5",
            "10.0.0.0/24",
            "2001:db8::/64",
            "fe80::1%eth0",
            UUID,
            "fa:16:3e:00:00:01",
            "0.0.0.0/0",
            "::/0",
        ]
    ),
)
WORDS = st.sampled_from(
    ["ip_address", "subnet_id", "start", "end", "network_id", "destination", "nexthop", "opt_name", "x"]
)
ANYTHING = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=6
)


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.resource.name)
@given(data=st.data())
@settings(max_examples=60)
def test_no_body_breaks_a_create(shared_lab, api, data):
    admin = shared_lab.admin()
    names = st.sampled_from([*api.resource.attributes, "project_id", "id", "status", "nonsense"])
    body = data.draw(st.dictionaries(names, ANYTHING, max_size=6))
    path = f"/v2.0/{PATHS[api.resource.name]}"
    known = {"network_id": _network(shared_lab), "ip_version": 4, "cidr": "10.0.0.0/24"}
    filled = {name: value for name, value in known.items() if name in api.resource.attributes}
    answer = admin.post(path, {api.resource.name: {**filled, **body}})
    assert answer.status < 500, answer.body
    if answer.status == 201:
        made = answer.body[api.resource.name]["id"]
        changed = admin.put(f"{path}/{made}", {api.resource.name: body})
        assert changed.status < 500, changed.body
        assert admin.delete(f"{path}/{made}").status < 500


_KEPT = {}


def _network(lab):
    if id(lab) not in _KEPT:
        _KEPT[id(lab)] = make(lab.admin(), "network")["id"]
    return _KEPT[id(lab)]


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"null", b"5", b'"x"', b"{}", b'{"network": 5}', b'{"networks": {}}', b"\xff\xfe"],
)
@pytest.mark.parametrize("path", sorted(PATHS.values()))
def test_no_outer_shape_breaks_anything(admin, path, raw):
    headers = {"Content-Type": "application/json", "Content-Length": str(len(raw))}
    answer = admin.request("POST", f"/v2.0/{path}", headers=headers, raw=raw)
    assert answer.status == 400, answer.body
    assert set(answer.body["NeutronError"]) == {"type", "message", "detail"}


@pytest.mark.parametrize("path", sorted(PATHS.values()))
@pytest.mark.parametrize("identifier", ["nonsense", UUID, "x" * 300, "%00", "%F0%9F%98%80"])
def test_no_identifier_breaks_anything(admin, path, identifier):
    assert admin.get(f"/v2.0/{path}/{identifier}").status == 404
    assert admin.delete(f"/v2.0/{path}/{identifier}").status == 404
