"""Snapshots of volumes."""

from typing import Any

from sqlalchemy import or_, select

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import Invalid
from celaje.common.wsgi import Request, Response
from celaje.volume import errors
from celaje.volume.api import listing, lookup, schemas, status_reset
from celaje.volume.api.volume_view import moment
from celaje.volume.conductor.still_copy import asks_host, copied
from celaje.volume.db import backups, snapshots, types, volumes
from celaje.volume.db.tables import SNAPSHOTS, VOLUMES
from celaje.volume.states import SNAPSHOTS as STATES

Row = dict[str, Any]

CREATE = schemas.wrapped(
    "snapshot",
    schemas.record(
        {
            "name": schemas.OPTIONAL_NAME,
            "display_name": schemas.OPTIONAL_NAME,
            "description": schemas.DESCRIPTION,
            "volume_id": schemas.OPTIONAL_UUID,
            "force": schemas.BOOLEAN,
            "metadata": schemas.OPTIONAL_METADATA,
        },
        ("volume_id",),
    ),
)
UPDATE = schemas.wrapped(
    "snapshot",
    schemas.record(
        {
            "name": schemas.OPTIONAL_NAME,
            "description": schemas.DESCRIPTION,
            "display_name": schemas.OPTIONAL_NAME,
            "display_description": schemas.DESCRIPTION,
        },
        minProperties=1,
    ),
)
_MAY_BE_SET = ("available", "creating", "deleting", "error", "error_deleting")
RESET_STATUS = schemas.wrapped("os-reset_status", schemas.record({"status": {"type": "string"}}, ("status",)))

UPDATE_STATUS = schemas.wrapped(
    "os-update_snapshot_status",
    schemas.record(
        {
            "status": {"type": "string"},
            "progress": {"type": "string", "pattern": "^([0-9]|[1-9][0-9]|100)%$"},
        },
        ("status",),
    ),
)
# To what the host that makes a snapshot may change it (os-update_snapshot_status), by what it is.
_REPORTED = {"creating": ("creating", "available", "error"), "deleting": ("deleting", "error_deleting")}

LISTING = listing.Listing(
    SNAPSHOTS,
    {key: key for key in ("id", "name", "status", "created_at", "updated_at", "volume_id", "project_id")}
    | {"display_name": "name", "volume_size": "volume_size"},
    {
        "name": listing.equals(SNAPSHOTS.c.name),
        "status": listing.equals(SNAPSHOTS.c.status),
        "volume_id": listing.equals(SNAPSHOTS.c.volume_id),
        "metadata": listing.has_items(SNAPSHOTS.c.metadata),
        "consumes_quota": listing.is_true(SNAPSHOTS.c.consumes_quota, "consumes_quota"),
        "availability_zone": lambda value, request: SNAPSHOTS.c.volume_id.in_(
            select(VOLUMES.c.id).where(VOLUMES.c.availability_zone == value)
        ),
    },
    {
        "project_id": listing.equals(SNAPSHOTS.c.project_id),
        "user_id": listing.equals(SNAPSHOTS.c.user_id),
        "volume_type_id": listing.equals(SNAPSHOTS.c.volume_type_id),
        "id": listing.equals(SNAPSHOTS.c.id),
        "host": lambda value, request: SNAPSHOTS.c.volume_id.in_(
            select(VOLUMES.c.id).where(or_(VOLUMES.c.host == value, VOLUMES.c.host.startswith(f"{value}#")))
        ),
    },
    resource="snapshot",
    missing=lambda marker: errors.SnapshotNotFound(snapshot_id=marker),
)
_restrict = listing.of_project(SNAPSHOTS)


def summary(row: Row) -> Row:
    """As in the plain list: as it was before there were microversions."""
    return {
        "id": row["id"],
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row.get("updated_at")),
        "name": row["name"],
        "description": row["description"],
        "volume_id": row["volume_id"],
        # Cinder has no word of its own for one that is being managed.
        "status": "creating" if row["status"] == "managing" else row["status"],
        "size": row["volume_size"],
        "metadata": row["metadata"],
    }


