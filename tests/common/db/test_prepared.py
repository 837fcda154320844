"""Prepared statements give what SQLAlchemy gives, for any values."""

import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from celaje.common.db import DuplicateRow, Prepared, fetch_all
from celaje.common.db.errors import ValueRefused
from tests.common.db.conftest import STONES
from tests.servers import databases

_all = select(STONES).order_by(STONES.c.id)
ALL, ONE = Prepared(_all), Prepared(select(STONES).where(STONES.c.id == bindparam("row")))
ADD = Prepared(insert(STONES))
SET = Prepared(update(STONES).where(STONES.c.id == bindparam("row")))
LISTED = Prepared(
    select(STONES.c.id)
    .where(STONES.c.colour.in_(["red", "blue"]), STONES.c.weight > bindparam("least"), STONES.c.id != 99)
    .order_by(STONES.c.id)
    .limit(bindparam("most"))
)
GIVEN = Prepared(select(STONES.c.id).where(STONES.c.id.in_(bindparam("ids", expanding=True))))

# 64-bit integers, text without lone surrogates and NUL (PostgreSQL keeps none), times with microseconds, any
# JSON.
numbers = st.none() | st.integers(-(2**63), 2**63 - 1)
words = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10)
moments = st.none() | st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(9000, 1, 1))
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text("aé☃\0'\"", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150)
@given(weight=numbers, colour=words, facts=json, found_at=moments)
def test_values_go_in_and_come_out_as_through_sqlalchemy(database, weight, colour, facts, found_at):
    database.write(lambda tx: tx.execute(STONES.delete()))
    values = {"weight": weight, "colour": colour, "facts": facts, "found_at": found_at}
    database.write(ADD.run, id=1, **values)
    database.write(lambda tx: tx.execute(STONES.insert().values(id=2, **values)))
    database.write(lambda tx: tx.execute(STONES.insert().values(id=3)))
    assert database.write(SET.run, row=3, **values) == 1
    through_core = database.read(fetch_all, _all)
    assert database.read(ALL.all) == through_core
    assert [{**row, "id": 0, "name": None} for row in through_core] == [{"id": 0, "name": None, **values}] * 3
    assert database.read(ONE.one, row=2) == through_core[1]


def test_only_the_columns_that_are_given_are_set(database):
    database.write(ADD.run, id=1, name="a", weight=1, colour="red")
    assert database.write(SET.run, row=1, weight=2) == 1
    assert database.write(SET.run, row=1, colour=None) == 1
    assert database.write(SET.run, row=7, colour=None) == 0
    row = database.read(ONE.one, row=1)
    assert (row["name"], row["weight"], row["colour"]) == ("a", 2, None)


def test_no_row_is_none_everywhere(database):
    assert database.read(ONE.one, row=1) is None
    assert database.read(ONE.value, row=1) is None
    assert database.read(ALL.all) == []


def test_constants_lists_and_limits(database):
    for number, colour in enumerate(["red", "blue", "green", None, "red"]):
        database.write(ADD.run, id=number, colour=colour, weight=number)
    assert [row["id"] for row in database.read(LISTED.all, least=-1, most=10)] == [0, 1, 4]
    assert [row["id"] for row in database.read(LISTED.all, least=0, most=1)] == [1]
    assert database.read(Prepared(select(func.count()).select_from(STONES)).value) == 5
    assert database.write(Prepared(delete(STONES).where(STONES.c.colour.is_(None))).run) == 1


def test_a_parameter_may_be_a_list(database):
    for number in range(5):
        database.write(ADD.run, id=number)
    assert {row["id"] for row in database.read(GIVEN.all, ids=[1, 3, 9])} == {1, 3}
    assert database.read(GIVEN.all, ids=[]) == []
    assert {row["id"] for row in database.read(GIVEN.all, ids=[2])} == {2}


def test_a_duplicate_is_told_as_one_and_the_unit_may_go_on(database):
    database.write(ADD.run, id=1, name="a")

    def unit(tx):
        with pytest.raises(DuplicateRow), tx.attempt():
            ADD.run(tx, id=2, name="a")
        return ADD.run(tx, id=3, name="b")

    assert database.write(unit) == 1
    assert [row["id"] for row in database.read(ALL.all)] == [1, 3]


def test_a_parameter_that_the_statement_does_not_have_is_refused(database):
    if databases.KIND == "sqlite":
        with pytest.raises(TypeError, match="wieght"):
            database.read(ONE.one, row=1, wieght=3)
    with pytest.raises((TypeError, DBAPIError, KeyError, Exception), match="row"):
        database.read(ONE.one)


def test_errors_of_the_driver_come_in_sqlalchemys_words(database):
    if databases.KIND == "sqlite":
        with pytest.raises(DBAPIError):
            database.read(ADD.run, id=1)  # a reader
    with pytest.raises((ValueRefused, DBAPIError, OverflowError)):
        database.write(ADD.run, id=2, weight=2**70)


def test_statements_are_counted(database):
    before = database.statements
    database.write(ADD.run, id=1)
    database.read(ONE.one, row=1)
    database.read(fetch_all, _all)
    assert database.statements - before == 3


def test_several_rows_go_in_as_one_statement(database):
    rows = [
        {"id": number, "name": str(number), "found_at": datetime.datetime(2026, 1, 1)} for number in range(3)
    ]

    def unit(tx):
        Prepared(insert(STONES)).run_many(tx, rows)
        Prepared(insert(STONES)).run_many(tx, [])
        return tx.statements

    assert database.write(unit) == 1
    kept = database.read(fetch_all, select(STONES.c.id, STONES.c.name, STONES.c.found_at))
    assert kept == rows
    with pytest.raises(DuplicateRow):
        database.write(lambda tx: Prepared(insert(STONES)).run_many(tx, rows))
