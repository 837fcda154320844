"""Personas: what admins, managers, members and readers of the system, a domain or a project may do."""

import pytest

from celaje.identity.api.policies import RULES
from celaje.identity.api.routes import ROUTES


def test_every_route_has_a_known_rule():
    known = {rule.name for rule in RULES}
    assert {route.rule for route in ROUTES if route.rule} <= known
    open_to_all = {route.name for route in ROUTES if route.rule is None}
    assert open_to_all == {
        "GET /",
        "GET /v3",
        "POST /v3/auth/tokens",
        "POST /v3/users/{user_id}/password",
        # Signed by a consumer.
        "POST /v3/OS-OAUTH1/access_token",
        "POST /v3/OS-OAUTH1/request_token",
        "POST /v3/OS-OAUTH2/token",
        # The token in the body is the right to it; metadata is for everybody.
        "POST /v3/auth/OS-FEDERATION/saml2",
        "POST /v3/auth/OS-FEDERATION/saml2/ecp",
        "GET /v3/OS-FEDERATION/saml2/metadata",
        # Retired.
        "GET /v3/OS-SIMPLE-CERT/ca",
        "GET /v3/OS-SIMPLE-CERT/certificates",
        "GET /v3/auth/tokens/OS-PKI/revoked",
        # The web server in front says who it is.
        *(
            f"{method} {path}"
            for method in ("GET", "POST")
            for path in (
                "/v3/OS-FEDERATION/identity_providers/{provider_id}/protocols/{protocol_id}/auth",
                "/v3/auth/OS-FEDERATION/identity_providers/{provider_id}/protocols/{protocol_id}/websso",
                "/v3/auth/OS-FEDERATION/websso/{protocol_id}",
            )
        ),
    }


@pytest.fixture
def domain(identity):
    """A domain with manager mia, reader rob and user uma; a project in it."""
    made = identity.make("domain", name="d")
    found = {"id": made["id"]}
    for name, role in (("mia", "manager"), ("rob", "reader")):
        user = identity.make_user(name, domain_id=made["id"])
        role_id = identity.find("role", role)["id"]
        identity.grant(f"domains/{made['id']}/users/{user['id']}/roles/{role_id}")
        found[name] = user["id"]
    found["uma"] = identity.make_user("uma", domain_id=made["id"])["id"]
    found["project"] = identity.make("project", name="p", domain_id=made["id"])["id"]
    return found


def of_domain(identity, domain, name):
    return identity.as_user(name, "pw", {"domain": {"id": domain["id"]}}, {"id": domain["id"]})


def test_domain_manager(identity, domain):
    mia = of_domain(identity, domain, "mia")
    made = mia.post("/v3/users", {"user": {"name": "new"}}).ok(201)["user"]
    assert made["domain_id"] == domain["id"]
    assert mia.post("/v3/users", {"user": {"name": "x", "domain_id": "default"}}).status == 403
    project = mia.post("/v3/projects", {"project": {"name": "q"}}).ok(201)["project"]
    assert project["domain_id"] == domain["id"]
    member, admin = identity.find("role", "member")["id"], identity.find("role", "admin")["id"]
    grant = f"/v3/projects/{project['id']}/users/{made['id']}/roles"
    assert mia.put(f"{grant}/{member}").status == 204
    assert mia.put(f"{grant}/{admin}").status == 403
    outside = identity.find("project", "demo")["id"]
    assert mia.put(f"/v3/projects/{outside}/users/{made['id']}/roles/{member}").status == 403
    assert mia.delete(f"{grant}/{member}").status == 204
    assert mia.delete(f"/v3/users/{made['id']}").status == 204
    assert mia.delete(f"/v3/users/{identity.find('user', 'demo')['id']}").status == 403
    assert mia.post("/v3/domains", {"domain": {"name": "more"}}).status == 403
    assert mia.post("/v3/roles", {"role": {"name": "more"}}).status == 403
    assert {p["name"] for p in mia.get("/v3/projects").ok()["projects"]} == {"p", "q"}


def test_domain_reader_sees_only_the_domain(identity, domain):
    rob = of_domain(identity, domain, "rob")
    assert {u["name"] for u in rob.get("/v3/users").ok()["users"]} == {"mia", "rob", "uma"}
    assert [d["id"] for d in rob.get("/v3/domains").ok()["domains"]] == [domain["id"]]
    assert rob.get(f"/v3/users/{domain['uma']}").status == 200
    assert rob.get(f"/v3/users/{identity.find('user', 'demo')['id']}").status == 403
    assert rob.get("/v3/users/unknown").status == 403
    assert rob.post("/v3/users", {"user": {"name": "x"}}).status == 403
    assert rob.request("PATCH", f"/v3/users/{domain['uma']}", {"user": {"name": "x"}}).status == 403
    assert rob.get("/v3/services").status == 403
    listed = rob.get("/v3/role_assignments").ok()["role_assignments"]
    assert {each["scope"]["domain"]["id"] for each in listed} == {domain["id"]}


def test_system_reader_reads_all_and_writes_nothing(identity):
    user, role = identity.make_user("sue"), identity.find("role", "reader")
    identity.grant(f"system/users/{user['id']}/roles/{role['id']}")
    sue = identity.as_user("sue", "pw", {"system": {"all": True}})
    for kind in (
        "users",
        "projects",
        "domains",
        "groups",
        "roles",
        "services",
        "endpoints",
        "role_assignments",
    ):
        assert sue.get(f"/v3/{kind}").status == 200, kind
    assert sue.post("/v3/users", {"user": {"name": "x"}}).status == 403
    assert sue.delete(f"/v3/users/{user['id']}").status == 403
    assert sue.post("/v3/services", {"service": {"type": "x"}}).status == 403


def test_a_user_sees_itself_only(identity):
    demo = identity.as_user("demo", scope="demo")
    me, other = identity.find("user", "demo")["id"], identity.find("user", "admin")["id"]
    assert demo.get(f"/v3/users/{me}").status == 200
    assert demo.get(f"/v3/users/{me}/projects").status == 200
    assert demo.get(f"/v3/users/{me}/groups").status == 200
    assert demo.get(f"/v3/users/{other}").status == 403
    assert demo.get(f"/v3/users/{other}/projects").status == 403
    assert demo.request("PATCH", f"/v3/users/{me}", {"user": {"name": "x"}}).status == 403
    assert demo.get("/v3/users").status == 403
    assert demo.get(f"/v3/projects/{demo.project_id}").status == 200
    assert demo.get(f"/v3/projects/{identity.find('project', 'admin')['id']}").status == 403
    assert demo.get("/v3/regions").status == 200
    refused = demo.get("/v3/users").body["error"]
    assert refused["title"] == "Forbidden"
    assert "identity:list_users" in refused["message"]


def test_a_reader_cannot_ask_for_roles(identity):
    """Nobody gives himself a role."""
    demo = identity.as_user("demo", scope="demo")
    me, admin = identity.find("user", "demo")["id"], identity.find("role", "admin")["id"]
    for path in (
        f"/v3/projects/{demo.project_id}/users/{me}/roles/{admin}",
        f"/v3/domains/default/users/{me}/roles/{admin}",
        f"/v3/system/users/{me}/roles/{admin}",
        f"/v3/OS-INHERIT/domains/default/users/{me}/roles/{admin}/inherited_to_projects",
    ):
        assert demo.put(path).status == 403, path
    assert demo.put(f"/v3/roles/{identity.find('role', 'member')['id']}/implies/{admin}").status == 403
