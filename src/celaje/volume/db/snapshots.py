"""Queries on snapshots. Called by API and conductor."""

from sqlalchemy import bindparam, select

from celaje.common.db import Prepared, Transaction
from celaje.volume.db.rows import Row, Rows
from celaje.volume.db.tables import SNAPSHOTS

_rows = Rows(SNAPSHOTS)
get, get_of_project = _rows.get, _rows.get_of_project
insert, change, remove = _rows.insert, _rows.change, _rows.remove

_of_volume = Prepared(
    select(SNAPSHOTS).where(SNAPSHOTS.c.volume_id == bindparam("volume")).order_by(SNAPSHOTS.c.created_at)
)


def of_volume(tx: Transaction, volume_id: str) -> list[Row]:
    return _of_volume.all(tx, volume=volume_id)


def for_driver(snapshot: Row, volume: Row) -> Row:
    return {
        "id": snapshot["id"],
        "volume_id": snapshot["volume_id"],
        "volume_size": snapshot["volume_size"],
        "volume_name_id": volume["name_id"],
        "provider_location": snapshot["provider_location"],
        "metadata": snapshot["metadata"],
    }
