"""Registered limits, limits, and whom they are shown to."""

import pytest


@pytest.fixture
def service_id(identity):
    return identity.find("service", "nova")["id"]


def register(identity, service_id, **more):
    wanted = {"service_id": service_id, "resource_name": "cores", "default_limit": 10, **more}
    answer = identity.admin.post("/v3/registered_limits", {"registered_limits": [wanted]})
    return answer


def limit(identity, service_id, **more):
    wanted = {"service_id": service_id, "resource_name": "cores", "resource_limit": 5, **more}
    return identity.admin.post("/v3/limits", {"limits": [wanted]})


def test_a_resource_is_registered_once(identity, service_id):
    (made,) = register(identity, service_id).ok(201)["registered_limits"]
    assert made["default_limit"] == 10
    assert made["region_id"] is None
    assert register(identity, service_id).status == 409
    register(identity, service_id, region_id="RegionOne").ok(201)
    found = identity.admin.get("/v3/registered_limits?region_id=RegionOne").ok()["registered_limits"]
    assert [each["region_id"] for each in found] == ["RegionOne"]


def test_what_a_limit_is_about_may_go_before_it(identity):
    region = identity.make("region", id="r")["id"]
    service = identity.make("service", type="t")["id"]
    (made,) = register(identity, service, region_id=region).ok(201)["registered_limits"]
    identity.admin.delete(f"/v3/regions/{region}").ok(204)
    identity.admin.delete(f"/v3/services/{service}").ok(204)
    identity.admin.delete(f"/v3/registered_limits/{made['id']}").ok(204)


def test_bad_limits_are_refused(identity, service_id):
    assert register(identity, "0" * 32).status == 400
    assert register(identity, service_id, default_limit=-2).status == 400
    assert register(identity, service_id, default_limit="1").status == 400
    assert register(identity, service_id, region_id="nowhere").status == 400
    project = identity.find("project", "demo")["id"]
    assert limit(identity, service_id, project_id=project).status == 403
    register(identity, service_id).ok(201)
    assert limit(identity, service_id).status == 400
    assert limit(identity, service_id, project_id="nobody").status == 400
    assert limit(identity, service_id, project_id=project, domain_id="default").status == 400


def test_limits_of_projects_and_domains(identity, service_id):
    (registered,) = register(identity, service_id).ok(201)["registered_limits"]
    project = identity.find("project", "demo")["id"]
    (made,) = limit(identity, service_id, project_id=project).ok(201)["limits"]
    assert limit(identity, service_id, project_id=project).status == 409
    (of_domain,) = limit(identity, service_id, domain_id="default").ok(201)["limits"]
    assert (of_domain["domain_id"], of_domain["project_id"]) == ("default", None)
    path = f"/v3/limits/{made['id']}"
    assert identity.patch(path, {"limit": {"resource_limit": 6}}).ok()["limit"]["resource_limit"] == 6
    assert identity.admin.delete(f"/v3/registered_limits/{registered['id']}").status == 403
    demo = identity.as_user("demo", None, "demo")
    assert [each["id"] for each in demo.get("/v3/limits").ok()["limits"]] == [made["id"]]
    assert demo.get(path).ok()["limit"]["resource_name"] == "cores"
    assert demo.get(f"/v3/limits/{of_domain['id']}").status == 403
    for each in (made, of_domain):
        identity.admin.delete(f"/v3/limits/{each['id']}").ok(204)
    identity.admin.delete(f"/v3/registered_limits/{registered['id']}").ok(204)
    assert identity.admin.get(path).status == 404
    assert demo.get("/v3/limits/model").ok()["model"]["name"] == "flat"


def test_a_domain_bounds_its_projects_where_the_model_says_so(identity, service_id, monkeypatch):
    identity.service.conf.set_override("enforcement_model", "strict_two_level", "unified_limit")
    register(identity, service_id).ok(201)
    project = identity.find("project", "demo")["id"]
    assert limit(identity, service_id, project_id=project, resource_limit=11).status == 403
    limit(identity, service_id, project_id=project, resource_limit=9).ok(201)
    assert limit(identity, service_id, domain_id="default", resource_limit=8).status == 403
    limit(identity, service_id, domain_id="default", resource_limit=9).ok(201)
