"""Queries on volumes. Called by API and conductor."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, or_, select

from celaje.common.db import Transaction, fetch_all
from celaje.volume.db.rows import Row, Rows
from celaje.volume.db.tables import SNAPSHOTS, VOLUMES

_rows = Rows(VOLUMES)
get, get_of_project = _rows.get, _rows.get_of_project
insert, change, remove = _rows.insert, _rows.change, _rows.remove

# What workers and drivers get of a volume's row.
_DRIVER_KEYS = (
    "id",
    "name_id",
    "size",
    "host",
    "volume_type_id",
    "provider_id",
    "provider_location",
    "encryption_key_id",
    "metadata",
    "project_id",
)


def target_of(volume_id: str) -> str:
    """The migration_status of the hidden volume to which an attached one moves."""
    return f"target:{volume_id}"


def is_target(volume: Row) -> bool:
    return str(volume.get("migration_status")).startswith("target:")


def for_driver(volume: Row) -> Row:
    return {key: volume[key] for key in _DRIVER_KEYS}


def summary(tx: Transaction, project_id: str | None) -> tuple[int, int]:
    """Count and sum of sizes."""
    statement = select(func.count(), func.coalesce(func.sum(VOLUMES.c.size), 0)).select_from(VOLUMES)
    if project_id is not None:
        statement = statement.where(VOLUMES.c.project_id == project_id)
    count, size = tuple(tx.execute(statement).one())
    return count, size


def all_metadata(tx: Transaction, project_id: str | None) -> dict[str, list[str]]:
    """Every metadata key with its distinct values, in the order of the volumes' age."""
    statement = select(VOLUMES.c.metadata).order_by(VOLUMES.c.created_at)
    if project_id is not None:
        statement = statement.where(VOLUMES.c.project_id == project_id)
    found: dict[str, list[str]] = {}
    for (metadata,) in tx.execute(statement):
        for key, value in metadata.items():
            values = found.setdefault(key, [])
            if value not in values:
                values.append(value)
    return found


def expired(tx: Transaction, now: Any, limit: int = 100) -> list[Row]:
    statement = (
        select(VOLUMES.c.id, VOLUMES.c.project_id)
        .where(VOLUMES.c.expires_at <= now, VOLUMES.c.flow_id.is_(None))
        .order_by(VOLUMES.c.expires_at)
        .limit(limit)
    )
    return fetch_all(tx, statement)


def with_type(tx: Transaction, type_ids: Iterable[str]) -> bool:
    statement = select(VOLUMES.c.id).where(VOLUMES.c.volume_type_id.in_(list(type_ids))).limit(1)
    return tx.execute(statement).first() is not None


def known_at(tx: Transaction, host: str) -> dict[str, str]:
    """The ids of the volumes on a back end (`name@backend`), by the id that their data lies under."""
    here = or_(VOLUMES.c.host == host, VOLUMES.c.host.startswith(f"{host}#", autoescape=True))
    rows = fetch_all(tx, select(VOLUMES.c.id, VOLUMES.c.name_id).where(here))
    return {row["name_id"] or row["id"]: row["id"] for row in rows}


def by_project(tx: Transaction, host: str) -> list[Row]:
    """What lies on a back end (`name@backend`): {"project", "volume_count", "total_volume_gb",
    "snapshot_count", "total_snapshot_gb"}, by project."""
    here = or_(VOLUMES.c.host == host, VOLUMES.c.host.startswith(f"{host}#", autoescape=True))
    found: dict[str, Row] = {}
    of_volumes = (
        select(VOLUMES.c.project_id, func.count().label("number"), func.sum(VOLUMES.c.size).label("gib"))
        .where(here)
        .group_by(VOLUMES.c.project_id)
    )
    of_snapshots = (
        select(
            VOLUMES.c.project_id, func.count().label("number"), func.sum(SNAPSHOTS.c.volume_size).label("gib")
        )
        .join(SNAPSHOTS, SNAPSHOTS.c.volume_id == VOLUMES.c.id)
        .where(here)
        .group_by(VOLUMES.c.project_id)
    )
    for row in fetch_all(tx, of_volumes):
        found[row["project_id"]] = {
            "project": row["project_id"],
            "volume_count": row["number"],
            "total_volume_gb": int(row["gib"]),
            "snapshot_count": 0,
            "total_snapshot_gb": 0,
        }
    for row in fetch_all(tx, of_snapshots):
        found[row["project_id"]] |= {"snapshot_count": row["number"], "total_snapshot_gb": int(row["gib"])}
    return [found[project] for project in sorted(found)]
