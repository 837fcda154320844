"""Security groups and rules: the default group, what goes together, duplicates, who may."""

import threading

import pytest
from tests.network.api.conftest import make, refused


@pytest.fixture
def group(member):
    return make(member, "security_group", name="web", description="d")


def rule(group, **changes):
    return {"security_group_id": group["id"], "direction": "ingress", **changes}


def test_every_project_has_a_default_group_when_it_looks(member):
    (group,) = member.get("/v2.0/security-groups").ok()["security_groups"]
    assert group["name"] == "default"
    kinds = sorted(
        (r["direction"], r["ethertype"], r["remote_group_id"]) for r in group["security_group_rules"]
    )
    assert kinds == [
        ("egress", "IPv4", None),
        ("egress", "IPv6", None),
        ("ingress", "IPv4", group["id"]),
        ("ingress", "IPv6", group["id"]),
    ]
    refused(member.delete(f"/v2.0/security-groups/{group['id']}"), 409, "SecurityGroupCannotRemoveDefault")
    change = {"security_group": {"name": "mine"}}
    refused(member.put(f"/v2.0/security-groups/{group['id']}", change), 409)
    refused(member.post("/v2.0/security-groups", {"security_group": {"name": "default"}}), 409)


def test_many_first_looks_make_one_default_group(shared_lab):
    client = shared_lab.member("crowd")
    threads = [threading.Thread(target=client.get, args=("/v2.0/security-groups",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(client.get("/v2.0/security-groups").ok()["security_groups"]) == 1


def test_a_new_group_lets_everything_out(group):
    assert {(r["direction"], r["protocol"]) for r in group["security_group_rules"]} == {("egress", None)}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}, {"protocol": "tcp"}),
        ({"protocol": "TCP", "port_range_min": "80", "port_range_max": 90}, {"port_range_min": 80}),
        ({"protocol": 6, "port_range_min": 22, "port_range_max": 22}, {"protocol": "6"}),
        ({"protocol": "icmp", "port_range_min": 8, "port_range_max": 0}, {"port_range_max": 0}),
        ({"protocol": "icmp", "ethertype": "IPv6"}, {"protocol": "ipv6-icmp"}),
        ({"remote_ip_prefix": "10.0.0.7/24"}, {"remote_ip_prefix": "10.0.0.0/24"}),
        ({"remote_ip_prefix": "2001:db8::/32", "ethertype": "ipv6"}, {"ethertype": "IPv6"}),
        ({"protocol": "any"}, {"protocol": None}),
    ],
)
def test_rules_that_make_sense(member, group, given, kept):
    made = make(member, "security_group_rule", **rule(group, **given))
    assert {name: made[name] for name in kept} == kept
    refused(
        member.post("/v2.0/security-group-rules", {"security_group_rule": rule(group, **given)}),
        409,
        "SecurityGroupRuleExists",
    )
    member.delete(f"/v2.0/security-group-rules/{made['id']}").ok(204)


@pytest.mark.parametrize(
    "wrong",
    [
        {"direction": "sideways"},
        {"ethertype": "IPX"},
        {"protocol": "pigeon"},
        {"protocol": 256},
        {"protocol": -1},
        {"protocol": "tcp", "port_range_min": 90, "port_range_max": 80},
        {"protocol": "tcp", "port_range_min": 80},
        {"protocol": "tcp", "port_range_min": 0, "port_range_max": 80},
        {"protocol": "tcp", "port_range_min": 1, "port_range_max": 70000},
        {"port_range_min": 1, "port_range_max": 2},
        {"protocol": "gre", "port_range_min": 1, "port_range_max": 2},
        {"protocol": "icmp", "port_range_min": 256},
        {"protocol": "icmp", "port_range_max": 3},
        {"protocol": "ipv6-icmp"},
        {"remote_ip_prefix": "nonsense"},
        {"remote_ip_prefix": "2001:db8::/32"},
        {"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": "11111111-1111-1111-1111-111111111111"},
        {"remote_group_id": "nonsense"},
    ],
)
def test_rules_that_make_no_sense(member, group, wrong):
    refused(member.post("/v2.0/security-group-rules", {"security_group_rule": rule(group, **wrong)}), 400)


def test_others_groups_are_not_found(shared_lab, group):
    other = shared_lab.member("stranger")
    refused(other.get(f"/v2.0/security-groups/{group['id']}"), 404, "SecurityGroupNotFound")
    body = {"security_group_rule": rule(group)}
    refused(other.post("/v2.0/security-group-rules", body), 404, "SecurityGroupNotFound")


def test_a_rule_counts_as_a_change_of_its_group(member, group):
    make(member, "security_group_rule", **rule(group))
    after = member.get(f"/v2.0/security-groups/{group['id']}").ok()["security_group"]
    assert after["revision_number"] == group["revision_number"] + 1
    assert len(after["security_group_rules"]) == 3


def test_rules_are_listed_by_group(member, group):
    found = member.get(f"/v2.0/security-group-rules?security_group_id={group['id']}").ok()
    assert len(found["security_group_rules"]) == 2
