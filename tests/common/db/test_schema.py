"""A database is brought to the schema that the code knows, from wherever it stands."""

import pytest
import sqlalchemy
from sqlalchemy import select

from celaje.common.db import Database, SchemaTooNew, fetch_value
from celaje.common.db.schema import check, revisions, stamp_of, sync
from tests.common.db.conftest import METADATA, STONES
from tests.servers import databases

FIRST = """
import sqlalchemy as sa
from alembic import op

def upgrade():
    op.create_table(
        "stones",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(64), unique=True),
        sa.Column("weight", sa.Integer),
    )
"""
SECOND = """
import sqlalchemy as sa
from alembic import op

def upgrade():
    for name, kind in (("colour", sa.String(16)), ("facts", sa.Text), ("found_at", sa.DateTime)):
        op.add_column("stones", sa.Column(name, kind))
    op.execute("UPDATE stones SET colour = 'grey'")
"""
BROKEN = """
from alembic import op

def upgrade():
    op.execute("DELETE FROM stones")
    op.execute("ALTER TABLE nothing ADD COLUMN x INTEGER")
"""


@pytest.fixture
def migrations(tmp_path):
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_initial.py").write_text(FIRST)
    (folder / "0002_colours.py").write_text(SECOND)
    (folder / "notes.txt").write_text("not a migration")
    return folder


@pytest.fixture
def empty(tmp_path):
    database = Database(databases.url_in(tmp_path, "fresh"))
    yield database
    database.close()


def stamp(database):
    with database.engine.connect() as connection:
        return stamp_of(connection)


def old(database, migrations):
    """The database as the first version of the code left it, with a row."""
    later = migrations / "0002_colours.py"
    text = later.read_text()
    later.unlink()
    metadata = sqlalchemy.MetaData()
    sqlalchemy.Table(
        "stones",
        metadata,
        sqlalchemy.Column("id", sqlalchemy.Integer, primary_key=True),
        sqlalchemy.Column("name", sqlalchemy.String(64), unique=True),
        sqlalchemy.Column("weight", sqlalchemy.Integer),
    )
    assert sync(database, "stones", metadata, migrations) == ["0001_initial"]
    later.write_text(text)
    database.write(lambda tx: tx.execute(sqlalchemy.text("INSERT INTO stones (id, name) VALUES (1, 'a')")))


def test_an_empty_database_gets_all_at_once(empty, migrations):
    assert sync(empty, "stones", METADATA, migrations) == ["0001_initial", "0002_colours"]
    assert stamp(empty) == "0002_colours"
    empty.write(lambda tx: tx.execute(STONES.insert().values(id=1, colour="red")))


def test_a_current_database_is_left_alone(empty, migrations):
    sync(empty, "stones", METADATA, migrations)
    empty.write(lambda tx: tx.execute(STONES.insert().values(id=1)))
    assert sync(empty, "stones", METADATA, migrations) == []
    assert empty.read(fetch_value, select(STONES.c.id)) == 1


def test_an_older_database_is_migrated_and_keeps_its_rows(empty, migrations):
    old(empty, migrations)
    assert sync(empty, "stones", METADATA, migrations) == ["0002_colours"]
    assert stamp(empty) == "0002_colours"
    assert empty.read(fetch_value, select(STONES.c.colour).where(STONES.c.id == 1)) == "grey"


def test_a_migration_that_fails_changes_nothing(empty, migrations):
    old(empty, migrations)
    (migrations / "0003_broken.py").write_text(BROKEN)
    with pytest.raises(Exception, match="nothing"):
        sync(empty, "stones", METADATA, migrations)
    if databases.KIND == "mariadb":
        # Its DDL commits by itself: what was done before the failure stays, and is known.
        assert stamp(empty) == "0002_colours"
        (migrations / "0003_broken.py").unlink()
        assert sync(empty, "stones", METADATA, migrations) == []
        return
    assert stamp(empty) == "0001_initial"
    assert empty.read(fetch_value, select(STONES.c.id)) == 1
    # And the writer is free again.
    (migrations / "0003_broken.py").unlink()
    assert sync(empty, "stones", METADATA, migrations) == ["0002_colours"]


def test_a_database_of_a_newer_version_is_refused_and_named(empty, migrations):
    sync(empty, "stones", METADATA, migrations)
    for column in ("alembic_version SET version_num", "schema_floor SET revision"):
        empty.write(lambda tx, column=column: tx.execute(sqlalchemy.text(f"UPDATE {column} = '0009_far'")))
    with pytest.raises(SchemaTooNew, match=r"stones.*0009_far.*0002_colours"):
        sync(empty, "stones", METADATA, migrations)


def test_revisions_are_the_numbered_files_in_order(migrations):
    assert revisions(migrations) == ["0001_initial", "0002_colours"]


THIRD = """
{floor}
import sqlalchemy as sa
from alembic import op

def upgrade():
    op.add_column("stones", sa.Column("shape", sa.String(16)))
"""


@pytest.mark.parametrize("fresh", [True, False])
def test_old_code_lives_with_a_database_that_newer_code_has_added_to(empty, migrations, tmp_path, fresh):
    if not fresh:
        sync(empty, "stones", METADATA, migrations)
    newer = migrations / "0003_shapes.py"
    newer.write_text(THIRD.format(floor=""))
    sync(empty, "stones", METADATA, migrations)
    assert stamp(empty) == "0003_shapes"
    newer.unlink()
    check(empty, "stones", METADATA, migrations)
    assert sync(empty, "stones", METADATA, migrations) == []
    assert stamp(empty) == "0003_shapes"


@pytest.mark.parametrize("fresh", [True, False])
def test_old_code_is_refused_when_something_it_needs_was_taken_away(empty, migrations, fresh):
    if not fresh:
        sync(empty, "stones", METADATA, migrations)
    newer = migrations / "0003_shapes.py"
    newer.write_text(THIRD.format(floor='floor = "0003_shapes"'))
    sync(empty, "stones", METADATA, migrations)
    newer.unlink()
    with pytest.raises(SchemaTooNew, match=r"stones.*0003_shapes.*0002_colours"):
        check(empty, "stones", METADATA, migrations)
    with pytest.raises(SchemaTooNew):
        sync(empty, "stones", METADATA, migrations)


def test_a_floor_between_lets_in_who_knows_it(empty, migrations):
    newer = migrations / "0003_shapes.py"
    newer.write_text(THIRD.format(floor='floor = "0002_colours"'))
    sync(empty, "stones", METADATA, migrations)
    newer.unlink()
    check(empty, "stones", METADATA, migrations)
    (migrations / "0002_colours.py").unlink()
    with pytest.raises(SchemaTooNew):
        check(empty, "stones", METADATA, migrations)
