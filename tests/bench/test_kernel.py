"""The common ground beside its limits: bare SQLite commits, SQLAlchemy Core, a bare hop of messages."""

import threading
import time

import msgspec
import pytest
from sqlalchemy import bindparam, select, update

from celaje.common import clock
from celaje.common.authentication import Authentication
from celaje.common.context import RequestContext
from celaje.common.db import Prepared, fetch_one
from celaje.common.flow import Engine, flow
from celaje.common.messaging import Client, Messages, Server, call, connect
from celaje.common.policy import Policy, Rule
from celaje.common.rest import InProcessTransport
from celaje.common.revocations import Revocations
from celaje.common.tokens import KeyRepository, Token, Tokens, seconds
from celaje.common.wsgi import Api, Route, Versions, dialects
from tests.bench.conftest import JARS, median

pytestmark = pytest.mark.bench

_get = select(JARS).where(JARS.c.id == bindparam("row"))
_set = update(JARS).where(JARS.c.id == bindparam("row")).values(status=bindparam("goal"))
_get_prepared = Prepared(_get)


def fill(database, count=200):
    now = clock.now()
    database.write(
        lambda tx: tx.execute(
            JARS.insert(),
            [
                {
                    "id": f"jar-{n}",
                    "project_id": "p" * 32,
                    "status": "full",
                    "size": n,
                    "details": {"colour": "blue"},
                    "created_at": now,
                }
                for n in range(count)
            ],
        )
    )


class Worker(Messages):
    topic = "worker"

    @call(timeout=30.0)
    def make(self, jar: dict) -> dict: ...


class Endpoint:
    def make(self, jar: dict) -> dict:
        return jar


def move(tx, jar_id, goal):
    tx.execute(_set, {"row": jar_id, "goal": goal})


def broken(tx, row, error):
    move(tx, row["resource_id"], "error")


@flow("jar.make", deadline=100, way_out=broken)
def make_jar(run, jar_id):
    worker = run.conductor
    run.undo(worker.make, jar={"id": jar_id})
    jar = run.step(worker.make, jar={"id": jar_id})
    run.step(worker.make, jar=jar)
    run.done(move, jar_id, "full")


def test_reads_and_writes(shop, report):
    fill(shop.database)
    commit = median(shop.raw_commit, 300)

    def core():
        with shop.core.connect() as connection:
            return dict(connection.execute(_get, {"row": "jar-7"}).mappings().first())

    limit = median(core, 2000)
    database = shop.database
    report.add("bare commit (fsync)", commit)
    report.add("Core get-one", limit)
    report.add(
        "Database.read, select made per call",
        median(lambda: database.read(fetch_one, select(JARS).where(JARS.c.id == "jar-7")), 1000),
        limit,
        "Core get-one",
    )
    report.add(
        "Database.read, select made once",
        median(lambda: database.read(lambda tx: tx.execute(_get, {"row": "jar-7"}).mappings().first()), 2000),
        limit,
        "Core get-one",
    )
    report.add(
        "Database.read, Prepared",
        median(lambda: database.read(_get_prepared.one, row="jar-7"), 2000),
        limit,
        "Core get-one",
    )
    report.add(
        "Database.write, update made once",
        median(lambda: database.write(move, "jar-7", f"full {clock.monotonic()}"), 400),
        commit,
        "bare commit",
    )


