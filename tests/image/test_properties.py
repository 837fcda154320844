"""Whatever is sent as a JSON patch or a query string: an answer, never a 500."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.image.scene import make

from celaje.common.errors import CelajeError
from celaje.image import filters, patch

FEW = settings(
    max_examples=60,
    derandomize=True,
)

names = st.sampled_from(
    [
        "name",
        "owner",
        "tags",
        "status",
        "visibility",
        "min_ram",
        "protected",
        "disk_format",
        "foo",
        "locations",
    ]
)
words = st.text(max_size=12) | names
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
pointers = words.map(lambda word: f"/{word}") | words | st.builds("/{}/{}".format, words, words) | values
operations = st.sampled_from(["add", "remove", "replace", "move", ""])
new_form = st.fixed_dictionaries({"op": operations, "path": pointers}, optional={"value": values})
old_form = st.dictionaries(operations, pointers, max_size=2).flatmap(
    lambda first: values.map(lambda value: {**first, "value": value})
)
bodies = st.lists(new_form | old_form | values, max_size=3) | values
keys = st.sampled_from(
    [
        "limit",
        "marker",
        "sort",
        "sort_key",
        "sort_dir",
        "name",
        "status",
        "size_min",
        "size",
        "created_at",
        "updated_at",
        "visibility",
        "member_status",
        "tag",
        "owner",
        "protected",
        "os_hidden",
        "foo",
    ]
)
texts = st.text(max_size=20) | st.sampled_from(
    ["in:", 'in:"', 'in:a,"b', "gt:2020-01-01", "lt:0001-01-01T00:00:00+23:00", "9" * 30, "name:asc", "true"]
)
queries = st.lists(st.tuples(keys | words, texts), max_size=4)


@given(body=bodies, media=st.sampled_from([patch.MEDIA, patch.MEDIA_OLD]))
@FEW
def test_patches_never_fail_unexpectedly(glance, body, media):
    me = glance.member("fuzz")
    image = make(me, foo="bar")
    answer = me.request(
        "PATCH",
        f"/v2/images/{image['id']}",
        raw=msgspec.json.encode(body),
        headers={"Content-Type": media},
    )
    assert answer.status in (200, 400, 403, 409, 413), answer.body
    after = me.get(f"/v2/images/{image['id']}").ok()
    if answer.status == 200:
        assert after == answer.body
    else:
        assert after == image


@given(pairs=queries)
@FEW
def test_queries_never_fail_unexpectedly(glance, pairs):
    from urllib.parse import urlencode

    text = urlencode(pairs, errors="surrogatepass")
    assert glance.member("fuzz").get(f"/v2/images?{text}").status in (200, 400)


@given(body=st.dictionaries(words | st.just("id"), values, max_size=5) | values)
@FEW
def test_creations_never_fail_unexpectedly(glance, body):
    answer = glance.member("fuzz").post("/v2/images", body)
    assert answer.status in (201, 400, 403, 409, 413), answer.body


@given(name=st.text(min_size=1, max_size=40).filter(lambda name: name.strip() == name))
def test_any_name_survives_a_pointer(name):
    pointer = "/" + name.replace("~", "~0").replace("/", "~1")
    try:
        changes = patch.parse([{"op": "add", "path": pointer, "value": "x"}], patch.MEDIA)
    except CelajeError:
        assert name in (*patch.READ_ONLY, *patch.RESERVED, "locations") or name.startswith("os_glance")
        return
    assert changes == [patch.Change("add", name, "x")]


@given(items=st.lists(st.text(alphabet="ab, c-", min_size=1, max_size=6), min_size=1, max_size=5))
def test_items_of_in_survive_quoting(items):
    text = ",".join(f'"{item}"' for item in items)
    query = filters.parse([("name", f"in:{text}")])
    assert query.conditions == [("name", "in", items)]


def test_items_without_quotes():
    assert filters.parse([("status", "in:a,b")]).conditions == [("status", "in", ["a", "b"])]
    with pytest.raises(CelajeError):
        filters.parse([("status", 'in:a,"b')])
