"""What a group is called and which volumes belong to it. Called by the handlers of groups and of consistency
groups, inside their units."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.volume import errors
from celaje.volume.api import lookup
from celaje.volume.db import groups, volumes
from celaje.volume.db.tables import VOLUMES

Row = dict[str, Any]


def change_group(request: Request, tx: Transaction, row: Row, asked: Row) -> None:
    """Name and description, and who belongs to it: nothing of it concerns the back end."""
    added, removed = _ids(asked.get("add_volumes")), _ids(asked.get("remove_volumes"))
    both = added & removed
    if both:
        raise errors.InvalidVolume(
            reason=f"UUIDs {', '.join(sorted(both))} are in both add and remove volume list."
        )
    wanted: Row = {key: asked[key].strip() for key in ("name", "description") if asked.get(key) is not None}
    values = {key: value for key, value in wanted.items() if value != row[key]}
    if row["status"] != "available":
        raise errors.InvalidGroup(reason="Group status must be available.")
    if not (values or added or removed):
        raise errors.InvalidGroup(
            reason=f"Cannot update group {row['id']} because no valid name, description, add_volumes, or "
            "remove_volumes were provided."
        )
    with request.service.changes.told(tx, "group.update", "group", row["id"]):
        for volume_id in removed:
            _remove_member(request, tx, row, volume_id)
        for volume_id in added:
            _add_member(request, tx, row, volume_id)
        groups.change(tx, row["id"], updated_at=clock.now(), **values)


def _ids(text: str | None) -> set[str]:
    return {each.strip() for each in (text or "").split(",") if each.strip()}


def _remove_member(request: Request, tx: Transaction, row: Row, volume_id: str) -> None:
    tx.hold(VOLUMES, volume_id)
    volume = volumes.get(tx, volume_id)
    if volume is None or volume["group_id"] != row["id"]:
        raise errors.InvalidVolume(
            reason=f"Cannot remove volume {volume_id} from group {row['id']} because it is not in the group."
        )
    if volume["status"] not in ("available", "in-use", "error", "error_deleting"):
        raise errors.InvalidVolume(
            reason=f"Cannot remove volume {volume_id} from group {row['id']} because volume is in an invalid "
            f"state: {volume['status']}."
        )
    volumes.change(tx, volume_id, group_id=None, updated_at=clock.now())


def _add_member(request: Request, tx: Transaction, row: Row, volume_id: str) -> None:
    why = f"Cannot add volume {volume_id} to group {row['id']} because "
    tx.hold(VOLUMES, volume_id)
    volume = volumes.get_of_project(tx, volume_id, lookup.scope_of(request))
    if volume is None:
        raise errors.InvalidVolume(reason=f"{why}volume could not be found.")
    if volume["group_id"] is not None:
        raise errors.InvalidVolume(reason=f"{why}volume is already in group {volume['group_id']}.")
    if volume["volume_type_id"] not in row["volume_types"]:
        raise errors.InvalidVolume(
            reason=f"{why}volume type {volume['volume_type_id']} is not supported by the group."
        )
    if volume["status"] not in ("available", "in-use"):
        raise errors.InvalidVolume(reason=f"{why}volume is in an invalid state: {volume['status']}.")
    if volume["host"] != row["host"]:
        raise errors.InvalidVolume(reason="Volume is not local to this node.")
    volumes.change(tx, volume_id, group_id=row["id"], updated_at=clock.now())
