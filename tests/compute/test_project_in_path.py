"""Paths with the project's id in them, as older catalogs and clients write them."""

NEWEST = {"X-OpenStack-Nova-API-Version": "2.96"}


def test_the_callers_own_project(shared_cloud):
    user = shared_cloud.as_user("compute")
    own = f"/v2.1/{user.project_id}"
    assert user.get(f"{own}/servers").ok(200) == {"servers": []}
    flavors = user.get(f"{own}/flavors/detail", headers=NEWEST).ok(200)["flavors"]
    assert flavors == user.get("/v2.1/flavors/detail", headers=NEWEST).ok(200)["flavors"]
    asked = {"flavor": {"name": "m9.path", "ram": 64, "vcpus": 1, "disk": 1}}
    made = user.post(f"{own}/flavors", asked).ok(200)["flavor"]["id"]
    assert user.delete(f"{own}/flavors/{made}").status == 202
    assert user.get(f"{own}/flavors/{made}").status == 404
    assert user.get(f"{own}/").status == user.get("/v2.1/").status == 200


def test_another_project_and_no_project(shared_cloud):
    user = shared_cloud.as_user("compute")
    for foreign in ("a" * 32, "11111111-2222-4333-8444-555555555555"):
        answer = user.get(f"/v2.1/{foreign}/servers")
        assert answer.status == 400
        assert "doesn't match Context's project_id" in answer.body["badRequest"]["message"]
    assert user.get("/v2.1/nonsense/servers").status == 404
    nobody = shared_cloud.anonymous("compute")
    assert nobody.get(f"/v2.1/{user.project_id}/servers").status == 401
