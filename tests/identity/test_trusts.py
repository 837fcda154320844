"""Trusts: who may make them, what a token by one holds, and when it ends."""

import pytest


@pytest.fixture
def people(identity):
    """Trustor tim, member of project p, and trustee eve, who has nothing."""
    project = identity.make("project", name="p")
    ids = {name: identity.make_user(name)["id"] for name in ("tim", "eve")}
    member = identity.find("role", "member")["id"]
    identity.grant(f"projects/{project['id']}/users/{ids['tim']}/roles/{member}")
    return {**ids, "project": project["id"], "member": member}


def make(identity, people, **more):
    tim = identity.as_user("tim", "pw", "p")
    body = {
        "trustor_user_id": people["tim"],
        "trustee_user_id": people["eve"],
        "project_id": people["project"],
        "impersonation": True,
        "roles": [{"name": "member"}],
        **more,
    }
    return tim.post("/v3/OS-TRUST/trusts", {"trust": body})


def use(identity, trust_id, who="eve"):
    return identity.login(who, "pw", {"OS-TRUST:trust": {"id": trust_id}})


def test_trustee_becomes_the_trustor(identity, people):
    trust = make(identity, people).ok(201)["trust"]
    assert [role["name"] for role in trust["roles"]] == ["member"]
    assert trust["redelegation_count"] == 0
    token = use(identity, trust["id"]).ok(201)["token"]
    assert token["user"]["name"] == "tim"
    assert token["OS-TRUST:trust"] == {
        "id": trust["id"],
        "impersonation": True,
        "trustor_user": {"id": people["tim"]},
        "trustee_user": {"id": people["eve"]},
    }
    assert {role["name"] for role in token["roles"]} == {"member", "reader"}
    assert token["project"]["id"] == people["project"]


def test_without_impersonation_one_stays_oneself(identity, people):
    trust = make(identity, people, impersonation=False).ok(201)["trust"]
    assert use(identity, trust["id"]).ok(201)["token"]["user"]["name"] == "eve"


def test_only_the_trustee_may_use_it(identity, people):
    trust = make(identity, people).ok(201)["trust"]
    assert use(identity, trust["id"], "tim").status == 403
    assert use(identity, "nowhere").status == 401


def test_only_own_roles_can_be_handed_on(identity, people):
    assert make(identity, people, roles=[{"name": "admin"}]).status == 404
    assert make(identity, people, roles=[]).status == 403
    assert make(identity, people, trustor_user_id=people["eve"]).status == 403
    assert make(identity, people, trustee_user_id="nobody").status == 404
    assert make(identity, people, expires_at="2001-01-01T00:00:00Z").status == 400
    assert make(identity, people, impersonation="yes").status == 400


def test_uses_are_counted(identity, people):
    trust = make(identity, people, remaining_uses=1).ok(201)["trust"]
    first = identity.client(use(identity, trust["id"]))
    assert use(identity, trust["id"]).status == 401
    # The token that took the last use stays good.
    seen = identity.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": first.token})
    assert seen.ok()["token"]["OS-TRUST:trust"]["id"] == trust["id"]


def test_deleting_ends_its_tokens_and_what_followed(identity, people):
    source = make(identity, people, allow_redelegation=True).ok(201)["trust"]
    assert source["redelegation_count"] == 3
    eve = identity.client(use(identity, source["id"]))
    ann = identity.make_user("ann")["id"]
    body = {
        "trustor_user_id": people["tim"],
        "trustee_user_id": ann,
        "project_id": people["project"],
        "impersonation": True,
        "roles": [{"id": people["member"]}],
    }
    second = eve.post("/v3/OS-TRUST/trusts", {"trust": body}).ok(201)["trust"]
    assert second["redelegated_trust_id"] == source["id"]
    by_ann = identity.client(use(identity, second["id"], "ann"))
    identity.as_user("tim", "pw", "p").delete(f"/v3/OS-TRUST/trusts/{source['id']}").ok(204)
    for token in (eve.token, by_ann.token):
        assert identity.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": token}).status == 404
    assert use(identity, second["id"], "ann").status == 401


def test_a_lost_role_or_a_disabled_trustor_ends_it(identity, people):
    trust = make(identity, people).ok(201)["trust"]
    eve = identity.client(use(identity, trust["id"]))
    identity.patch(f"/v3/users/{people['tim']}", {"user": {"enabled": False}}).ok()
    assert identity.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": eve.token}).status == 404
    assert use(identity, trust["id"]).status == 403
    identity.patch(f"/v3/users/{people['tim']}", {"user": {"enabled": True}}).ok()
    identity.admin.delete(
        f"/v3/projects/{people['project']}/users/{people['tim']}/roles/{people['member']}"
    ).ok(204)
    assert use(identity, trust["id"]).status == 403


def test_tokens_by_trust_are_no_way_to_others(identity, people):
    trust = make(identity, people).ok(201)["trust"]
    eve = identity.client(use(identity, trust["id"]))
    auth = {"identity": {"methods": ["token"], "token": {"id": eve.token}}}
    assert identity.post_auth(auth).status == 403


def test_lists_are_for_those_concerned(identity, people):
    trust = make(identity, people).ok(201)["trust"]
    tim = identity.as_user("tim", "pw", "p")
    found = tim.get(f"/v3/OS-TRUST/trusts?trustor_user_id={people['tim']}").ok()["trusts"]
    assert [each["id"] for each in found] == [trust["id"]]
    assert "roles" not in found[0]
    assert tim.get("/v3/OS-TRUST/trusts").status == 403
    assert tim.get(f"/v3/OS-TRUST/trusts?trustee_user_id={people['eve']}").status == 403
    assert len(identity.admin.get("/v3/OS-TRUST/trusts").ok()["trusts"]) == 1
    path = f"/v3/OS-TRUST/trusts/{trust['id']}/roles"
    assert [role["name"] for role in tim.get(path).ok()["roles"]] == ["member"]
    assert tim.get(f"{path}/{people['member']}").ok()["role"]["name"] == "member"
    assert tim.get(f"{path}/other").status == 404
