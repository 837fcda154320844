"""Group snapshots (since 3.14): a snapshot of each of a group's volumes, made and deleted together."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.wsgi import Request, Response
from celaje.volume import errors
from celaje.volume.api import groups as groups_api
from celaje.volume.api import listing, lookup, schemas, status_reset
from celaje.volume.api import snapshots as snapshots_api
from celaje.volume.api.volume_view import moment
from celaje.volume.db import group_types, groups, snapshots, volumes
from celaje.volume.db.tables import GROUP_SNAPSHOTS, SNAPSHOTS
from celaje.volume.scheduler import extra_specs
from celaje.volume.states import GROUP_SNAPSHOTS as STATES
from celaje.volume.states import SNAPSHOTS as SNAPSHOT_STATES

Row = dict[str, Any]

CREATE = schemas.wrapped(
    "group_snapshot",
    schemas.record(
        {"group_id": schemas.UUID, "name": schemas.OPTIONAL_NAME, "description": schemas.DESCRIPTION},
        ("group_id",),
    ),
)
_CONSISTENT = "consistent_group_snapshot_enabled"
_MAY_BE_SET = ("available", "creating", "deleting", "error", "error_deleting", "updating")
RESET_STATUS = schemas.wrapped("reset_status", schemas.record({"status": {"type": "string"}}, ("status",)))

LISTING = listing.Listing(
    GROUP_SNAPSHOTS,
    {key: key for key in ("id", "name", "status", "created_at", "updated_at", "group_id")},
    {
        "name": listing.equals(GROUP_SNAPSHOTS.c.name),
        "status": listing.equals(GROUP_SNAPSHOTS.c.status),
        "group_id": listing.equals(GROUP_SNAPSHOTS.c.group_id),
    },
    {"project_id": listing.equals(GROUP_SNAPSHOTS.c.project_id)},
    resource="group_snapshot",
    missing=lambda marker: errors.GroupSnapshotNotFound(group_snapshot_id=marker),
)
_own = listing.of_project(GROUP_SNAPSHOTS)


def _restrict(request: Request) -> list[listing.Condition]:
    return [*_own(request), GROUP_SNAPSHOTS.c.group_type_id.not_in(group_types.RESERVED)]


def summary(row: Row) -> Row:
    return {key: row[key] for key in ("id", "name", "group_type_id")}


def detailed(request: Request, row: Row) -> Row:
    shown = {
        **summary(row),
        "group_id": row["group_id"],
        "status": row["status"],
        "created_at": moment(row["created_at"]),
        "description": row["description"],
    }
    if request.at_least(3, 58) and request.allows("group:group_snapshot_project_attribute"):
        shown["project_id"] = row["project_id"]
    return shown


def find(request: Request, tx: Transaction, group_snapshot_id: str) -> Row:
    row = find_any(request, tx, group_snapshot_id)
    groups_api.refuse_reserved(tx, row["group_type_id"])
    return row


def find_any(request: Request, tx: Transaction, group_snapshot_id: str) -> Row:
    """Snapshots of consistency groups too."""
    tx.hold(GROUP_SNAPSHOTS, group_snapshot_id)
    row = groups.get_snapshot_of_project(tx, group_snapshot_id, lookup.scope_of(request))
    if row is None:
        raise errors.GroupSnapshotNotFound(group_snapshot_id=group_snapshot_id)
    request.authorize(lookup.target(row))
    return row


def index(request: Request) -> Row:
    rows, beside = request.service.database.read(lambda tx: LISTING.read(request, tx, _restrict))
    return _listed([summary(row) for row in rows], beside)


def detail(request: Request) -> Row:
    rows, beside = request.service.database.read(lambda tx: LISTING.read(request, tx, _restrict))
    return _listed([detailed(request, row) for row in rows], beside)


def _listed(shown: list[Row], beside: Row) -> Row:
    links = {"group_snapshot_links": beside["links"]} if "links" in beside else {}
    return {"group_snapshots": shown, **links}


def show(request: Request, group_snapshot_id: str) -> Row:
    row = request.service.database.read(lambda tx: find(request, tx, group_snapshot_id))
    return {"group_snapshot": detailed(request, row)}


def create(request: Request) -> Row:
    asked = request.body["group_snapshot"]

    def unit(tx: Transaction) -> Row:
        return new_snapshot(request, tx, groups_api.find(request, tx, asked["group_id"]), asked)

    return {"group_snapshot": summary(request.service.database.write(unit))}


def new_snapshot(request: Request, tx: Transaction, group: Row, asked: Row) -> Row:
    """`asked` has name and description."""
    name = asked.get("name")
    members = groups.volumes_of(tx, group["id"])
    if group["status"] != "available" or not members:
        raise errors.InvalidGroup(
            reason=f"Source group {group['id']} must be available and not empty, it is {group['status']}."
        )
    group_type = group_types.get(tx, group["group_type_id"])
    now = clock.now()
    row: Row = {
        "id": clock.new_uuid(),
        "group_id": group["id"],
        "project_id": group["project_id"],
        "user_id": request.context.user_id,
        "name": name.strip() if name else name,
        "description": asked.get("description"),
        "status": "creating",
        "group_type_id": group["group_type_id"],
        "created_at": now,
    }
    parts = [_snapshot_of(request, tx, row, volume) for volume in members]
    row["flow_id"] = request.service.flows.submit(
        tx,
        "group_snapshot.create",
        resource=("group_snapshot", row["id"]),
        arguments={
            "group_snapshot_id": row["id"],
            "consistent": group_type is not None and _is_consistent(group_type),
            "snapshots": [
                {
                    "snapshot": snapshots.for_driver(part, volume),
                    "volume": volumes.for_driver(volume),
                    "attached": volume["status"] == "in-use",
                }
                for part, volume in zip(parts, members, strict=True)
            ],
        },
        project_id=group["project_id"],
    )
    groups.insert_snapshot(tx, row)
    for part in parts:
        snapshots.change(tx, part["id"], flow_id=row["flow_id"])
    return row


def _is_consistent(group_type: Row) -> bool:
    """Whether the snapshots must be of one moment."""
    return extra_specs.matches(True, group_type["group_specs"].get(_CONSISTENT, "<is> False"))


def _snapshot_of(request: Request, tx: Transaction, group_snapshot: Row, volume: Row) -> Row:
    """One of its snapshots, written: the quota of the next counts it."""
    if volume["status"] not in ("available", "in-use") or volume["host"] is None:
        raise errors.InvalidVolume(
            reason=f"Volume {volume['id']} status must be available or in-use, but current status is: "
            f"{volume['status']}."
        )
    told = {"name": group_snapshot["name"], "description": group_snapshot["description"]}
    row = {**snapshots_api.new_row(request, tx, volume, told), "group_snapshot_id": group_snapshot["id"]}
    snapshots.insert(tx, row)
    return row


def delete(request: Request, group_snapshot_id: str) -> Response:
    def unit(tx: Transaction) -> None:
        begin_deletion(request, tx, find(request, tx, group_snapshot_id))

    request.service.database.write(unit)
    return Response(status=202)


def begin_deletion(request: Request, tx: Transaction, row: Row) -> None:
    group_snapshot_id = row["id"]
    free = row["flow_id"] is None and row["status"] in STATES.sources("deleting")
    parts = groups.snapshots_of(tx, group_snapshot_id)
    if not free or groups.is_being_copied(tx, group_snapshot_id) or any(p["flow_id"] for p in parts):
        raise errors.InvalidGroupSnapshot(
            reason="GroupSnapshot status must be available or error, and no Group can be currently using "
            "it as source for its creation."
        )
    flow_id = request.service.flows.submit(
        tx,
        "group_snapshot.delete",
        resource=("group_snapshot", group_snapshot_id),
        arguments={
            "group_snapshot_id": group_snapshot_id,
            "snapshots": [_deleting(tx, part) for part in parts],
        },
        project_id=row["project_id"],
    )
    now = clock.now()
    STATES.move(tx, GROUP_SNAPSHOTS, group_snapshot_id, "deleting", flow_id=flow_id, updated_at=now)
    for part in parts:
        if part["status"] not in SNAPSHOT_STATES.sources("deleting"):  # an operator set it
            snapshots.change(tx, part["id"], status="error")
        SNAPSHOT_STATES.move(tx, SNAPSHOTS, part["id"], "deleting", flow_id=flow_id, updated_at=now)


def _deleting(tx: Transaction, snapshot: Row) -> Row:
    volume = volumes.get(tx, snapshot["volume_id"])
    assert volume is not None
    return {"snapshot": snapshots.for_driver(snapshot, volume), "volume": volumes.for_driver(volume)}


def reset_status(request: Request, group_snapshot_id: str) -> Response:
    return status_reset.set_status(
        request,
        request.body["reset_status"]["status"],
        _MAY_BE_SET,
        what="Group snapshot",
        find=lambda tx: find(request, tx, group_snapshot_id),
        change=groups.change_snapshot,
        held=errors.InvalidGroupSnapshot,
    )
