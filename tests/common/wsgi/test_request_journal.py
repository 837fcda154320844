"""The journal of requests: which are kept, what of them, and that they stay few."""

from urllib.parse import quote

import msgspec
from sqlalchemy import select

from celaje.cloud import SERVICES
from celaje.common.wsgi import request_journal, request_pages
from tests.cloud import LabCloud, until

MINE = "req-11111111-2222-3333-4444-555555555555"


def rows(cloud, service, **where):
    cloud.running[service]._requests.write()
    return written(cloud, service, **where)


def written(cloud, service, **where):
    """What is in the database by now, the oldest first."""
    table = cloud.running[service].metadata.tables["requests"]

    def query(tx):
        return list(tx.execute(select(table.c.page).order_by(table.c.number)).scalars())

    pages = cloud.running[service].database.read(query)
    found = [msgspec.structs.asdict(entry) for page in pages for entry in request_pages.entries(page)]
    return [row for row in found if all(row[name] == value for name, value in where.items())]


def test_every_service_has_one(cloud):
    for service in SERVICES:
        assert cloud.running[service]._requests is not None, service
        rows(cloud, service)


def test_a_change_is_kept_with_its_sql_and_its_hops(shared_cloud):
    client = shared_cloud.as_user("volume")
    answer = client.post("/v3/volumes", {"volume": {"size": 1}}, headers={"X-Openstack-Request-Id": MINE})
    volume = answer.ok(202)["volume"]["id"]
    (row,) = rows(shared_cloud, "volume", request_id=answer.headers["x-openstack-request-id"])
    assert (row["method"], row["path"], row["status"]) == ("POST", "/volume/v3/volumes", 202)
    assert row["route"] == "POST /v3/volumes"
    assert row["global_request_id"] == MINE
    assert row["statements"] > 2
    assert row["took"] > 0
    assert row["error"] is None
    kinds = [(hop["kind"], hop["name"]) for hop in row["trail"]]
    assert ("state", "volume") in kinds
    assert row["trail"][0] == {"kind": "state", "name": "volume", "id": volume, "state": "creating"}


def test_plain_reads_are_not_kept_but_refusals_and_other_services_are(shared_cloud):
    client = shared_cloud.as_user("volume")
    read = client.get("/v3/volumes")
    refused = client.get("/v3/volumes/nowhere")
    asked = client.get("/v3/volumes", headers={"X-Openstack-Request-Id": MINE})
    kept = {row["request_id"]: row for row in rows(shared_cloud, "volume")}
    assert read.headers["x-openstack-request-id"] not in kept
    assert asked.headers["x-openstack-request-id"] in kept
    error = kept[refused.headers["x-openstack-request-id"]]["error"]
    assert error["class"] == "VolumeNotFound"
    assert error["kind"] == "not_found"


def test_a_refusal_keeps_the_rule_and_the_roles(shared_cloud):
    refused = shared_cloud.as_user("volume", "demo", "demo").post("/v3/types", {"volume_type": {"name": "t"}})
    assert refused.status == 403
    (row,) = rows(shared_cloud, "volume", request_id=refused.headers["x-openstack-request-id"])
    details = row["error"]["details"]
    assert details["action"] == "volume_extension:type_create"
    assert "admin" in details["needs"]
    assert "admin" not in details["roles"]


def test_what_reaches_no_route_is_kept_too(shared_cloud):
    refused = shared_cloud.as_user("volume").get("/v3/there/is/no/such/thing")
    assert refused.status == 404
    (row,) = rows(shared_cloud, "volume", request_id=refused.headers["x-openstack-request-id"])
    assert row["route"] is None


def test_secrets_stay_out(shared_cloud):
    client = shared_cloud.anonymous("identity")
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": "x", "password": 7}}}}}
    refused = client.post("/v3/auth/tokens", body)
    (row,) = rows(shared_cloud, "identity", request_id=refused.headers["x-openstack-request-id"])
    kept = repr(row)
    assert refused.status == 400
    assert shared_cloud.secrets.password("admin") not in kept


def test_it_is_written_by_itself_soon(shared_cloud):
    client = shared_cloud.as_user("volume")
    request_id = client.get("/v3/volumes/nowhere").headers["x-openstack-request-id"]
    until(lambda: written(shared_cloud, "volume", request_id=request_id))


def test_a_page_holds_what_came_together_and_nothing_breaks_it(shared_cloud):
    """Ids are found by their text, so words from outside must neither end it nor be taken for a pattern."""
    client = shared_cloud.as_user("volume")
    table = shared_cloud.running["volume"].metadata.tables["requests"]
    rows(shared_cloud, "volume")
    odd = 'a"%_\\ü'
    for name in (odd, "plain"):
        client.get(f"/v3/volumes/{quote(name)}")
    found = rows(shared_cloud, "volume")[-2:]
    assert [row["path"] for row in found] == [f"/volume/v3/volumes/{name}" for name in (odd, "plain")]
    for word, pages in ((odd, 1), ("plai_", 0), ("req-%", 0)):
        statement = request_pages.naming(table, word)
        read = shared_cloud.running["volume"].database.read(lambda tx, s=statement: tx.execute(s).all())
        assert len(read) == pages, word


def test_only_so_many_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(request_journal, "_WAITING", 3)
    cloud = LabCloud.at(
        tmp_path / "state", {"volume": {("api", "requests_kept"): 2}}, services=("identity", "volume")
    ).begin()
    try:
        client = cloud.as_user("volume")
        last = []
        for _ in range(5):
            last += [client.get("/v3/volumes/nowhere").headers["x-openstack-request-id"] for _ in range(4)]
            # At most three wait, so the fourth of each page is left out.
            kept = [row["request_id"] for row in rows(cloud, "volume")]
            assert kept == [one for number, one in enumerate(last) if number % 4 != 3][-3:]
    finally:
        cloud.stop(grace=5)


def test_none_are_kept_where_none_are_asked_for(tmp_path):
    cloud = LabCloud.at(
        tmp_path / "state", {"volume": {("api", "requests_kept"): 0}}, services=("identity", "volume")
    ).begin()
    try:
        cloud.as_user("volume").get("/v3/volumes/nowhere")
        assert rows(cloud, "volume") == []
    finally:
        cloud.stop(grace=5)
