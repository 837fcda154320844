"""From the ids of a request to rows that its caller may see. Used by the handlers of every resource.

Another project's resource is not found; an administrator sees all. Once loaded, the route's rule is checked
against the row. In a unit that writes the row is held: what is decided by it stays true until the commit.
"""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.volume import errors
from celaje.volume.db import attachments, snapshots, types, volumes
from celaje.volume.db.seeds import DEFAULT_TYPE
from celaje.volume.db.tables import BACKENDS, SNAPSHOTS, VOLUMES

Row = dict[str, Any]


def scope_of(request: Request) -> str | None:
    """The project whose rows the caller sees; None: of all projects."""
    return None if request.context.is_admin else request.context.project_id or ""


def target(row: Row) -> Row:
    return {"project_id": row["project_id"], "user_id": row.get("user_id")}


def volume(request: Request, tx: Transaction, volume_id: str, rule: str | None = None) -> Row:
    tx.hold(VOLUMES, volume_id)
    row = volumes.get_of_project(tx, volume_id, scope_of(request))
    if row is None or (volumes.is_target(row) and not request.context.is_admin):
        raise errors.VolumeNotFound(volume_id=volume_id)
    request.authorize(target(row), rule)
    return row


def snapshot(request: Request, tx: Transaction, snapshot_id: str, rule: str | None = None) -> Row:
    tx.hold(SNAPSHOTS, snapshot_id)
    row = snapshots.get_of_project(tx, snapshot_id, scope_of(request))
    if row is None:
        raise errors.SnapshotNotFound(snapshot_id=snapshot_id)
    request.authorize(target(row), rule)
    return row


def attachment(request: Request, tx: Transaction, attachment_id: str, rule: str | None = None) -> Row:
    attachments.hold_volume_of(tx, attachment_id)
    row = attachments.get_of_project(tx, attachment_id, scope_of(request))
    if row is None:
        raise errors.VolumeAttachmentNotFound(filter=f"attachment_id = {attachment_id}")
    request.authorize(target(row), rule)
    return row


def volume_type(request: Request, tx: Transaction, type_id: str) -> Row:
    """By id only; a private type is there for those projects only that were given it."""
    row = types.get(tx, type_id)
    if row is None or not _sees(request, tx, row):
        raise errors.VolumeTypeNotFound(volume_type_id=type_id)
    return row


def volume_type_by_name_or_id(request: Request, tx: Transaction, name: str) -> Row:
    row = types.get(tx, name) or types.by_name(tx, name)
    if row is None or not _sees(request, tx, row):
        raise errors.VolumeTypeNotFoundByName(volume_type_name=name)
    return row


def default_type(request: Request, tx: Transaction) -> Row:
    """The project's own default type, else the configured one, else `__DEFAULT__`."""
    own = types.default_of(tx, request.context.project_id)
    found = types.get(tx, own) if own else None
    found = found or types.by_name(tx, request.service.conf.default_volume_type)
    found = found or types.by_name(tx, DEFAULT_TYPE)
    if found is None:
        raise errors.VolumeTypeNotFoundByName(volume_type_name=DEFAULT_TYPE)
    return found


def _sees(request: Request, tx: Transaction, row: Row) -> bool:
    return request.context.is_admin or types.may_use(tx, row, request.context.project_id)


def default_zone(request: Request) -> str:
    conf = request.service.conf
    return conf.default_availability_zone or conf.storage_availability_zone


def zone(request: Request, tx: Transaction, asked: str) -> str:
    """The availability zone that was asked for, if there is one of that name."""
    conf = request.service.conf
    default = default_zone(request)
    zones = set(tx.execute(BACKENDS.select().with_only_columns(BACKENDS.c.availability_zone)).scalars())
    if asked in {default, conf.storage_availability_zone, *zones}:
        return asked
    if conf.allow_availability_zone_fallback:
        return default
    raise errors.InvalidInput(reason=f"Availability zone '{asked}' is invalid.")
