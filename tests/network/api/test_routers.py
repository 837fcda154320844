"""Routers, their gateways, interfaces and routes, floating IPs; and what the worker made of them."""

import pytest
from tests.cloud import until
from tests.network.api.conftest import make, refused


@pytest.fixture(scope="module")
def outside(shared_lab):
    """An external network with addresses."""
    admin = shared_lab.admin()
    found = make(admin, "network", name="outside", **{"router:external": True})
    make(admin, "subnet", network_id=found["id"], cidr="203.0.113.0/24", ip_version=4, enable_dhcp=False)
    return found


@pytest.fixture
def router(member, outside):
    return make(member, "router", name="r", external_gateway_info={"network_id": outside["id"]})


@pytest.fixture
def joined(member, router, subnet):
    """The router with a leg in the subnet."""
    url = f"/v2.0/routers/{router['id']}/add_router_interface"
    return member.put(url, {"subnet_id": subnet["id"]}).ok(200)


def wires(lab, router):
    return lab.wires.routers.get(router["id"])


def test_a_gateway_takes_an_address_outside(member, router, outside):
    gateway = router["external_gateway_info"]
    assert gateway["network_id"] == outside["id"]
    assert gateway["enable_snat"] is True
    assert gateway["external_fixed_ips"][0]["ip_address"].startswith("203.0.113.")
    assert "ha" not in router


def test_a_leg_has_the_gateways_address_and_the_worker_makes_it(shared_lab, member, router, joined, subnet):
    port = member.get(f"/v2.0/ports/{joined['port_id']}").ok()["port"]
    assert port["device_owner"] == "network:router_interface"
    assert port["fixed_ips"] == [{"subnet_id": subnet["id"], "ip_address": "10.0.0.1"}]
    assert joined["subnet_ids"] == [subnet["id"]]
    until(lambda: (made := wires(shared_lab, router)) and made["interfaces"], 10)
    made = wires(shared_lab, router)
    assert [leg["port_id"] for leg in made["interfaces"]] == [joined["port_id"]]
    until(lambda: member.get(f"/v2.0/ports/{joined['port_id']}").ok()["port"]["status"] == "ACTIVE", 10)


def test_legs_that_cannot_be(member, router, joined, subnet):
    url = f"/v2.0/routers/{router['id']}/add_router_interface"
    assert member.put(url, {"subnet_id": subnet["id"]}).status == 400
    other = make(member, "network")
    overlapping = make(member, "subnet", network_id=other["id"], cidr="10.0.0.0/25", ip_version=4)
    assert "overlaps" in refused(member.put(url, {"subnet_id": overlapping["id"]}), 400)
    gateless = make(
        member, "subnet", network_id=other["id"], cidr="10.7.0.0/25", ip_version=4, gateway_ip=None
    )
    refused(member.put(url, {"subnet_id": gateless["id"]}), 400)
    refused(member.put(url, {}), 400)
    refused(member.put(url, {"subnet_id": "11111111-1111-1111-1111-111111111111"}), 404)


def test_a_port_may_become_a_leg_once(member, router, network, subnet):
    port = make(member, "port", network_id=network["id"])
    url = f"/v2.0/routers/{router['id']}/add_router_interface"
    assert member.put(url, {"port_id": port["id"]}).ok()["subnet_id"] == subnet["id"]
    second = make(member, "router")
    again = member.put(f"/v2.0/routers/{second['id']}/add_router_interface", {"port_id": port["id"]})
    refused(again, 409, "PortInUse")


def test_what_a_router_uses_stays(member, router, joined, subnet, network):
    refused(member.delete(f"/v2.0/routers/{router['id']}"), 409, "RouterInUse")
    refused(member.delete(f"/v2.0/ports/{joined['port_id']}"), 409, "ServicePortInUse")
    refused(member.delete(f"/v2.0/subnets/{subnet['id']}"), 409, "SubnetInUse")
    refused(member.delete(f"/v2.0/networks/{network['id']}"), 409, "NetworkInUse")


def test_taking_it_all_down_again(shared_lab, member, router, joined, subnet, network):
    until(lambda: wires(shared_lab, router), 10)
    url = f"/v2.0/routers/{router['id']}/remove_router_interface"
    assert member.put(url, {"subnet_id": subnet["id"]}).ok()["port_id"] == joined["port_id"]
    refused(member.put(url, {"subnet_id": subnet["id"]}), 404, "RouterInterfaceNotFoundForSubnet")
    member.delete(f"/v2.0/routers/{router['id']}").ok(204)
    member.delete(f"/v2.0/networks/{network['id']}").ok(204)
    until(lambda: not wires(shared_lab, router), 10)


