"""Volumes: list, show, update, delete, summary. Creation has a file of its own."""

from typing import Any

from sqlalchemy import and_, or_

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.wsgi import Request, Response
from celaje.volume import errors
from celaje.volume.api import listing, lookup, schemas
from celaje.volume.api.volume_view import VolumeView
from celaje.volume.db import attachments, snapshots, transfers, volumes
from celaje.volume.db.tables import SNAPSHOTS, VOLUMES
from celaje.volume.states import DELETABLE
from celaje.volume.states import SNAPSHOTS as SNAPSHOT_STATES
from celaje.volume.states import VOLUMES as STATES

Row = dict[str, Any]

_CHANGES: dict[str, schemas.Schema] = {
    "name": schemas.OPTIONAL_NAME,
    "description": schemas.LONG_DESCRIPTION,
    "display_name": schemas.OPTIONAL_NAME,
    "display_description": schemas.LONG_DESCRIPTION,
    "metadata": schemas.METADATA,
}
UPDATE = schemas.wrapped("volume", schemas.record(_CHANGES))
UPDATE_3_53 = schemas.wrapped("volume", schemas.record(_CHANGES, minProperties=1))

_FILTERS = {
    "name": listing.equals(VOLUMES.c.name),
    "status": lambda value, request: _has_status(value),
    "metadata": listing.has_items(VOLUMES.c.metadata),
    "glance_metadata": listing.has_items(VOLUMES.c.image_metadata),
    "bootable": listing.is_true(VOLUMES.c.bootable, "bootable"),
    "migration_status": listing.equals(VOLUMES.c.migration_status),
    "availability_zone": listing.equals(VOLUMES.c.availability_zone),
    "size": listing.is_number(VOLUMES.c.size, "size"),
    "created_at": listing.in_time(VOLUMES.c.created_at, "created_at"),
    "updated_at": listing.in_time(VOLUMES.c.updated_at, "updated_at"),
    "consumes_quota": listing.is_true(VOLUMES.c.consumes_quota, "consumes_quota"),
    "group_id": listing.equals(VOLUMES.c.group_id),
}
_ADMIN_FILTERS = {
    "host": listing.equals(VOLUMES.c.host),
    "project_id": listing.equals(VOLUMES.c.project_id),
    "user_id": listing.equals(VOLUMES.c.user_id),
    "volume_type_id": listing.equals(VOLUMES.c.volume_type_id),
    "snapshot_id": listing.equals(VOLUMES.c.snapshot_id),
    "source_volid": listing.equals(VOLUMES.c.source_volid),
    "attach_status": listing.equals(VOLUMES.c.attach_status),
    "multiattach": listing.is_true(VOLUMES.c.multiattach, "multiattach"),
    "id": listing.equals(VOLUMES.c.id),
}
_SORT = {
    key: key
    for key in (
        "id",
        "name",
        "status",
        "size",
        "created_at",
        "updated_at",
        "availability_zone",
        "bootable",
        "host",
        "project_id",
        "user_id",
        "volume_type_id",
        "attach_status",
    )
} | {"display_name": "name"}

LISTING = listing.Listing(
    VOLUMES,
    _SORT,
    _FILTERS,
    _ADMIN_FILTERS,
    resource="volume",
    missing=lambda marker: errors.VolumeNotFound(volume_id=marker),
)
_of_project = listing.of_project(VOLUMES)


def _restrict(request: Request) -> list[listing.Condition]:
    """Others than administrators do not see what a migration is making."""
    conditions = _of_project(request)
    if not request.context.is_admin:
        status = VOLUMES.c.migration_status
        conditions.append(or_(status.is_(None), ~status.startswith("target:")))
    return conditions


def _has_status(value: str) -> listing.Condition:
    """As the view shows it."""
    status, moves = VOLUMES.c.status, VOLUMES.c.status == "migrating"
    in_use = VOLUMES.c.attach_status == "attached"
    if value == "in-use":
        return or_(status == value, and_(moves, in_use))
    if value == "maintenance":
        return or_(status == value, and_(moves, ~in_use))
    return status == value


def index(request: Request) -> Row:
    view = VolumeView(request)
    rows, beside = request.service.database.read(lambda tx: LISTING.read(request, tx, _restrict))
    return _listed([view.summary(row) for row in rows], beside)


def detail(request: Request) -> Row:
    view = VolumeView(request)

    def query(tx: Transaction) -> Row:
        rows, beside = LISTING.read(request, tx, _restrict)
        return _listed(view.details(tx, rows), beside)

    return request.service.database.read(query)


def _listed(shown: list[Row], beside: Row) -> Row:
    body: Row = {"volumes": shown}
    if "links" in beside:
        body["volumes_links"] = beside["links"]
    if "count" in beside:
        body["count"] = beside["count"]
    return body


