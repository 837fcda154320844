"""Networks: who may make which, segments, MTU, sharing, deletion."""

import pytest
from tests.network.api.conftest import make, refused

PROVIDER = {"provider:network_type", "provider:physical_network", "provider:segmentation_id"}


def test_a_members_network_is_his_and_hides_its_segment(member, admin, project, network):
    assert network["project_id"] == network["tenant_id"] == project
    assert network["status"] == "ACTIVE"
    assert network["mtu"] == 1450
    assert not PROVIDER & set(network)
    seen = admin.get(f"/v2.0/networks/{network['id']}").ok()["network"]
    assert seen["provider:network_type"] == "vxlan"
    assert seen["provider:segmentation_id"] > 0


def test_segments_are_never_shared(member, admin):
    ids = [make(member, "network")["id"] for _ in range(5)]
    segments = [admin.get(f"/v2.0/networks/{one}").ok()["network"]["provider:segmentation_id"] for one in ids]
    assert len(set(segments)) == 5


def test_another_projects_network_is_not_found(shared_lab, network):
    other = shared_lab.member("somebody")
    assert "could not be found" in refused(
        other.get(f"/v2.0/networks/{network['id']}"), 404, "NetworkNotFound"
    )
    refused(other.delete(f"/v2.0/networks/{network['id']}"), 404)
    refused(other.put(f"/v2.0/networks/{network['id']}", {"network": {"name": "x"}}), 404)


def test_a_reader_reads_only(shared_lab, project, network):
    reader = shared_lab.reader(project)
    reader.get(f"/v2.0/networks/{network['id']}").ok()
    refused(reader.post("/v2.0/networks", {"network": {}}), 403, "PolicyNotAuthorized")
    assert reader.put(f"/v2.0/networks/{network['id']}", {"network": {"name": "x"}}).status == 403
    assert reader.delete(f"/v2.0/networks/{network['id']}").status == 403


@pytest.mark.parametrize(
    "attribute",
    [
        {"shared": True},
        {"router:external": True},
        {"provider:network_type": "vxlan"},
        {"is_default": True},
    ],
)
def test_what_only_admins_may_ask_for(member, admin, attribute):
    assert member.post("/v2.0/networks", {"network": attribute}).status == 403
    made = admin.post("/v2.0/networks", {"network": attribute}).ok(201)["network"]
    admin.delete(f"/v2.0/networks/{made['id']}").ok(204)


def test_a_shared_network_is_seen_by_all_but_changed_by_none(admin, member):
    made = make(admin, "network", shared=True)
    assert member.get(f"/v2.0/networks/{made['id']}").ok()["network"]["shared"] is True
    assert member.put(f"/v2.0/networks/{made['id']}", {"network": {"name": "x"}}).status == 403
    assert member.delete(f"/v2.0/networks/{made['id']}").status == 403


def test_sharing_ends_only_when_nobody_else_is_on_it(admin, member):
    made = make(admin, "network", shared=True)
    port = make(member, "port", network_id=made["id"])
    change = {"network": {"shared": False}}
    refused(admin.put(f"/v2.0/networks/{made['id']}", change), 409, "InvalidSharedSetting")
    member.delete(f"/v2.0/ports/{port['id']}").ok(204)
    assert admin.put(f"/v2.0/networks/{made['id']}", change).ok()["network"]["shared"] is False


def test_segments_that_an_admin_names(admin):
    flat = {"provider:network_type": "flat", "provider:physical_network": "public"}
    first = make(admin, "network", **flat)
    assert first["mtu"] == 1500
    refused(admin.post("/v2.0/networks", {"network": flat}), 409, "FlatNetworkInUse")
    vlan = {**flat, "provider:network_type": "vlan", "provider:segmentation_id": 77}
    make(admin, "network", **vlan)
    refused(admin.post("/v2.0/networks", {"network": vlan}), 409, "VlanIdInUse")
    tunnel = {"provider:network_type": "vxlan", "provider:segmentation_id": 60000}
    make(admin, "network", **tunnel)
    refused(admin.post("/v2.0/networks", {"network": tunnel}), 409, "TunnelIdInUse")


@pytest.mark.parametrize(
    "wrong",
    [
        {"provider:network_type": "carrier-pigeon"},
        {"provider:network_type": "flat"},
        {"provider:network_type": "vlan", "provider:physical_network": "nowhere"},
        {"provider:network_type": "vxlan", "provider:segmentation_id": 2**30},
        {"provider:network_type": "local", "provider:segmentation_id": 5},
        {"provider:segmentation_id": 5},
        {"mtu": 9000},
        {"mtu": 10},
        {"name": 5},
        {"name": "x" * 256},
        {"admin_state_up": "perhaps"},
        {"nonsense": 1},
        {"id": "mine"},
        {"status": "ACTIVE"},
        {"availability_zone_hints": "nova"},
    ],
)
def test_wrong_networks_are_refused(admin, wrong):
    assert admin.post("/v2.0/networks", {"network": wrong}).status == 400


def test_many_at_once_are_all_or_none(member):
    listed = member.post("/v2.0/networks", {"networks": [{"name": "a"}, {"name": "b"}]}).ok(201)["networks"]
    assert [one["name"] for one in listed] == ["a", "b"]
    before = len(member.get("/v2.0/networks").ok()["networks"])
    refused(member.post("/v2.0/networks", {"networks": [{"name": "c"}, {"shared": True}]}), 403)
    assert len(member.get("/v2.0/networks").ok()["networks"]) == before


def test_an_update_changes_and_counts(member, network):
    changed = member.put(
        f"/v2.0/networks/{network['id']}", {"network": {"name": "new", "admin_state_up": False, "mtu": 1400}}
    ).ok()["network"]
    assert (changed["name"], changed["admin_state_up"], changed["mtu"]) == ("new", False, 1400)
    assert changed["revision_number"] == network["revision_number"] + 1


def test_deletion_takes_the_subnets_but_not_ports(member, network, subnet):
    port = make(member, "port", network_id=network["id"])
    refused(member.delete(f"/v2.0/networks/{network['id']}"), 409, "NetworkInUse")
    member.delete(f"/v2.0/ports/{port['id']}").ok(204)
    answer = member.delete(f"/v2.0/networks/{network['id']}")
    assert (answer.status, answer.body) == (204, None)
    refused(member.get(f"/v2.0/subnets/{subnet['id']}"), 404, "SubnetNotFound")


def test_an_admin_makes_networks_for_others_and_a_member_does_not(admin, member):
    assert make(admin, "network", tenant_id="theirs")["project_id"] == "theirs"
    refused(member.post("/v2.0/networks", {"network": {"project_id": "theirs"}}), 400)


def test_tags(member, project, network):
    url = f"/v2.0/networks/{network['id']}/tags"
    assert member.put(url, {"tags": ["red", "blue"]}).ok()["tags"] == ["blue", "red"]
    member.put(f"{url}/green").ok(201)
    assert member.get(f"/v2.0/networks/{network['id']}").ok()["network"]["tags"] == ["blue", "green", "red"]
    found = member.get("/v2.0/networks?tags=red,blue").ok()["networks"]
    assert [one["id"] for one in found] == [network["id"]]
    assert member.get(f"/v2.0/networks?not-tags-any=red&project_id={project}").ok()["networks"] == []
    member.get(f"{url}/red").ok(204)
    member.delete(f"{url}/red").ok(204)
    refused(member.delete(f"{url}/red"), 404, "TagNotFound")
    member.delete(url).ok(204)
    assert member.get(url).ok()["tags"] == []