def view(request: Request, row: Row) -> Row:
    shown = summary(row)
    if request.at_least(3, 14):
        shown["group_snapshot_id"] = row.get("group_snapshot_id")
    if request.at_least(3, 41):
        shown["user_id"] = row["user_id"]
    if request.at_least(3, 65):
        shown["consumes_quota"] = row["consumes_quota"]
    return shown


def extended(request: Request, row: Row) -> Row:
    return {
        **view(request, row),
        "os-extended-snapshot-attributes:project_id": row["project_id"],
        "os-extended-snapshot-attributes:progress": row["progress"],
    }


def index(request: Request) -> Row:
    rows, beside = request.service.database.read(lambda tx: LISTING.read(request, tx, _restrict))
    return _listed([summary(row) for row in rows], beside)


def detail(request: Request) -> Row:
    rows, beside = request.service.database.read(lambda tx: LISTING.read(request, tx, _restrict))
    return _listed([extended(request, row) for row in rows], beside)


def _listed(shown: list[Row], beside: Row) -> Row:
    body: Row = {"snapshots": shown}
    if "links" in beside:
        body["snapshots_links"] = beside["links"]
    if "count" in beside:
        body["count"] = beside["count"]
    return body


def show(request: Request, snapshot_id: str) -> Row:
    row = request.service.database.read(lambda tx: lookup.snapshot(request, tx, snapshot_id))
    return {"snapshot": extended(request, row)}


def create(request: Request) -> Row:
    asked = request.body["snapshot"]
    force = _force(request, asked.get("force"))

    def unit(tx: Transaction) -> Row:
        volume = lookup.volume(request, tx, asked["volume_id"] or "")
        allowed = ("available", "in-use") if force or request.at_least(3, 66) else ("available",)
        if volume["status"] not in allowed:
            raise errors.InvalidVolume(
                reason=f"Volume {volume['id']} status must be {', '.join(allowed)}, but current status is: "
                f"{volume['status']}."
            )
        name = asked.get("name", asked.get("display_name"))
        row = new_row(request, tx, volume, {**asked, "name": name})
        row["flow_id"] = request.service.flows.submit(
            tx,
            "snapshot.create",
            resource=("snapshot", row["id"]),
            arguments={
                "snapshot": snapshots.for_driver(row, volume),
                "volume": volumes.for_driver(volume),
                "attached": volume["status"] == "in-use",
            },
            project_id=volume["project_id"],
        )
        snapshots.insert(tx, row)
        return row

    return {"snapshot": view(request, request.service.database.write(unit))}


def new_row(request: Request, tx: Transaction, volume: Row, asked: Row) -> Row:
    """A snapshot of `volume` within the quota, not written yet. `asked`: name, description, metadata."""
    volume_type = types.get(tx, volume["volume_type_id"])
    assert volume_type is not None
    request.service.quotas.check_snapshot(tx, volume["project_id"], volume_type, volume["size"])
    name = asked.get("name")
    return {
        "id": clock.new_uuid(),
        "volume_id": volume["id"],
        "project_id": volume["project_id"],
        "user_id": request.context.user_id,
        "name": name.strip() if name else name,
        "description": asked.get("description"),
        "volume_size": volume["size"],
        "status": "creating",
        "progress": "0%",
        "volume_type_id": volume["volume_type_id"],
        "provider_location": None,
        "consumes_quota": True,
        "metadata": asked.get("metadata") or {},
        "created_at": clock.now(),
    }


def _force(request: Request, given: Any) -> bool:
    if given is None:
        return False
    force = schemas.truth(given)
    if request.at_least(3, 66) and not force:
        raise Invalid(
            "Since microversion 3.66 of the Block Storage API, the 'force' option is invalid for this "
            "request. For backward compatibility, however, when the 'force' flag is passed with a value "
            "evaluating to True, it is silently ignored."
        )
    return force


def update(request: Request, snapshot_id: str) -> Row:
    asked = request.body["snapshot"]
    values: Row = {}
    for field in ("name", "description"):
        for key in (f"display_{field}", field):
            if key in asked:
                values[field] = asked[key].strip() if asked[key] is not None else None

    def unit(tx: Transaction) -> Row:
        row = lookup.snapshot(request, tx, snapshot_id)
        values["updated_at"] = clock.now()
        with request.service.changes.told(tx, "snapshot.update", "snapshot", snapshot_id):
            snapshots.change(tx, snapshot_id, **values)
        return {**row, **values}

    return {"snapshot": view(request, request.service.database.write(unit))}