def summary(request: Request) -> Row:
    everybody = request.context.is_admin and schemas.flag(request.query.get("all_tenants"), "all_tenants")
    project_id = None if everybody else request.context.project_id

    def query(tx: Transaction) -> Row:
        count, size = volumes.summary(tx, project_id)
        found: Row = {"total_count": count, "total_size": size}
        if request.at_least(3, 36):
            found["metadata"] = volumes.all_metadata(tx, project_id)
        return {"volume-summary": found}

    return request.service.database.read(query)


def show(request: Request, volume_id: str) -> Row:
    def query(tx: Transaction) -> Row:
        row = lookup.volume(request, tx, volume_id)
        return {"volume": VolumeView(request).details(tx, [row])[0]}

    return request.service.database.read(query)


def update(request: Request, volume_id: str) -> Row:
    asked = request.body["volume"]
    values: Row = {}
    for field in ("name", "description"):
        for key in (f"display_{field}", field):
            if key in asked:
                values[field] = asked[key].strip() if asked[key] is not None else None
    if "metadata" in asked:
        values["metadata"] = asked["metadata"]

    def unit(tx: Transaction) -> Row:
        row = lookup.volume(request, tx, volume_id)
        if values:
            values["updated_at"] = clock.now()
            with request.service.changes.told(tx, "volume.update", "volume", volume_id):
                volumes.change(tx, volume_id, **values)
        return {"volume": VolumeView(request).details(tx, [{**row, **values}], brief=True)[0]}

    return request.service.database.write(unit)


def delete(request: Request, volume_id: str) -> Response:
    cascade = schemas.flag(request.query.get("cascade"), "cascade")
    force = request.at_least(3, 23) and schemas.flag(request.query.get("force"), "force")

    def unit(tx: Transaction) -> None:
        row = lookup.volume(request, tx, volume_id)
        if force:
            request.authorize(lookup.target(row), "volume:force_delete")
        begin_deletion(request, tx, row, cascade=cascade, force=force)

    request.service.database.write(unit)
    return Response(status=202)


def begin_deletion(request: Request, tx: Transaction, row: Row, *, cascade: bool, force: bool) -> None:
    """Refuse, remove what lies nowhere at once, or hand the volume to its flow."""
    held = attachments.of_volume(tx, row["id"])
    kept = snapshots.of_volume(tx, row["id"])
    sources = set(STATES.states) - {"deleting"} if force else set(DELETABLE)
    if row["flow_id"] is not None:
        raise errors.InvalidVolume(
            reason=f"Volume {row['id']} is {row['status']}: an operation under way holds it, and will end it "
            "by its deadline."
        )
    attached = any(each["attach_status"] == "attached" for each in held)
    if volumes.is_target(row) and not force:
        sources = set()
    blocked: Any = row["group_id"] is not None and not force
    blocked = blocked or row["status"] not in sources or (attached and not force) or (kept and not cascade)
    if (
        cascade
        and not force
        and any(each["status"] not in ("available", "error", "error_deleting") for each in kept)
    ):
        blocked = True
    if blocked:
        wanted = "" if force else f"status must be {' or '.join(DELETABLE)} and "
        raise errors.InvalidVolume(
            reason=f"Volume {wanted}must not be migrating, attached, belong to a group, have snapshots, "
            "awaiting a transfer, or be disassociated from snapshots after volume transfer."
        )
    if row["host"] is None and not kept:
        with request.service.changes.told(tx, "volume.delete", "volume", row["id"]):
            for attachment in held:
                attachments.remove(tx, attachment["id"])
            transfers.forget(tx, row["id"])
            if row["encryption_key_id"] is not None:
                request.service.keys.delete(tx, row["encryption_key_id"])
            volumes.remove(tx, row["id"])
        return
    flow_id = request.service.flows.submit(
        tx,
        "volume.delete",
        resource=("volume", row["id"]),
        arguments={
            "volume": volumes.for_driver(row),
            "snapshots": [snapshots.for_driver(each, row) for each in kept],
            "connected": any(each["connection_info"] for each in held),
        },
        project_id=row["project_id"],
    )
    now = clock.now()
    for each in kept:
        SNAPSHOT_STATES.move(tx, SNAPSHOTS, each["id"], "deleting", flow_id=flow_id, updated_at=now)
    moved = STATES.move(
        tx, VOLUMES, row["id"], "deleting", sources=sources, flow_id=flow_id, expires_at=None, updated_at=now
    )
    if not moved:  # it is locked by this transaction: cannot be, unless a state is not in the table
        raise errors.InvalidVolume(reason=f"Volume {row['id']} cannot be deleted in state {row['status']}.")
