"""Units of many threads share commits: each is whole or absent, and what was answered is durable."""

import contextlib
import contextvars
import sqlite3
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from celaje.common import context, patience
from celaje.common.db import Database, DatabaseClosed, DuplicateRow, fetch_all, fetch_value
from celaje.common.db.errors import DatabaseBusy, DatabaseLocked
from celaje.common.errors import Conflict
from tests.common.db.conftest import METADATA, STONES


@pytest.fixture
def database(tmp_path):
    """Only SQLite's writer groups commits, whatever the other tests run on."""
    database = Database(f"sqlite:///{tmp_path / 'stones.db'}", synchronous="NORMAL", pool_timeout=5)
    METADATA.create_all(database.engine)
    yield database
    database.close()


def add(tx, number, name=None):
    tx.execute(STONES.insert().values(id=number, name=name or str(number)))
    return number


def numbers(database):
    return {row["id"] for row in database.read(fetch_all, select(STONES.c.id))}


def together(*works):
    """Run all in threads of their own; (result, error) of each."""
    outcomes = [None] * len(works)
    start = threading.Barrier(len(works))

    def run(position, work):
        start.wait(10)
        try:
            outcomes[position] = (work(), None)
        except BaseException as error:
            outcomes[position] = (None, error)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    return outcomes


class Held:
    """A unit that keeps the writer until it is let go, so that others gather behind it."""

    def __init__(self, database):
        self.entered, self.go = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._run, args=(database,))
        self.thread.start()
        assert self.entered.wait(10)

    def _run(self, database):
        # Its own commit may fail with its neighbours'.
        with contextlib.suppress(Exception):
            database.write(self._unit)

    def _unit(self, tx):
        self.entered.set()
        assert self.go.wait(10)

    def release_behind(self, database, *units):
        """Queue `units` behind, in order, then let go."""
        outcomes = {}

        def run(position, unit):
            try:
                outcomes[position] = database.write(unit)
            except BaseException as error:
                outcomes[position] = error

        threads = []
        for position, unit in enumerate(units):
            threads.append(threading.Thread(target=run, args=(position, unit)))
            threads[-1].start()
            until(lambda n=position: len(database._group._queue) == n + 1)
        self.go.set()
        for thread in [*threads, self.thread]:
            thread.join(10)
            assert not thread.is_alive()
        return [outcomes[n] for n in range(len(units))]


def until(condition):
    tick = threading.Event()
    for _ in range(2000):
        if condition():
            return
        tick.wait(0.005)
    raise AssertionError("it did not come to that")


def test_each_thread_gets_its_own_result(database):
    outcomes = together(
        *(lambda n=n: [database.write(add, n * 100 + i) for i in range(20)] for n in range(8))
    )
    assert [result for result, _ in outcomes] == [[n * 100 + i for i in range(20)] for n in range(8)]
    assert numbers(database) == {n * 100 + i for n in range(8) for i in range(20)}


def test_a_failing_unit_leaves_nothing_and_its_neighbours_everything(database):
    def half(tx):
        add(tx, 50)
        raise Conflict("no")

    held = Held(database)
    found = held.release_behind(
        database,
        half,
        lambda tx: add(tx, 1),
        half,
        lambda tx: add(tx, 2),
        lambda tx: add(tx, 2, "again"),
        half,
    )
    assert [type(found[n]) for n in (0, 2, 5)] == [Conflict] * 3
    assert (found[1], found[3]) == (1, 2)
    assert isinstance(found[4], DuplicateRow)
    assert numbers(database) == {1, 2}


def test_units_that_waited_together_share_one_commit(database):
    commits = []
    held = Held(database)
    raw = database._group._raw
    raw.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    held.release_behind(database, *(lambda tx, n=n: add(tx, n) for n in range(10)))
    # The eleven of them: the one that was held, and ten that joined its batch.
    assert len(commits) == 1
    assert numbers(database) == set(range(10))


