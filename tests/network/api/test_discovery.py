"""Discovery, extensions, agents, zones: what clients look at before they do anything."""

from celaje.network.api.extensions import EXTENSIONS


def test_versions_need_no_token(shared_lab):
    from tests.cloud import Client

    anonymous = Client(shared_lab.member()._transport, None)
    (version,) = anonymous.get("/").ok()["versions"]
    assert (version["id"], version["status"]) == ("v2.0", "CURRENT")
    assert version["links"][0]["href"].endswith("/network/v2.0/")
    names = {one["collection"] for one in anonymous.get("/v2.0").ok()["resources"]}
    assert {"networks", "subnets", "ports"} <= names
    assert anonymous.get("/v2.0/networks").status == 401


def test_extensions_are_those_that_are_there(member):
    listed = member.get("/v2.0/extensions").ok()["extensions"]
    assert {one["alias"] for one in listed} == set(EXTENSIONS)
    assert {"router", "external-net", "security-group", "binding", "quotas", "provider"} <= set(EXTENSIONS)
    assert member.get("/v2.0/extensions/router").ok()["extension"]["alias"] == "router"
    assert member.get("/v2.0/extensions/pigeons").status == 404


def test_workers_are_agents(admin, member):
    (agent,) = admin.get("/v2.0/agents").ok()["agents"]
    assert (agent["host"], agent["alive"], agent["admin_state_up"]) == ("host1", True, True)
    assert agent["configurations"]["driver"] == "fake"
    assert member.get("/v2.0/agents").status == 403
    assert admin.get("/v2.0/agents?host=elsewhere").ok()["agents"] == []
    assert admin.get("/v2.0/agents/nonsense").status == 404


def test_zones(member):
    zones = member.get("/v2.0/availability_zones").ok()["availability_zones"]
    assert {(zone["name"], zone["resource"]) for zone in zones} == {("nova", "network"), ("nova", "router")}


def test_addresses_are_counted(admin, member, network, subnet):
    from tests.network.api.conftest import make

    make(member, "port", network_id=network["id"])
    url = f"/v2.0/network-ip-availabilities/{network['id']}"
    found = admin.get(url).ok()["network_ip_availability"]
    assert (found["total_ips"], found["used_ips"]) == (253, 1)
    assert member.get(url).status == 403