def test_group_commit(shop, report):
    """Sixteen threads share commits."""
    fill(shop.database)
    commit = median(shop.raw_commit, 300)
    rounds = 60

    def work(name):
        for number in range(rounds):
            shop.database.write(move, name, f"full {number}")

    threads = [threading.Thread(target=work, args=(f"jar-{n}",)) for n in range(16)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    each = (time.perf_counter() - start) * 1e6 / (16 * rounds)
    report.add("Database.write, 16 threads, each", each, commit, "bare commit")


def test_flows(shop, report):
    fill(shop.database)
    bus = connect("inproc://")
    server = Server(bus, Worker.target("one"), Endpoint(), Worker, threads=4)
    server.start()
    proxy = Client(Worker, bus, lambda option: 60.0).to("one")
    engine = Engine(shop.flows(make_jar), proxy, owner="bench")
    flows = engine.flows
    flows.nudge = engine.nudge
    asker = RequestContext(user_id="u" * 32, project_id="p" * 32, roles=("member",))
    try:
        commit = median(shop.raw_commit, 300)
        hop = median(lambda: proxy.make(jar={"id": "one"}), 1000)

        def submit(tx):
            return flows.submit(
                tx, "jar.make", resource=("jar", "jar-7"), arguments={"jar_id": "jar-7"}, request=asker
            )

        def one():
            flows.wait(shop.database.write(submit), 30)

        each = median(one, 150)
        limit = 5 * commit + 2 * hop
        report.add("in-process call", hop)
        report.add("flow of two steps, submit to end", each, limit, "(5 bare commits + 2 calls)")
        before = shop.database.statements
        one()
        report.say(f"statements of one flow: {shop.database.statements - before}")

        def many():
            for _ in range(25):
                one()

        threads = [threading.Thread(target=many) for _ in range(16)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        report.say(f"16 at once: {16 * 25 / (time.perf_counter() - start):.0f} flows/s")
    finally:
        engine.stop(2)
        server.stop(2)
        bus.close()


def test_small_things(report):
    asker = RequestContext(user_id="u" * 32, project_id="p" * 32, roles=("member", "reader"))
    data = asker.to_dict()

    def hundred(function):
        return lambda: [function() for _ in range(100)]

    for what, function in (
        ("context to_dict", asker.to_dict),
        ("context from_dict", lambda: RequestContext.from_dict(data)),
        ("a new context", RequestContext),
        ("clock.now", clock.now),
        ("new uuid", clock.new_uuid),
        ("(JSON of a context)", lambda: msgspec.json.encode(data)),
    ):
        report.say(f"{what:<48}{median(hundred(function), 200) / 100:>9.2f} us")


def test_a_get_through_the_whole_pipeline(shop, report):
    """GET of one resource, token, policy and view included, in process."""
    fill(shop.database)
    keys = KeyRepository(shop.folder / "keys")
    keys.create()
    tokens = Tokens(keys)
    ends = seconds(clock.now()) + 3600
    sealed = tokens.seal(
        Token(
            user_id="u" * 32, scope="project", scope_id="p" * 32, roles=(("r1", "reader"),), expires_at=ends
        )
    )
    database = shop.database

    def view(jar):
        return {**jar, "created_at": clock.iso(jar["created_at"]), "updated_at": clock.iso(jar["updated_at"])}

    def show(request, jar_id):
        jar = database.read(_get_prepared.one, row=jar_id)
        request.authorize({"project_id": jar["project_id"]})
        return {"jar": view(jar)}

    rule = Rule("jars:get", "role:admin or (role:reader and project_id:%(project_id)s)")
    api = Api(
        None,
        [Route("GET", "/v3/jars/{jar_id}", rule.name, show, authorize="handler")],
        service_type="volume",
        policy=Policy([rule]),
        dialect=dialects.volume,
        authenticate=Authentication(tokens, Revocations()),
        versions=Versions("volume", {(3, 0): "first", (3, 71): "last"}),
    )
    transport = InProcessTransport(lambda: api)
    headers = {"X-Auth-Token": sealed, "OpenStack-API-Version": "volume 3.59"}

    def get():
        status, _, chunks = transport.send("GET", "/v3/jars/jar-7", headers, None)
        assert status == 200
        return b"".join(chunks)

    def core():
        with shop.core.connect() as connection:
            jar = dict(connection.execute(_get, {"row": "jar-7"}).mappings().first())
        return msgspec.json.encode({"jar": view(jar)})

    assert get() == core()
    limit = median(core, 2000)
    each = median(get, 2000)
    report.add("GET one, in process", each, limit, "Core get-one + encode")
