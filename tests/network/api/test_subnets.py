"""Subnets: gateways, pools, overlaps, IPv6, pools of prefixes."""

import ipaddress

import pytest
from tests.network.api.conftest import make, refused


def test_the_automatic_gateway_and_pool(subnet):
    assert subnet["gateway_ip"] == "10.0.0.1"
    assert subnet["allocation_pools"] == [{"start": "10.0.0.2", "end": "10.0.0.254"}]
    assert subnet["enable_dhcp"] is True
    assert subnet["cidr"] == "10.0.0.0/24"


def test_no_gateway_leaves_its_address_to_ports(member, network):
    made = make(member, "subnet", network_id=network["id"], cidr="10.1.0.0/29", ip_version=4, gateway_ip=None)
    assert made["gateway_ip"] is None
    assert made["allocation_pools"] == [{"start": "10.1.0.1", "end": "10.1.0.6"}]


def test_the_networks_subnets_are_listed_on_it(member, network, subnet):
    assert member.get(f"/v2.0/networks/{network['id']}").ok()["network"]["subnets"] == [subnet["id"]]


@pytest.mark.parametrize("cidr", ["10.0.0.0/24", "10.0.0.128/25", "10.0.0.0/16"])
def test_subnets_of_a_network_do_not_overlap(member, network, subnet, cidr):
    body = {"subnet": {"network_id": network["id"], "cidr": cidr, "ip_version": 4}}
    assert "overlaps" in refused(member.post("/v2.0/subnets", body), 400)


def test_other_networks_may_use_the_same_addresses(member, subnet):
    other = make(member, "network")
    make(member, "subnet", network_id=other["id"], cidr=subnet["cidr"], ip_version=4)


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"cidr": "10.0.0.5/24"}, 400),
        ({"cidr": "nonsense"}, 400),
        ({"cidr": None}, 400),
        ({"cidr": "2001:db8::/64"}, 400),
        ({"cidr": "0.0.0.0/0"}, 400),
        ({"cidr": "224.0.0.0/8"}, 400),
        ({"cidr": "127.0.0.0/8"}, 400),
        ({"ip_version": 5}, 400),
        ({"gateway_ip": "2001:db8::1"}, 400),
        ({"gateway_ip": "10.0.0.0"}, 400),
        ({"gateway_ip": "10.0.0.255"}, 400),
        ({"allocation_pools": [{"start": "10.0.0.9", "end": "10.0.0.2"}]}, 400),
        ({"allocation_pools": [{"start": "10.9.0.9", "end": "10.9.0.20"}]}, 400),
        ({"allocation_pools": [{"start": "10.0.0.1", "end": "10.0.0.20"}]}, 409),
        ({"allocation_pools": [{"start": "10.0.0.9"}]}, 400),
        ({"dns_nameservers": ["2001:db8::1"]}, 400),
        ({"dns_nameservers": ["name.example"]}, 400),
        ({"dns_nameservers": [f"192.0.2.{n}" for n in range(6)]}, 400),
        ({"host_routes": [{"destination": "10.9.0.0/16"}]}, 400),
        ({"host_routes": [{"destination": "10.9.0.0/16", "nexthop": "2001:db8::1"}]}, 400),
        ({"ipv6_ra_mode": "slaac"}, 400),
        ({"network_id": "nonsense"}, 400),
        ({"network_id": "11111111-1111-1111-1111-111111111111"}, 404),
    ],
)
def test_wrong_subnets_are_refused(member, network, wrong, status):
    body = {"network_id": network["id"], "cidr": "10.0.0.0/24", "ip_version": 4, **wrong}
    refused(member.post("/v2.0/subnets", {"subnet": body}), status)


def test_required_attributes_are_named(member, network):
    words = refused(member.post("/v2.0/subnets", {"subnet": {"network_id": network["id"]}}), 400)
    assert "ip_version" in words


def test_an_update_of_pools_routes_and_gateway(member, subnet):
    url = f"/v2.0/subnets/{subnet['id']}"
    changes = {
        "allocation_pools": [{"start": "10.0.0.100", "end": "10.0.0.110"}],
        "gateway_ip": "10.0.0.9",
        "dns_nameservers": ["192.0.2.53"],
        "host_routes": [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.7"}],
        "enable_dhcp": False,
    }
    changed = member.put(url, {"subnet": changes}).ok()["subnet"]
    assert {name: changed[name] for name in changes} == changes
    refused(member.put(url, {"subnet": {"gateway_ip": "10.0.0.105"}}), 409)
    assert member.put(url, {"subnet": {"cidr": "10.0.0.0/25"}}).status == 400


def test_a_subnet_with_addresses_given_stays(member, network, subnet):
    port = make(member, "port", network_id=network["id"])
    refused(member.delete(f"/v2.0/subnets/{subnet['id']}"), 409, "SubnetInUse")
    member.delete(f"/v2.0/ports/{port['id']}").ok(204)
    member.delete(f"/v2.0/subnets/{subnet['id']}").ok(204)


def test_hosts_of_a_slaac_subnet_make_their_own_addresses(member, network):
    make(
        member,
        "subnet",
        network_id=network["id"],
        cidr="2001:db8::/64",
        ip_version=6,
        ipv6_address_mode="slaac",
        ipv6_ra_mode="slaac",
    )
    port = make(member, "port", network_id=network["id"])
    octets = port["mac_address"].split(":")
    address = ipaddress.ip_address(port["fixed_ips"][0]["ip_address"]).exploded
    assert address.endswith(f"ff:fe{octets[3]}:{octets[4]}{octets[5]}")


def test_a_port_gets_an_address_of_each_ip_version(member, network, subnet):
    make(member, "subnet", network_id=network["id"], cidr="2001:db8::/64", ip_version=6)
    port = make(member, "port", network_id=network["id"])
    assert [":" in fixed["ip_address"] for fixed in port["fixed_ips"]] == [False, True]


def test_subnets_out_of_a_pool(member, network):
    pool = make(member, "subnetpool", name="p", prefixes=["10.8.0.0/16"], default_prefixlen=24)
    made = [
        make(member, "subnet", network_id=network["id"], ip_version=4, subnetpool_id=pool["id"])
        for _ in range(3)
    ]
    assert [one["cidr"] for one in made] == ["10.8.0.0/24", "10.8.1.0/24", "10.8.2.0/24"]
    bigger = make(
        member, "subnet", network_id=network["id"], ip_version=4, subnetpool_id=pool["id"], prefixlen=23
    )
    assert bigger["cidr"] == "10.8.4.0/23"
    refused(member.delete(f"/v2.0/subnetpools/{pool['id']}"), 409)
    body = {"network_id": network["id"], "ip_version": 4, "subnetpool_id": pool["id"], "cidr": "10.8.0.0/25"}
    refused(member.post("/v2.0/subnets", {"subnet": body}), 400)


def test_a_stranger_makes_no_subnet_on_a_shared_network(admin, member):
    shared = make(admin, "network", shared=True)
    body = {"subnet": {"network_id": shared["id"], "cidr": "10.3.0.0/24", "ip_version": 4}}
    assert member.post("/v2.0/subnets", body).status == 403
