"""A tiny shop on the common ground, and the limit that each figure is compared with in the same run.

Figures are medians in microseconds; nothing here asserts a time, since machines are small and noisy.
"""

import itertools
import sqlite3
import statistics
import time
from types import SimpleNamespace

import pytest
import sqlalchemy
from sqlalchemy import Column, Integer, String, Table

from celaje.common.db import Database, Json, Moment, new_metadata
from celaje.common.flow import Flows, flow_tables

METADATA = new_metadata()
TABLES = flow_tables(METADATA)
JARS = Table(
    "jars",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("project_id", String(64)),
    Column("status", String(16), nullable=False),
    Column("size", Integer),
    Column("details", Json),
    Column("flow_id", String(36)),
    Column("created_at", Moment),
    Column("updated_at", Moment),
)


def median(function, rounds, warm=20):
    """Microseconds of one call, in the middle of `rounds`."""
    for _ in range(warm):
        function()
    spent = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        spent.append((time.perf_counter() - start) * 1e6)
    return statistics.median(spent)


class Report:
    """Lines of a table: what, its figure, its limit's figure, the ratio."""

    def __init__(self):
        self.lines = []

    def add(self, what, figure, limit=None, of=""):
        ratio = f"{figure / limit:6.2f} x {of} ({limit:.0f} us)" if limit else ""
        self.lines.append(f"{what:<48}{figure:>9.0f} us  {ratio}")

    def say(self, line):
        self.lines.append(line)


@pytest.fixture
def report():
    made = Report()
    yield made
    print("\n" + "\n".join(made.lines))


@pytest.fixture
def shop(tmp_path):
    """A database with jars and flows, and raw SQLite beside it with the same settings."""
    path = tmp_path / "shop.db"
    database = Database(f"sqlite:///{path}")
    with database.engine.connect() as connection:
        METADATA.create_all(connection)
    raw = sqlite3.connect(tmp_path / "raw.db", isolation_level=None, check_same_thread=False)
    raw.execute("PRAGMA journal_mode=WAL")
    raw.execute("PRAGMA synchronous=FULL")
    raw.execute("CREATE TABLE jars (id TEXT PRIMARY KEY, status TEXT)")
    raw.execute("INSERT INTO jars VALUES ('one', 'full')")
    core = sqlalchemy.create_engine(f"sqlite:///{path}", isolation_level="AUTOCOMMIT")

    numbers = itertools.count()

    def raw_commit():
        # A value of its own each time: SQLite writes nothing for a row that stays as it was.
        raw.execute("BEGIN IMMEDIATE")
        raw.execute("UPDATE jars SET status = ? WHERE id = 'one'", (f"full {next(numbers)}",))
        raw.execute("COMMIT")

    def flows(*declared, **options):
        return Flows(database, TABLES, declared, **options)

    yield SimpleNamespace(database=database, core=core, raw_commit=raw_commit, flows=flows, folder=tmp_path)
    database.close()
    raw.close()
    core.dispose()
