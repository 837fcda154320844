"""Services, endpoints and regions, and what tokens show of them."""


def types(identity):
    return {service["type"]: service for service in identity.login(scope="admin").ok()["token"]["catalog"]}


def test_new_service_is_in_the_next_token(identity):
    service = identity.make("service", type="dns", name="designate", description="names")
    assert types(identity)["dns"]["endpoints"] == []
    body = {"service_id": service["id"], "interface": "public", "region_id": "RegionOne"}
    endpoint = identity.make("endpoint", **body, url="http://dns/%(project_id)s")
    assert endpoint["region"] == endpoint["region_id"] == "RegionOne"
    project = identity.find("project", "admin")
    (shown,) = types(identity)["dns"]["endpoints"]
    assert shown["url"] == f"http://dns/{project['id']}"
    # Without a project there is nothing to put into that URL.
    system = identity.login(scope={"system": {"all": True}}).ok()["token"]["catalog"]
    assert next(each for each in system if each["type"] == "dns")["endpoints"] == []
    identity.patch(f"/v3/endpoints/{endpoint['id']}", {"endpoint": {"enabled": False}}).ok()
    assert types(identity)["dns"]["endpoints"] == []
    identity.admin.delete(f"/v3/services/{service['id']}").ok(204)
    assert "dns" not in types(identity)
    assert identity.admin.get(f"/v3/endpoints/{endpoint['id']}").status == 404


def test_endpoints_refused(identity):
    service = identity.find("service", "nova")
    good = {"service_id": service["id"], "interface": "public", "url": "http://x"}
    for wrong in (
        {"service_id": "unknown"},
        {"interface": "secret"},
        {"url": "nonsense"},
        {"url": "http://x/%(password)s"},
        {"region_id": "nowhere"},
    ):
        assert identity.admin.post("/v3/endpoints", {"endpoint": {**good, **wrong}}).status == 400
    # The old name makes the region.
    identity.make("endpoint", **good, region="elsewhere")
    assert identity.admin.get("/v3/regions/elsewhere").status == 200


def test_endpoint_filters(identity):
    service = identity.find("service", "nova")
    path = f"/v3/endpoints?service_id={service['id']}&interface=admin"
    (endpoint,) = identity.admin.get(path).ok()["endpoints"]
    assert endpoint["url"].endswith("/compute/v2.1")


def test_endpoint_groups_narrow_a_catalog(identity):
    path = "/v3/OS-EP-FILTER/endpoint_groups"
    project = identity.find("project", "demo")["id"]

    def catalog(filters):
        body = {"endpoint_group": {"name": "g", "filters": filters}}
        group = identity.admin.post(path, body).ok(201)["endpoint_group"]["id"]
        identity.admin.put(f"{path}/{group}/projects/{project}").ok(204)
        found = identity.login("demo", scope="demo").ok(201)["token"]["catalog"]
        identity.admin.delete(f"{path}/{group}").ok(204)
        return {endpoint["interface"] for service in found for endpoint in service["endpoints"]}

    assert catalog({"interface": "public", "enabled": True}) == {"public"}
    assert catalog({"interface": "public", "enabled": False}) == set()
    assert catalog({"service_id": identity.find("service", "nova")["id"]}) == {"public", "internal", "admin"}
    for none in ({}, {"enabled": True}):
        assert identity.admin.post(path, {"endpoint_group": {"name": "g", "filters": none}}).status == 400
    body = {"endpoint_group": {"name": "g", "filters": {"interface": "outer"}}}
    assert identity.admin.post(path, body).status == 400


def test_the_filters_of_an_endpoint_group_may_be_taken_away(identity):
    path = "/v3/OS-EP-FILTER/endpoint_groups"
    body = {"endpoint_group": {"name": "g", "filters": {"interface": "public"}}}
    group = identity.admin.post(path, body).ok(201)["endpoint_group"]["id"]
    changed = identity.patch(f"{path}/{group}", {"endpoint_group": {"filters": {}}}).ok()["endpoint_group"]
    assert changed["filters"] == {}
    listed = identity.admin.get(f"{path}/{group}/endpoints").ok()["endpoints"]
    assert {each["id"] for each in listed} == {
        each["id"] for each in identity.admin.get("/v3/endpoints").ok()["endpoints"]
    }
    assert identity.patch(f"{path}/{group}", {"endpoint_group": {"filters": {"colour": "red"}}}).status == 400


def test_regions(identity):
    admin = identity.admin
    parent = admin.put("/v3/regions/north", {"region": {"description": "d"}}).ok(201)["region"]
    assert parent == {
        "id": "north",
        "description": "d",
        "parent_region_id": None,
        "links": {"self": f"{identity.cloud.url}/identity/v3/regions/north"},
    }
    child = identity.make("region", parent_region_id="north")
    assert admin.post("/v3/regions", {"region": {"id": "north"}}).status == 409
    assert admin.post("/v3/regions", {"region": {"parent_region_id": "unknown"}}).status == 404
    assert identity.patch("/v3/regions/north", {"region": {"parent_region_id": child["id"]}}).status == 400
    assert admin.delete("/v3/regions/RegionOne").status == 403
    admin.delete("/v3/regions/north").ok(204)
    assert admin.get(f"/v3/regions/{child['id']}").status == 404


def test_urls_follow_the_address(tmp_path):
    from tests.cloud import LabCloud
    from tests.identity.conftest import CHEAP, Identity

    for url in ("http://127.0.0.1:5000", "http://127.0.0.1:6000"):
        cloud = LabCloud.at(tmp_path / "s", {"identity": CHEAP}, services=("identity",), url=url).begin()
        identity = Identity(cloud)
        found = identity.admin.get("/v3/endpoints").ok()["endpoints"]
        assert len(found) == 21
        assert all(endpoint["url"].startswith(url) for endpoint in found)
        assert len(identity.admin.get("/v3/users").ok()["users"]) == 8
        cloud.stop(1)
