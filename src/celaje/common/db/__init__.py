"""The database layer of every service's API and conductor: SQLAlchemy Core, no ORM.

Queries are plain functions whose first argument is the transaction; `Database.read` and `Database.write`
run them. Only `api/`, `conductor/` and the flow engine may import it (a test on imports holds that).
"""

from celaje.common.db.database import Database, Transaction
from celaje.common.db.errors import DatabaseLocked, DuplicateRow, SchemaTooNew
from celaje.common.db.rows import fetch_all, fetch_one, fetch_value
from celaje.common.db.types import Json, Moment, new_metadata

__all__ = [
    "Database",
    "DatabaseLocked",
    "DuplicateRow",
    "Json",
    "Moment",
    "SchemaTooNew",
    "Transaction",
    "fetch_all",
    "fetch_one",
    "fetch_value",
    "new_metadata",
]