def test_a_commit_that_fails_reaches_all_whose_units_were_in_it(database):
    held = Held(database)
    raw = database._group._raw

    def spoil(tx):
        # A deferred foreign key is checked at the commit only.
        add(tx, 3)
        tx.raw.execute("CREATE TABLE IF NOT EXISTS parent (id INTEGER PRIMARY KEY)")
        tx.raw.execute(
            "CREATE TABLE IF NOT EXISTS child "
            "(id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)"
        )
        tx.raw.execute("INSERT INTO child VALUES (7)")

    found = held.release_behind(database, lambda tx: add(tx, 1), spoil, lambda tx: add(tx, 2))
    assert all(isinstance(error, sqlite3.IntegrityError | DuplicateRow) for error in found), found
    assert numbers(database) == set()
    assert raw is not database._group._raw, "the broken connection is not used again"
    assert database.write(add, 4) == 4
    assert numbers(database) == {4}


def test_a_transaction_that_breaks_under_a_unit_is_told_to_all_before_it(database):
    def break_off(tx):
        tx.raw.execute("ROLLBACK")
        raise Conflict("the disk was full")

    held = Held(database)
    found = held.release_behind(database, lambda tx: add(tx, 1), break_off)
    assert all(isinstance(error, BaseException) for error in found)
    assert numbers(database) == set()
    assert database.write(add, 2) == 2


def test_a_unit_finds_the_context_of_its_own_thread(database):
    mark = contextvars.ContextVar("mark", default="none")

    def work(name):
        def run():
            mark.set(name)
            with context.using(context.RequestContext(request_id=name)):
                return [
                    database.write(lambda tx: (mark.get(), context.current().request_id)) for _ in range(30)
                ]

        return run

    outcomes = together(*(work(f"req-{n}") for n in range(6)))
    for n, (result, error) in enumerate(outcomes):
        assert error is None
        assert set(result) == {(f"req-{n}", f"req-{n}")}


def test_what_was_answered_is_there_after_the_process_is_gone(tmp_path):
    """Another connection reads the file while this one is still open: nothing is only in memory."""
    database = Database(f"sqlite:///{tmp_path / 'stones.db'}")
    with database.engine.connect() as connection:
        METADATA.create_all(connection)
    answered = [
        number
        for result, _ in together(
            *(lambda n=n: [database.write(add, n * 1000 + i) for i in range(25)] for n in range(6))
        )
        for number in result
    ]
    with sqlite3.connect(tmp_path / "stones.db") as other:
        found = {number for (number,) in other.execute("SELECT id FROM stones")}
    assert found == set(answered)
    database.close()


@settings(max_examples=25)
@given(
    plan=st.lists(st.lists(st.sampled_from(["add", "fail", "repeat"]), max_size=6), min_size=1, max_size=6)
)
def test_any_mixture_leaves_exactly_what_succeeded(database, plan):
    database.write(lambda tx: tx.execute(STONES.delete()))
    counter = iter(range(10_000))
    lock = threading.Lock()
    succeeded = []

    def work(kinds):
        def run():
            for kind in kinds:
                with lock:
                    number = next(counter)

                def unit(tx, number=number, kind=kind):
                    add(tx, number)
                    if kind == "fail":
                        raise Conflict("no")
                    if kind == "repeat":
                        add(tx, number)

                try:
                    database.write(unit)
                    assert kind == "add"
                    succeeded.append(number)
                except (Conflict, DuplicateRow):
                    assert kind != "add"

        return run

    for _, error in together(*(work(kinds) for kinds in plan)):
        assert error is None
    assert numbers(database) == set(succeeded)


def test_after_commit_runs_for_what_was_committed_only_and_cannot_fail_it(database):
    told = []

    def unit(tx, number, fail=False):
        add(tx, number)
        tx.after_commit(lambda: told.append(number))
        tx.after_commit(lambda: 1 / 0)
        tx.after_commit(lambda: told.append(-number))
        if fail:
            raise Conflict("no")
        return number

    assert database.write(unit, 1) == 1
    with pytest.raises(Conflict):
        database.write(unit, 2, fail=True)
    assert told == [1, -1]


