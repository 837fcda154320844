"""Unified limits: identity holds them, the image service counts."""

import pytest
from tests.image.scene import OCTETS, make, send, small_cloud

NAMES = ("image_size_total", "image_stage_total", "image_count_total", "image_count_uploading")


@pytest.fixture
def cloud(tmp_path):
    made = small_cloud(tmp_path / "state", {(None, "use_keystone_limits"): True})
    yield made
    made.stop(grace=5)


@pytest.fixture
def admin(cloud):
    return cloud.as_user("image")


def register(cloud, **limits):
    identity = cloud.as_user("identity")
    service = identity.get("/v3/services?type=image").ok()["services"][0]["id"]
    rows = [{"service_id": service, "resource_name": n, "default_limit": v} for n, v in limits.items()]
    identity.post("/v3/registered_limits", {"registered_limits": rows}).ok(201)
    return identity, service


def test_what_is_not_registered_is_not_allowed(cloud, admin):
    assert admin.post("/v2/images", {}).status == 413


def test_limits_and_usage(cloud, admin):
    identity, service = register(cloud, **dict.fromkeys(NAMES, 2))
    images = [make(admin), make(admin)]
    refused = admin.post("/v2/images", {})
    assert refused.status == 413 and "image_count_total" in str(refused.body)
    own = {"service_id": service, "resource_name": "image_count_total", "resource_limit": -1}
    identity.post("/v3/limits", {"limits": [{**own, "project_id": admin.project_id}]}).ok(201)
    images.append(make(admin))
    # The use counts when it is there: the last one may go over.
    send(admin, images[0]["id"], b"x" * (3 << 20)).ok(204)
    assert send(admin, images[1]["id"], b"x").status == 413
    path = f"/v2/images/{images[1]['id']}"
    admin.request("PUT", f"{path}/stage", raw=b"x", headers=OCTETS).ok(204)
    assert admin.post(f"{path}/import", {"method": {"name": "glance-direct"}}).status == 413
    found = admin.get("/v2/info/usage").ok(200)["usage"]
    assert found == {
        "image_size_total": {"usage": 3, "limit": 2},
        "image_stage_total": {"usage": 0, "limit": 2},
        "image_count_total": {"usage": 3, "limit": -1},
        "image_count_uploading": {"usage": 1, "limit": 2},
    }
    admin.delete(f"/v2/images/{images[0]['id']}").ok(204)
    admin.post(f"{path}/import", {"method": {"name": "glance-direct"}}).ok(202)


def test_without_them(glance):
    assert glance.member().get("/v2/info/usage").ok(200) == {"usage": {}}
