"""`celaje db sync` on PostgreSQL and MariaDB: by several at once, cut off midway, on a wrong database."""

import pytest
import sqlalchemy
from click.testing import CliRunner
from sqlalchemy import select

from celaje.cli.database import command
from celaje.cli.failure import Failure
from celaje.cloud import SERVICES, service_class
from celaje.common.db import fetch_value
from celaje.common.db.address import address
from celaje.common.db.errors import BadConnection, ForeignSchema
from celaje.common.db.locks import LOCKS
from celaje.common.db.schema import revisions, sync
from tests.common.db.servers import BOTH, fresh_url, opened
from tests.common.db.test_group_commit import together

pytestmark = pytest.mark.xdist_group("databases")


def bring_up(url, service="volume"):
    declared = service_class(service)
    with opened(url) as database:
        return sync(database, service, declared.metadata, declared.migrations)


@pytest.mark.parametrize("kind", BOTH)
def test_of_many_at_once_one_does_it(kind):
    url = fresh_url(kind)
    outcomes = together(*[lambda: bring_up(url)] * 4)
    assert [error for _, error in outcomes] == [None] * 4
    done = revisions(service_class("volume").migrations)
    assert sorted((result for result, _ in outcomes), key=len) == [[], [], [], done]


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("service", SERVICES)
def test_the_command_makes_every_services_schema(kind, service, tmp_path):
    url = fresh_url(kind)
    arguments = ["sync", "--state", str(tmp_path), "--service", service, "--connection", url]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    assert revisions(service_class(service).migrations)[-1] in result.output
    with opened(url) as database:
        there = set(sqlalchemy.inspect(database.engine).get_table_names())
        assert set(service_class(service).metadata.tables) <= there
    again = CliRunner().invoke(command, arguments)
    assert again.exit_code == 0 and "is current" in again.output


@pytest.mark.parametrize("kind", BOTH)
def test_two_services_in_one_database_are_refused(kind):
    url = fresh_url(kind)
    bring_up(url, "volume")
    with pytest.raises(ForeignSchema, match="placement"):
        bring_up(url, "placement")


def test_the_command_says_what_is_wrong_with_the_connection(tmp_path):
    for url, words in (
        ("nonsense", "not an SQLAlchemy URL"),
        ("postgresql://u@127.0.0.1:1/x", "cannot be reached"),
        (fresh_url("mariadb") + "_not", "Unknown database"),
    ):
        arguments = ["sync", "--state", str(tmp_path), "--service", "image", "--connection", url]
        result = CliRunner().invoke(command, arguments)
        assert result.exit_code == 1 and isinstance(result.exception, Failure | SystemExit), result.output
        assert words in f"{result.output}{result.exception}"


def test_an_attempt_that_ended_between_two_tables_is_completed():
    """MariaDB commits each CREATE by itself."""
    url = fresh_url("mariadb")
    metadata = service_class("volume").metadata
    tables = metadata.sorted_tables
    with opened(url) as database, database.engine.begin() as connection:
        for table in tables[: len(tables) // 2]:
            connection.execute(sqlalchemy.schema.CreateTable(table))  # and none of its indexes
    assert bring_up(url)
    with opened(url) as database:
        inspector = sqlalchemy.inspect(database.engine)
        for table in tables:
            there = {tuple(index["column_names"]) for index in inspector.get_indexes(table.name)}
            for index in table.indexes:
                assert tuple(column.name for column in index.columns) in there, index.name
        assert database.read(fetch_value, select(sqlalchemy.func.count()).select_from(LOCKS)) == 1024


def test_urls_as_operators_write_them():
    url = address("mysql://nova:pw@db/nova_{service}?charset=utf8", "object-store")
    assert url.render_as_string(False) == "mysql+pymysql://nova:pw@db/nova_object_store?charset=utf8mb4"
    assert address("postgresql://u@db/x").drivername == "postgresql+psycopg"
    assert address("sqlite:////tmp/{service}.db", "image").database == "/tmp/image.db"
    for wrong in ("nonsense", "oracle://u:secret@db/x"):
        with pytest.raises(BadConnection) as refused:
            address(wrong)
        assert "secret" not in refused.value.message


def test_mariadb_and_postgresql_are_not_loaded_for_sqlite(tmp_path):
    import subprocess
    import sys

    code = (
        "import sys; from celaje.common.db import Database; "
        f"Database('sqlite:///{tmp_path}/a.db').close(); "
        "print([name for name in ('pymysql', 'psycopg', 'celaje.common.db.server') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
