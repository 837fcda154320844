"""Snapshots of consistency groups, in the old words; all the work is `group_snapshots.py`'s."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.wsgi import Request, Response
from celaje.volume.api import group_snapshots as api
from celaje.volume.api import groups, listing, schemas
from celaje.volume.api.volume_view import moment
from celaje.volume.db import group_types
from celaje.volume.db.tables import GROUP_SNAPSHOTS

Row = dict[str, Any]

CREATE: schemas.Schema = {
    "type": "object",
    "properties": {
        "cgsnapshot": {
            "type": "object",
            "properties": {
                "consistencygroup_id": {"type": "string"},
                "name": {"type": "string", "maxLength": 255},
                "description": {"type": "string", "maxLength": 255},
            },
            "required": ["consistencygroup_id"],
        }
    },
    "required": ["cgsnapshot"],
}

_own = listing.of_project(GROUP_SNAPSHOTS)


def _restrict(request: Request) -> list[listing.Condition]:
    return [*_own(request), GROUP_SNAPSHOTS.c.group_type_id.in_(group_types.RESERVED)]


def _summary(row: Row) -> Row:
    return {"id": row["id"], "name": row["name"]}


def _detailed(row: Row) -> Row:
    return {
        **_summary(row),
        "consistencygroup_id": row["group_id"],
        "status": row["status"],
        "created_at": moment(row["created_at"]),
        "description": row["description"],
    }


def index(request: Request) -> Row:
    return _listed(request, _summary)


def detail(request: Request) -> Row:
    return _listed(request, _detailed)


def _listed(request: Request, view: Any) -> Row:
    rows, _ = request.service.database.read(lambda tx: api.LISTING.read(request, tx, _restrict))
    return {"cgsnapshots": [view(row) for row in rows]}


def show(request: Request, group_snapshot_id: str) -> Row:
    row = request.service.database.read(lambda tx: api.find_any(request, tx, group_snapshot_id))
    return {"cgsnapshot": _detailed(row)}


def create(request: Request) -> Row:
    asked = request.body["cgsnapshot"]

    def unit(tx: Transaction) -> Row:
        group = groups.find_any(request, tx, asked["consistencygroup_id"])
        return api.new_snapshot(request, tx, group, asked)

    return {"cgsnapshot": _summary(request.service.database.write(unit))}


def delete(request: Request, group_snapshot_id: str) -> Response:
    def unit(tx: Transaction) -> None:
        api.begin_deletion(request, tx, api.find_any(request, tx, group_snapshot_id))

    request.service.database.write(unit)
    return Response(status=202)
