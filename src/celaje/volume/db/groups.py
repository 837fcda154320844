"""Queries on groups and group snapshots, and on what belongs to them. Called by API and conductor."""

from sqlalchemy import bindparam, func, select

from celaje.common.db import Prepared, Transaction
from celaje.volume.db.group_types import RESERVED
from celaje.volume.db.rows import Row, Rows
from celaje.volume.db.tables import GROUP_SNAPSHOTS, GROUPS, SNAPSHOTS, VOLUMES

_groups, _snapshots = Rows(GROUPS), Rows(GROUP_SNAPSHOTS)
get, get_of_project = _groups.get, _groups.get_of_project
insert, change, remove = _groups.insert, _groups.change, _groups.remove
get_snapshot, get_snapshot_of_project = _snapshots.get, _snapshots.get_of_project
insert_snapshot, change_snapshot, remove_snapshot = _snapshots.insert, _snapshots.change, _snapshots.remove

_count = Prepared(select(func.count()).select_from(GROUPS).where(GROUPS.c.project_id == bindparam("project")))
_volumes = Prepared(
    select(VOLUMES)
    .where(VOLUMES.c.group_id == bindparam("group"))
    .order_by(VOLUMES.c.created_at, VOLUMES.c.id)
)
_snapshots_of = Prepared(
    select(SNAPSHOTS)
    .where(SNAPSHOTS.c.group_snapshot_id == bindparam("group"))
    .order_by(SNAPSHOTS.c.created_at, SNAPSHOTS.c.id)
)
_has_snapshots = Prepared(
    select(GROUP_SNAPSHOTS.c.id).where(GROUP_SNAPSHOTS.c.group_id == bindparam("group")).limit(1)
)
_used_as_source = Prepared(
    select(GROUPS.c.id)
    .where(GROUPS.c.group_snapshot_id == bindparam("group"), GROUPS.c.status == "creating")
    .limit(1)
)


def count(tx: Transaction, project_id: str) -> int:
    return _count.value(tx, project=project_id) or 0


def volumes_of(tx: Transaction, group_id: str) -> list[Row]:
    return _volumes.all(tx, group=group_id)


def snapshots_of(tx: Transaction, group_snapshot_id: str) -> list[Row]:
    return _snapshots_of.all(tx, group=group_snapshot_id)


def has_snapshots(tx: Transaction, group_id: str) -> bool:
    return _has_snapshots.value(tx, group=group_id) is not None


def consistent(tx: Transaction, group_ids: set[str | None]) -> set[str]:
    """Those that the API of consistency groups made."""
    wanted = [each for each in group_ids if each]
    if not wanted:
        return set()
    statement = select(GROUPS.c.id).where(GROUPS.c.id.in_(wanted), GROUPS.c.group_type_id.in_(RESERVED))
    return set(tx.execute(statement).scalars())


def is_being_copied(tx: Transaction, group_snapshot_id: str) -> bool:
    """Whether a group is being made of the group snapshot."""
    return _used_as_source.value(tx, group=group_snapshot_id) is not None
