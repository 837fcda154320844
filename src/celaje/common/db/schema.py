"""Bring a database to the schema the code knows: `celaje db sync`, and by itself at every start.

An empty database gets the tables from the metadata and the newest revision's stamp, without Alembic
(importing it costs as much as all the rest of the start). Only a database with an older stamp loads
Alembic and runs the service's migrations (`<service>/db/migrations/NNNN_what.py`).
"""

import importlib.util
from pathlib import Path
from types import ModuleType

import sqlalchemy
from sqlalchemy import Connection, MetaData

from celaje.common.db.database import Database
from celaje.common.db.errors import SchemaTooNew

_VERSION_TABLE = sqlalchemy.Table(
    "alembic_version", MetaData(), sqlalchemy.Column("version_num", sqlalchemy.String(32), primary_key=True)
)


def revisions(migrations: Path) -> list[str]:
    """The revision names in their order: the file names without their ending."""
    return sorted(path.stem for path in migrations.glob("[0-9]*_*.py"))


def stamp_of(connection: Connection) -> str | None:
    if not sqlalchemy.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sqlalchemy.select(_VERSION_TABLE.c.version_num)).scalar()


def sync(database: Database, service: str, metadata: MetaData, migrations: Path) -> list[str]:
    """Create or upgrade the schema. Returns what was done, as revision names; empty when it was current.
    Raises SchemaTooNew for a stamp that this code does not know."""
    known = revisions(migrations)
    with database.engine.connect() as connection:
        found = stamp_of(connection)
        if found == known[-1]:
            return []
        if found is not None and found not in known:
            raise SchemaTooNew(service=service, found=found, known=known[-1])
        if database.url.get_backend_name() == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        if found is None:
            metadata.create_all(connection)
            _VERSION_TABLE.create(connection, checkfirst=True)
            connection.execute(_VERSION_TABLE.insert().values(version_num=known[-1]))
            todo = known
        else:
            todo = known[known.index(found) + 1 :]
            _upgrade(connection, migrations, todo)
            connection.execute(_VERSION_TABLE.update().values(version_num=known[-1]))
        if database.url.get_backend_name() == "sqlite":
            connection.exec_driver_sql("COMMIT")
        else:
            connection.commit()
    return todo


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
