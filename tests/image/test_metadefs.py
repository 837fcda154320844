"""Metadata definitions: namespaces, what is in them, who sees and changes them, and the stock."""

import pytest

from celaje.image.api.metadefs import schemas

BASE = "/v2/metadefs/namespaces"


@pytest.fixture
def admin(glance):
    return glance.admin()


def make(admin, name, **body):
    return admin.post(BASE, {"namespace": name, **body}).ok(201)


def test_the_stock(glance, admin):
    me = glance.reader()
    found = me.get(f"{BASE}?limit=100").ok(200)["namespaces"]
    assert len(found) >= 13 and all(one["protected"] and one["visibility"] == "public" for one in found)
    topology = me.get(f"{BASE}/OS::Compute::VirtCPUTopology").ok(200)
    assert "cpu_cores" in topology["properties"]
    of_image = me.get(f"{BASE}/OS::Compute::VirtCPUTopology?resource_type=OS::Glance::Image").ok(200)
    assert "hw_cpu_cores" in of_image["properties"]
    of_flavor = me.get(f"{BASE}/OS::Compute::VirtCPUTopology/properties?resource_type=OS::Nova::Flavor").ok()
    assert "hw:cpu_cores" in of_flavor["properties"]
    kinds = {one["name"] for one in me.get("/v2/metadefs/resource_types").ok()["resource_types"]}
    assert {"OS::Glance::Image", "OS::Nova::Flavor", "OS::Cinder::Volume"} <= kinds
    for_flavors = me.get(f"{BASE}?resource_types=OS::Nova::Flavor&limit=100").ok()["namespaces"]
    assert 0 < len(for_flavors) < len(found)
    assert admin.delete(f"{BASE}/OS::Compute::Quota").status == 403


def test_the_stock_fits_the_schemas():
    import jsonschema

    from celaje.image.stock_metadefs import STOCK

    for one in STOCK:
        jsonschema.Draft202012Validator(schemas.NAMESPACE).validate(one)


def test_a_namespace_with_all_that_belongs_to_it(admin):
    body = {
        "display_name": "Mine",
        "description": "what it is about",
        "visibility": "public",
        "resource_type_associations": [{"name": "OS::Glance::Image", "prefix": "my_"}],
        "properties": {"size": {"title": "Size", "type": "integer", "minimum": 0}},
        "objects": [
            {"name": "box", "required": ["a"], "properties": {"a": {"title": "A", "type": "string"}}}
        ],
        "tags": [{"name": "red"}, {"name": "blue"}],
    }
    made = make(admin, "whole", **body)
    assert made["self"] == f"{BASE}/whole" and made["schema"] == "/v2/schemas/metadefs/namespace"
    shown = admin.get(f"{BASE}/whole").ok(200)
    assert shown["properties"] == body["properties"]
    (box,) = shown["objects"]
    assert box["self"] == f"{BASE}/whole/objects/box" and box["created_at"]
    assert {key: box[key] for key in ("name", "required", "properties")} == body["objects"][0]
    assert [tag["name"] for tag in shown["tags"]] == ["blue", "red"]
    assert shown["resource_type_associations"][0]["prefix"] == "my_" and shown["owner"] == "admin"
    assert admin.post(BASE, {"namespace": "whole"}).status == 409
    renamed = admin.put(f"{BASE}/whole", {"namespace": "renamed", "visibility": "private"}).ok(200)
    assert renamed["namespace"] == "renamed" and renamed["visibility"] == "private"
    assert admin.get(f"{BASE}/whole").status == 404
    assert admin.get(f"{BASE}/renamed").ok()["properties"] == body["properties"]
    admin.delete(f"{BASE}/renamed").ok(204)
    assert admin.get(f"{BASE}/renamed").status == 404
    make(admin, "renamed")
    assert "properties" not in admin.get(f"{BASE}/renamed").ok()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"namespace": ""},
        {"namespace": "x" * 81},
        {"namespace": "x", "visibility": "shared"},
        {"namespace": "x", "strange": 1},
        {"namespace": "x", "properties": {"a": {"title": "A"}}},
        {"namespace": "x", "properties": {"a": {"title": "A", "type": "date"}}},
        {"namespace": "x\0"},
    ],
)
def test_bad_namespaces(admin, body):
    assert admin.post(BASE, body).status == 400


def test_who_sees_and_changes_what(glance, admin):
    make(admin, "hidden", visibility="private")
    make(admin, "open", visibility="public")
    make(admin, "blues", visibility="private", owner="blue")
    me = glance.member("blue")
    names = [one["namespace"] for one in me.get(f"{BASE}?limit=100").ok()["namespaces"]]
    assert "open" in names and "blues" in names and "hidden" not in names
    assert me.get(f"{BASE}/hidden").status == 404
    assert me.get(f"{BASE}/hidden/tags").status == 404
    assert me.get(f"{BASE}/blues").status == 200
    assert me.post(BASE, {"namespace": "mine"}).status == 403
    assert me.put(f"{BASE}/open", {"namespace": "open"}).status == 403
    assert me.put(f"{BASE}/hidden", {"namespace": "hidden"}).status == 404
    assert me.delete(f"{BASE}/open").status == 403
    assert me.post(f"{BASE}/open/tags/red").status == 403
    assert me.get(f"{BASE}?marker=hidden").status == 404
    # Seen on its own, a protected one stays until it is not protected any more.
    admin.put(f"{BASE}/open", {"namespace": "open", "protected": True}).ok()
    assert admin.delete(f"{BASE}/open").status == 403


