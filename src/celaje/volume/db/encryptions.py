"""Queries on how volumes of a type are encrypted. Called by API and conductor."""

from sqlalchemy import bindparam, delete, insert, select, update

from celaje.common.db import Prepared, Transaction
from celaje.volume.db.rows import Row
from celaje.volume.db.tables import TYPE_ENCRYPTIONS

_get = Prepared(select(TYPE_ENCRYPTIONS).where(TYPE_ENCRYPTIONS.c.volume_type_id == bindparam("kind")))
_insert = Prepared(insert(TYPE_ENCRYPTIONS))
_change = Prepared(update(TYPE_ENCRYPTIONS).where(TYPE_ENCRYPTIONS.c.volume_type_id == bindparam("kind")))
_remove = Prepared(delete(TYPE_ENCRYPTIONS).where(TYPE_ENCRYPTIONS.c.volume_type_id == bindparam("kind")))


def of_type(tx: Transaction, type_id: str) -> Row | None:
    """{"provider", "control_location", "cipher", "key_size", ...}; None: volumes of the type are plain."""
    return _get.one(tx, kind=type_id)


def insert_row(tx: Transaction, row: Row) -> None:
    _insert.run(tx, **row)


def change(tx: Transaction, type_id: str, values: Row) -> bool:
    return _change.run(tx, kind=type_id, **values) == 1


def remove(tx: Transaction, type_id: str) -> bool:
    return _remove.run(tx, kind=type_id) == 1
