"""Ports: addresses, MACs, security groups, what members may set and see."""

import pytest
from tests.network.api.conftest import make, refused

BINDING = {"binding:host_id", "binding:vif_type", "binding:vif_details", "binding:profile"}


def test_a_port_gets_an_address_a_mac_and_the_default_group(member, network, subnet):
    port = make(member, "port", network_id=network["id"], name="p")
    assert port["fixed_ips"] == [{"subnet_id": subnet["id"], "ip_address": "10.0.0.2"}]
    assert port["mac_address"].startswith("fa:16:3e:")
    assert port["status"] == "DOWN"
    (group,) = member.get("/v2.0/security-groups").ok()["security_groups"]
    assert (group["name"], port["security_groups"]) == ("default", [group["id"]])
    assert not BINDING & set(port)
    assert port["binding:vnic_type"] == "normal"


def test_admins_and_services_see_the_binding(nova, admin, network):
    port = make(nova, "port", network_id=network["id"])
    assert set(port) > BINDING
    assert port["binding:vif_type"] == "unbound"
    assert set(admin.get(f"/v2.0/ports/{port['id']}").ok()["port"]) > BINDING


def test_a_named_address_is_given_once(member, network, subnet):
    wanted = [{"subnet_id": subnet["id"], "ip_address": "10.0.0.77"}]
    port = make(member, "port", network_id=network["id"], fixed_ips=wanted)
    assert port["fixed_ips"] == wanted
    again = member.post("/v2.0/ports", {"port": {"network_id": network["id"], "fixed_ips": wanted}})
    refused(again, 409, "IpAddressAlreadyAllocated")


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"fixed_ips": [{"ip_address": "10.7.0.1"}]}, 400),
        ({"fixed_ips": [{"ip_address": "10.0.0.0"}]}, 400),
        ({"fixed_ips": [{"ip_address": "10.0.0.255"}]}, 400),
        ({"fixed_ips": [{"subnet_id": "11111111-1111-1111-1111-111111111111"}]}, 400),
        ({"fixed_ips": [{}]}, 400),
        ({"fixed_ips": [{"ip_address": "10.0.0.5"}, {"ip_address": "10.0.0.5"}]}, 400),
        ({"fixed_ips": [{"ip_address": f"10.0.0.{n}"} for n in range(10, 20)]}, 400),
        ({"mac_address": "nonsense"}, 400),
        ({"mac_address": "01:00:5e:00:00:01"}, 400),
        ({"security_groups": ["11111111-1111-1111-1111-111111111111"]}, 404),
        ({"security_groups": "default"}, 400),
        ({"allowed_address_pairs": [{"mac_address": "fa:16:3e:00:00:01"}]}, 400),
        ({"allowed_address_pairs": [{"ip_address": "10.0.0.9"}] * 2}, 400),
        ({"binding:vnic_type": "pigeon"}, 400),
        ({"qos_policy_id": "11111111-1111-1111-1111-111111111111"}, 400),
        ({"network_id": "11111111-1111-1111-1111-111111111111"}, 404),
        ({"port_security_enabled": False, "allowed_address_pairs": [{"ip_address": "10.0.0.9"}]}, 409),
        ({"unknown": 1}, 400),
    ],
)
def test_wrong_ports_are_refused(member, network, subnet, wrong, status):
    body = {"network_id": network["id"], **wrong}
    refused(member.post("/v2.0/ports", {"port": body}), status)
    assert member.get(f"/v2.0/ports?network_id={network['id']}").ok()["ports"] == []


def test_nothing_is_left_of_a_refused_port(member, network, subnet):
    body = {
        "network_id": network["id"],
        "fixed_ips": [{"ip_address": "10.0.0.9"}, {"ip_address": "10.9.9.9"}],
    }
    refused(member.post("/v2.0/ports", {"port": body}), 400)
    make(member, "port", network_id=network["id"], fixed_ips=[{"ip_address": "10.0.0.9"}])


def test_a_mac_is_once_on_a_network(member, network, subnet):
    mac = "fa:16:3e:12:34:56"
    make(member, "port", network_id=network["id"], mac_address=mac)
    body = {"port": {"network_id": network["id"], "mac_address": mac.upper()}}
    refused(member.post("/v2.0/ports", body), 409, "MacAddressInUse")


def test_members_do_not_bind(member, network):
    body = {"port": {"network_id": network["id"], "binding:host_id": "host1"}}
    assert member.post("/v2.0/ports", body).status == 403


