"""Queries on snapshots. Called by API and conductor."""

from sqlalchemy import bindparam, select

from celaje.common.db import Transaction
from celaje.volume.db.rows import Row, Rows
from celaje.volume.db.tables import SNAPSHOTS

_rows = Rows(SNAPSHOTS)
get, insert, change, remove = _rows.get, _rows.insert, _rows.change, _rows.remove

_of_project = select(SNAPSHOTS).where(
    SNAPSHOTS.c.id == bindparam("row"), SNAPSHOTS.c.project_id == bindparam("project")
)
_of_volume = (
    select(SNAPSHOTS).where(SNAPSHOTS.c.volume_id == bindparam("volume")).order_by(SNAPSHOTS.c.created_at)
)


def get_of_project(tx: Transaction, row_id: str, project_id: str | None) -> Row | None:
    if project_id is None:
        return get(tx, row_id)
    row = tx.execute(_of_project, {"row": row_id, "project": project_id}).mappings().first()
    return dict(row) if row is not None else None


def of_volume(tx: Transaction, volume_id: str) -> list[Row]:
    return [dict(row) for row in tx.execute(_of_volume, {"volume": volume_id}).mappings()]


def for_driver(snapshot: Row, volume: Row) -> Row:
    return {
        "id": snapshot["id"],
        "volume_id": snapshot["volume_id"],
        "volume_size": snapshot["volume_size"],
        "volume_name_id": volume["name_id"],
        "provider_location": snapshot["provider_location"],
        "metadata": snapshot["metadata"],
    }
