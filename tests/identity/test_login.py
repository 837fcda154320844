"""Login: methods, scopes, what the token shows, and refusals that do not tell why."""

import datetime

import pytest

from celaje.common import clock
from celaje.common.clock import VirtualClock

WORDS = "The request you have made requires authentication."


def names(token):
    return {role["name"] for role in token["roles"]}


def test_project_scope_by_names(identity):
    answer = identity.login(scope={"project": {"name": "admin", "domain": {"name": "Default"}}})
    token = answer.ok(201)["token"]
    assert token["methods"] == ["password"]
    assert token["project"]["name"] == "admin"
    assert token["project"]["domain"] == {"id": "default", "name": "Default"}
    assert token["user"]["domain"] == {"id": "default", "name": "Default"}
    assert token["user"]["password_expires_at"] is None
    assert token["is_domain"] is False
    assert names(token) == {"admin", "manager", "member", "reader"}
    assert answer.headers["vary"] == "X-Auth-Token"
    assert answer.headers["x-openstack-request-id"].startswith("req-")
    ends = datetime.datetime.fromisoformat(token["expires_at"].rstrip("Z"))
    begins = datetime.datetime.fromisoformat(token["issued_at"].rstrip("Z"))
    assert (ends - begins).total_seconds() == 3600


def test_scope_by_ids(identity):
    project = identity.find("project", "demo")
    token = identity.login("demo", scope={"project": {"id": project["id"]}}).ok(201)["token"]
    assert token["project"]["id"] == project["id"]
    assert names(token) == {"member", "reader"}


def test_domain_system_and_no_scope(identity):
    domain = identity.login(scope={"domain": {"name": "Default"}}).ok(201)["token"]
    assert domain["domain"] == {"id": "default", "name": "Default"}
    assert "project" not in domain
    system = identity.login(scope={"system": {"all": True}}).ok(201)["token"]
    assert system["system"] == {"all": True}
    assert "admin" in names(system)
    for nothing in (None, "unscoped", {"unscoped": {}}):
        unscoped = identity.login(scope=nothing).ok(201)["token"]
        assert not {"project", "domain", "system", "roles", "catalog"} & unscoped.keys()


def test_default_project_is_taken_where_none_is_named(identity):
    demo = identity.find("project", "demo")
    member = identity.find("role", "member")
    user = identity.make_user("ada", default_project_id=demo["id"])
    # Without a role there it is of no use: the token has no scope.
    assert "project" not in identity.login("ada", "pw").ok(201)["token"]
    identity.grant(f"projects/{demo['id']}/users/{user['id']}/roles/{member['id']}")
    assert identity.login("ada", "pw").ok(201)["token"]["project"]["id"] == demo["id"]
    assert "project" not in identity.login("ada", "pw", scope="unscoped").ok(201)["token"]


@pytest.mark.parametrize(
    ("name", "password", "scope"),
    [
        ("admin", "wrong", None),
        ("nobody", "pw", None),
        ("demo", None, "admin"),
        ("demo", None, "no-such-project"),
        ("demo", None, {"system": {"all": True}}),
        ("demo", None, {"domain": {"id": "default"}}),
        ("demo", None, {"domain": {"id": "nowhere"}}),
        ("admin", "x" * 5000, None),
    ],
)
def test_refusals_read_alike(identity, name, password, scope):
    answer = identity.login(name, password, scope)
    assert answer.status == 401
    assert answer.body["error"] == {"code": 401, "message": WORDS, "title": "Unauthorized"}
    assert answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    "auth",
    [
        {},
        {"identity": {}},
        {"identity": {"methods": "password"}},
        {"identity": {"methods": ["password"]}},
        {"identity": {"methods": ["password"], "password": {"user": {"password": "x"}}}},
        {"identity": {"methods": ["password"], "password": {"user": {"name": 1, "password": "x"}}}},
        {"identity": {"methods": ["token"], "token": {}}},
    ],
)
def test_broken_bodies_are_400(identity, auth):
    assert identity.post_auth(auth).status == 400


