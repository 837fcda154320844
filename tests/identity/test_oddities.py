"""What Keystone says to requests that are not quite right, and to values at their edges."""

import pytest


def auth(user, scope=None):
    found = {"identity": {"methods": ["password"], "password": {"user": user}}}
    return found if scope is None else {**found, "scope": scope}


def test_names_need_a_domain(identity):
    user = {"name": "admin", "password": identity.cloud.secrets.password("admin")}
    assert identity.post_auth(auth(user)).status == 400
    user["domain"] = {"id": "default"}
    assert identity.post_auth(auth(user)).status == 201
    assert identity.post_auth(auth(user, {"project": {"name": "admin"}})).status == 400


@pytest.mark.parametrize("scope", [{}, {"nothing": {}}, {"project": {}}, {"OS-TRUST:trust": {}}, []])
def test_scopes_that_are_none(identity, scope):
    user = {
        "name": "admin",
        "domain": {"id": "default"},
        "password": identity.cloud.secrets.password("admin"),
    }
    assert identity.post_auth(auth(user, scope)).status == 400


def test_external_needs_a_web_server_that_shows_somebody(identity):
    assert identity.post_auth({"identity": {"methods": ["external"], "external": {}}}).status == 401


@pytest.mark.parametrize(
    ("value", "status"), [("nope", 400), ("TRUE", 200), ("", 200), ("off", 200), ("2", 400)]
)
def test_filters_of_booleans_are_words_for_yes_or_no(identity, value, status):
    assert identity.admin.get(f"/v3/users?enabled={value}").status == status


def test_members_of_a_group_by_their_passwords_end(identity):
    group = identity.make("group", name="g")["id"]
    user = identity.make_user("u")["id"]
    identity.admin.put(f"/v3/groups/{group}/users/{user}").ok(204)
    assert len(identity.admin.get(f"/v3/groups/{group}/users").ok()["users"]) == 1
    query = "password_expires_at=lt:2020-01-01T00:00:00Z"
    assert identity.admin.get(f"/v3/groups/{group}/users?{query}").ok()["users"] == []


def test_roles_of_a_domain_elsewhere(identity):
    domain = identity.make("domain", name="d")["id"]
    role = identity.make("role", name="r", domain_id=domain)["id"]
    user, project = identity.find("user", "demo")["id"], identity.find("project", "demo")["id"]
    for path, status in (
        (f"/v3/projects/{project}/users/{user}/roles/{role}", 403),
        (f"/v3/domains/default/users/{user}/roles/{role}", 204),
        (f"/v3/system/users/{user}/roles/{role}", 400),
    ):
        assert identity.admin.put(path).status == status
        assert identity.admin.get(path).status == (204 if status == 204 else 404)


def test_urls_with_a_place_that_does_not_end(identity):
    service = identity.make("service", type="t")
    assert service["name"] == ""
    body = {"service_id": service["id"], "interface": "public", "url": "http://x/%(tenant_id"}
    assert identity.admin.post("/v3/endpoints", {"endpoint": body}).status == 400
    body["url"] = "http://x/%(tenant_id)s"
    identity.admin.post("/v3/endpoints", {"endpoint": body}).ok(201)


def test_descriptions_may_be_null(identity):
    for kind in ("project", "group", "domain"):
        made = identity.make(kind, name="n", description=None)
        assert made["description"] is None
        path = f"/v3/{kind}s/{made['id']}"
        assert identity.patch(path, {kind: {"description": "d"}}).ok()[kind]["description"] == "d"
