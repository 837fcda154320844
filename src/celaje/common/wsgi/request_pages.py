"""The journal of requests as it lies in a database: pages of many requests, the newest last.

Written by `request_journal`, read by `celaje.journals`. A page is one row without an index beside its number,
since what is written at every request must cost next to nothing, and is looked at once in a thousand times:
who looks searches the pages' text, which takes milliseconds for as many as `[api] requests_kept` keeps.
"""

import datetime
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
)

from celaje.common.db import Prepared, Transaction
from celaje.common.trail import Hop


class Entry(msgspec.Struct, omit_defaults=True, gc=False):
    """One request. What is not known is left out."""

    request_id: str
    method: str
    path: str
    status: int
    received_at: datetime.datetime
    # Seconds until the answer was ready, and SQL statements of this service's database in them.
    took: float
    statements: int
    global_request_id: str | None = None
    route: str | None = None
    user_id: str | None = None
    project_id: str | None = None
    # Of a refusal: class, kind, message, details (with the rule, the quota, the state).
    error: dict[str, Any] | None = None
    trail: list[Hop] | None = None


def request_table(metadata: MetaData) -> Table:
    return Table(
        "requests",
        metadata,
        Column("number", Integer, primary_key=True),
        # How many requests the page has.
        Column("entries", Integer, nullable=False),
        # A JSON list of them.
        Column("page", Text, nullable=False),
    )


_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode = msgspec.json.Decoder(list[Entry]).decode


class Pages:
    """The table's statements."""

    def __init__(self, table: Table):
        columns = table.c
        self._insert = Prepared(insert(table))
        reached = func.sum(columns.entries).over(order_by=columns.number.desc()).label("reached")
        counted = select(columns.number, reached).subquery()
        self._boundary = Prepared(
            select(func.max(counted.c.number)).where(counted.c.reached >= bindparam("kept"))
        )
        self._clean = Prepared(delete(table).where(columns.number < bindparam("boundary")))

    def add(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        self._insert.run(tx, entries=len(entries), page=_encode(entries).decode())

    def clean(self, tx: Transaction, kept: int) -> None:
        """Delete the pages before those that hold the newest `kept` requests."""
        boundary = self._boundary.value(tx, kept=kept)
        if boundary is not None:
            self._clean.run(tx, boundary=boundary)


def naming(table: Table, word: str) -> Select[Any]:
    """The pages, the newest first, that say `word` somewhere: an id, or a part of a path."""
    said = msgspec.json.encode(word).decode()[1:-1]
    says = table.c.page.contains(said, autoescape=True)
    return select(table.c.page).where(says).order_by(table.c.number.desc())


def entries(page: str) -> list[Entry]:
    """In the order in which they were answered."""
    return _decode(page)
