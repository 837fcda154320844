"""Queries on backups. Called by API and conductor."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, select

from celaje.common import clock
from celaje.common.db import Prepared, Transaction
from celaje.volume.db import volumes
from celaje.volume.db.rows import Row, Rows
from celaje.volume.db.tables import BACKUPS
from celaje.volume.states import BACKUPS as STATES

_rows = Rows(BACKUPS)
get, get_of_project = _rows.get, _rows.get_of_project
insert, change, remove = _rows.insert, _rows.change, _rows.remove

_newest = Prepared(
    select(BACKUPS)
    .where(
        BACKUPS.c.volume_id == bindparam("volume"),
        BACKUPS.c.project_id == bindparam("project"),
        BACKUPS.c.status == "available",
        BACKUPS.c.data_timestamp <= bindparam("moment"),
    )
    .order_by(BACKUPS.c.data_timestamp.desc(), BACKUPS.c.created_at.desc())
    .limit(1)
)

_sharing = Prepared(
    select(BACKUPS.c.id)
    .where(BACKUPS.c.location == bindparam("where"), BACKUPS.c.id != bindparam("row"))
    .limit(1)
)

_WORKER_KEYS = ("id", "location", "volume_id", "size", "host")
_VOLUME_KEYS = ("name", "description", "metadata", "image_metadata")
# How a volume is named that a restore made; it gets the name of what it was.
NEW_NAME = "restore_backup_"


def for_worker(backup: Row) -> Row:
    return {key: backup[key] for key in _WORKER_KEYS}


def newest(tx: Transaction, volume_id: str, project_id: str | None, moment: Any) -> Row | None:
    """The project's available backup of the volume with the newest data, but none newer than `moment`:
    nobody's backup depends on what another project may delete."""
    return _newest.one(tx, volume=volume_id, project=project_id, moment=moment)


def shares_data(tx: Transaction, backup: Row) -> bool:
    """Whether another row has the same data: then deleting this one leaves it where it is."""
    return _sharing.value(tx, where=backup["location"], row=backup["id"]) is not None


def kept_of(volume: Row) -> Row:
    """What a backup keeps of the volume beside its data."""
    return {key: volume[key] for key in _VOLUME_KEYS}


def give_back(tx: Transaction, backup_id: str, volume_id: str) -> None:
    """The volume that was restored gets what the backup kept: metadata, image metadata; name and description
    if the restore made it."""
    backup, volume = get(tx, backup_id), volumes.get(tx, volume_id)
    if backup is None or volume is None:
        return
    kept = backup["volume_kept"]
    values = {"metadata": kept.get("metadata") or {}}
    if kept.get("image_metadata"):
        values |= {"image_metadata": kept["image_metadata"], "bootable": True}
    if kept.get("name") and (volume["name"] or "").startswith(NEW_NAME):
        values |= {"name": kept["name"], "description": kept.get("description")}
    volumes.change(tx, volume_id, **values)


def with_dependents(tx: Transaction, backup_ids: Iterable[str]) -> set[str]:
    """Those of the backups that others add to."""
    statement = select(BACKUPS.c.parent_id).where(BACKUPS.c.parent_id.in_(list(backup_ids))).distinct()
    return set(tx.execute(statement).scalars())


def release(tx: Transaction, backup_id: str, flow_id: str) -> None:
    """What was restored is available again."""
    STATES.move(
        tx,
        BACKUPS,
        backup_id,
        "available",
        sources=("restoring",),
        held_by=flow_id,
        updated_at=clock.now(),
    )
