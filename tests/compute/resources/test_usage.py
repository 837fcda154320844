"""Usage, extensions, who may: through the API of a small cloud."""

import pytest


def test_usage_of_nothing(admin, user):
    path = f"/v2.1/os-simple-tenant-usage/{user.project_id}"
    assert user.get(f"{path}?start=2026-01-01T00:00:00").ok() == {"tenant_usage": {}}
    assert user.get(f"{path}?start=yesterday").status == 400
    assert user.get(f"{path}?start=2099-01-01T00:00:00").status == 400
    assert user.get("/v2.1/os-simple-tenant-usage").status == 403
    assert user.get(f"/v2.1/os-simple-tenant-usage/{admin.project_id}").status == 403
    assert admin.get("/v2.1/os-simple-tenant-usage?start=2026-01-01T00:00:00").ok() == {"tenant_usages": []}


def test_extensions(user):
    aliases = [one["alias"] for one in user.get("/v2.1/extensions").ok()["extensions"]]
    assert "os-keypairs" in aliases
    assert user.get("/v2.1/extensions/os-keypairs").ok()["extension"]["name"] == "Keypairs"
    assert user.get("/v2.1/extensions/os-nonsense").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/v2.1/flavors",
        "/v2.1/os-keypairs",
        "/v2.1/limits",
        "/v2.1/os-services",
        "/v2.1/os-hypervisors",
        "/v2.1/os-aggregates",
        "/v2.1/os-server-groups",
        "/v2.1/os-availability-zone",
        "/v2.1/extensions",
    ],
)
def test_nothing_without_a_token(small_cloud, path):
    assert small_cloud.anonymous("compute").get(path).status == 401
