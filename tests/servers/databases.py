"""The databases that the in-process tests run on: `CELAJE_TEST_DATABASE` is sqlite, postgresql or mariadb.

`connection(folder, service)` is what LabCloud and the services' own labs put into `[database] connection`:
a database of that folder and service's own, the same one when a test starts the service again.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

import sqlalchemy

from tests.servers import mariadb, postgresql

KIND = os.environ.get("CELAJE_TEST_DATABASE", "sqlite")
KINDS = {"postgresql": postgresql, "mariadb": mariadb}

if KIND != "sqlite" and KIND not in KINDS:
    raise RuntimeError(f"CELAJE_TEST_DATABASE={KIND}: there are sqlite, {', '.join(KINDS)}")


def connection(folder: Path, service: str) -> str | None:
    """None: SQLite in the service's own folder, which is the default."""
    if KIND == "sqlite":
        return None
    digest = hashlib.sha256(f"{folder}/{service}".encode()).hexdigest()[:16]
    return database(KIND, f"celaje_{service}_{digest}")


def overrides(folder: Path, service: str) -> dict[tuple[str | None, str], Any]:
    """What a test's configuration needs for the database that it is to run on."""
    url = connection(folder, service)
    if url is None:
        # A test's database need not survive a power cut.
        return {("database", "sqlite_synchronous"): "NORMAL"}
    # The server is shared by all clouds of the run.
    return {("database", "connection"): url, ("database", "max_overflow"): 15}


def url_in(folder: Path, name: str) -> str:
    """For tests that open a Database by themselves: SQLite in `folder`, or a database on the server."""
    return connection(folder, name) or f"sqlite:///{folder / name}.db"


def database(kind: str, name: str) -> str:
    """The URL of the database `name` on the run's server, created unless it is there."""
    server = KINDS[kind]
    running = server.SERVER.get()
    engine = sqlalchemy.create_engine(
        server.url(running), isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool
    )
    with engine.connect() as session:
        if kind == "postgresql":
            there = "SELECT 1 FROM pg_database WHERE datname = :name"
            if session.execute(sqlalchemy.text(there), {"name": name}).scalar() is None:
                session.execute(sqlalchemy.text(f'CREATE DATABASE "{name}"'))
        else:
            session.execute(sqlalchemy.text(f"CREATE DATABASE IF NOT EXISTS `{name}`"))
    return server.url(running, name)
