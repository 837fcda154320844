"""State tables: declared whole, moved by one UPDATE, won by one."""

import threading

import pytest
from sqlalchemy import Boolean, Column, Integer, String, Table, func, select

from celaje.common.db import Database, fetch_one, new_metadata
from celaje.common.states import Passing, State, StateTable
from tests.servers import databases

METADATA = new_metadata()
JARS = Table(
    "jars",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("status", String(16)),
    Column("flow_id", String(36)),
    Column("size", Integer),
    Column("deleted", Boolean),
)
FILLING = Passing("filling", owner="jar.fill", deadline="fill_deadline", way_out="error")
STATES = StateTable(
    "jar",
    [State("empty"), FILLING, State("full"), State("error")],
    [("empty", "filling"), ("full", "filling"), ("filling", "full"), ("filling", "error")],
)


@pytest.fixture
def database(tmp_path):
    database = Database(databases.url_in(tmp_path, "jars"), synchronous="NORMAL")
    METADATA.create_all(database.engine)
    rows = [{"id": n, "status": "empty", "deleted": False} for n in range(3)]
    database.write(lambda tx: tx.execute(JARS.insert(), rows))
    yield database
    database.close()


def move(database, number, goal, **options):
    return database.write(STATES.move, JARS, number, goal, **options)


def row(database, number):
    return database.read(fetch_one, select(JARS).where(JARS.c.id == number))


def test_a_move_takes_and_gives_back_the_owner(database):
    assert move(database, 1, "filling", flow_id="f1", size=7)
    assert (row(database, 1)["status"], row(database, 1)["flow_id"], row(database, 1)["size"]) == (
        "filling",
        "f1",
        7,
    )
    assert move(database, 1, "full")
    assert (row(database, 1)["status"], row(database, 1)["flow_id"], row(database, 1)["size"]) == (
        "full",
        None,
        7,
    )
    assert row(database, 2)["status"] == "empty"


def test_a_row_in_another_state_is_left_alone(database):
    assert not move(database, 1, "full")
    assert not move(database, 9, "filling", flow_id="f")
    assert not move(database, 1, "filling", flow_id="f", sources=["full"])
    assert row(database, 1)["status"] == "empty"


def test_only_the_holder_moves_what_it_holds(database):
    assert move(database, 1, "filling", flow_id="f1")
    assert not move(database, 1, "error", held_by="f2")
    assert move(database, 1, "error", held_by="f1")


def test_what_the_table_does_not_allow_is_a_mistake_of_ours(database):
    with pytest.raises(ValueError, match="no transition"):
        move(database, 1, "full", sources=["empty"])
    with pytest.raises(ValueError, match="needs an owner"):
        move(database, 1, "filling")


def test_a_deleted_row_does_not_move(database):
    database.write(lambda tx: tx.execute(JARS.update().where(JARS.c.id == 1).values(deleted=True)))
    assert not move(database, 1, "filling", flow_id="f")


def test_values_may_be_expressions(database):
    database.write(lambda tx: tx.execute(JARS.update().values(size=1)))
    for flow_id in ("f1", "f2"):
        assert move(database, 1, "filling", flow_id=flow_id, size=func.coalesce(JARS.c.size, 0) + 1)
        assert move(database, 1, "full")
    assert row(database, 1)["size"] == 3


def test_of_many_at_once_one_wins(database):
    start = threading.Barrier(8)
    won = []

    def race(name):
        start.wait(10)
        if move(database, 1, "filling", flow_id=name):
            won.append(name)

    threads = [threading.Thread(target=race, args=(f"f{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(won) == 1
    assert row(database, 1)["flow_id"] == won[0]


@pytest.mark.parametrize("missing", ["owner", "deadline", "way_out"])
def test_a_passing_state_needs_owner_deadline_and_way_out(missing):
    given = {"owner": "f", "deadline": "d", "way_out": "error"} | {missing: ""}
    if missing == "owner":
        given["owner"] = ()
    with pytest.raises(ValueError, match="lacks"):
        StateTable("jar", [Passing("p", **given)], [])


def test_a_transition_between_unknown_states_is_refused():
    with pytest.raises(ValueError, match="unknown state"):
        StateTable("jar", [State("a")], [("a", "b")])
