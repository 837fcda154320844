"""Units that count rows and then add one: what they count must hold until they commit.

    serialise(tx, f"quota {project_id}")

Called at the start of every quota's and address pool's unit. SQLite has one writer, nothing to do. PostgreSQL
has advisory locks. MariaDB's named locks do not end with a transaction and are unknown to Galera, so there it
is a row's lock; two Galera nodes meet when they certify it, and the later unit runs again.
"""

import hashlib

import sqlalchemy
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    bindparam,
    func,
    select,
    update,
)

from celaje.common.db.database import Transaction

# Names share slots: a collision costs a moment of waiting, never correctness.
_SLOTS = 1024

# On MariaDB only, made by `schema.sync` beside the service's own tables.
LOCKS = Table(
    "db_locks",
    MetaData(),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("taken", BigInteger, nullable=False),
)

_advisory = select(func.pg_advisory_xact_lock(bindparam("number", type_=BigInteger)))
_row = update(LOCKS).where(LOCKS.c.slot == bindparam("place")).values(taken=LOCKS.c.taken + 1)


def serialise(tx: Transaction, *names: str) -> None:
    """Until the end of this transaction no other unit has a lock of one of these names. Several names are
    taken in one order, so that two units cannot wait for each other."""
    if tx.dialect == "postgresql":
        for held in sorted({number(name) for name in names}):
            tx.execute(_advisory, {"number": held})
    elif tx.dialect != "sqlite":
        for slot in sorted({number(name) % _SLOTS for name in names}):
            tx.execute(_row, {"place": slot})


def number(name: str) -> int:
    """A name as PostgreSQL's advisory locks know it: 64 bits, with a sign."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def create(connection: Connection) -> None:
    """The table and all its slots: rows that are inserted on demand would deadlock on their gaps."""
    LOCKS.create(connection, checkfirst=True)
    if connection.execute(select(func.count()).select_from(LOCKS)).scalar() != _SLOTS:
        connection.execute(sqlalchemy.delete(LOCKS))
        connection.execute(sqlalchemy.insert(LOCKS), [{"slot": slot, "taken": 0} for slot in range(_SLOTS)])
