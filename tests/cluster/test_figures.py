"""Figures of the cluster, each beside a limit of the same run: printed, and kept for
`tools/performance_page.py`. No time is asserted: machines differ."""

import os
import statistics
import threading
import time

import pytest
import sqlalchemy

from tests.bench.figures import Theme
from tests.bench.http_client import Connection, request
from tests.cluster.lab import Cluster
from tests.cluster.load import Session
from tests.cluster.servers import DATABASES

pytestmark = [pytest.mark.cluster, pytest.mark.bench, pytest.mark.timeout(600)]

ROUNDS = 30
CLIENTS = 16
SECONDS = 6.0
TURNS = 3


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


def until(cluster: Cluster, session: Session, service: str, path: str, kind: str, wanted: str) -> None:
    def there() -> bool:
        status = session.insist(service, "GET", path).body[kind]["status"]
        assert not status.lower().startswith("error"), f"{path} is {status}"
        return status == wanted

    cluster.until(there, 90, f"{path} is {wanted}", pause=0.005)


def made(
    cluster: Cluster, session: Session, service: str, path: str, kind: str, body: dict, wanted: str
) -> float:
    """Milliseconds from the request to `wanted`, as a client that looks every 5 ms sees it."""
    began = time.perf_counter()
    row = session.insist(service, "POST", path, {kind: body}).body[kind]
    here = f"{path}/{row['id']}"
    until(cluster, session, service, here, kind, wanted)
    took = (time.perf_counter() - began) * 1000
    session.insist(service, "DELETE", here)
    cluster.until(lambda: session.insist(service, "GET", here).status == 404, 90, f"the end of {here}")
    return took


def throughput(cluster: Cluster, token: str) -> float:
    """Lists of volumes a second for CLIENTS clients, each with a bare connection of its own: the machine's
    cores are the servers', as far as they can be."""
    headers = [("X-Auth-Token", token), ("OpenStack-API-Version", "volume 3.71")]
    asking = request("GET", "/v3/volumes?limit=5", headers)
    ending, counts = threading.Event(), []

    def read() -> None:
        connection = Connection(cluster.ports["volume"])
        done = 0
        while not ending.is_set():
            status, _ = connection.ask(asking)
            assert status == 200, status
            done += 1
        connection.close()
        counts.append(done)

    threads = [threading.Thread(target=read) for _ in range(CLIENTS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    ending.wait(SECONDS)
    ending.set()
    for thread in threads:
        thread.join(60)
    assert len(counts) == CLIENTS, "a client was refused"
    return sum(counts) / (time.perf_counter() - began)


def test_figures(cluster, flavor, image, network, session):
    bare = commit(cluster)
    server = {"name": "f", "flavorRef": flavor, "imageRef": image, "networks": [{"uuid": network}]}
    volumes = [
        made(cluster, session, "volume", "/v3/volumes", "volume", {"size": 1}, "available")
        for _ in range(ROUNDS)
    ]
    servers = [
        made(cluster, session, "compute", "/v2.1/servers", "server", server, "ACTIVE") for _ in range(ROUNDS)
    ]
    # In turns, so that the machine's noise meets both.
    one, both = [], []
    for _ in range(TURNS):
        both.append(throughput(cluster, session.token))
        assert cluster.terminate("volume-api2") == 0
        # HAProxy asks every half second, and needs two answers.
        time.sleep(2)
        one.append(throughput(cluster, session.token))
        cluster.await_up(cluster.start("volume-api2"))
        time.sleep(2)
    with Theme("cluster") as figures:
        of = "a commit on the same server"
        figures.add("volume to available, p50", statistics.median(volumes), "ms", limit=bare, of=of)
        figures.add("server with a port to ACTIVE, p50", statistics.median(servers), "ms", limit=bare, of=of)
        figures.add("GET volumes through HAProxy, one API", statistics.median(one), "/s")
        figures.add(
            "GET volumes through HAProxy, two APIs",
            statistics.median(both),
            "/s",
            limit=statistics.median(one),
            of="one API, the same clients",
            note=f"{os.cpu_count()} cores for the APIs, {CLIENTS} clients, HAProxy and the database together",
        )