def test_unknown_method_is_401(identity):
    answer = identity.post_auth({"identity": {"methods": ["magic"], "magic": {}}})
    assert answer.status == 401
    assert answer.body["error"]["message"] == "Attempted to authenticate with an unsupported method."


def test_token_method_keeps_expiry_and_chain(identity):
    with clock.installed(VirtualClock()) as time:
        first = identity.login(scope="unscoped")
        old = first.ok(201)["token"]
        time.advance(600)
        auth = {
            "identity": {"methods": ["token"], "token": {"id": first.headers["x-subject-token"]}},
            "scope": {"project": {"name": "admin", "domain": {"id": "default"}}},
        }
        new = identity.post_auth(auth).ok(201)["token"]
        assert new["methods"] == ["password", "token"]
        assert new["expires_at"] == old["expires_at"]
        assert new["audit_ids"][1] == old["audit_ids"][0] != new["audit_ids"][0]
        assert new["project"]["name"] == "admin"
        time.advance(3000)
        assert identity.post_auth(auth).status == 404


def test_nocatalog(identity):
    auth = {
        "identity": {
            "methods": ["password"],
            "password": {
                "user": {
                    "name": "admin",
                    "domain": {"id": "default"},
                    "password": identity.cloud.secrets.password("admin"),
                }
            },
        },
        "scope": {"project": {"name": "admin", "domain": {"id": "default"}}},
    }
    assert "catalog" in identity.post_auth(auth).ok(201)["token"]
    assert "catalog" not in identity.post_auth(auth, "?nocatalog").ok(201)["token"]


def test_catalog_has_all_interfaces(identity):
    catalog = identity.login(scope="admin").ok()["token"]["catalog"]
    kinds = {service["type"]: service for service in catalog}
    assert {
        "identity",
        "image",
        "block-storage",
        "volumev3",
        "compute",
        "placement",
        "network",
    } <= kinds.keys()
    endpoints = kinds["compute"]["endpoints"]
    assert {endpoint["interface"] for endpoint in endpoints} == {"public", "internal", "admin"}
    assert {endpoint["url"] for endpoint in endpoints} == {f"{identity.cloud.url}/compute/v2.1"}
    assert identity.admin.get("/v3/auth/catalog").ok()["catalog"] == catalog


def test_validation_shows_the_same_token(identity):
    answer = identity.login(scope="admin")
    admin = identity.client(answer)
    shown = admin.get("/v3/auth/tokens", headers={"X-Subject-Token": admin.token})
    assert shown.ok(200)["token"] == answer.body["token"]
    assert shown.headers["x-subject-token"] == admin.token
    assert admin.request("HEAD", "/v3/auth/tokens", headers={"X-Subject-Token": admin.token}).status == 200
    assert admin.get("/v3/auth/tokens", headers={"X-Subject-Token": "rubbish"}).status == 404
    assert admin.get("/v3/auth/tokens").status == 404


def test_only_services_admins_and_subjects_validate(identity):
    admin, demo = identity.as_user(), identity.as_user("demo", scope="demo")
    alt = identity.as_user("alt_demo", scope="alt_demo")
    nova = identity.as_user("nova", scope="service")
    about_demo = {"X-Subject-Token": demo.token}
    assert demo.get("/v3/auth/tokens", headers=about_demo).status == 200
    assert nova.get("/v3/auth/tokens", headers=about_demo).status == 200
    assert alt.get("/v3/auth/tokens", headers=about_demo).status == 403
    assert alt.get("/v3/auth/tokens", headers={"X-Subject-Token": "rubbish"}).status == 404
    assert demo.get("/v3/auth/tokens", headers={"X-Subject-Token": admin.token}).status == 403
    assert alt.delete("/v3/auth/tokens", headers=about_demo).status == 403


def test_what_one_can_log_in_to(identity):
    demo = identity.as_user("demo", scope="unscoped")
    assert [p["name"] for p in demo.get("/v3/auth/projects").ok()["projects"]] == ["demo"]
    assert demo.get("/v3/auth/domains").ok()["domains"] == []
    assert demo.get("/v3/auth/system").ok()["system"] == []
    admin = identity.as_user(scope="unscoped")
    assert {p["name"] for p in admin.get("/v3/auth/projects").ok()["projects"]} == {
        "admin",
        "demo",
        "alt_demo",
    }
    assert admin.get("/v3/auth/system").ok()["system"] == [{"all": True}]


