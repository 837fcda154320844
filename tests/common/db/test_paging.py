"""Paging by key gives the pages that slicing a sorted list would give, NULLs being smallest."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from celaje.common.db import fetch_all
from celaje.common.db.paging import page
from tests.common.db.conftest import STONES

COLUMNS = {"id": STONES.c.id, "weight": STONES.c.weight, "colour": STONES.c.colour}

rows = st.lists(
    st.tuples(st.none() | st.integers(0, 3), st.none() | st.sampled_from(["", "a", "b", "B"])), max_size=12
)
keys = st.lists(
    st.tuples(st.sampled_from(["weight", "colour", "id"]), st.sampled_from(["asc", "desc"])),
    max_size=3,
    unique_by=lambda pair: pair[0],
)


def in_python(found, sort):
    """The same order by repeated stable sorts."""
    last = sort[-1][1] if sort else "asc"
    for key, direction in [("id", last), *reversed(sort)]:
        found = sorted(
            found,
            key=lambda row: (row[key] is not None, row[key] if row[key] is not None else 0),
            reverse=direction == "desc",
        )
    return found


@settings(max_examples=150)
@given(rows=rows, sort=keys, limit=st.integers(1, 5))
def test_pages_by_marker_are_the_slices_of_the_sorted_list(database, rows, sort, limit):
    stored = [{"id": n, "weight": weight, "colour": colour} for n, (weight, colour) in enumerate(rows)]
    database.write(lambda tx: tx.execute(STONES.delete()))
    if stored:
        database.write(lambda tx: tx.execute(STONES.insert(), stored))
    base = select(STONES.c.id, STONES.c.weight, STONES.c.colour)
    expected = in_python(stored, sort)
    marker, seen = None, []
    for _ in range(len(stored) + 1):
        statement = page(base, COLUMNS, sort, STONES.c.id, limit=limit, marker=marker)
        found = database.read(fetch_all, statement)
        if not found:
            break
        assert len(found) <= limit
        seen += found
        marker = found[-1]
    assert seen == expected


@pytest.mark.parametrize("offset", [0, 1, 3, 9])
def test_offset_and_no_limit(database, offset):
    database.write(lambda tx: tx.execute(STONES.insert(), [{"id": n, "weight": -n} for n in range(5)]))
    statement = page(select(STONES.c.id), COLUMNS, [("weight", "asc")], STONES.c.id, limit=3, offset=offset)
    assert [row["id"] for row in database.read(fetch_all, statement)] == [4, 3, 2, 1, 0][offset : offset + 3]
    everything = page(select(STONES.c.id), COLUMNS, [], STONES.c.id, limit=None)
    assert len(database.read(fetch_all, everything)) == 5


def test_a_limit_of_nothing_gives_nothing(database):
    database.write(lambda tx: tx.execute(STONES.insert(), [{"id": 1}]))
    assert database.read(fetch_all, page(select(STONES.c.id), COLUMNS, [], STONES.c.id, limit=0)) == []
