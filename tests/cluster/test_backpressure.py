"""An API whose connections are all taken says so at once, by 503 with Retry-After, to as many clients as
there are; it works on when one is free again. Real processes, a small pool, a table that is locked."""

import contextlib
import threading
import time

import pytest
import sqlalchemy

from celaje.common.errors import Unavailable
from celaje.common.rest.http_transport import HttpTransport
from tests.cloud import Client
from tests.cluster.lab import Cluster
from tests.cluster.servers import DATABASES
from tests.cluster.view import View

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

CLIENTS = 40
NARROW = {"database": {"max_pool_size": 2, "max_overflow": 0, "pool_timeout": 30}}
LOCKS = {
    "postgresql": "LOCK TABLE volumes IN ACCESS EXCLUSIVE MODE",
    "mariadb": "LOCK TABLES celaje_volume.volumes WRITE",
}


@contextlib.contextmanager
def locked(cluster: Cluster):
    """Nobody reads the table of volumes meanwhile: whoever tries keeps a connection."""
    url = DATABASES[cluster.kind].url(cluster.database, "celaje_volume")
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as session:
        session.execute(sqlalchemy.text(LOCKS[cluster.kind]))
        yield
        session.rollback()


@pytest.fixture
def narrow(cluster):
    """One API with two connections."""
    node = cluster.reconfigure("volume-api1", NARROW)
    yield node
    cluster.reconfigure("volume-api1", {})


def test_many_clients_of_a_full_pool_are_told_to_come_again(cluster, narrow):
    view = View(cluster)
    token = view.clients["volume"].token
    project = view.clients["volume"].project_id
    view.close()
    answers, lock, enough = [], threading.Lock(), threading.Event()

    def client() -> None:
        """As users do: again and again, each on a connection of its own."""
        mine = Client(HttpTransport(f"http://127.0.0.1:{narrow.port}", timeout=60), token, project)
        while not enough.is_set():
            began = time.monotonic()
            try:
                answer = mine.get("/v3/volumes/detail?limit=1")
            except Unavailable as error:
                answer = error
            with lock:
                answers.append((answer, time.monotonic() - began))

    threads = [threading.Thread(target=client, daemon=True) for _ in range(CLIENTS)]
    with locked(cluster):
        for thread in threads:
            thread.start()
        cluster.until(lambda: len(answers) >= 3 * CLIENTS, 120, "answers while the table is locked")
        with lock:
            refused = list(answers)
    # The lock is gone: those that had the connections are answered, and then everybody.
    cluster.until(
        lambda: sum(getattr(a, "status", 0) == 200 for a, _ in answers[len(refused) :]) >= CLIENTS,
        120,
        "answers when there is room again",
    )
    enough.set()
    for thread in threads:
        thread.join(90)
        assert not thread.is_alive()
    assert {getattr(answer, "status", repr(answer)) for answer, _ in refused} == {503}
    for answer, _ in refused:
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.body["serviceUnavailable"]["code"] == 503
    # pool_timeout is 30 s; nobody hangs for it.
    assert max(seconds for _, seconds in refused) < 30
    assert {answer.status for answer, _ in answers[len(refused) :]} <= {200, 503}


def test_a_change_at_the_limit_is_refused_or_kept_whole(cluster, narrow):
    """What was answered 503 was not begun, what was answered 202 is done."""
    view = View(cluster)
    token, project = view.clients["volume"].token, view.clients["volume"].project_id
    view.close()
    outcomes, lock = [], threading.Lock()

    def create(number: int) -> None:
        mine = Client(HttpTransport(f"http://127.0.0.1:{narrow.port}", timeout=60), token, project)
        answer = mine.post("/v3/volumes", {"volume": {"size": 1, "name": f"narrow-{number}"}})
        with lock:
            outcomes.append((number, answer))

    threads = [threading.Thread(target=create, args=(number,), daemon=True) for number in range(CLIENTS)]
    with locked(cluster):
        for thread in threads:
            thread.start()
        cluster.until(lambda: len(outcomes) >= CLIENTS - 2, 90, "the refusals")
    for thread in threads:
        thread.join(90)
    assert {answer.status for _, answer in outcomes} <= {202, 503}, [a.body for _, a in outcomes]
    accepted = {f"narrow-{number}" for number, answer in outcomes if answer.status == 202}
    sdk = cluster.sdk()

    def made() -> bool:
        found = {v.name: v.status for v in sdk.block_storage.volumes() if v.name.startswith("narrow-")}
        return found == dict.fromkeys(accepted, "available")

    cluster.until(made, 90, "what was accepted, and nothing else")
    for volume in sdk.block_storage.volumes():
        if volume.name.startswith("narrow-"):
            sdk.delete_volume(volume.id, wait=True)
