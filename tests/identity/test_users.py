"""Users and groups: attributes, filters, pages, refusals in Keystone's words."""

import pytest


def test_create_show_change_delete(identity):
    user = identity.make_user("ann", email="a@b.c", description="hello", enabled=True)
    assert len(user["id"]) == 32
    assert user["domain_id"] == "default"
    assert user["options"] == {}
    assert user["password_expires_at"] is None
    assert "password" not in user and "default_project_id" not in user
    assert user["email"] == "a@b.c"
    assert user["links"]["self"] == f"{identity.cloud.url}/identity/v3/users/{user['id']}"
    path = f"/v3/users/{user['id']}"
    assert identity.admin.get(path).ok()["user"] == user
    changed = identity.patch(path, {"user": {"name": "anna", "phone": "1"}}).ok()["user"]
    assert (changed["name"], changed["phone"], changed["email"]) == ("anna", "1", "a@b.c")
    assert identity.patch(path, {"user": {"domain_id": "other"}}).status == 400
    identity.admin.delete(path).ok(204)
    lost = identity.admin.get(path)
    assert lost.status == 404
    assert lost.body["error"]["message"] == f"Could not find user: {user['id']}."
    assert lost.body["error"]["title"] == "Not Found"
    assert identity.admin.delete(path).status == 404


@pytest.mark.parametrize(
    "user",
    [
        {},
        {"name": ""},
        {"name": " "},
        {"name": "x" * 256},
        {"name": 5},
        {"name": "x", "enabled": "yes"},
        {"name": "x", "options": {"unknown": True}},
        {"name": "x", "default_project_id": "default"},
    ],
)
def test_refused_bodies(identity, user):
    answer = identity.admin.post("/v3/users", {"user": user})
    assert answer.status == 400
    assert answer.body["error"]["code"] == 400


def test_names_are_unique_in_a_domain(identity):
    identity.make_user("ann")
    again = identity.admin.post("/v3/users", {"user": {"name": "ann"}})
    assert again.status == 409
    assert again.body["error"]["message"].startswith("Conflict occurred attempting to store user")
    domain = identity.make("domain", name="d")
    identity.make_user("ann", domain_id=domain["id"])


def test_filters(identity):
    for name in ("x_one", "X_two", "three"):
        identity.make_user(name, enabled=name != "three")

    def names(query):
        return [user["name"] for user in identity.admin.get(f"/v3/users?{query}").ok()["users"]]

    assert names("name=x_one") == ["x_one"]
    assert names("name__contains=hre") == ["three"]
    assert names("name__istartswith=x_") == ["X_two", "x_one"]
    assert names("name__endswith=%25") == []
    assert names("enabled=false") == ["three"]
    assert "three" not in names("enabled")
    assert names("domain_id=elsewhere") == []
    assert "three" in names("unknown=1")


def test_pages(identity):
    for number in range(7):
        identity.make_user(f"page{number}")
    seen, url, pages = [], "/v3/users?name__startswith=page&limit=3", 0
    while url:
        body = identity.admin.get(url).ok()
        seen += [user["name"] for user in body["users"]]
        link = body["links"]["next"]
        assert body.get("truncated", False) is bool(link)
        url = link and link.removeprefix(f"{identity.cloud.url}/identity")
        pages += 1
    assert seen == [f"page{number}" for number in range(7)]
    assert pages == 3
    assert identity.admin.get("/v3/users?marker=unknown").status == 404
    assert identity.admin.get("/v3/users?limit=x").status == 400
    backwards = identity.admin.get("/v3/users?name__startswith=page&sort_key=name&sort_dir=desc").ok()
    assert backwards["users"][0]["name"] == "page6"
    assert identity.admin.get("/v3/users?sort_key=password_hash").status == 400


def test_list_limit_truncates(identity):
    identity.service.conf.set(None, "list_limit", 2)
    body = identity.admin.get("/v3/users").ok()
    assert len(body["users"]) == 2
    assert body["truncated"] is True


def test_list_is_one_query(identity):
    admin = identity.as_user()
    admin.get("/v3/users").ok()
    before = identity.service.database.statements
    admin.get("/v3/users").ok()
    assert identity.service.database.statements - before == 1


def test_groups(identity):
    group = identity.make("group", name="team", description="d")
    user = identity.make_user("ann")
    member = f"/v3/groups/{group['id']}/users/{user['id']}"
    admin = identity.admin
    lost = admin.request("HEAD", member)
    assert lost.status == 404
    admin.put(member).ok(204)
    admin.put(member).ok(204)
    assert admin.request("HEAD", member).status == 204
    assert [u["name"] for u in admin.get(f"/v3/groups/{group['id']}/users").ok()["users"]] == ["ann"]
    assert [g["name"] for g in admin.get(f"/v3/users/{user['id']}/groups").ok()["groups"]] == ["team"]
    assert admin.put(f"/v3/groups/{group['id']}/users/unknown").status == 404
    assert (
        identity.patch(f"/v3/groups/{group['id']}", {"group": {"name": "crew"}}).ok()["group"]["name"]
        == "crew"
    )
    admin.delete(member).ok(204)
    missing = admin.delete(member)
    assert missing.status == 404
    admin.delete(f"/v3/groups/{group['id']}").ok(204)


def test_password_rules(identity):
    identity.service.conf.set("security_compliance", "password_regex", r"^.{4,}$")
    identity.service.conf.set("security_compliance", "password_regex_description", "four characters")
    answer = identity.admin.post("/v3/users", {"user": {"name": "a", "password": "abc"}})
    assert answer.status == 400
    assert "four characters" in answer.body["error"]["message"]
    assert "abc" not in answer.body["error"]["message"]
    identity.make_user("a", "abcd")


def test_a_user_needs_a_domain_that_is_there(identity):
    answer = identity.admin.post("/v3/users", {"user": {"name": "x", "domain_id": "nowhere"}})
    assert answer.status == 404
