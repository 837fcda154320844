"""PostgreSQL and MariaDB behave as the units expect, whatever their own habits are."""

import datetime
import threading

import pytest
from sqlalchemy import func, select, update

from celaje.common import clock, patience
from celaje.common.db import DuplicateRow, Prepared, fetch_all, fetch_value, serialise
from celaje.common.db.errors import (
    BadConnection,
    DatabaseBusy,
    DatabaseClosed,
    DatabaseContended,
    OutcomeUnknown,
    ValueRefused,
)
from celaje.common.db.schema import sync
from tests.common.db.conftest import METADATA, STONES
from tests.common.db.servers import BOTH, Holder, add, cut, fresh_url, ids, opened, stones
from tests.common.db.test_group_commit import together

pytestmark = pytest.mark.xdist_group("databases")


@pytest.fixture(params=BOTH)
def database(request):
    with stones(request.param) as database:
        yield database


def test_a_unit_goes_on_after_a_refused_row_in_an_attempt(database):
    database.write(add, 1, "a")

    def unit(tx):
        add(tx, 2, "b")
        with pytest.raises(DuplicateRow), tx.attempt():
            add(tx, 3, "a")
        add(tx, 4, "d")

    database.write(unit)
    assert ids(database) == [1, 2, 4]


def test_a_unit_that_raises_leaves_nothing(database):
    def unit(tx):
        add(tx, 1)
        raise LookupError("not so")

    with pytest.raises(LookupError):
        database.write(unit)
    assert ids(database) == []


def test_rows_are_matched_whether_they_change_or_not(database):
    """Fences and state moves stand on it; MariaDB counts changes unless told otherwise."""
    database.write(add, 1, "a")
    same = update(STONES).where(STONES.c.id == 1).values(name="a")
    assert database.write(lambda tx: tx.execute(same).rowcount) == 1
    assert database.write(Prepared(same).run) == 1


def test_text_is_compared_by_its_characters(database):
    names = ["a", "A", "a ", "ä", "B", "b", "_", "Straße", "Strasse", "\N{CLOUD}", "\U0001f327"]
    for number, name in enumerate(names):
        database.write(add, number, name)
    for number, name in enumerate(names):
        assert database.read(fetch_value, select(STONES.c.id).where(STONES.c.name == name)) == number
    found = database.read(fetch_all, select(STONES.c.name).order_by(STONES.c.name))
    assert [row["name"] for row in found] == sorted(names)


def test_values_come_back_as_they_were(database):
    moment = datetime.datetime(2026, 2, 28, 23, 59, 59, 999999)
    facts = {"long": "x" * 200_000, "nothing": None, "nul": "\0", "cloud": "\U0001f327"}
    database.write(
        lambda tx: tx.execute(STONES.insert().values(id=0, found_at=moment, facts=facts, weight=2**62))
    )
    (row,) = database.read(fetch_all, select(STONES))
    assert (row["id"], row["found_at"], row["facts"], row["weight"]) == (0, moment, facts, 2**62)


def test_sums_of_whole_numbers_are_whole_numbers(database):
    for number in range(3):
        database.write(lambda tx, n=number: tx.execute(STONES.insert().values(id=n, weight=2**40 + n)))
    found = database.read(fetch_value, select(func.sum(STONES.c.weight)))
    assert found == 3 * 2**40 + 3 and type(found) is int
    assert database.read(fetch_value, select(func.avg(STONES.c.id + 0.5))) == pytest.approx(1.5)


@pytest.mark.parametrize("values", [{"name": "x" * 65}, {"weight": 2**70}])
def test_what_does_not_fit_is_refused_and_not_cut(database, values):
    with pytest.raises(ValueRefused):
        database.write(lambda tx: tx.execute(STONES.insert().values(id=1, **values)))
    assert ids(database) == []


def test_statements_see_what_others_committed_meanwhile(database):
    """READ COMMITTED: what is counted after a lock was waited for is what there is."""

    def unit(tx):
        before = tx.execute(select(func.count()).select_from(STONES)).scalar()
        thread = threading.Thread(target=database.write, args=(add, 7))
        thread.start()
        thread.join(20)
        return before, tx.execute(select(func.count()).select_from(STONES)).scalar()

    assert database.write(unit) == (0, 1)


def test_a_deadlock_is_run_again(database):
    database.write(add, 1, "a")
    database.write(add, 2, "b")
    meet = threading.Barrier(2)
    runs = []

    def crosswise(first, second):
        def unit(tx):
            runs.append(first)
            tx.execute(update(STONES).where(STONES.c.id == first).values(weight=first))
            if len(runs) <= 2:
                meet.wait(20)
            tx.execute(update(STONES).where(STONES.c.id == second).values(weight=first))
            return first

        return lambda: database.write(unit)

    outcomes = together(crosswise(1, 2), crosswise(2, 1))
    assert [error for _, error in outcomes] == [None, None]
    assert len(runs) == 3, "there was no deadlock, or its loser ran more than once"
    weights = {row["weight"] for row in database.read(fetch_all, select(STONES.c.weight))}
    assert len(weights) == 1, "two units were mixed"


