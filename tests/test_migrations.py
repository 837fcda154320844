"""Migrations lead to the schema that the metadata declares, for every service."""

import pytest
import sqlalchemy

from celaje.cloud import SERVICES, service_class
from celaje.common.db import Database
from celaje.common.db.schema import build_by_migrations, sync
from tests.servers import databases


def described(database):
    inspector = sqlalchemy.inspect(database.engine)
    tables = {}
    for table in inspector.get_table_names():
        if table in ("alembic_version", "db_locks"):
            continue
        columns = {
            column["name"]: (str(column["type"]), column["nullable"])
            for column in inspector.get_columns(table)
        }
        indexes = sorted(
            (tuple(index["column_names"]), bool(index["unique"])) for index in inspector.get_indexes(table)
        )
        unique = sorted(tuple(found["column_names"]) for found in inspector.get_unique_constraints(table))
        keys = tuple(inspector.get_pk_constraint(table)["constrained_columns"])
        foreign = sorted(
            (tuple(key["constrained_columns"]), key["referred_table"], tuple(key["referred_columns"]))
            for key in inspector.get_foreign_keys(table)
        )
        tables[table] = (columns, indexes, unique, keys, foreign)
    return tables


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_build_what_the_metadata_declares(tmp_path, service):
    declared = service_class(service)
    fresh = Database(databases.url_in(tmp_path, "fresh"))
    assert sync(fresh, service, declared.metadata, declared.migrations)
    assert sync(fresh, service, declared.metadata, declared.migrations) == []
    grown = Database(databases.url_in(tmp_path, "grown"))
    build_by_migrations(grown, declared.migrations)
    assert described(grown) == described(fresh)
    fresh.close()
    grown.close()


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_are_frozen(service):
    """A migration must not import the tables: they change, it must not."""
    for path in service_class(service).migrations.glob("[0-9]*_*.py"):
        assert "celaje" + "." not in path.read_text().replace("celaje.common.db.types", ""), path
