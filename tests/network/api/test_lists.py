"""Filters, fields, order and pages, on networks; every list is made by the same code."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.network.api.conftest import make, refused


@pytest.fixture
def nets(member):
    return [make(member, "network", name=f"n{number % 3}", description=str(number)) for number in range(7)]


def walk(client, url, rel="next"):
    """All items of all pages; every page but the last is full."""
    found = []
    while url:
        body = client.get(url).ok()
        page = body["networks"]
        found.append(page)
        links = {link["rel"]: link["href"] for link in body.get("networks_links", [])}
        url = links.get(rel)
        url = url[url.index("/v2.0") :] if url else None
    return found


@pytest.mark.parametrize("order", ["sort_key=name&sort_dir=desc", "", "sort_key=created_at&sort_dir=asc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_pages_are_the_whole_list(member, nets, order, limit):
    whole = member.get(f"/v2.0/networks?{order}").ok()
    assert "networks_links" not in whole
    pages = walk(member, f"/v2.0/networks?limit={limit}&{order}")
    assert [one["id"] for page in pages for one in page] == [one["id"] for one in whole["networks"]]
    assert all(len(page) <= limit for page in pages)


def test_backwards_through_the_pages(member, nets):
    ids = [one["id"] for one in member.get("/v2.0/networks").ok()["networks"]]
    page = member.get(f"/v2.0/networks?limit=2&marker={ids[5]}&page_reverse=True").ok()
    assert [one["id"] for one in page["networks"]] == ids[3:5]
    rels = {link["rel"] for link in page["networks_links"]}
    assert rels == {"next", "previous"}


def test_values_of_one_name_are_alternatives_and_names_all_must_fit(member, nets):
    def names(query):
        return sorted(one["name"] for one in member.get(f"/v2.0/networks?{query}").ok()["networks"])

    assert names("name=n0&name=n1") == ["n0"] * 3 + ["n1"] * 2
    assert names("name=n0&description=3") == ["n0"]
    assert names("admin_state_up=False") == []
    assert len(names("admin_state_up=true&router%3Aexternal=False")) == 7
    assert names("id=nonsense") == []


def test_fields(member, nets):
    (first, *_) = member.get("/v2.0/networks?fields=id&fields=name").ok()["networks"]
    assert set(first) == {"id", "name"}
    shown = member.get(f"/v2.0/networks/{nets[0]['id']}?fields=mtu").ok()["network"]
    assert shown == {"mtu": 1450}


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=x",
        "sort_key=nonsense&sort_dir=asc",
        "sort_key=name&sort_dir=up",
        "sort_key=name",
        "nonsense=1",
        "admin_state_up=perhaps",
        "mtu=x",
        "marker=nonsense&limit=1",
    ],
)
def test_wrong_queries_are_refused(member, query):
    refused(member.get(f"/v2.0/networks?{query}"), 400)


def test_others_networks_are_not_in_the_list(shared_lab, nets):
    assert shared_lab.member("nobody").get("/v2.0/networks?name=n0").ok()["networks"] == []


@given(
    st.text(max_size=12), st.sampled_from(["name", "id", "status", "mtu", "shared", "limit", "x", "fields"])
)
@settings(max_examples=60)
def test_no_filter_breaks_the_list(member, value, name):
    from urllib.parse import urlencode

    answer = member.get(f"/v2.0/networks?{urlencode({name: value}, errors='replace')}")
    assert answer.status in (200, 400), answer.body
