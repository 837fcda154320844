"""Roles, grants in all their forms, inference, and the list of assignments."""

import pytest


@pytest.fixture
def setting(identity):
    """Domain d with project p and child q, user ann in group team, role member."""
    domain = identity.make("domain", name="d")
    p = identity.make("project", name="p", domain_id=domain["id"])
    q = identity.make("project", name="q", domain_id=domain["id"], parent_id=p["id"])
    ann = identity.make_user("ann", domain_id=domain["id"])
    team = identity.make("group", name="team", domain_id=domain["id"])
    identity.grant(f"groups/{team['id']}/users/{ann['id']}")
    member = identity.find("role", "member")
    return {
        "d": domain["id"],
        "p": p["id"],
        "q": q["id"],
        "ann": ann["id"],
        "team": team["id"],
        "r": member["id"],
    }


def roles_in(identity, setting, project):
    answer = identity.login("ann", "pw", {"project": {"id": setting[project]}}, {"id": setting["d"]})
    return {role["name"] for role in answer.body["token"]["roles"]} if answer.status == 201 else set()


# where the grant stands, and on which of p and q the user has it then
FORMS = [
    ("projects/{p}/users/{ann}/roles", "", {"p"}),
    ("projects/{p}/groups/{team}/roles", "", {"p"}),
    ("domains/{d}/users/{ann}/roles", "", set()),
    ("system/users/{ann}/roles", "", set()),
    ("system/groups/{team}/roles", "", set()),
    ("OS-INHERIT/domains/{d}/users/{ann}/roles", "/inherited_to_projects", {"p", "q"}),
    ("OS-INHERIT/domains/{d}/groups/{team}/roles", "/inherited_to_projects", {"p", "q"}),
    ("OS-INHERIT/projects/{p}/users/{ann}/roles", "/inherited_to_projects", {"q"}),
    ("OS-INHERIT/projects/{p}/groups/{team}/roles", "/inherited_to_projects", {"q"}),
]


@pytest.mark.parametrize(("form", "suffix", "where"), FORMS)
def test_grants(identity, setting, form, suffix, where):
    base = f"/v3/{form.format(**setting)}"
    path = f"{base}/{setting['r']}{suffix}"
    admin = identity.admin
    assert admin.request("HEAD", path).status == 404
    assert admin.delete(path).status == 404
    admin.put(path).ok(204)
    admin.put(path).ok(204)
    assert admin.request("HEAD", path).status == 204
    assert admin.get(path).status == 204
    assert [role["name"] for role in admin.get(f"{base}{suffix}").ok()["roles"]] == ["member"]
    for project in ("p", "q"):
        expected = {"member", "reader"} if project in where else set()
        assert roles_in(identity, setting, project) == expected
    (stored,) = admin.get(f"/v3/role_assignments?role.id={setting['r']}&include_names").ok()[
        "role_assignments"
    ][-1:]
    assert stored["role"]["name"] == "member"
    everything = admin.get("/v3/role_assignments").ok()["role_assignments"]
    links = [each["links"]["assignment"] for each in everything]
    assert f"{identity.cloud.url}/identity{path}" in links
    admin.delete(path).ok(204)
    assert admin.request("HEAD", path).status == 404
    for project in ("p", "q"):
        assert roles_in(identity, setting, project) == set()


@pytest.mark.parametrize("gone", ["p", "ann", "r"])
def test_grants_to_what_is_not_there(identity, setting, gone):
    broken = {**setting, gone: "unknown"}
    answer = identity.admin.put("/v3/projects/{p}/users/{ann}/roles/{r}".format(**broken))
    assert answer.status == 404
    assert "unknown" in answer.body["error"]["message"]


def test_effective_assignments(identity, setting):
    identity.grant("OS-INHERIT/domains/{d}/groups/{team}/roles/{r}/inherited_to_projects".format(**setting))
    listed = identity.admin.get(
        f"/v3/role_assignments?user.id={setting['ann']}&effective&include_names=true"
    ).ok()["role_assignments"]
    found = {(each["scope"]["project"]["name"], each["role"]["name"]) for each in listed}
    assert found == {("p", "member"), ("p", "reader"), ("q", "member"), ("q", "reader")}
    for each in listed:
        assert each["scope"]["OS-INHERIT:inherited_to"] == "projects"
        assert each["user"]["name"] == "ann" and each["user"]["domain"]["name"] == "d"
        assert f"/groups/{setting['team']}/users/{setting['ann']}" in each["links"]["membership"]
    on_q = identity.admin.get(f"/v3/role_assignments?scope.project.id={setting['q']}&effective").ok()
    assert {each["user"]["id"] for each in on_q["role_assignments"]} == {setting["ann"]}
    stored = identity.admin.get(f"/v3/role_assignments?group.id={setting['team']}").ok()["role_assignments"]
    assert len(stored) == 1 and stored[0]["group"] == {"id": setting["team"]}