def test_a_unit_that_is_always_contended_is_given_up(database):
    """As an API's request: it has a second at most."""

    def unit(tx):
        raise DatabaseContended()

    with pytest.raises(DatabaseContended):
        database.write(unit)


@pytest.fixture
def synced(database, tmp_path):
    """With what `serialise` needs on MariaDB, which `sync` makes."""
    (tmp_path / "0001_initial.py").write_text("")
    sync(database, "stones", METADATA, tmp_path)
    return database


def test_only_so_many_fit(synced):
    """Quotas: count, then insert, by many at once; never more than the limit."""
    limit = 3

    def unit(tx, number):
        serialise(tx, "stones of somebody")
        if tx.execute(select(func.count()).select_from(STONES)).scalar() >= limit:
            return False
        add(tx, number)
        return True

    outcomes = together(*[lambda number=number: synced.write(unit, number) for number in range(10)])
    assert [error for _, error in outcomes] == [None] * 10
    assert sum(won for won, _ in outcomes) == len(ids(synced)) == limit


def test_several_names_are_taken_in_one_order(synced):
    runs = []

    def unit(tx, names):
        runs.append(names)
        serialise(tx, *names)

    works = [lambda names=names: synced.write(unit, names) for names in (("a", "b"), ("b", "a")) * 4]
    assert [error for _, error in together(*works)] == [None] * 8
    assert len(runs) == 8, "a deadlock"


def test_a_connection_lost_in_the_middle_begins_the_unit_anew(database):
    runs = []

    def unit(tx):
        runs.append(tx)
        add(tx, 1)
        if len(runs) == 1:
            cut(tx, database)
        add(tx, 2)

    database.write(unit)
    assert len(runs) == 2
    assert ids(database) == [1, 2]


def test_a_connection_lost_in_a_query_is_not_noticed(database):
    database.write(add, 1)
    runs = []

    def query(tx):
        runs.append(tx)
        if len(runs) == 1:
            cut(tx, database)
        return tx.execute(select(STONES.c.id)).scalar()

    assert database.read(query) == 1
    assert len(runs) == 2


def test_a_connection_lost_at_the_commit_is_told_and_not_run_again(database):
    runs, followed = [], []

    def unit(tx):
        runs.append(tx)
        add(tx, 1)
        tx.after_commit(lambda: followed.append(1))
        cut(tx, database)

    with pytest.raises(OutcomeUnknown):
        database.write(unit)
    assert (len(runs), followed) == (1, [])
    assert ids(database) == []


@pytest.mark.parametrize("kind", BOTH)
def test_a_request_is_told_that_the_pool_is_empty_and_background_work_waits(kind):
    with stones(kind, max_pool_size=1, max_overflow=0, pool_timeout=20) as database:
        holder = Holder(database)
        with patience.answering(), pytest.raises(DatabaseBusy) as refused:
            database.read(fetch_all, select(STONES.c.id))
        assert refused.value.details["seconds"] == pytest.approx(20 / 30)
        with patience.answering(), pytest.raises(DatabaseBusy):
            database.write(add, 1)
        outcome = []
        worker = threading.Thread(target=lambda: outcome.append(database.write(add, 2)))
        worker.start()
        holder.let_go()
        worker.join(20)
        assert outcome == [2]
        with patience.answering():
            assert ids(database) == [2]


def test_a_closed_database_lets_nobody_in(database):
    database.close()
    with pytest.raises(DatabaseClosed):
        database.read(fetch_all, select(STONES))
    with pytest.raises(DatabaseClosed):
        database.write(add, 1)


@pytest.mark.parametrize("kind", BOTH)
def test_a_database_that_is_not_there_is_named_at_once(kind):
    url = fresh_url(kind) + "_not"
    with opened(url) as database, pytest.raises(BadConnection, match="_not"):
        database.wait_for_server(max_retries=-1)


def test_going_on_without_an_attempt_is_a_mistake_that_shows():
    """PostgreSQL would answer COMMIT with a quiet rollback."""
    with stones("postgresql") as database:
        database.write(add, 1, "a")

        def careless(tx):
            with pytest.raises(DuplicateRow):
                add(tx, 2, "a")

        with pytest.raises(RuntimeError, match="attempt"):
            database.write(careless)
        assert ids(database) == [1]


def test_the_servers_time_holds_when_this_machines_clock_steps(database, monkeypatch):
    day, really = datetime.timedelta(days=1), clock.Clock.now
    database.read_clock()
    monkeypatch.setattr(clock.Clock, "now", lambda self: really(self) + day)
    assert abs(database.now() - clock.now()) > day / 2
    database.read_clock()
    assert abs(database.now() - clock.now()) > day / 2


def test_a_virtual_clock_is_the_servers_time_too(database):
    with clock.installed(clock.VirtualClock()) as virtual:
        database.read_clock()
        virtual.advance(100)
        assert database.now() == virtual.now()
