"""Queries on snapshots. Called by API and conductor."""

from sqlalchemy import bindparam, or_, select

from celaje.common.db import Prepared, Transaction, fetch_all
from celaje.volume.db.rows import Row, Rows
from celaje.volume.db.tables import SNAPSHOTS, VOLUMES

_rows = Rows(SNAPSHOTS)
get, get_of_project = _rows.get, _rows.get_of_project
insert, change, remove = _rows.insert, _rows.change, _rows.remove

_of_volume = Prepared(
    select(SNAPSHOTS).where(SNAPSHOTS.c.volume_id == bindparam("volume")).order_by(SNAPSHOTS.c.created_at)
)


def of_volume(tx: Transaction, volume_id: str) -> list[Row]:
    return _of_volume.all(tx, volume=volume_id)


def known_at(tx: Transaction, host: str) -> dict[str, str]:
    """The ids of the snapshots on a back end (`name@backend`), by the id that their data lies under."""
    statement = (
        select(SNAPSHOTS.c.id, SNAPSHOTS.c.name_id)
        .join(VOLUMES, VOLUMES.c.id == SNAPSHOTS.c.volume_id)
        .where(or_(VOLUMES.c.host == host, VOLUMES.c.host.startswith(f"{host}#", autoescape=True)))
    )
    return {row["name_id"] or row["id"]: row["id"] for row in fetch_all(tx, statement)}


def sources_at(tx: Transaction, host: str) -> dict[str, str]:
    """The id that the data of a snapshot's volume lies under, by the id of the snapshot's own."""
    statement = (
        select(SNAPSHOTS.c.id, SNAPSHOTS.c.name_id, SNAPSHOTS.c.volume_id, VOLUMES.c.name_id.label("data"))
        .join(VOLUMES, VOLUMES.c.id == SNAPSHOTS.c.volume_id)
        .where(or_(VOLUMES.c.host == host, VOLUMES.c.host.startswith(f"{host}#", autoescape=True)))
    )
    found = fetch_all(tx, statement)
    return {row["name_id"] or row["id"]: row["data"] or row["volume_id"] for row in found}


def for_driver(snapshot: Row, volume: Row) -> Row:
    """`id` is what its data lies under, `row_id` its own."""
    return {
        "id": snapshot.get("name_id") or snapshot["id"],
        "row_id": snapshot["id"],
        "volume_id": snapshot["volume_id"],
        "volume_size": snapshot["volume_size"],
        "volume_name_id": volume["name_id"],
        "provider_location": snapshot["provider_location"],
        "metadata": snapshot["metadata"],
    }
