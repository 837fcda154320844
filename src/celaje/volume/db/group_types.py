"""Queries on group types. Called by the API and at start."""

from sqlalchemy import bindparam, select

from celaje.common.db import Prepared, Transaction
from celaje.volume.db.rows import Row, Rows
from celaje.volume.db.tables import GROUP_TYPES, GROUPS

_rows = Rows(GROUP_TYPES)
get, insert, change, remove = _rows.get, _rows.insert, _rows.change, _rows.remove

_by_name = Prepared(select(GROUP_TYPES).where(GROUP_TYPES.c.name == bindparam("wanted")))
_used = Prepared(select(GROUPS.c.id).where(GROUPS.c.group_type_id == bindparam("kind")).limit(1))


# The type of consistency groups: what the API of that name makes are groups of it.
RESERVED_NAME = "default_cgsnapshot_type"
RESERVED = select(GROUP_TYPES.c.id).where(GROUP_TYPES.c.name == RESERVED_NAME)


def is_reserved(tx: Transaction, type_id: str) -> bool:
    found = by_name(tx, RESERVED_NAME)
    return found is not None and found["id"] == type_id


def by_name(tx: Transaction, name: str) -> Row | None:
    return _by_name.one(tx, wanted=name)


def is_used(tx: Transaction, type_id: str) -> bool:
    return _used.value(tx, kind=type_id) is not None