def test_subtree(identity, setting):
    identity.grant("projects/{q}/users/{ann}/roles/{r}".format(**setting))
    path = f"/v3/role_assignments?scope.project.id={setting['p']}"
    assert identity.admin.get(path).ok()["role_assignments"] == []
    assert len(identity.admin.get(f"{path}&include_subtree").ok()["role_assignments"]) == 1
    assert identity.admin.get("/v3/role_assignments?include_subtree").status == 400


@pytest.mark.parametrize(
    "query",
    [
        "user.id=a&group.id=b",
        "scope.project.id=a&scope.domain.id=b",
        "scope.system=all&scope.project.id=a",
        "effective&group.id=a",
    ],
)
def test_filters_that_exclude_each_other(identity, query):
    assert identity.admin.get(f"/v3/role_assignments?{query}").status == 400


def test_inference(identity, setting):
    auditor, clerk = identity.make("role", name="auditor"), identity.make("role", name="clerk")
    rule = f"/v3/roles/{auditor['id']}/implies/{clerk['id']}"
    admin = identity.admin
    assert admin.get(rule).status == 404
    made = admin.put(rule).ok(201)["role_inference"]
    assert (made["prior_role"]["name"], made["implies"]["name"]) == ("auditor", "clerk")
    assert admin.request("HEAD", rule).status == 204
    listed = admin.get(f"/v3/roles/{auditor['id']}/implies").ok()["role_inference"]
    assert [role["name"] for role in listed["implies"]] == ["clerk"]
    everything = admin.get("/v3/role_inferences").ok()["role_inferences"]
    assert "auditor" in {each["prior_role"]["name"] for each in everything}
    identity.grant(f"projects/{setting['p']}/users/{setting['ann']}/roles/{auditor['id']}")
    assert roles_in(identity, setting, "p") == {"auditor", "clerk"}
    # A circle does no harm.
    admin.put(f"/v3/roles/{clerk['id']}/implies/{auditor['id']}").ok(201)
    assert roles_in(identity, setting, "p") == {"auditor", "clerk"}
    admin.delete(f"/v3/roles/{clerk['id']}/implies/{auditor['id']}").ok(204)
    admin.delete(rule).ok(204)
    assert roles_in(identity, setting, "p") == {"auditor"}
    admin_role = identity.find("role", "admin")
    assert admin.put(f"/v3/roles/{auditor['id']}/implies/{admin_role['id']}").status == 403


def test_domain_roles(identity, setting):
    own = identity.make("role", name="local", domain_id=setting["d"])
    assert own["domain_id"] == setting["d"]
    assert "local" not in {role["name"] for role in identity.admin.get("/v3/roles").ok()["roles"]}
    (listed,) = identity.admin.get(f"/v3/roles?domain_id={setting['d']}").ok()["roles"]
    assert listed["name"] == "local"
    identity.admin.put(f"/v3/roles/{own['id']}/implies/{setting['r']}").ok(201)
    identity.grant(f"projects/{setting['p']}/users/{setting['ann']}/roles/{own['id']}")
    # It counts by what it implies and is in no token itself.
    assert roles_in(identity, setting, "p") == {"member", "reader"}
    demo = identity.find("project", "demo")
    outside = identity.admin.put(f"/v3/projects/{demo['id']}/users/{setting['ann']}/roles/{own['id']}")
    assert outside.status == 403


def test_role_deleted(identity, setting):
    role = identity.make("role", name="clerk")
    identity.grant(f"projects/{setting['p']}/users/{setting['ann']}/roles/{role['id']}")
    ann = identity.as_user("ann", "pw", {"project": {"id": setting["p"]}}, {"id": setting["d"]})
    identity.admin.delete(f"/v3/roles/{role['id']}").ok(204)
    assert ann.get("/v3/auth/projects").status == 401
    assert roles_in(identity, setting, "p") == set()
    assert identity.admin.get(f"/v3/roles/{role['id']}").status == 404