def test_discovery_needs_no_token(identity):
    versions = identity.anonymous.get("/")
    assert versions.status == 300
    assert versions.body["versions"]["values"][0]["id"] == "v3.14"
    shown = identity.anonymous.get("/v3/").ok(200)["version"]
    assert shown["links"][0]["href"] == f"{identity.cloud.url}/identity/v3/"


def test_lockout(identity):
    identity.service.conf.set("security_compliance", "lockout_failure_attempts", 2)
    with clock.installed(VirtualClock()) as time:
        for _ in range(2):
            assert identity.login("demo", "wrong").status == 401
        refused = identity.login("demo")
        assert refused.status == 401
        assert "locked" in refused.body["error"]["message"]
        time.advance(1801)
        assert identity.login("demo").status == 201
        assert identity.login("demo", "wrong").status == 401
        assert identity.login("demo").status == 201


def test_tokens_end(identity):
    with clock.installed(VirtualClock()) as time:
        admin = identity.as_user()
        time.advance(3599)
        assert admin.get("/v3/users").status == 200
        time.advance(2)
        assert admin.get("/v3/users").status == 401


def test_a_repeated_login_sees_every_change_at_once(identity):
    """Its password is known already; everything else is read each time."""
    domain = identity.make("domain", name="d")
    project = identity.make("project", name="p", domain_id=domain["id"])
    user = identity.make_user("ada", domain_id=domain["id"])
    group = identity.make("group", name="g", domain_id=domain["id"])
    member, reader = (identity.find("role", name)["id"] for name in ("member", "reader"))
    below = identity.make("project", name="below", domain_id=domain["id"], parent_id=project["id"])

    def login(password="pw", to=project):
        answer = identity.login("ada", password, {"project": {"id": to["id"]}}, {"id": domain["id"]})
        return names(answer.body["token"]) if answer.status == 201 else answer.status

    def by_names(name):
        scope = {"project": {"name": name, "domain": {"name": "d"}}}
        return names(identity.login("ada", "pw", scope, {"name": "d"}).ok(201)["token"])

    assert login() == 401
    direct = f"/v3/projects/{project['id']}/users/{user['id']}/roles/{reader}"
    identity.admin.put(direct).ok(204)
    assert login() == by_names("p") == {"reader"}
    by_group = f"/v3/projects/{project['id']}/groups/{group['id']}/roles/{member}"
    identity.admin.put(by_group).ok(204)
    assert login() == {"reader"}
    identity.admin.put(f"/v3/groups/{group['id']}/users/{user['id']}").ok(204)
    assert login() == {"reader", "member"}
    identity.admin.delete(direct).ok(204)
    identity.admin.delete(by_group).ok(204)
    assert login() == 401
    # Inherited: from the domain, and from the project above.
    for place in (f"domains/{domain['id']}", f"projects/{project['id']}"):
        path = f"/v3/OS-INHERIT/{place}/users/{user['id']}/roles/{reader}/inherited_to_projects"
        identity.admin.put(path).ok(204)
        assert login(to=below) == by_names("below") == {"reader"}
        assert login() == ({"reader"} if "domains" in place else 401)
        identity.admin.delete(path).ok(204)
        assert login(to=below) == 401
    identity.admin.put(direct).ok(204)
    identity.admin.delete(f"/v3/projects/{below['id']}").ok(204)
    for path, kind in (
        (f"/v3/users/{user['id']}", "user"),
        (f"/v3/projects/{project['id']}", "project"),
        (f"/v3/domains/{domain['id']}", "domain"),
    ):
        identity.patch(path, {kind: {"enabled": False}}).ok()
        assert login() == 401
        identity.patch(path, {kind: {"enabled": True}}).ok()
        assert login() == {"reader"}
    identity.patch(f"/v3/users/{user['id']}", {"user": {"password": "other"}}).ok()
    assert login() == 401
    assert login("other") == {"reader"}