def test_strangers_on_a_shared_network_choose_no_addresses(admin, member):
    shared = make(admin, "network", shared=True)
    subnet = make(admin, "subnet", network_id=shared["id"], cidr="10.5.0.0/24", ip_version=4)
    chosen = {"network_id": shared["id"], "fixed_ips": [{"ip_address": "10.5.0.9"}]}
    assert member.post("/v2.0/ports", {"port": chosen}).status == 403
    mac = {"network_id": shared["id"], "mac_address": "fa:16:3e:00:00:99"}
    assert member.post("/v2.0/ports", {"port": mac}).status == 403
    make(member, "port", network_id=shared["id"], fixed_ips=[{"subnet_id": subnet["id"]}])


def test_a_network_owner_sees_all_ports_on_it_and_others_only_theirs(shared_lab, admin, project, member):
    network = make(admin, "network", project_id=project, shared=True)
    other = shared_lab.member("guest")
    theirs = make(other, "port", network_id=network["id"])
    mine = make(member, "port", network_id=network["id"])
    url = f"/v2.0/ports?network_id={network['id']}&fields=id"
    assert {one["id"] for one in member.get(url).ok()["ports"]} == {mine["id"], theirs["id"]}
    assert [one["id"] for one in other.get(url).ok()["ports"]] == [theirs["id"]]


def test_changing_addresses_keeps_what_stays(member, network, subnet):
    port = make(member, "port", network_id=network["id"])
    kept = port["fixed_ips"][0]
    url = f"/v2.0/ports/{port['id']}"
    more = [kept, {"subnet_id": subnet["id"], "ip_address": "10.0.0.50"}]
    assert member.put(url, {"port": {"fixed_ips": more}}).ok()["port"]["fixed_ips"] == more
    only = member.put(url, {"port": {"fixed_ips": [more[1]]}}).ok()["port"]["fixed_ips"]
    assert only == [more[1]]
    make(member, "port", network_id=network["id"], fixed_ips=[kept])


def test_security_groups_of_a_port_change(member, network, subnet):
    port = make(member, "port", network_id=network["id"])
    group = make(member, "security_group", name="web")
    url = f"/v2.0/ports/{port['id']}"
    changed = member.put(url, {"port": {"security_groups": [group["id"]]}}).ok()["port"]
    assert changed["security_groups"] == [group["id"]]
    found = member.get(f"/v2.0/ports?security_groups={group['id']}").ok()["ports"]
    assert [one["id"] for one in found] == [port["id"]]
    refused(member.delete(f"/v2.0/security-groups/{group['id']}"), 409, "SecurityGroupInUse")
    refused(member.put(url, {"port": {"port_security_enabled": False}}), 409)
    member.put(url, {"port": {"port_security_enabled": False, "security_groups": []}}).ok()
    member.delete(f"/v2.0/security-groups/{group['id']}").ok(204)


def test_an_address_pair_without_a_mac_means_the_ports_own(member, network, subnet):
    pair = {"ip_address": "10.0.0.200"}
    port = make(member, "port", network_id=network["id"], allowed_address_pairs=[pair])
    assert port["allowed_address_pairs"] == [{**pair, "mac_address": port["mac_address"]}]


def test_a_full_subnet_says_so(member, network):
    make(member, "subnet", network_id=network["id"], cidr="10.6.0.0/30", ip_version=4)
    make(member, "port", network_id=network["id"])
    body = {"port": {"network_id": network["id"]}}
    assert network["id"] in refused(member.post("/v2.0/ports", body), 409, "IpAddressGenerationFailure")


def test_filters_on_addresses(member, network, subnet):
    port = make(member, "port", network_id=network["id"], fixed_ips=[{"ip_address": "10.0.0.123"}])
    make(member, "port", network_id=network["id"], fixed_ips=[{"ip_address": "10.0.0.14"}])

    def found(query):
        url = f"/v2.0/ports?network_id={network['id']}&{query}"
        return [one["id"] for one in member.get(url).ok()["ports"]]

    assert found("fixed_ips=ip_address%3D10.0.0.123") == [port["id"]]
    assert found("fixed_ips=ip_address_substr%3D.12") == [port["id"]]
    assert len(found(f"fixed_ips=subnet_id%3D{subnet['id']}")) == 2
    assert found(f"fixed_ips=subnet_id%3D{subnet['id']}&fixed_ips=ip_address%3D10.0.0.1") == []
    assert member.get("/v2.0/ports?fixed_ips=nonsense").status == 400
