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
    template = _template(KIND, service) if service in SERVICES else None
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
    """The URL of the database `name` on the run's server; made unless it is there, empty or as a copy of
    `template`."""
    running = KINDS[kind].SERVER.get()
    with _administrator(kind).connect() as session:
        if not _there(session, name):
            if kind == "postgresql":
                copy = f'TEMPLATE "{template}"' if template else ""
                session.exec_driver_sql(f'CREATE DATABASE "{name}" {copy}')
            else:
                session.exec_driver_sql(f"CREATE DATABASE `{name}`")
                for statement in _blueprint(template) if template else ():
                    session.exec_driver_sql(statement.replace("{name}", name))
    return KINDS[kind].url(running, name)


@functools.cache
def _administrator(kind: str) -> sqlalchemy.Engine:
    server = KINDS[kind]
    return sqlalchemy.create_engine(
        server.url(server.SERVER.get()), isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool
    )


def _there(session: sqlalchemy.Connection, name: str) -> bool:
    kept = (
        "pg_database WHERE datname"
        if session.dialect.name == "postgresql"
        else "information_schema.schemata WHERE schema_name"
    )
    return (
        session.execute(sqlalchemy.text(f"SELECT 1 FROM {kept} = :name"), {"name": name}).scalar() is not None
    )


@functools.cache
def _template(kind: str, service: str) -> str:
    """A database with the service's empty tables, made by the first process of the run that wants it. Nobody
    may look into it later: PostgreSQL copies only what nobody uses."""
    name = f"celaje_{service}_template"
    with open(Path(KINDS[kind].SERVER.get().folder) / f"{name}.made", "a+") as made:
        fcntl.flock(made, fcntl.LOCK_EX)
        if not os.fstat(made.fileno()).st_size:
            empty, declared = Database(database(kind, name), service=service), service_class(service)
            schema.sync(empty, service, declared.metadata, declared.migrations)
            empty.close()
            made.write("yes")
    return name


@functools.cache
def _blueprint(template: str) -> tuple[str, ...]:
    """MariaDB copies no database: the statements that do, each table with its indexes in one."""
    found = ["USE `{name}`", "SET foreign_key_checks = 0"]
    with _administrator("mariadb").connect() as session:
        for table in sqlalchemy.inspect(session).get_table_names(schema=template):
            at = f"`{template}`.`{table}`"
            found.append(str(session.exec_driver_sql(f"SHOW CREATE TABLE {at}").one()[1]))
            if session.exec_driver_sql(f"SELECT 1 FROM {at} LIMIT 1").first():
                found.append(f"INSERT INTO `{table}` SELECT * FROM {at}")
    return tuple(found)
