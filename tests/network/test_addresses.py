"""Pools and keys of addresses, against the standard library's own lists of hosts."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celaje.network import addresses, errors

FOUR = st.integers(16, 30).flatmap(
    lambda length: st.integers(0, 2**32 - 1).map(
        lambda number: ipaddress.ip_network((number >> (32 - length) << (32 - length), length))
    )
)


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1))
def test_keys_sort_as_numbers_do(one, other):
    assert (addresses.key(one) < addresses.key(other)) == (one < other)


@given(FOUR)
def test_default_pools_are_all_hosts_but_the_gateway(network):
    gateway = addresses.default_gateway(network)
    pools = addresses.default_pools(network, gateway)
    assert sum(last - first + 1 for first, last in pools) == network.num_addresses - 3
    for first, last in pools:
        assert not first <= int(ipaddress.ip_address(gateway)) <= last
        assert network.network_address < ipaddress.ip_address(first)
        assert ipaddress.ip_address(last) < network.broadcast_address


@pytest.mark.parametrize(
    ("cidr", "gateway", "pools"),
    [
        ("10.0.0.0/30", "10.0.0.1", [("10.0.0.2", "10.0.0.2")]),
        ("10.0.0.0/31", "10.0.0.0", [("10.0.0.1", "10.0.0.1")]),
        ("10.0.0.7/32", None, [("10.0.0.7", "10.0.0.7")]),
        ("2001:db8::/126", "2001:db8::1", [("2001:db8::2", "2001:db8::3")]),
        ("2001:db8::/127", "2001:db8::", [("2001:db8::1", "2001:db8::1")]),
    ],
)
def test_small_subnets(cidr, gateway, pools):
    network = ipaddress.ip_network(cidr)
    assert addresses.default_gateway(network) == gateway
    found = addresses.default_pools(network, gateway)
    shown = [tuple(addresses.text(end, network.version) for end in pool) for pool in found]
    assert shown == pools


def test_a_gateway_amid_the_subnet_splits_the_pool():
    network = ipaddress.ip_network("10.0.0.0/29")
    pools = addresses.default_pools(network, "10.0.0.3")
    assert [tuple(addresses.text(end, 4) for end in pool) for pool in pools] == [
        ("10.0.0.1", "10.0.0.2"),
        ("10.0.0.4", "10.0.0.6"),
    ]


@pytest.mark.parametrize(
    ("pools", "error"),
    [
        ([("10.0.0.9", "10.0.0.5")], errors.InvalidAllocationPool),
        ([("2001:db8::1", "2001:db8::2")], errors.InvalidAllocationPool),
        ([("10.0.0.0", "10.0.0.5")], errors.OutOfBoundsAllocationPool),
        ([("10.0.0.2", "10.0.1.5")], errors.OutOfBoundsAllocationPool),
        ([("10.0.0.2", "10.0.0.9"), ("10.0.0.9", "10.0.0.12")], errors.OverlappingAllocationPools),
        ([("10.0.0.1", "10.0.0.9")], errors.GatewayConflictWithAllocationPools),
    ],
)
def test_wrong_pools_are_refused(pools, error):
    network = ipaddress.ip_network("10.0.0.0/24")
    with pytest.raises(error):
        addresses.check_pools([{"start": a, "end": b} for a, b in pools], network, "10.0.0.1")


def test_eui64_is_rfc_4291s_example():
    prefix = ipaddress.ip_network("2001:db8::/64")
    number = addresses.eui64(prefix, "34:56:78:9a:bc:de")
    assert addresses.text(number, 6) == "2001:db8::3656:78ff:fe9a:bcde"
