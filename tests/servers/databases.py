"""The databases that the in-process tests run on: `CELAJE_TEST_DATABASE` is sqlite, postgresql or mariadb.

`connection(folder, service)` is what LabCloud and the services' own labs put into `[database] connection`:
a database of that folder and service's own, the same one when a test starts the service again.
"""

import fcntl
import functools
import hashlib
import os
from pathlib import Path
from typing import Any

import sqlalchemy

from celaje.assembly import service_class
from celaje.cloud import SERVICES
from celaje.common.db import Database, schema
from tests.servers import mariadb, postgresql
from tests.servers.shared import run_folder

KIND = os.environ.get("CELAJE_TEST_DATABASE", "sqlite")
KINDS = {"postgresql": postgresql, "mariadb": mariadb}

if KIND != "sqlite" and KIND not in KINDS:
    raise RuntimeError(f"CELAJE_TEST_DATABASE={KIND}: there are sqlite, {', '.join(KINDS)}")


def connection(folder: Path, service: str) -> str | None:
    """None: SQLite in the service's own folder, which is the default."""
    if KIND == "sqlite":
        return None
    digest = hashlib.sha256(f"{folder}/{service}".encode()).hexdigest()[:16]
    # Making its tables costs more than all else that a service does at its start.
    template = _template(service) if KIND == "postgresql" and service in SERVICES else None
    return database(KIND, f"celaje_{service}_{digest}", template)


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


def database(kind: str, name: str, template: str | None = None) -> str:
    """The URL of the database `name` on the run's server, created unless it is there; on PostgreSQL as a copy
    of `template`."""
    running = KINDS[kind].SERVER.get()
    with _administrator(kind).connect() as session:
        if kind == "postgresql":
            there = "SELECT 1 FROM pg_database WHERE datname = :name"
            if session.execute(sqlalchemy.text(there), {"name": name}).scalar() is None:
                copy = f'TEMPLATE "{template}"' if template else ""
                session.execute(sqlalchemy.text(f'CREATE DATABASE "{name}" {copy}'))
        else:
            session.execute(sqlalchemy.text(f"CREATE DATABASE IF NOT EXISTS `{name}`"))
    return KINDS[kind].url(running, name)


@functools.cache
def _administrator(kind: str) -> sqlalchemy.Engine:
    server = KINDS[kind]
    return sqlalchemy.create_engine(
        server.url(server.SERVER.get()), isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool
    )


@functools.cache
def _template(service: str) -> str:
    """A database with the service's empty tables, made by the first process of the run that wants it."""
    name, unfinished = f"celaje_{service}_template", f"celaje_{service}_unfinished"
    with open(run_folder() / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with _administrator("postgresql").connect() as session:
            there = sqlalchemy.text("SELECT 1 FROM pg_database WHERE datname = :name")
            if session.execute(there, {"name": name}).scalar() is None:
                session.execute(sqlalchemy.text(f'DROP DATABASE IF EXISTS "{unfinished}"'))
                made = Database(database("postgresql", unfinished), service=service)
                declared = service_class(service)
                schema.sync(made, service, declared.metadata, declared.migrations)
                made.close()
                session.execute(sqlalchemy.text(f'ALTER DATABASE "{unfinished}" RENAME TO "{name}"'))
    return name
