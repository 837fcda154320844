"""Consistency groups: the API that groups have taken the place of. Each is a group of one reserved type.

Shown and changed here only, in the old words; all the work is `groups.py`'s and its flows'.
"""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import Invalid
from celaje.common.wsgi import Request, Response
from celaje.volume.api import group_members, listing, schemas
from celaje.volume.api import groups as api
from celaje.volume.api.volume_view import moment
from celaje.volume.db import group_types
from celaje.volume.db.tables import GROUPS

Row = dict[str, Any]

_NAMED: dict[str, schemas.Schema] = {"name": schemas.OPTIONAL_NAME, "description": schemas.DESCRIPTION}


def _wrapped(name: str, properties: dict[str, schemas.Schema], *required: str) -> schemas.Schema:
    """As old as it is, it takes what it does not know."""
    inner = {"type": "object", "properties": {**_NAMED, **properties}, "required": list(required)}
    return {"type": "object", "properties": {name: inner}, "required": [name]}


_TEXT: schemas.Schema = {"type": "string"}
_MEMBERS: schemas.Schema = {"type": ["string", "null"], "maxLength": 65535}
CREATE = _wrapped(
    "consistencygroup",
    {"volume_types": {"type": "string"}, "availability_zone": schemas.OPTIONAL_NAME},
    "volume_types",
)
CREATE_FROM_SOURCE = _wrapped("consistencygroup-from-src", {"cgsnapshot_id": _TEXT, "source_cgid": _TEXT})
UPDATE = _wrapped("consistencygroup", {"add_volumes": _MEMBERS, "remove_volumes": _MEMBERS})
DELETE: schemas.Schema = {
    "type": ["object", "null"],
    "properties": {
        "consistencygroup": {"type": "object", "properties": {"force": schemas.BOOLEAN}},
    },
}

_own = listing.of_project(GROUPS)
LISTING = api.LISTING


def _restrict(request: Request) -> list[listing.Condition]:
    return [*_own(request), GROUPS.c.group_type_id.in_(group_types.RESERVED)]


def _detailed(row: Row) -> Row:
    return {
        "id": row["id"],
        "status": row["status"],
        "availability_zone": row["availability_zone"],
        "created_at": moment(row["created_at"]),
        "name": row["name"],
        "description": row["description"],
        "volume_types": row["volume_types"],
    }


def index(request: Request) -> Row:
    return _listed(request, api.summary)


def detail(request: Request) -> Row:
    return _listed(request, _detailed)


def _listed(request: Request, view: Any) -> Row:
    rows, beside = request.service.database.read(lambda tx: LISTING.read(request, tx, _restrict))
    links = {"consistencygroup_links": beside["links"]} if "links" in beside else {}
    return {"consistencygroups": [view(row) for row in rows], **links}


def show(request: Request, group_id: str) -> Row:
    row = request.service.database.read(lambda tx: api.find_any(request, tx, group_id))
    return {"consistencygroup": _detailed(row)}


def create(request: Request) -> Row:
    asked = request.body["consistencygroup"]
    wanted = [name for name in asked["volume_types"].split(",") if name]
    if not wanted:
        raise Invalid(f"volume_types must be provided to create consistency group {asked.get('name')}.")

    def unit(tx: Transaction) -> Row:
        group_type = group_types.by_name(tx, group_types.RESERVED_NAME)
        if group_type is None:  # an administrator removed it
            raise Invalid(f"Group type {group_types.RESERVED_NAME} not found.")
        return api.new_group(request, tx, {**asked, "volume_types": wanted}, group_type)

    return {"consistencygroup": api.summary(request.service.database.write(unit))}


def create_from_source(request: Request) -> Row:
    asked = request.body["consistencygroup-from-src"]
    taken, source, name = asked.get("cgsnapshot_id"), asked.get("source_cgid"), asked.get("name")
    if not taken and not source:
        raise Invalid(
            f"Either 'cgsnapshot_id' or 'source_cgid' must be provided to create consistency group {name} "
            "from source."
        )
    if taken and source:
        raise Invalid(
            f"Cannot provide both 'cgsnapshot_id' and 'source_cgid' to create consistency group {name} from "
            "source."
        )
    wanted = {**asked, "group_snapshot_id": taken, "source_group_id": source}
    row = request.service.database.write(lambda tx: api.copied_group(request, tx, wanted))
    return {"consistencygroup": api.summary(row)}


def update(request: Request, group_id: str) -> Response:
    """Since 3.6 a name or description may be made empty."""
    asked = request.body["consistencygroup"]
    if not request.at_least(3, 6):
        return update_as_before(request, group_id)
    if all(asked.get(key) is None for key in ("name", "description")) and not _members(asked):
        raise Invalid(
            "Must specify one or more of the following keys to update: name, description, add_volumes, "
            "remove_volumes."
        )
    return _update(request, group_id)


def update_as_before(request: Request, group_id: str) -> Response:
    """PUT .../update, which no microversion changed."""
    asked = request.body["consistencygroup"]
    if not (asked.get("name") or asked.get("description") or _members(asked)):
        raise Invalid(
            "Name, description, add_volumes, and remove_volumes can not be all empty in the request body."
        )
    return _update(request, group_id)


def _members(asked: Row) -> str | None:
    return asked.get("add_volumes") or asked.get("remove_volumes")


def _update(request: Request, group_id: str) -> Response:
    def unit(tx: Transaction) -> None:
        row = api.find_any(request, tx, group_id)
        group_members.change_group(request, tx, row, request.body["consistencygroup"])

    request.service.database.write(unit)
    return Response(status=202)


def delete(request: Request, group_id: str) -> Response:
    """With `force`, its volumes too."""
    force = schemas.truth(((request.body or {}).get("consistencygroup") or {}).get("force", False))

    def unit(tx: Transaction) -> None:
        row = api.find_any(request, tx, group_id)
        api.begin_deletion(request, tx, row, with_volumes=force)

    request.service.database.write(unit)
    return Response(status=202)
