"""Identity providers, protocols, mappings, service providers, and logins through them."""

import pytest

from celaje.identity.login import mapped

BASE = "/v3/OS-FEDERATION"
AUTH = f"{BASE}/identity_providers/idp/protocols/saml2/auth"
BOB = {"X-Fed-Name": "bob", "X-Fed-Groups": "staff", "X-Fed-Idp": "https://idp"}
RULES = [
    {
        "local": [{"user": {"name": "{0}"}}, {"groups": "{1}", "domain": {"name": "fed"}}],
        "remote": [{"type": "HTTP_X_FED_NAME"}, {"type": "HTTP_X_FED_GROUPS"}],
    }
]


@pytest.fixture
def federated(identity):
    """Provider idp whose users in group staff are members of project p."""
    identity.service.conf.set_override("assertion_prefix", "HTTP_X_FED_", "federation")
    identity.service.conf.set_override("remote_id_attribute", "HTTP_X_FED_IDP", "federation")
    admin = identity.admin
    domain = identity.make("domain", name="fed")["id"]
    group = identity.make("group", name="staff", domain_id=domain)["id"]
    project = identity.make("project", name="p", domain_id=domain)["id"]
    member = identity.find("role", "member")["id"]
    identity.grant(f"projects/{project}/groups/{group}/roles/{member}")
    admin.put(f"{BASE}/mappings/m", {"mapping": {"rules": RULES}}).ok(201)
    provider = {"enabled": True, "remote_ids": ["https://idp"], "domain_id": domain}
    admin.put(f"{BASE}/identity_providers/idp", {"identity_provider": provider}).ok(201)
    admin.put(f"{BASE}/identity_providers/idp/protocols/saml2", {"protocol": {"mapping_id": "m"}}).ok(201)
    return {"domain": domain, "group": group, "project": project}


def scoped(identity, token, project, method="token"):
    auth = {"identity": {"methods": [method], method: {"id": token}}, "scope": {"project": {"id": project}}}
    return identity.post_auth(auth)


def test_a_user_comes_through_the_provider(identity, federated):
    answer = identity.anonymous.post(AUTH, headers=BOB)
    token = answer.ok(201)["token"]
    assert token["user"]["name"] == "bob"
    assert token["user"]["domain"]["name"] == "fed"
    assert token["user"]["OS-FEDERATION"] == {
        "groups": [{"id": federated["group"]}],
        "identity_provider": {"id": "idp"},
        "protocol": {"id": "saml2"},
    }
    assert token["methods"] == ["saml2"]
    assert "project" not in token
    again = identity.anonymous.get(AUTH, headers=BOB).ok(201)["token"]
    assert again["user"]["id"] == token["user"]["id"]
    sealed = answer.headers["x-subject-token"]
    for path in ("/v3/auth/projects", f"{BASE}/projects"):
        seen = identity.anonymous.get(path, headers={"X-Auth-Token": sealed}).ok()["projects"]
        assert [each["id"] for each in seen] == [federated["project"]]
    for method in ("token", "saml2"):
        roles = scoped(identity, sealed, federated["project"], method).ok(201)["token"]["roles"]
        assert {role["name"] for role in roles} == {"member", "reader"}


def test_who_is_not_vouched_for_stays_out(identity, federated):
    assert identity.anonymous.get(AUTH).status == 401
    assert identity.anonymous.get(AUTH, headers={**BOB, "X-Fed-Idp": "https://other"}).status == 403
    assert identity.anonymous.get(AUTH, headers={"X-Fed-Idp": "https://idp"}).status == 401
    assert identity.anonymous.get(AUTH.replace("idp/", "nobody/"), headers=BOB).status == 404
    assert identity.anonymous.get(AUTH.replace("saml2", "openid"), headers=BOB).status == 404


def test_headers_count_only_where_the_operator_says_so(identity, federated):
    identity.service.conf.set_override("assertion_prefix", "", "federation")
    assert identity.anonymous.get(AUTH, headers=BOB).status == 401


def test_a_disabled_provider_ends_its_tokens(identity, federated):
    sealed = identity.anonymous.get(AUTH, headers=BOB).headers["x-subject-token"]
    body = {"identity_provider": {"enabled": False}}
    identity.patch(f"{BASE}/identity_providers/idp", body).ok()
    assert identity.anonymous.get("/v3/auth/projects", headers={"X-Auth-Token": sealed}).status == 401
    assert identity.anonymous.get(AUTH, headers=BOB).status == 403


