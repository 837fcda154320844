"""At the limit of its pool an API says so: 503 with Retry-After; it works again when there is room."""

import pytest

from celaje.common.conf import load
from tests.cloud import LabCloud
from tests.common.db.servers import Holder, fresh_url
from tests.placement.conftest import Placement

pytestmark = pytest.mark.xdist_group("databases")


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def narrow(request, tmp_path, monkeypatch):
    """Placement with one connection, and thirty seconds that nobody is to wait for it."""
    values = {("database", "max_pool_size"): 1, ("database", "max_overflow"): 0}
    values["database", "connection"] = None if request.param == "sqlite" else fresh_url(request.param)

    def narrowly(service, options, overrides, defaults):
        return load(service, options, overrides={**overrides, **values}, defaults=defaults)

    monkeypatch.setattr("tests.placement.conftest.load", narrowly)
    placement = Placement(tmp_path)
    yield placement
    placement.service.stop(1)


def test_a_full_pool_is_told_with_retry_after(narrow):
    api = narrow.client()
    assert narrow.service.conf.database.pool_timeout == 30
    assert api.get("/resource_providers").status == 200
    holder = Holder(narrow.service.database)
    try:
        answer = api.get("/resource_providers")
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) >= 1
        (error,) = answer.body["errors"]
        assert error["status"] == 503 and "within 1 s" in error["detail"]
    finally:
        holder.let_go()
    assert api.get("/resource_providers").status == 200
    assert api.post("/resource_providers", {"name": "host"}).status == 200


def test_a_cloud_lives_on_one_connection_a_service(tmp_path):
    """No unit waits for a second connection while it holds one."""
    narrow = {("database", "max_pool_size"): 1, ("database", "max_overflow"): 0}
    services = ("identity", "placement", "image")
    cloud = LabCloud.at(tmp_path / "state", dict.fromkeys(services, narrow), services=services).begin()
    try:
        client = cloud.as_user("image")
        body = {"name": "one", "disk_format": "raw", "container_format": "bare"}
        image = client.post("/v2/images", body).ok(201)
        sent = client.request(
            "PUT",
            f"/v2/images/{image['id']}/file",
            raw=b"data",
            headers={"Content-Type": "application/octet-stream"},
        )
        assert sent.status == 204, sent.body
        assert client.get(f"/v2/images/{image['id']}").ok()["status"] == "active"
    finally:
        cloud.stop(grace=5)
