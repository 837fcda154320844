"""The database layer of every service's API and conductor: SQLAlchemy Core, no ORM.

Queries are plain functions whose first argument is the transaction; `Database.read` and `Database.write`
run them; statements of hot paths are made once (`Prepared`). Only `api/`, `conductor/` and the flow engine
may import it (a test on imports holds that).
"""

from celaje.common.db.database import Database, Transaction
from celaje.common.db.errors import (
    DatabaseClosed,
    DatabaseLocked,
    DatabaseTrouble,
    DuplicateRow,
    SchemaTooNew,
)
from celaje.common.db.locks import serialise
from celaje.common.db.prepared import Prepared
from celaje.common.db.rows import fetch_all, fetch_one, fetch_value
from celaje.common.db.types import Json, Moment, new_metadata

__all__ = [
    "Database",
    "DatabaseClosed",
    "DatabaseLocked",
    "DatabaseTrouble",
    "DuplicateRow",
    "Json",
    "Moment",
    "Prepared",
    "SchemaTooNew",
    "Transaction",
    "fetch_all",
    "fetch_one",
    "fetch_value",
    "new_metadata",
    "serialise",
]