def test_routes_need_a_reachable_next_hop(member, router, joined):
    url = f"/v2.0/routers/{router['id']}"
    route = {"destination": "10.99.0.0/16", "nexthop": "10.0.0.77"}
    assert member.put(url, {"router": {"routes": [route]}}).ok()["router"]["routes"] == [route]
    far = {"destination": "10.98.0.0/16", "nexthop": "192.0.2.1"}
    refused(member.put(url, {"router": {"routes": [far]}}), 400, "InvalidRoutes")
    more = {"destination": "10.97.0.0/16", "nexthop": "10.0.0.78"}
    added = member.put(f"{url}/add_extraroutes", {"router": {"routes": [more]}}).ok()["router"]
    assert added["routes"] == [route, more]
    left = member.put(f"{url}/remove_extraroutes", {"router": {"routes": [route]}}).ok()["router"]
    assert left["routes"] == [more]
    subnet_id = joined["subnet_id"]
    answer = member.put(f"{url}/remove_router_interface", {"subnet_id": subnet_id})
    refused(answer, 409, "RouterInterfaceInUseByRoute")


def test_only_external_networks_are_gateways(member, network, subnet):
    body = {"router": {"external_gateway_info": {"network_id": network["id"]}}}
    refused(member.post("/v2.0/routers", body), 400)


def test_members_choose_no_outer_addresses(member, outside):
    gateway = {"network_id": outside["id"], "enable_snat": False}
    assert member.post("/v2.0/routers", {"router": {"external_gateway_info": gateway}}).status == 403


def test_a_floating_ip_is_active_once_the_router_carries_it(
    shared_lab, member, network, router, joined, outside
):
    port = make(member, "port", network_id=network["id"])
    made = make(member, "floatingip", floating_network_id=outside["id"], port_id=port["id"])
    assert made["status"] == "DOWN"
    assert made["router_id"] == router["id"]
    assert made["fixed_ip_address"] == port["fixed_ips"][0]["ip_address"]
    url = f"/v2.0/floatingips/{made['id']}"
    until(lambda: member.get(url).ok()["floatingip"]["status"] == "ACTIVE", 10)
    carried = wires(shared_lab, router)["floating_ips"]
    assert [one["floating_ip_address"] for one in carried] == [made["floating_ip_address"]]
    refused(
        member.post(
            "/v2.0/floatingips",
            {"floatingip": {"floating_network_id": outside["id"], "port_id": port["id"]}},
        ),
        409,
        "FloatingIPPortAlreadyAssociated",
    )
    removing = f"/v2.0/routers/{router['id']}/remove_router_interface"
    refused(member.put(removing, {"subnet_id": joined["subnet_id"]}), 409)
    free = member.put(url, {"floatingip": {"port_id": None}}).ok()["floatingip"]
    assert (free["port_id"], free["router_id"], free["status"]) == (None, None, "DOWN")
    until(lambda: wires(shared_lab, router)["floating_ips"] == [], 10)
    member.delete(url).ok(204)


def test_deleting_the_port_frees_the_floating_ip(member, network, router, joined, outside):
    port = make(member, "port", network_id=network["id"])
    made = make(member, "floatingip", floating_network_id=outside["id"], port_id=port["id"])
    member.delete(f"/v2.0/ports/{port['id']}").ok(204)
    after = member.get(f"/v2.0/floatingips/{made['id']}").ok()["floatingip"]
    assert (after["port_id"], after["fixed_ip_address"], after["status"]) == (None, None, "DOWN")


def test_associations_that_cannot_be(member, network, subnet, outside):
    port = make(member, "port", network_id=network["id"])
    body = {"floating_network_id": outside["id"], "port_id": port["id"]}
    answer = member.post("/v2.0/floatingips", {"floatingip": body})
    refused(answer, 404, "ExternalGatewayForFloatingIPNotFound")
    body = {"floating_network_id": network["id"]}
    refused(member.post("/v2.0/floatingips", {"floatingip": body}), 400)
    lone = {"floating_network_id": outside["id"], "fixed_ip_address": "10.0.0.5"}
    refused(member.post("/v2.0/floatingips", {"floatingip": lone}), 400)


def test_an_external_network_in_use_stays_external(admin, router, outside):
    change = {"network": {"router:external": False}}
    refused(admin.put(f"/v2.0/networks/{outside['id']}", change), 409, "ExternalNetworkInUse")
