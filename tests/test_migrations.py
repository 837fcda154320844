"""Migrations lead to the schema that the metadata declares, for every service."""

import ast

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
        if table in ("alembic_version", "schema_floor", "db_locks"):
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


@pytest.mark.parametrize("service", SERVICES)
def test_later_migrations_only_add(service):
    """Old processes go on beside the new ones; what takes something away names the floor that it leaves."""
    for path in sorted(service_class(service).migrations.glob("[0-9]*_*.py"))[1:]:
        assert taken_away(path.read_text()) == [], path


_TAKING = ("op.drop_", "op.rename_", "op.alter_", "op.create_unique_")


def taken_away(text):
    """What a migration does that code of before would stumble over, unless it says which code would not."""
    tree = ast.parse(text)
    if any(isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "floor" for node in tree.body):
        return []
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        if name.startswith("op.") and name.split(".")[1].startswith(
            ("drop_", "rename_", "alter_", "create_u")
        ):
            found.append(name)
        elif name == "op.add_column":
            words = {word.arg: ast.unparse(word.value) for word in node.args[1].keywords}
            if words.get("nullable") == "False" and "server_default" not in words:
                found.append(ast.unparse(node.args[1]))
    return found


@pytest.mark.parametrize(
    ("line", "bad"),
    [
        ('op.add_column("volumes", sa.Column("colour", sa.String(8)))', False),
        ('op.add_column("volumes", sa.Column("colour", sa.String(8), nullable=True))', False),
        ('op.add_column("v", sa.Column("c", sa.Integer, nullable=False, server_default="0"))', False),
        ('op.create_table("colours", sa.Column("id", sa.Integer, nullable=False))', False),
        ('op.add_column("volumes", sa.Column("colour", sa.String(8), nullable=False))', True),
        ('op.drop_column("volumes", "size")', True),
        ('op.alter_column("volumes", "size", new_column_name="gib")', True),
        ('op.create_unique_constraint("one", "volumes", ["name"])', True),
    ],
)
def test_what_counts_as_taking_away(line, bad):
    assert bool(taken_away(f"def upgrade():\n    {line}\n")) == bad
    assert taken_away(f'floor = "0002_x"\ndef upgrade():\n    {line}\n') == []
