"""A server goes away and comes back: requests work or are told to come again, nothing is half written."""

import threading

import pytest
from sqlalchemy import select

from celaje.common import patience
from celaje.common.db import fetch_all
from celaje.common.db.errors import DatabaseUnreachable
from tests.cloud import until
from tests.common.db.conftest import METADATA, STONES
from tests.common.db.servers import BOTH, OwnServer, add, ids, opened

pytestmark = pytest.mark.xdist_group("databases")


@pytest.fixture(scope="module", params=BOTH)
def server(request):
    server = OwnServer(request.param)
    with opened(server.url) as database:
        METADATA.create_all(database.engine)
    yield server
    server.remove()


@pytest.fixture
def database(server):
    with opened(server.url, pool_timeout=30) as database:
        database.write(lambda tx: tx.execute(STONES.delete()))
        yield database


def test_the_next_request_after_a_restart_works(server, database):
    database.write(add, 1)
    for _ in range(3):  # several connections that will be stale
        ids(database)
    server.restart()
    with patience.answering():
        assert ids(database) == [1]
        database.write(add, 2)
    server.restart()
    with patience.answering():
        database.write(add, 3)
        assert ids(database) == [1, 2, 3]


def test_while_it_is_down_a_request_is_told_and_background_work_waits(server, database):
    server.stop()
    try:
        with patience.answering(), pytest.raises(DatabaseUnreachable):
            ids(database)
        with patience.answering(), pytest.raises(DatabaseUnreachable):
            database.write(add, 1)
        outcome = []
        worker = threading.Thread(target=lambda: outcome.append(database.write(add, 2)))
        worker.start()
    finally:
        server.start()
    worker.join(40)
    assert outcome == [2]
    assert ids(database) == [2]


def test_killed_in_the_middle_of_a_unit_nothing_is_half_written(server, database):
    runs = []

    def unit(tx):
        runs.append(tx)
        add(tx, 1)
        if len(runs) == 1:
            server.kill()
            server.start()
        add(tx, 2)

    database.write(unit)
    assert len(runs) == 2
    assert ids(database) == [1, 2]

    def halves(tx):
        add(tx, 3)
        server.kill()
        raise LookupError("the process gives up here")

    try:
        with pytest.raises(LookupError):
            database.write(halves)
    finally:
        server.start()
    assert ids(database) == [1, 2]


def test_many_writers_over_a_kill_lose_no_answer(server, database):
    """What was answered is there; what was not may be there or not, but whole: a pair or nothing."""
    answered, stop = set(), threading.Event()
    numbers = iter(range(1, 1_000_000))
    lock = threading.Lock()

    def pair(tx, number):
        add(tx, number)
        add(tx, -number)

    def work():
        while not stop.is_set():
            with lock:
                number = next(numbers)
            try:
                database.write(pair, number)
            except Exception:  # told: the outcome is looked at below
                continue
            answered.add(number)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    until(lambda: len(answered) > 50)
    server.kill()
    server.start()
    seen = len(answered)
    until(lambda: len(answered) > seen + 20)
    stop.set()
    for worker in workers:
        worker.join(40)
        assert not worker.is_alive()
    there = {row["id"] for row in database.read(fetch_all, select(STONES.c.id))}
    assert {-number for number in there} == there, "half of a unit"
    assert answered <= there


def test_at_start_a_server_is_waited_for(server):
    server.stop()
    up = threading.Event()
    try:
        with opened(server.url, pool_timeout=1) as database:
            with pytest.raises(DatabaseUnreachable):
                database.wait_for_server(max_retries=1, retry_interval=0.01)

            def wait():
                database.wait_for_server(max_retries=-1, retry_interval=0.05)
                up.set()

            waiter = threading.Thread(target=wait)
            waiter.start()
            assert not up.is_set()
            server.start()
            waiter.join(30)
            assert up.is_set()
    finally:
        if not up.is_set():
            server.start()