def test_mappings_make_projects_and_take_roles_away(identity, federated):
    def with_projects(*projects, version="3.0"):
        local = {"user": {"name": "{0}"}, "projects": list(projects)}
        rules = [{"local": [local], "remote": [{"type": "HTTP_X_FED_NAME"}]}]
        body = {"mapping": {"rules": rules, "schema_version": version}}
        identity.patch(f"{BASE}/mappings/m", body).ok()
        return identity.anonymous.get(AUTH, headers=BOB)

    reader = {"name": "new", "roles": [{"name": "reader"}]}
    sealed = with_projects(reader).headers["x-subject-token"]
    project = identity.find("project", "new")
    assert project["domain_id"] == federated["domain"]
    roles = scoped(identity, sealed, project["id"]).ok(201)["token"]["roles"]
    assert [role["name"] for role in roles] == ["reader"]
    sealed = with_projects({"name": "other", "roles": [{"name": "reader"}]}).headers["x-subject-token"]
    assert scoped(identity, sealed, project["id"]).status == 401
    assert with_projects({"name": "x", "roles": [{"name": "nothing"}]}).status == 404


def test_groups_hold_for_a_while(identity, federated):
    body = {"identity_provider": {"authorization_ttl": 10}}
    identity.patch(f"{BASE}/identity_providers/idp", body).ok()
    sealed = identity.anonymous.get(AUTH, headers=BOB).headers["x-subject-token"]
    bob = identity.client(scoped(identity, sealed, federated["project"]))
    user_id = identity.find("user", "bob")["id"]
    path = f"/v3/users/{user_id}/application_credentials"
    made = bob.post(path, {"application_credential": {"name": "c"}}).ok(201)["application_credential"]
    shown = {"id": made["id"], "secret": made["secret"]}
    auth = {"identity": {"methods": ["application_credential"], "application_credential": shown}}
    assert identity.post_auth(auth).ok(201)["token"]["project"]["id"] == federated["project"]
    (group,) = identity.admin.get(f"/v3/users/{user_id}/groups").ok()["groups"]
    assert (group["id"], group["membership_expires_at"] is None) == (federated["group"], False)
    body = {"identity_provider": {"authorization_ttl": 0}}
    identity.patch(f"{BASE}/identity_providers/idp", body).ok()
    # The next login tells anew, and nothing that holds any longer.
    identity.anonymous.get(AUTH, headers=BOB).ok(201)
    assert identity.post_auth(auth).status == 401
    assert identity.admin.get(f"/v3/users/{user_id}/groups").ok()["groups"] == []


def test_administrators_say_beforehand_who_somebody_is(identity, federated):
    told = [{"idp_id": "idp", "protocols": [{"protocol_id": "saml2", "unique_id": "bob"}]}]
    user = identity.make_user("robert", domain_id=federated["domain"], federated=told)
    assert user["federated"] == told
    token = identity.anonymous.get(AUTH, headers=BOB).ok(201)["token"]
    assert (token["user"]["id"], token["user"]["name"]) == (user["id"], "bob")
    path = f"/v3/users/{user['id']}"
    assert identity.admin.get(path).ok()["user"]["federated"] == told
    for query, hits in (("unique_id=bob", 1), ("idp_id=idp&protocol_id=saml2", 1), ("idp_id=other", 0)):
        assert len(identity.admin.get(f"/v3/users?{query}").ok()["users"]) == hits
    told[0]["protocols"][0]["unique_id"] = "rob"
    assert identity.patch(path, {"user": {"federated": told}}).ok()["user"]["federated"] == told
    other = {"user": {"name": "other", "federated": told}}
    assert identity.admin.post("/v3/users", other).status == 400
    told[0]["idp_id"] = "nobody"
    assert identity.patch(path, {"user": {"federated": told}}).status == 400


def test_names_come_from_the_web_server_where_the_mapping_has_none(identity, federated):
    user = {}
    mapped.name_user(user, "bob@x y")
    assert user == {"name": "bob@x y", "id": "bob%40x%20y"}
    user = {"id": "7"}
    mapped.name_user(user, None)
    assert user == {"id": "7", "name": "7"}
    rules = [{"local": [{"group": {"id": federated["group"]}}], "remote": [{"type": "HTTP_X_FED_NAME"}]}]
    identity.patch(f"{BASE}/mappings/m", {"mapping": {"rules": rules}}).ok()
    assert identity.anonymous.get(AUTH, headers=BOB).status == 401


