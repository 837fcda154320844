"""Queries on how volumes of a type are encrypted. Called by API and conductor."""

from sqlalchemy import bindparam, delete, insert, select, update

from celaje.common.db import Prepared, Transaction
from celaje.volume.db.rows import Row
from celaje.volume.db.tables import TYPE_ENCRYPTIONS
from celaje.volume.errors import InvalidEncryption
from celaje.volume.keys.base import DEFAULT_BITS, KeyManager

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


def for_driver(tx: Transaction, volume: Row) -> Row | None:
    """How the volume is to be encrypted, and by which key: {"key_id", "provider", "cipher", "key_size"}; None
    for a plain one."""
    if volume["encryption_key_id"] is None:
        return None
    way = described(of_type(tx, volume["volume_type_id"])) or {}
    return {"key_id": volume["encryption_key_id"], **way}


def described(way: Row | None) -> Row | None:
    """What of it a driver needs, which may travel in messages and journals."""
    return None if way is None else {key: way[key] for key in ("provider", "cipher", "key_size")}


def new_key(tx: Transaction, keys: KeyManager, way: Row, project_id: str | None) -> str:
    """A key for a volume that is encrypted this way; its id. InvalidVolumeType when no cipher is named."""
    if not way["cipher"]:
        raise InvalidEncryption
    return keys.create(tx, project_id, way["key_size"] or DEFAULT_BITS)


def alike(one: Row | None, other: Row | None) -> bool:
    """Whether two types encrypt in the same way, or neither does."""
    return _facts(one) == _facts(other)


def _facts(way: Row | None) -> Row | None:
    keys = ("provider", "control_location", "cipher", "key_size")
    return None if way is None else {key: way[key] for key in keys}
