"""A table of stones: numbers, words and NULLs to write, sort and page."""

import pytest
from sqlalchemy import BigInteger, Column, Integer, String, Table

from celaje.common.db import Database, Json, Moment, new_metadata
from tests.servers import databases

METADATA = new_metadata()
STONES = Table(
    "stones",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), unique=True),
    Column("weight", BigInteger),
    Column("colour", String(16)),
    Column("facts", Json),
    Column("found_at", Moment),
)


@pytest.fixture
def database(tmp_path):
    database = Database(databases.url_in(tmp_path, "stones"), synchronous="NORMAL", pool_timeout=5)
    METADATA.create_all(database.engine)
    yield database
    database.close()
