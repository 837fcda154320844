"""A table of stones: numbers, words and NULLs to write, sort and page."""

import pytest
from sqlalchemy import Column, Integer, String, Table

from celaje.common.db import Database, Json, Moment, new_metadata

METADATA = new_metadata()
STONES = Table(
    "stones",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), unique=True),
    Column("weight", Integer),
    Column("colour", String(16)),
    Column("facts", Json),
    Column("found_at", Moment),
)


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'stones.db'}", synchronous="NORMAL", pool_timeout=5)
    with database.engine.connect() as connection:
        METADATA.create_all(connection)
    yield database
    database.close()
