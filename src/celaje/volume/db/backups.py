"""Queries on backups. Called by API and conductor."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, select

from celaje.common import clock
from celaje.common.db import Prepared, Transaction
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
        BACKUPS.c.status == "available",
        BACKUPS.c.data_timestamp <= bindparam("moment"),
    )
    .order_by(BACKUPS.c.data_timestamp.desc(), BACKUPS.c.created_at.desc())
    .limit(1)
)

_WORKER_KEYS = ("id", "container", "volume_id", "size", "host")


def for_worker(backup: Row) -> Row:
    return {key: backup[key] for key in _WORKER_KEYS}


def newest(tx: Transaction, volume_id: str, moment: Any) -> Row | None:
    """The volume's available backup with the newest data, but none newer than `moment`."""
    return _newest.one(tx, volume=volume_id, moment=moment)


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
