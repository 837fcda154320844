"""Projects, their tree and tags, and domains."""

import pytest


@pytest.fixture
def tree(identity):
    """domain d > a > b > c"""
    domain = identity.make("domain", name="d")
    found = {"d": domain}
    parent = domain
    for name in "abc":
        parent = identity.make("project", name=name, domain_id=domain["id"], parent_id=parent["id"])
        found[name] = parent
    return found


def path(project):
    return f"/v3/projects/{project['id']}"


def test_attributes(identity):
    project = identity.make("project", name="p", description=None, tags=["y", "x"], color="red")
    assert project["domain_id"] == project["parent_id"] == "default"
    assert project["description"] is None
    assert project["is_domain"] is False
    assert project["enabled"] is True
    assert project["tags"] == ["x", "y"]
    assert project["color"] == "red"
    assert identity.admin.get(path(project)).ok()["project"] == project


def test_tree_views(identity, tree):
    a, b, c, d = (tree[name]["id"] for name in "abcd")
    admin = identity.admin
    assert admin.get(f"/v3/projects/{c}?parents_as_ids").ok()["project"]["parents"] == {b: {a: {d: None}}}
    assert admin.get(f"/v3/projects/{a}?subtree_as_ids").ok()["project"]["subtree"] == {b: {c: None}}
    assert admin.get(f"/v3/projects/{c}?subtree_as_ids").ok()["project"]["subtree"] is None
    assert admin.get(f"/v3/projects/{a}?subtree_as_list&subtree_as_ids").status == 400
    # A list shows only projects on which the caller has a role.
    assert admin.get(f"/v3/projects/{a}?subtree_as_list").ok()["project"]["subtree"] == []
    me, role = identity.find("user", "admin"), identity.find("role", "reader")
    identity.grant(f"projects/{b}/users/{me['id']}/roles/{role['id']}")
    (entry,) = identity.admin.get(f"/v3/projects/{a}?subtree_as_list").ok()["project"]["subtree"]
    assert entry["project"]["id"] == b


def test_depth_is_bounded(identity, tree):
    parent = tree["c"]
    # The fourth, the fifth, and one too many.
    for name in ("e", "f", "g"):
        answer = identity.admin.post(
            "/v3/projects",
            {"project": {"name": name, "domain_id": tree["d"]["id"], "parent_id": parent["id"]}},
        )
        parent = answer.body.get("project")
    assert answer.status == 403
    assert "Max hierarchy depth" in answer.body["error"]["message"]


def test_wrong_places(identity, tree):
    for given in (
        {"parent_id": "unknown"},
        {"domain_id": "unknown"},
        {"domain_id": "default", "parent_id": tree["a"]["id"]},
        {"is_domain": True, "parent_id": tree["a"]["id"]},
    ):
        assert identity.admin.post("/v3/projects", {"project": {"name": "x", **given}}).status == 400
    inherits = identity.make("project", name="x", parent_id=tree["a"]["id"])
    assert inherits["domain_id"] == tree["d"]["id"]


def test_changes_within_a_tree(identity, tree):
    assert identity.patch(path(tree["a"]), {"project": {"enabled": False}}).status == 403
    for name in "cba":
        identity.patch(path(tree[name]), {"project": {"enabled": False}}).ok()
    assert identity.patch(path(tree["c"]), {"project": {"enabled": True}}).status == 403
    assert identity.patch(path(tree["c"]), {"project": {"parent_id": "default"}}).status == 403
    assert identity.patch(path(tree["c"]), {"project": {"is_domain": True}}).status == 400
    assert identity.admin.delete(path(tree["a"])).status == 403
    for name in "cba":
        identity.admin.delete(path(tree[name])).ok(204)


def test_tags(identity):
    one = identity.make("project", name="one", tags=["a", "b"])
    two = identity.make("project", name="two", tags=["b"])
    identity.make("project", name="three")

    def names(query):
        found = identity.admin.get(f"/v3/projects?{query}&name__in=x").ok()["projects"]
        return [p["name"] for p in found if p["name"] in ("one", "two", "three")]

    assert names("tags=a,b") == ["one"]
    assert names("tags-any=a,b") == ["one", "two"]
    assert names("not-tags=a,b") == ["three", "two"]
    assert names("not-tags-any=a,b") == ["three"]
    admin = identity.admin
    admin.put(f"{path(two)}/tags/c").ok(201)
    assert admin.get(f"{path(two)}/tags").ok()["tags"] == ["b", "c"]
    assert admin.get(f"{path(two)}/tags/c").status == 204
    assert admin.get(f"{path(two)}/tags/z").status == 404
    admin.delete(f"{path(two)}/tags/b").ok(204)
    assert admin.put(f"{path(one)}/tags", {"tags": ["q"]}).ok()["tags"] == ["q"]
    assert admin.put(f"{path(one)}/tags", {"tags": ["q,r"]}).status == 400
    admin.delete(f"{path(one)}/tags").ok(204)
    assert admin.get(f"{path(one)}/tags").ok()["tags"] == []


def test_deleting_takes_along(identity):
    project = identity.make("project", name="p")
    user = identity.make_user("ann", default_project_id=project["id"])
    role = identity.find("role", "member")
    identity.grant(f"projects/{project['id']}/users/{user['id']}/roles/{role['id']}")
    identity.admin.delete(path(project)).ok(204)
    listed = identity.admin.get(f"/v3/role_assignments?user.id={user['id']}").ok()["role_assignments"]
    assert listed == []
    assert "default_project_id" not in identity.admin.get(f"/v3/users/{user['id']}").ok()["user"]


def test_domains(identity, tree):
    domain = tree["d"]
    assert {d["name"] for d in identity.admin.get("/v3/domains").ok()["domains"]} == {"Default", "d"}
    assert identity.admin.post("/v3/domains", {"domain": {"name": "d"}}).status == 409
    assert identity.admin.get(f"/v3/domains/{tree['a']['id']}").status == 404
    user = identity.make_user("ann", domain_id=domain["id"])
    refused = identity.admin.delete(f"/v3/domains/{domain['id']}")
    assert refused.status == 403
    assert "please disable it first" in refused.body["error"]["message"]
    identity.patch(f"/v3/domains/{domain['id']}", {"domain": {"enabled": False}}).ok()
    identity.admin.delete(f"/v3/domains/{domain['id']}").ok(204)
    assert identity.admin.get(f"/v3/users/{user['id']}").status == 404
    assert identity.admin.get(path(tree["c"])).status == 404


def test_immutable(identity):
    project = identity.make("project", name="p", options={"immutable": True})
    assert identity.patch(path(project), {"project": {"name": "q"}}).status == 403
    assert identity.admin.delete(path(project)).status == 403
    identity.patch(path(project), {"project": {"options": {"immutable": False}}}).ok()
    identity.admin.delete(path(project)).ok(204)
    admin_role = identity.find("role", "admin")
    assert identity.admin.delete(f"/v3/roles/{admin_role['id']}").status == 403


def test_domains_are_not_listed_as_projects(identity):
    names = {p["name"] for p in identity.admin.get("/v3/projects").ok()["projects"]}
    assert names == {"admin", "demo", "alt_demo", "service"}
    (domain,) = identity.admin.get("/v3/projects?is_domain=true").ok()["projects"]
    assert domain["id"] == "default" and domain["domain_id"] is None and domain["parent_id"] is None