@pytest.mark.parametrize(
    ("plural", "body", "changed"),
    [
        ("objects", {"name": "one", "description": "d"}, {"name": "two", "required": ["a"]}),
        ("properties", {"name": "one", "title": "One", "type": "string"},
         {"name": "two", "title": "Two", "type": "integer"}),
    ],
)  # fmt: skip
def test_objects_and_properties(admin, plural, body, changed):
    namespace = f"of-{plural}"
    make(admin, namespace)
    path = f"{BASE}/{namespace}/{plural}"
    made = admin.post(path, body).ok(201)
    assert made["name"] == "one"
    assert admin.post(path, body).status == 409
    assert admin.post(path, {"title": "nameless"}).status == 400
    assert admin.post(path, {**body, "name": "other", "strange": 1}).status == 400
    shown = admin.get(f"{path}/one").ok(200)
    assert shown.items() >= body.items()
    assert len(admin.get(path).ok()[plural]) == 1
    assert admin.put(f"{path}/one", changed).ok(200).items() >= changed.items()
    assert admin.get(f"{path}/one").status == 404
    admin.post(path, body).ok(201)
    assert admin.put(f"{path}/one", changed).status == 409
    admin.delete(f"{path}/two").ok(204)
    assert admin.delete(f"{path}/two").status == 404
    admin.delete(path).ok(204)
    assert not admin.get(path).ok()[plural]


def test_tags(admin):
    make(admin, "tagged")
    path = f"{BASE}/tagged/tags"
    made = admin.post(path, {"tags": [{"name": "c"}, {"name": "a"}, {"name": "b"}]}).ok(201)
    assert [tag["name"] for tag in made["tags"]] == ["c", "a", "b"]
    admin.post(path, {"tags": [{"name": "d"}]}, headers={"X-Openstack-Append": "True"}).ok(201)
    first = admin.get(f"{path}?limit=3").ok()
    assert [tag["name"] for tag in first["tags"]] == ["a", "b", "c"]
    assert [tag["name"] for tag in admin.get(first["next"]).ok()["tags"]] == ["d"]
    admin.post(path, {"tags": [{"name": "e"}]}).ok(201)
    assert [tag["name"] for tag in admin.get(path).ok()["tags"]] == ["e"]
    assert admin.post(f"{path}/f").ok(201)["name"] == "f"
    assert admin.put(f"{path}/f", {"name": "g"}).ok(200)["name"] == "g"
    admin.delete(f"{path}/g").ok(204)
    admin.delete(path).ok(204)
    assert admin.get(path).ok()["tags"] == []
    twice = {"tags": [{"name": "x"}, {"name": "x"}]}
    assert admin.post(path, twice).status == 409
    assert admin.get(path).ok()["tags"] == []


def test_resource_types(admin):
    make(admin, "associated")
    path = f"{BASE}/associated/resource_types"
    admin.post(path, {"name": "OS::New::Thing", "prefix": "x_"}).ok(201)
    assert admin.post(path, {"name": "OS::New::Thing"}).status == 409
    assert admin.get(path).ok()["resource_type_associations"][0]["prefix"] == "x_"
    kinds = admin.get("/v2/metadefs/resource_types").ok()["resource_types"]
    assert "OS::New::Thing" in [one["name"] for one in kinds]
    admin.delete(f"{path}/OS::New::Thing").ok(204)
    assert admin.delete(f"{path}/OS::New::Thing").status == 404


def test_pages(admin):
    for number in range(5):
        make(admin, f"page{number}", owner="pages", visibility="private", display_name=f"page {number}")
    query = "visibility=private&sort_key=namespace&sort_dir=desc&limit=2"
    found, body = [], admin.get(f"{BASE}?{query}").ok()
    while True:
        found += [one["namespace"] for one in body["namespaces"]]
        if "next" not in body:
            break
        body = admin.get(body["next"]).ok()
    assert found == sorted(found, reverse=True) and {"page0", "page4"} <= set(found)
    assert admin.get(f"{BASE}?sort_key=strange").status == 400
    assert admin.get(f"{BASE}?visibility=strange").status == 400


@pytest.mark.parametrize("name", schemas.NAMES)
def test_schemas(admin, name):
    shown = admin.get(f"/v2/schemas/metadefs/{name}").ok(200)
    expected = {"resource_type": "resource_type_association", "resource_types": "resource_type_associations"}
    assert shown["name"] == expected.get(name, name) and shown["properties"]
