"""Policies that identity keeps for other services, and domains' own configurations."""

import pytest


@pytest.fixture
def policy(identity):
    body = {"policy": {"type": "application/json", "blob": "{}", "colour": "red"}}
    return identity.admin.post("/v3/policies", body).ok(201)["policy"]


def test_policies_live_and_go(identity, policy):
    assert policy["colour"] == "red"
    path = f"/v3/policies/{policy['id']}"
    assert identity.patch(path, {"policy": {"blob": "[]"}}).ok()["policy"]["blob"] == "[]"
    assert len(identity.admin.get("/v3/policies?type=application/json").ok()["policies"]) == 1
    assert identity.as_user("demo", None, "demo").get(path).status == 403
    identity.admin.delete(path).ok(204)
    assert identity.admin.get(path).status == 404


def test_the_nearest_policy_is_an_endpoints(identity, policy):
    admin = identity.admin
    service = identity.find("service", "nova")["id"]
    endpoint = admin.get(f"/v3/endpoints?service_id={service}").ok()["endpoints"][0]
    where = f"/v3/endpoints/{endpoint['id']}/OS-ENDPOINT-POLICY/policy"
    assert admin.get(where).status == 404
    base = f"/v3/policies/{policy['id']}/OS-ENDPOINT-POLICY"
    admin.put(f"{base}/services/{service}").ok(204)
    assert admin.get(where).ok()["policy"]["id"] == policy["id"]
    other = admin.post("/v3/policies", {"policy": {"type": "t", "blob": "b"}}).ok(201)["policy"]
    nearer = f"/v3/policies/{other['id']}/OS-ENDPOINT-POLICY/services/{service}/regions/RegionOne"
    admin.put(nearer).ok(204)
    assert admin.get(where).ok()["policy"]["id"] == other["id"]
    admin.get(nearer).ok(204)
    found = admin.get(f"/v3/policies/{other['id']}/OS-ENDPOINT-POLICY/endpoints").ok()["endpoints"]
    assert endpoint["id"] in [each["id"] for each in found]
    admin.delete(nearer).ok(204)
    assert admin.get(nearer).status == 404
    assert admin.put(f"{base}/endpoints/none").status == 404


CONFIG = {"ldap": {"url": "ldap://x", "password": "secret"}, "identity": {"driver": "ldap"}}


def test_a_domain_has_its_own_options(identity):
    admin = identity.admin
    path = f"/v3/domains/{identity.make('domain', name='d')['id']}/config"
    assert admin.get(path).status == 404
    made = admin.put(path, {"config": CONFIG}).ok(201)["config"]
    assert made == {"ldap": {"url": "ldap://x"}, "identity": {"driver": "ldap"}}
    assert admin.put(path, {"config": CONFIG}).status == 200
    assert admin.get(f"{path}/ldap/url").ok()["config"] == {"url": "ldap://x"}
    assert admin.get(f"{path}/ldap/password").status == 404
    changed = identity.patch(f"{path}/ldap/url", {"config": {"url": "ldap://y"}}).ok()["config"]
    assert changed["ldap"] == {"url": "ldap://y"}
    assert identity.patch(f"{path}/ldap", {"config": {"identity": {"driver": "sql"}}}).status == 403
    assert identity.patch(f"{path}/ldap/suffix", {"config": {"suffix": "x"}}).status == 404
    admin.delete(f"{path}/identity").ok(204)
    assert admin.get(f"{path}/identity").status == 404
    admin.delete(path).ok(204)
    assert admin.get(path).status == 404


@pytest.mark.parametrize("config", [{}, {"ldap": {}}, {"ldap": "x"}, {"other": {"a": 1}}, {"ldap": {"a": 1}}])
def test_only_known_options_are_kept(identity, config):
    assert identity.admin.put("/v3/domains/default/config", {"config": config}).status == 403


def test_defaults_and_what_passwords_look_like(identity):
    defaults = identity.admin.get("/v3/domains/config/default").ok()["config"]
    assert set(defaults) == {"identity", "ldap"}
    path = "/v3/domains/config/ldap/url/default"
    assert identity.admin.get(path).ok()["config"] == {"url": "ldap://localhost"}
    assert identity.admin.get("/v3/domains/config/ldap/password/default").status == 403
    demo = identity.as_user("demo", None, "demo")
    shown = demo.get("/v3/domains/default/config/security_compliance").ok()["config"]
    assert shown == {"security_compliance": {"password_regex": None, "password_regex_description": None}}
    assert demo.get("/v3/domains/default/config/security_compliance/lockout_duration").status == 403


def test_endpoint_filters_narrow_a_projects_catalog(identity):
    admin = identity.admin
    project = identity.find("project", "demo")["id"]
    body = {"endpoint_group": {"name": "g", "filters": {"interface": "internal"}}}
    group = admin.post("/v3/OS-EP-FILTER/endpoint_groups", body).ok(201)["endpoint_group"]
    path = f"/v3/OS-EP-FILTER/endpoint_groups/{group['id']}/projects/{project}"
    assert admin.get(path).status == 404
    admin.put(path).ok(204)
    assert admin.put(path).status == 409
    glance = identity.find("service", "glance")["id"]
    endpoint = next(
        each
        for each in admin.get(f"/v3/endpoints?service_id={glance}").ok()["endpoints"]
        if each["interface"] == "public"
    )
    admin.put(f"/v3/OS-EP-FILTER/projects/{project}/endpoints/{endpoint['id']}").ok(204)
    catalog = identity.login("demo", None, "demo").ok(201)["token"]["catalog"]
    seen = {(service["type"], each["interface"]) for service in catalog for each in service["endpoints"]}
    assert ("image", "public") in seen
    assert ("compute", "internal") in seen
    assert ("compute", "public") not in seen
    listed = admin.get(f"/v3/OS-EP-FILTER/projects/{project}/endpoints").ok()["endpoints"]
    assert len(listed) == len(seen)
    everything = identity.login(scope="admin").ok(201)["token"]["catalog"]
    assert any(each["interface"] == "public" for each in everything[0]["endpoints"])
    admin.delete(path).ok(204)
    admin.delete(f"/v3/OS-EP-FILTER/projects/{project}/endpoints/{endpoint['id']}").ok(204)
    catalog = identity.login("demo", None, "demo").ok(201)["token"]["catalog"]
    assert {each["interface"] for each in catalog[0]["endpoints"]} == {"public", "internal", "admin"}
    bad = {"endpoint_group": {"name": "g", "filters": {"colour": "red"}}}
    assert admin.post("/v3/OS-EP-FILTER/endpoint_groups", bad).status == 400