def test_a_name_that_is_taken_is_told_apart(identity, federated):
    identity.make_user("bob", domain_id=federated["domain"])
    token = identity.anonymous.get(AUTH, headers=BOB).ok(201)["token"]
    assert token["user"]["name"] == "bob@idp"


def test_local_users_are_only_found(identity, federated):
    rules = [
        {
            "local": [{"user": {"name": "{0}", "type": "local", "domain": {"id": "default"}}}],
            "remote": [{"type": "HTTP_X_FED_NAME"}],
        }
    ]
    identity.patch(f"{BASE}/mappings/m", {"mapping": {"rules": rules}}).ok()
    assert identity.anonymous.get(AUTH, headers=BOB).status == 401
    identity.make_user("bob")
    user = identity.anonymous.get(AUTH, headers=BOB).ok(201)["token"]["user"]
    assert user["domain"]["id"] == "default"
    assert "OS-FEDERATION" not in user


def test_dashboards_get_a_form_if_they_are_trusted(identity, federated):
    path = "/v3/auth/OS-FEDERATION/websso/saml2"
    origin = "https://dashboard/auth/websso/"
    assert identity.anonymous.get(f"{path}?origin={origin}", headers=BOB).status == 403
    identity.service.conf.set_override("trusted_dashboard", [origin], "federation")
    page = identity.anonymous.get(f"{path}?origin={origin}", headers=BOB)
    assert page.status == 200
    assert f'action="{origin}"'.encode() in page.body
    assert identity.anonymous.get(path, headers=BOB).status == 400
    other = f"/v3/auth/OS-FEDERATION/identity_providers/idp/protocols/saml2/websso?origin={origin}"
    assert identity.anonymous.post(other, headers=BOB).status == 200
    identity.service.conf.clear_override("remote_id_attribute", "federation")
    assert identity.anonymous.get(f"{path}?origin={origin}", headers=BOB).status == 401
    told = {"protocol": {"remote_id_attribute": "HTTP_X_FED_IDP"}}
    identity.patch(f"{BASE}/identity_providers/idp/protocols/saml2", told).ok()
    assert identity.anonymous.get(f"{path}?origin={origin}", headers=BOB).status == 200


def test_providers_live_and_go(identity):
    admin = identity.admin
    path = f"{BASE}/identity_providers/one"
    made = admin.put(path, {"identity_provider": {}}).ok(201)["identity_provider"]
    assert made["enabled"] is False
    assert identity.find("domain", "one")["id"] == made["domain_id"]
    assert made["links"]["protocols"].endswith("/identity_providers/one/protocols")
    assert admin.put(path, {"identity_provider": {}}).status == 409
    two = {"identity_provider": {"remote_ids": ["r"]}}
    admin.put(f"{BASE}/identity_providers/two", two).ok(201)
    assert identity.patch(path, {"identity_provider": {"remote_ids": ["r"]}}).status == 409
    assert identity.patch(path, {"identity_provider": {"domain_id": "default"}}).status == 400
    listed = admin.get(f"{BASE}/identity_providers").ok()["identity_providers"]
    assert {each["id"]: each["remote_ids"] for each in listed} == {"one": [], "two": ["r"]}
    wrong = {"protocol": {"mapping_id": "none"}}
    assert admin.put(f"{path}/protocols/saml2", wrong).status == 400
    admin.delete(path).ok(204)
    assert admin.get(path).status == 404


def test_service_providers_are_in_tokens_of_projects(identity):
    path = f"{BASE}/service_providers/sp"
    body = {"service_provider": {"auth_url": "https://sp/auth", "sp_url": "https://sp"}}
    made = identity.admin.put(path, body).ok(201)["service_provider"]
    assert (made["enabled"], made["relay_state_prefix"]) == (False, "ss:mem:")
    assert "service_providers" not in identity.login(scope="admin").ok(201)["token"]
    identity.patch(path, {"service_provider": {"enabled": True}}).ok()
    shown = identity.login(scope="admin").ok(201)["token"]["service_providers"]
    assert shown == [{"id": "sp", "auth_url": "https://sp/auth", "sp_url": "https://sp"}]
    assert identity.admin.put(path, {"service_provider": {"auth_url": "x"}}).status == 400
    identity.admin.delete(path).ok(204)
