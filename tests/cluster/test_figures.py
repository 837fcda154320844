"""Figures of the cluster, each beside a limit of the same run: printed, and kept for
`tools/performance_page.py`. No time is asserted: machines differ."""

import statistics
import threading
import time

import pytest
import sqlalchemy

from tests.bench.figures import Theme
from tests.cluster.lab import Cluster
from tests.cluster.load import Session
from tests.cluster.servers import DATABASES

pytestmark = [pytest.mark.cluster, pytest.mark.bench, pytest.mark.timeout(600)]

ROUNDS = 30
CLIENTS = 16
SECONDS = 8.0


@pytest.fixture
def session(cluster):
    return Session(cluster, "figures")


def commit(cluster: Cluster) -> float:
    """Milliseconds of one row written and committed, the least that an accepted request costs."""
    url = DATABASES[cluster.kind].url(cluster.database, "celaje_volume")
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.StaticPool)
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE figures (number INTEGER)"))
        connection.commit()
        spent = []
        for number in range(100):
            began = time.perf_counter()
            connection.execute(sqlalchemy.text("INSERT INTO figures VALUES (:n)"), {"n": number})
            connection.commit()
            spent.append((time.perf_counter() - began) * 1000)
        connection.execute(sqlalchemy.text("DROP TABLE figures"))
        connection.commit()
    engine.dispose()
    return statistics.median(spent)


def until(session: Session, service: str, path: str, kind: str, wanted: str) -> None:
    while session.insist(service, "GET", path).body[kind]["status"] != wanted:
        time.sleep(0.005)


def made(session: Session, service: str, path: str, kind: str, body: dict, wanted: str) -> float:
    """Milliseconds from the request to `wanted`, as a client that looks every 5 ms sees it."""
    began = time.perf_counter()
    row = session.insist(service, "POST", path, {kind: body}).body[kind]
    until(session, service, f"{path}/{row['id']}", kind, wanted)
    took = (time.perf_counter() - began) * 1000
    session.insist(service, "DELETE", f"{path}/{row['id']}")
    return took


def throughput(sessions: list[Session]) -> float:
    """Lists of volumes a second by that many clients, each with a connection of its own."""
    ending, counts = threading.Event(), []

    def read(session: Session) -> None:
        done = 0
        while not ending.is_set():
            done += session.ask("volume", "GET", "/v3/volumes?limit=5") is not None
        counts.append(done)

    threads = [threading.Thread(target=read, args=(session,)) for session in sessions]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    time.sleep(SECONDS)
    ending.set()
    for thread in threads:
        thread.join(60)
    return sum(counts) / (time.perf_counter() - began)


def test_figures(cluster, flavor, image, network, session):
    bare = commit(cluster)
    server = {"name": "f", "flavorRef": flavor, "imageRef": image, "networks": [{"uuid": network}]}
    volumes = [
        made(session, "volume", "/v3/volumes", "volume", {"size": 1}, "available") for _ in range(ROUNDS)
    ]
    servers = [made(session, "compute", "/v2.1/servers", "server", server, "ACTIVE") for _ in range(ROUNDS)]
    sessions = [Session(cluster, f"figures-{number}") for number in range(CLIENTS)]
    both = throughput(sessions)
    cluster.terminate("volume-api2")
    cluster.until(lambda: session.ask("volume", "GET", "/v3/volumes?limit=1"), 30, "the balancer has seen it")
    one = throughput(sessions)
    cluster.await_up(cluster.start("volume-api2"))
    with Theme("cluster") as figures:
        of = "a commit on the same server"
        figures.add("volume to available, p50", statistics.median(volumes), "ms", limit=bare, of=of)
        figures.add("server with a port to ACTIVE, p50", statistics.median(servers), "ms", limit=bare, of=of)
        figures.add(
            "GET volumes through HAProxy, two APIs", both, "/s", limit=one, of="one API, the same clients"
        )
    print(f"commit {bare:.2f} ms, volume {statistics.median(volumes):.1f} ms, server "
          f"{statistics.median(servers):.1f} ms, one API {one:.0f}/s, two {both:.0f}/s")  # fmt: skip