def delete(request: Request, snapshot_id: str) -> Response:
    return _delete(request, snapshot_id, force=False)


def force_delete(request: Request, snapshot_id: str) -> Response:
    return _delete(request, snapshot_id, force=True)


def _delete(request: Request, snapshot_id: str, *, force: bool) -> Response:
    def unit(tx: Transaction) -> None:
        row = lookup.snapshot(request, tx, snapshot_id)
        sources = STATES.sources("deleting")
        if row["flow_id"] is not None or (row["status"] not in sources and not force):
            raise errors.InvalidSnapshot(
                reason=f"Snapshot {snapshot_id} status must be {' or '.join(sorted(sources))} to delete, it "
                f"is {row['status']}."
            )
        if row["group_snapshot_id"] is not None:
            raise errors.InvalidSnapshot(
                reason=f"Snapshot {snapshot_id} belongs to group snapshot {row['group_snapshot_id']}, with "
                "which it is deleted."
            )
        volume = volumes.get(tx, row["volume_id"])
        if volume is None or volume["host"] is None:
            with request.service.changes.told(tx, "snapshot.delete", "snapshot", snapshot_id):
                snapshots.remove(tx, snapshot_id)
            return
        flow_id = request.service.flows.submit(
            tx,
            "snapshot.delete",
            resource=("snapshot", snapshot_id),
            arguments={
                "snapshot": snapshots.for_driver(row, volume),
                "volume": volumes.for_driver(volume),
            },
            project_id=row["project_id"],
        )
        now = clock.now()
        if row["status"] not in sources:  # an operator set it, and nothing holds it
            snapshots.change(tx, snapshot_id, status="error")
        STATES.move(tx, SNAPSHOTS, snapshot_id, "deleting", flow_id=flow_id, updated_at=now)

    request.service.database.write(unit)
    return Response(status=202)


def update_status(request: Request, snapshot_id: str) -> Response:
    """What somebody else's part in making or deleting a snapshot has come to. One that a flow of ours holds
    is brought to its end by that flow, which waits for this word of the host that copies the
    volume. What it copies for a backup, a clone or an image goes by the id of that backup or volume."""
    asked = request.body["os-update_snapshot_status"]
    status = asked["status"]

    def unit(tx: Transaction) -> None:
        waiting = _flow_of(tx, request, snapshot_id)
        if waiting is not None and status in _REPORTED["creating"]:
            answer = {"error": status == "error"}
            request.service.flows.signal(tx, waiting, copied(snapshot_id), answer)
            return
        row = lookup.snapshot(request, tx, snapshot_id)
        if row["status"] not in _REPORTED:
            raise Invalid(f"Snapshot status {row['status']} not allowed for update_snapshot_status")
        if status not in _REPORTED[row["status"]]:
            raise Invalid(
                f"Provided snapshot status {status} not allowed for snapshot with status {row['status']}."
            )
        if row["flow_id"] is not None and status != row["status"]:
            raise errors.InvalidSnapshot(reason=f"Snapshot {snapshot_id} is held by an operation under way.")
        progress = {"progress": asked["progress"]} if asked.get("progress") else {}
        snapshots.change(tx, snapshot_id, status=status, updated_at=clock.now(), **progress)

    request.service.database.write(unit)
    return Response(status=202)


def _flow_of(tx: Transaction, request: Request, copy_id: str) -> str | None:
    """The flow that waits for a host's copy of that name."""
    row = snapshots.get(tx, copy_id) or volumes.get(tx, copy_id) or backups.get(tx, copy_id)
    flow_id = row["flow_id"] if row else None
    return flow_id if flow_id and asks_host(request.service.flows.steps(tx, flow_id)) else None


def reset_status(request: Request, snapshot_id: str) -> Response:
    return status_reset.set_status(
        request,
        request.body["os-reset_status"]["status"],
        _MAY_BE_SET,
        what="Snapshot",
        find=lambda tx: lookup.snapshot(request, tx, snapshot_id),
        change=snapshots.change,
        held=errors.InvalidSnapshot,
    )
