"""Small things in which Keystone itself, asked the same, answers so; found by putting requests to both."""

import pytest


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v3/projects?parent_id=", 400),
        ("/v3/projects?parent_id=default", 200),
        ("/v3/projects?marker=nowhere", 404),
        ("/v3/roles?domain_id=", 400),
        ("/v3/regions?parent_region_id=", 400),
        ("/v3/regions?description=d", 400),
        ("/v3/regions?limit=1", 200),
        ("/v3/endpoints?interface=outer", 400),
        ("/v3/endpoints?interface=public", 200),
        ("/v3/registered_limits?service_id=no-uuid", 400),
        ("/v3/limits?region_id=", 400),
        ("/v3/role_assignments?effective&user.id=nobody", 404),
        ("/v3/role_assignments?user.id=nobody", 200),
    ],
)
def test_queries_are_checked(identity, path, status):
    assert identity.admin.get(path).status == status


def test_lists_name_their_query(identity):
    links = identity.admin.get("/v3/projects?name=demo").ok()["links"]
    assert links["self"].endswith("/v3/projects?name=demo")


def test_case_counts_unless_the_filter_says_not(identity):
    def found(comparator, value):
        listed = identity.admin.get(f"/v3/projects?name__{comparator}={value}").ok()["projects"]
        return {each["name"] for each in listed}

    assert found("contains", "dem") == {"demo", "alt_demo"}
    assert found("startswith", "dem") == {"demo"}
    assert found("endswith", "demo") == {"demo", "alt_demo"}
    for comparator, value in (("contains", "DEM"), ("startswith", "Dem"), ("endswith", "emO")):
        assert found(comparator, value) == set()
        assert "demo" in found(f"i{comparator}", value)


def test_tags_that_are_empty_are_nobodys(identity):
    assert identity.admin.get("/v3/projects?tags=").ok()["projects"] == []


def test_a_flag_is_set_whatever_its_value_but_for_0(identity):
    user = identity.find("user", "demo")["id"]

    def implied(flag):
        found = identity.admin.get(f"/v3/role_assignments?user.id={user}&{flag}").ok()["role_assignments"]
        return any("prior_role" in each["links"] for each in found)

    assert implied("effective") and implied("effective=false")
    assert not implied("effective=0")


def test_effective_assignments_leave_the_system_out(identity):
    user = identity.make_user("u")["id"]
    role = identity.find("role", "reader")["id"]
    identity.grant(f"system/users/{user}/roles/{role}")

    def scopes(query):
        path = f"/v3/role_assignments?user.id={user}&{query}"
        return [list(each["scope"]) for each in identity.admin.get(path).ok()["role_assignments"]]

    assert scopes("") == [["system"]]
    assert scopes("effective") == []
    assert scopes("effective&scope.system=all") == [["system"]]
    assert scopes("scope.OS-INHERIT:inherited_to=projects") == [["system"]]


def test_a_rule_of_roles_is_made_once(identity):
    one, other = identity.make("role", name="one")["id"], identity.make("role", name="other")["id"]
    path = f"/v3/roles/{one}/implies/{other}"
    identity.admin.put(path).ok(201)
    assert identity.admin.put(path).status == 409


def test_a_change_tells_what_clients_made_up_twice(identity):
    project = identity.make("project", name="p", colour="red")
    assert "extra" not in project
    for change in ({"colour": "blue"}, {}):
        changed = identity.patch(f"/v3/projects/{project['id']}", {"project": change}).ok()["project"]
        assert changed["colour"] == "blue"
        assert changed["extra"] == {"colour": "blue"}
    user = identity.make_user("u", colour="red")
    given = {"original_password": "pw", "password": "pw2"}
    changed = identity.patch(f"/v3/users/{user['id']}", {"user": given}).ok()["user"]
    # Keystone would keep that password as text, and show it.
    assert changed["extra"] == {"colour": "red"}
    assert "pw" not in str(changed.values())


def test_login_forms(identity):
    def status(**identity_object):
        return identity.post_auth({"identity": identity_object}).status

    named = {"id": identity.find("user", "demo")["id"], "password": identity.cloud.secrets.password("demo")}
    assert status(methods=[]) == 401
    assert status(methods=["password"], password={"user": {"id": named["id"]}}) == 401
    assert status(methods=["password"], password={"user": {**named, "name": "demo"}}) == 400
    assert status(methods=["password", "tea"], password={"user": named}) == 400
    answer = identity.post_auth({"identity": {"methods": ["tea"], "tea": {}}})
    assert answer.status == 401
    assert "password" in answer.body["error"]["identity"]["methods"]
    assert identity.login(scope={"system": {}}).ok(201)["token"]["system"] == {"all": True}


def test_the_catalog_is_a_projects(identity):
    seen = identity.as_user().get("/v3/auth/catalog").ok()
    assert list(seen["links"]) == ["self"]
    for scope in ("unscoped", {"domain": {"id": "default"}}, {"system": {"all": True}}):
        assert identity.as_user(scope=scope).get("/v3/auth/catalog").status == 403


def test_events_tell_when_they_came_to_be(identity):
    token = identity.as_user("demo", scope="demo").token
    identity.admin.request("DELETE", "/v3/auth/tokens", headers={"X-Subject-Token": token}).ok(204)
    (event,) = identity.admin.get("/v3/OS-REVOKE/events").ok()["events"]
    assert event["revoked_at"] == event["issued_before"]


@pytest.fixture
def mine(identity):
    """Where demo's application credentials are."""
    return f"/v3/users/{identity.find('user', 'demo')['id']}/application_credentials"


def test_an_application_credential_shows_its_roles_whole(identity, mine):
    demo = identity.as_user("demo", scope="demo")
    given = {"name": "c", "roles": [{"name": "member"}]}
    made = demo.post(mine, {"application_credential": given}).ok(201)["application_credential"]
    # With what they imply.
    assert sorted(role["name"] for role in made["roles"]) == ["member", "reader"]
    for role in made["roles"]:
        assert role["options"] == {"immutable": True}
        assert role["description"] is None and role["domain_id"] is None
    unknown = {"name": "d", "roles": [{"name": "no-such-role"}]}
    assert demo.post(mine, {"application_credential": unknown}).status == 404
    path = {"name": "e", "access_rules": [{"path": "v2", "method": "GET", "service": "image"}]}
    assert demo.post(mine, {"application_credential": path}).status == 400


def test_a_delegated_token_makes_no_credential_that_outlives_it(identity, mine):
    demo = identity.as_user("demo", scope="demo")
    me, other = (identity.find("user", name)["id"] for name in ("demo", "alt_demo"))
    trust = {
        "trustor_user_id": me,
        "trustee_user_id": other,
        "project_id": demo.project_id,
        "impersonation": True,
        "roles": [{"name": "member"}],
    }
    made = demo.post("/v3/OS-TRUST/trusts", {"trust": trust}).ok(201)["trust"]
    delegated = identity.as_user("alt_demo", scope={"OS-TRUST:trust": {"id": made["id"]}})
    assert delegated.post(mine, {"application_credential": {"name": "c"}}).status == 403
    rules = mine.replace("application_credentials", "access_rules")
    for path in (mine, f"{mine}/any", rules, f"{rules}/any"):
        assert delegated.get(path).status == 403
    for path in (f"{mine}/any", f"{rules}/any"):
        assert delegated.delete(path).status == 403
