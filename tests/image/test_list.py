"""Lists of images: filters, order, pages."""

from urllib.parse import quote

import pytest
from tests.image.scene import make, send

SIZES = {"apple": 10, "pear, green": 20, "plum": 30}


@pytest.fixture(scope="module")
def orchard(glance):
    """Three images with data and a hidden one, in a project of their own."""
    me = glance.member("orchard")
    for number, (name, size) in enumerate(SIZES.items()):
        image = make(
            me, name=name, tags=["fruit", f"n{number}"], colour="green" if number else "red", min_ram=number
        )
        send(me, image["id"], b"x" * size).ok(204)
    make(me, name="ghost", os_hidden=True, protected=True)
    return me


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"apple", "pear, green", "plum"}),
        ("name=plum", {"plum"}),
        ("name=eq:plum", {"plum"}),
        ("name=in:plum,apple", {"plum", "apple"}),
        ("name=" + quote('in:"pear, green",apple'), {"pear, green", "apple"}),
        ("status=active", {"apple", "pear, green", "plum"}),
        ("status=in:queued,saving", set()),
        ("size_min=20", {"pear, green", "plum"}),
        ("size_max=20", {"apple", "pear, green"}),
        ("size_min=11&size_max=29", {"pear, green"}),
        ("size=10", {"apple"}),
        ("size_min=99999999999999999999999", set()),
        ("min_ram=2", {"plum"}),
        ("tag=fruit&tag=n1", {"pear, green"}),
        ("colour=green", {"pear, green", "plum"}),
        ("colour=blue", set()),
        ("os_hidden=true", {"ghost"}),
        ("os_hidden=true&protected=false", set()),
        ("visibility=shared", {"apple", "pear, green", "plum"}),
        ("visibility=private", set()),
        ("owner=orchard", {"apple", "pear, green", "plum"}),
        ("owner=other", set()),
        ("disk_format=raw&container_format=bare", {"apple", "pear, green", "plum"}),
        ("disk_format=in:qcow2,iso", set()),
        ("created_at=gt:2000-01-01T00:00:00Z", {"apple", "pear, green", "plum"}),
        ("created_at=lt:2000-01-01T00:00:00Z", set()),
        ("updated_at=2000-01-01T00:00:00", set()),
    ],
)
def test_filters(orchard, query, expected):
    found = orchard.get(
        f"/v2/images?visibility=all&{query}" if "visibility" not in query else f"/v2/images?{query}"
    )
    mine = {image["name"] for image in found.ok(200)["images"] if image["owner"] == "orchard"}
    assert mine == expected


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=x",
        "marker=nothing",
        "visibility=mine",
        "member_status=maybe",
        "os_hidden=perhaps",
        "protected=1",
        "size_min=big",
        "size=big",
        "created_at=yesterday",
        "created_at=near:2000-01-01T00:00:00Z",
        "name=like:a",
        "name=" + quote('in:"open'),
        "sort=wish",
        "sort=name:up",
        "sort=name&sort_key=size",
        "sort_key=name&sort_dir=asc&sort_dir=desc",
        "changes-since=2000-01-01",
        "name=%00",
        "%ff=1",
    ],
)
def test_queries_that_make_no_sense(orchard, query):
    answer = orchard.get(f"/v2/images?{query}")
    assert answer.status == 400 and answer.body["message"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("sort=name:asc", ["apple", "pear, green", "plum"]),
        ("sort=size:desc", ["plum", "pear, green", "apple"]),
        ("sort_key=size&sort_dir=asc", ["apple", "pear, green", "plum"]),
        ("sort=status,name:desc", ["plum", "pear, green", "apple"]),
        ("", ["plum", "pear, green", "apple"]),
    ],
)
def test_order_holds_over_pages(orchard, sort, expected):
    found = []
    url = f"/v2/images?limit=1&owner=orchard&{sort}"
    for _ in range(5):
        body = orchard.get(url).ok(200)
        assert body["first"].startswith("/v2/images?limit=1&owner=orchard") and "marker" not in body["first"]
        found += [image["name"] for image in body["images"]]
        if "next" not in body:
            break
        url = body["next"]
    assert found == expected


def test_limit_zero_and_the_default(orchard):
    assert orchard.get("/v2/images?limit=0").ok()["images"] == []
    assert "next" not in orchard.get("/v2/images?owner=orchard").ok()


def test_a_list_costs_three_queries(orchard, glance):
    database = glance.service.database
    before = database.statements
    assert len(orchard.get("/v2/images?owner=orchard").ok()["images"]) == 3
    assert database.statements - before <= 3