def test_a_unit_inside_a_unit_is_refused_and_a_read_is_not(database):
    def outer(tx):
        add(tx, 1)
        # What is not committed is not seen by readers.
        assert database.read(fetch_value, select(STONES.c.id)) is None
        database.write(add, 2)

    with pytest.raises(RuntimeError, match="another unit"):
        database.write(outer)
    assert numbers(database) == set()


def test_readers_cannot_write(database):
    with pytest.raises(Exception, match=r"readonly|read-only|query_only"):
        database.read(add, 1)
    assert numbers(database) == set()


def test_a_reader_whose_query_broke_off_is_not_used_again(database):
    database.write(add, 1)
    kept = []

    def broken(tx):
        kept.append(tx.raw.execute("SELECT id FROM stones"))  # half read: holds the old state
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.read(broken)
    database.write(add, 2)
    assert numbers(database) == {1, 2}


def test_a_closed_database_takes_nothing(database):
    database.write(add, 1)
    database.close()
    with pytest.raises(DatabaseClosed):
        database.write(add, 2)
    with pytest.raises(DatabaseClosed):
        database.read(fetch_value, select(STONES.c.id))


def test_readers_beyond_the_limit_are_told_so(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'a.db'}", max_pool_size=1, max_overflow=1, pool_timeout=0.05)
    with database.engine.connect() as connection:
        METADATA.create_all(connection)

    def nested(tx, depth):
        return database.read(nested, depth - 1) if depth else "reached"

    assert database.read(nested, 1) == "reached"
    with pytest.raises(Exception, match="became free"):
        database.read(nested, 2)
    # And all of them came back.
    assert database.read(nested, 1) == "reached"
    database.close()


def test_a_request_does_not_hang_behind_a_writer_that_does_not_end(database):
    held = Held(database)

    def impatient(number):
        with patience.answering():
            return database.write(add, number)

    outcomes = together(*[lambda n=n: impatient(n) for n in range(6)])
    assert [type(error) for _, error in outcomes] == [DatabaseBusy] * 6
    assert held.release_behind(database, lambda tx: add(tx, 7)) == [7]
    assert impatient(8) == 8
    assert numbers(database) == {7, 8}, "a unit ran whose caller was told that it had not"


def test_giving_up_and_being_run_at_once_has_one_outcome(database):
    """Whoever is told "busy" finds nothing written, whoever is answered finds it."""
    ran = set()

    def slow(tx, number):
        ran.add(number)
        threading.Event().wait(0.003)
        return add(tx, number)

    def work(number):
        with patience.answering():
            return database.write(slow, number)

    outcomes = together(*[lambda n=n: work(n) for n in range(90)])
    answered = {number for number, error in outcomes if error is None}
    assert {type(error) for _, error in outcomes if error} <= {DatabaseBusy}
    assert answered == numbers(database) == ran


def test_a_request_does_not_hang_behind_another_process(database):
    other = sqlite3.connect(database.url.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with patience.answering(), pytest.raises(DatabaseLocked) as refused:
        database.write(add, 1)
    assert refused.value.details["seconds"] < 1
    other.execute("ROLLBACK")
    other.close()
    assert database.write(add, 2) == 2


def test_a_unit_that_nobody_waits_for_joins_the_next_commit(database):
    settle = database.write_along(lambda tx: add(tx, 1))
    assert numbers(database) == set()
    held = Held(database)
    held.release_behind(database, lambda tx: add(tx, 2))
    assert numbers(database) == {1, 2}
    settle()
    assert numbers(database) == {1, 2}


def test_where_nobody_commits_it_gets_a_commit_of_its_own(database):
    settle = database.write_along(lambda tx: add(tx, 1))
    settle()
    assert numbers(database) == {1}


def test_one_that_failed_among_others_is_tried_alone_and_they_are_not_disturbed(database):
    database.write(add, 7)
    settle = database.write_along(lambda tx: add(tx, 7))
    database.write(add, 8)
    assert numbers(database) == {7, 8}
    with pytest.raises(DuplicateRow):
        settle()
    assert numbers(database) == {7, 8}
