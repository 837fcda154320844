"""A tiny service for the engine's tests: jars with a status, a ledger of what happened outside."""

from types import SimpleNamespace

import pytest
from sqlalchemy import Column, String, Table, select

from celaje.common import clock
from celaje.common.db import Database, fetch_value, new_metadata
from celaje.common.flow import Engine, Flows, flow_tables
from tests.servers import databases

METADATA = new_metadata()
TABLES = flow_tables(METADATA)
JARS = Table(
    "jars",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("fault", String(255)),
)


def set_status(tx, jar_id, status):
    tx.execute(JARS.update().where(JARS.c.id == jar_id).values(status=status))


def spoiled(tx, flow, error):
    tx.execute(
        JARS.update()
        .where(JARS.c.id == flow["resource_id"])
        .values(status="error", fault=error.message[:255])
    )


class Outside:
    """Stands for workers and other services: remembers what was done, fails as told."""

    def __init__(self):
        self.done: list[str] = []
        self.errors: dict[str, list[BaseException]] = {}

    def do(self, name):
        def work(*args):
            if self.errors.get(name):
                error = self.errors[name].pop(0)
                if error is not None:
                    raise error
            self.done.append(name)
            return {"by": name, "args": list(args)}

        work.__name__ = name
        return work


def dies_at(conductor, boundary):
    """It is killed at this boundary of what it executes, counted from 0. The boundaries that it passes."""
    passed = []

    def die(where, _flow):
        passed.append(where)
        if len(passed) == boundary + 1:
            conductor.engine.kill()

    conductor.engine.on_boundary = die
    return passed


@pytest.fixture
def outside():
    return Outside()


@pytest.fixture
def database(tmp_path):
    database = Database(databases.url_in(tmp_path, "flows"), synchronous="NORMAL")
    METADATA.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture
def virtual():
    with clock.installed(clock.VirtualClock(seed=7)) as virtual:
        yield virtual


@pytest.fixture
def kitchen(database, outside):
    """Makes flows, engines and jars; `run(flow, ...)` submits and executes in this thread."""
    engines = []

    def open_kitchen(*flows, owner="first", **options):
        made = Flows(database, TABLES, flows)
        engine = Engine(made, outside, owner=owner, **options)
        engines.append(engine)

        def submit(name, jar_id, deadline=None, **arguments):
            def unit(tx):
                tx.execute(JARS.insert().values(id=jar_id, status="making"))
                return made.submit(
                    tx,
                    name,
                    resource=("jar", jar_id),
                    arguments={"jar_id": jar_id, **arguments},
                    deadline=deadline,
                )

            return database.write(unit)

        def status(jar_id):
            return database.read(fetch_value, select(JARS.c.status).where(JARS.c.id == jar_id))

        def row(flow_id):
            return database.read(made.get, flow_id)

        def steps(flow_id):
            return [
                (s["number"], s["kind"], s["name"], s["outcome"]) for s in database.read(made.steps, flow_id)
            ]

        return SimpleNamespace(
            flows=made, engine=engine, submit=submit, status=status, row=row, steps=steps, database=database
        )

    yield open_kitchen
    for engine in engines:
        engine.kill()
