"""Limits and usage of a project. Usage is counted from the rows, in the transaction that adds to them."""

from sqlalchemy import bindparam, delete, func, insert, or_, select, update

from celaje.common.db import Prepared, Transaction, serialise
from celaje.volume.db.tables import BACKUPS, QUOTAS, SNAPSHOTS, VOLUMES

DEFAULT_CLASS = "class:default"

_limits = Prepared(
    select(QUOTAS.c.owner, QUOTAS.c.resource, QUOTAS.c.hard_limit).where(
        or_(QUOTAS.c.owner == bindparam("project"), QUOTAS.c.owner == DEFAULT_CLASS)
    )
)
_volumes = Prepared(
    select(
        VOLUMES.c.volume_type_id.label("kind"),
        func.count().label("number"),
        func.coalesce(func.sum(func.coalesce(VOLUMES.c.pending_size, VOLUMES.c.size)), 0).label("gib"),
    )
    .where(VOLUMES.c.project_id == bindparam("project"), VOLUMES.c.consumes_quota.is_(True))
    .group_by(VOLUMES.c.volume_type_id)
)
_arriving = Prepared(
    select(func.count().label("number"), func.coalesce(func.sum(VOLUMES.c.size), 0).label("gib")).where(
        VOLUMES.c.project_id == bindparam("project"),
        VOLUMES.c.consumes_quota.is_(True),
        VOLUMES.c.status == "retyping",
        VOLUMES.c.pending_type_id == bindparam("kind"),
    )
)
_snapshots = Prepared(
    select(
        SNAPSHOTS.c.volume_type_id.label("kind"),
        func.count().label("number"),
        func.coalesce(func.sum(SNAPSHOTS.c.volume_size), 0).label("gib"),
    )
    .where(SNAPSHOTS.c.project_id == bindparam("project"), SNAPSHOTS.c.consumes_quota.is_(True))
    .group_by(SNAPSHOTS.c.volume_type_id)
)

_backups = Prepared(
    select(func.count().label("number"), func.coalesce(func.sum(BACKUPS.c.size), 0).label("gib")).where(
        BACKUPS.c.project_id == bindparam("project")
    )
)


def lock(tx: Transaction, project_id: str) -> None:
    """Two requests of one project are counted one after the other."""
    serialise(tx, f"quota {project_id}")


def limits(tx: Transaction, project_id: str | None) -> tuple[dict[str, int], dict[str, int]]:
    """The project's own limits, and those of the default class."""
    own: dict[str, int] = {}
    defaults: dict[str, int] = {}
    for row in _limits.all(tx, project=project_id):
        (defaults if row["owner"] == DEFAULT_CLASS else own)[row["resource"]] = row["hard_limit"]
    return own, defaults


Counts = dict[str, tuple[int, int]]


def usage(tx: Transaction, project_id: str) -> tuple[Counts, Counts]:
    """Number and GiB of volumes, and of snapshots, by volume type."""
    volumes, snapshots = (
        {row["kind"]: (row["number"], int(row["gib"])) for row in statement.all(tx, project=project_id)}
        for statement in (_volumes, _snapshots)
    )
    return volumes, snapshots


def arriving(tx: Transaction, project_id: str, type_id: str) -> tuple[int, int]:
    """Number and GiB of the volumes of other types that are becoming of this one."""
    row = _arriving.one(tx, project=project_id, kind=type_id)
    return (row["number"], int(row["gib"])) if row else (0, 0)


def backups(tx: Transaction, project_id: str) -> tuple[int, int]:
    """Number and GiB of backups."""
    row = _backups.one(tx, project=project_id)
    return (row["number"], int(row["gib"])) if row else (0, 0)


def set_limit(tx: Transaction, owner: str, resource: str, hard_limit: int) -> None:
    key = (QUOTAS.c.owner == owner, QUOTAS.c.resource == resource)
    if tx.execute(update(QUOTAS).where(*key).values(hard_limit=hard_limit)).rowcount == 0:
        tx.execute(insert(QUOTAS), {"owner": owner, "resource": resource, "hard_limit": hard_limit})


def forget(tx: Transaction, owner: str) -> None:
    """Back to the defaults."""
    tx.execute(delete(QUOTAS).where(QUOTAS.c.owner == owner))
