"""Bring a database to the schema the code knows: `celaje db sync`, and by itself at every start.

An empty database gets the tables from the metadata and the newest revision's stamp, without Alembic
(importing it costs as much as all the rest of the start). Only a database with an older stamp loads
Alembic and runs the service's migrations (`<service>/db/migrations/NNNN_what.py`).

In a rolling upgrade the database comes first: migrations only add what the code of before can ignore (new
tables, columns that may be NULL or have a server's default, indexes), so that it goes on beside the new
code. A migration that takes something away says `floor = "NNNN_what"`, the oldest revision whose code can
live with it: a release later than the code that stopped to need it.
"""

import importlib.util
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import sqlalchemy
from sqlalchemy import Connection, MetaData, func, select

from celaje.common.db import locks
from celaje.common.db.database import Database
from celaje.common.db.errors import ForeignSchema, SchemaMissing, SchemaTooNew, SchemaTooOld

_VERSION_TABLE = sqlalchemy.Table(
    "alembic_version", MetaData(), sqlalchemy.Column("version_num", sqlalchemy.String(32), primary_key=True)
)

# One row: code that knows this revision can work with the database, newer as it may be.
FLOOR_TABLE = sqlalchemy.Table(
    "schema_floor", MetaData(), sqlalchemy.Column("revision", sqlalchemy.String(32), primary_key=True)
)
_FLOOR = re.compile(r"""^floor = "(\w+)"$""", re.MULTILINE)

log = logging.getLogger(__name__)

# Seconds that a process waits for another one's migrations.
_PATIENCE = 3600


def revisions(migrations: Path) -> list[str]:
    """The revision names in their order: the file names without their ending."""
    return sorted(path.stem for path in migrations.glob("[0-9]*_*.py"))


def stamp_of(connection: Connection) -> str | None:
    if not sqlalchemy.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sqlalchemy.select(_VERSION_TABLE.c.version_num)).scalar()


def floor_of(connection: Connection) -> str | None:
    """The oldest revision whose code can work with the database; None for a database that does not say."""
    if not sqlalchemy.inspect(connection).has_table(FLOOR_TABLE.name):
        return None
    return connection.execute(sqlalchemy.select(FLOOR_TABLE.c.revision)).scalar()


def declared_floor(migrations: Path, upto: str) -> str:
    """What the migrations up to `upto` leave as the oldest revision that can live with them."""
    known = revisions(migrations)
    floor = known[0]
    for name in known[: known.index(upto) + 1]:
        found = _FLOOR.search((migrations / f"{name}.py").read_text())
        floor = max(floor, found[1]) if found else floor
    return floor


def sync(database: Database, service: str, metadata: MetaData, migrations: Path) -> list[str]:
    """Create or upgrade the schema. Returns what was done, as revision names; empty when it was current.
    Several processes may do it at once: one works, the others wait for it. Raises SchemaTooNew for a stamp
    that this code does not know and cannot live with, ForeignSchema for another service's database."""
    known = revisions(migrations)
    with database.engine.connect() as connection:
        found = stamp_of(connection)
        if found == known[-1]:
            _check_owner(connection, service, metadata)
            return []
        if found is not None and found not in known:
            _refuse_too_new(connection, service, found, known)
            return []
        with _alone(connection):
            # Somebody else may have done it while this process waited.
            return _bring_up(connection, service, metadata, migrations, known)


def check(database: Database, service: str, metadata: MetaData, migrations: Path) -> None:
    """At the start of a process that is one of several: nothing is changed. Raises SchemaMissing,
    SchemaTooOld (both for `celaje db sync`), SchemaTooNew, ForeignSchema."""
    known = revisions(migrations)
    with database.engine.connect() as connection:
        found = stamp_of(connection)
        if found is None:
            raise SchemaMissing(service=service)
        if found not in known:
            _refuse_too_new(connection, service, found, known)
            return
        if found != known[-1]:
            raise SchemaTooOld(service=service, found=found, known=known[-1])
        _check_owner(connection, service, metadata)


def _refuse_too_new(connection: Connection, service: str, found: str, known: list[str]) -> None:
    if floor_of(connection) not in known:
        raise SchemaTooNew(service=service, found=found, known=known[-1])
    log.info("%s: the database is at %s, which has only added to what this code knows", service, found)


def _set_floor(connection: Connection, revision: str) -> None:
    FLOOR_TABLE.create(connection, checkfirst=True)
    connection.execute(FLOOR_TABLE.delete())
    connection.execute(FLOOR_TABLE.insert().values(revision=revision))


def _bring_up(
    connection: Connection, service: str, metadata: MetaData, migrations: Path, known: list[str]
) -> list[str]:
    found = stamp_of(connection)
    if found is None:
        # On SQLite it is all or nothing: asking for each table first would double the time of a first start.
        metadata.create_all(connection, checkfirst=connection.dialect.name != "sqlite")
        _VERSION_TABLE.create(connection, checkfirst=True)
        if connection.dialect.name in ("mysql", "mariadb"):
            _complete_indexes(connection, metadata)
            locks.create(connection)
        _set_floor(connection, declared_floor(migrations, known[-1]))
        connection.execute(_VERSION_TABLE.insert().values(version_num=known[-1]))
        return known
    _check_owner(connection, service, metadata if found == known[-1] else None)
    todo = known[known.index(found) + 1 :]
    for name in todo:
        # Before: a process of older code that starts meanwhile is refused rather than surprised.
        _set_floor(connection, declared_floor(migrations, name))
        _upgrade(connection, migrations, [name])
        # After each: where DDL cannot be rolled back, the ones before a failure are done.
        connection.execute(_VERSION_TABLE.update().values(version_num=name))
    return todo


def _complete_indexes(connection: Connection, metadata: MetaData) -> None:
    """CREATE TABLE commits by itself on MariaDB: an earlier attempt may have ended before the indexes."""
    inspector, names = sqlalchemy.inspect(connection), connection.dialect.identifier_preparer
    for table in metadata.tables.values():
        there = {names.quote(str(index["name"])) for index in inspector.get_indexes(table.name)}
        for index in table.indexes:
            if names.format_index(index) not in there:
                index.create(connection)


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """One transaction, and no other process in the same place. MariaDB's DDL commits by itself."""
    dialect = connection.dialect.name
    if dialect == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield
        connection.exec_driver_sql("COMMIT")
    elif dialect == "postgresql":
        connection.rollback()
        connection.execute(select(func.pg_advisory_xact_lock(locks.number("celaje db sync"))))
        yield
        connection.commit()
    else:
        name = func.concat("celaje db sync ", func.database())
        connection.execute(select(func.get_lock(name, _PATIENCE)))
        try:
            yield
            connection.commit()
        finally:
            connection.execute(select(func.release_lock(name)))


def _check_owner(connection: Connection, service: str, metadata: MetaData | None) -> None:
    """On a server one URL given to two services would pass for current."""
    if metadata is None or connection.dialect.name == "sqlite":
        return
    missing = set(metadata.tables) - set(sqlalchemy.inspect(connection).get_table_names())
    if missing:
        raise ForeignSchema(service=service, missing=min(missing))


def _upgrade(connection: Connection, migrations: Path, names: list[str]) -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    with Operations.context(MigrationContext.configure(connection)):
        for name in names:
            _load(migrations / f"{name}.py").upgrade()


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"celaje_migration_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build_by_migrations(database: Database, migrations: Path) -> None:
    """Create the schema step by step; the test on migrations compares the result with the metadata."""
    with database.engine.connect() as connection:
        _upgrade(connection, migrations, revisions(migrations))
        connection.commit()
