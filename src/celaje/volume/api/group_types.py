"""Group types (since 3.11) and their specs."""

from typing import Any

from celaje.common import clock
from celaje.common.db import DuplicateRow, Transaction
from celaje.common.errors import Invalid, NotFound
from celaje.common.wsgi import Request, Response
from celaje.volume import errors
from celaje.volume.api import listing, schemas
from celaje.volume.db import group_types
from celaje.volume.db.tables import GROUP_TYPES

Row = dict[str, Any]

_SPECS: schemas.Schema = {
    "type": ["object", "null"],
    "patternProperties": {"^[a-zA-Z0-9-_:. /]{1,255}$": {"type": ["string", "null"], "maxLength": 255}},
    "additionalProperties": False,
}
CREATE = schemas.wrapped(
    "group_type",
    schemas.record(
        {
            "name": schemas.NAME,
            "description": schemas.DESCRIPTION,
            "is_public": schemas.BOOLEAN,
            "group_specs": _SPECS,
        },
        ("name",),
    ),
)
UPDATE = schemas.wrapped(
    "group_type",
    schemas.record(
        {
            "name": schemas.OPTIONAL_NAME,
            "description": schemas.DESCRIPTION,
            "is_public": schemas.BOOLEAN,
        }
    ),
)
CREATE_SPECS = schemas.wrapped("group_specs", schemas.EXTRA_SPECS)
UPDATE_SPEC = {**schemas.EXTRA_SPECS, "minProperties": 1, "maxProperties": 1}

LISTING = listing.Listing(
    GROUP_TYPES,
    {key: key for key in ("id", "name", "created_at", "updated_at")},
    {"name": listing.equals(GROUP_TYPES.c.name), "is_public": lambda value, request: _public(value)},
    {},
)


def _public(value: str) -> listing.Condition:
    if value.lower() in ("none", ""):
        return GROUP_TYPES.c.id.is_not(None)
    return GROUP_TYPES.c.is_public.is_(schemas.flag(value, "is_public"))


def _restrict(request: Request) -> list[listing.Condition]:
    """Administrators may ask for private ones; what else there is nobody else sees."""
    if request.context.is_admin and request.query.get("is_public") is not None:
        return []
    return [GROUP_TYPES.c.is_public.is_(True)]


def find(request: Request, tx: Transaction, type_id: str) -> Row:
    row = group_types.get(tx, type_id)
    if row is None or not (row["is_public"] or request.context.is_admin):
        raise errors.GroupTypeNotFound(group_type_id=type_id)
    return row


def _view(request: Request, row: Row) -> Row:
    shown = {key: row[key] for key in ("id", "name", "description", "is_public")}
    if request.allows("group:access_group_types_specs"):
        shown["group_specs"] = row["group_specs"]
    return shown


def index(request: Request) -> Row:
    rows, beside = request.service.database.read(lambda tx: LISTING.read(request, tx, _restrict))
    body: Row = {"group_types": [_view(request, row) for row in rows]}
    if "links" in beside:
        body["group_type_links"] = beside["links"]
    return body


def show(request: Request, type_id: str) -> Row:
    def query(tx: Transaction) -> Row:
        if type_id != "default":
            return find(request, tx, type_id)
        configured = request.service.conf.default_group_type
        row = group_types.by_name(tx, configured) if configured else None
        if row is None:
            raise NotFound("Default group type can not be found.")
        return row

    return {"group_type": _view(request, request.service.database.read(query))}


def create(request: Request) -> Row:
    asked = request.body["group_type"]
    row: Row = {
        "id": clock.new_uuid(),
        "name": asked["name"].strip(),
        "description": asked.get("description"),
        "is_public": schemas.truth(asked.get("is_public", True)),
        "group_specs": asked.get("group_specs") or {},
        "created_at": clock.now(),
    }

    def unit(tx: Transaction) -> None:
        if group_types.by_name(tx, row["name"]) is not None:
            raise errors.GroupTypeExists(id=row["name"])
        try:
            group_types.insert(tx, row)
        except DuplicateRow:
            raise errors.GroupTypeExists(id=row["name"]) from None

    request.service.database.write(unit)
    return {"group_type": _view(request, row)}


def update(request: Request, type_id: str) -> Row:
    asked = request.body["group_type"]
    values: Row = {key: asked[key] for key in ("name", "description") if asked.get(key) is not None}
    if "name" in values:
        values["name"] = values["name"].strip()
        if not values["name"]:
            raise Invalid("Group type name can not be empty.")
    if asked.get("is_public") is not None:
        values["is_public"] = schemas.truth(asked["is_public"])
    if not values:
        raise Invalid("Specify group type name, description or a combination thereof.")

    def unit(tx: Transaction) -> Row:
        row = find(request, tx, type_id)
        other = group_types.by_name(tx, values["name"]) if "name" in values else None
        if other is not None and other["id"] != type_id:
            raise errors.GroupTypeExists(id=values["name"])
        group_types.change(tx, type_id, updated_at=clock.now(), **values)
        return {**row, **values}

    return {"group_type": _view(request, request.service.database.write(unit))}


def delete(request: Request, type_id: str) -> Response:
    def unit(tx: Transaction) -> None:
        find(request, tx, type_id)
        if group_types.is_used(tx, type_id):
            raise Invalid("Target group type is still in use.")
        group_types.remove(tx, type_id)

    request.service.database.write(unit)
    return Response(status=202)


def index_specs(request: Request, type_id: str) -> Row:
    row = request.service.database.read(lambda tx: find(request, tx, type_id))
    return {"group_specs": row["group_specs"]}


def create_specs(request: Request, type_id: str) -> Row:
    given = request.body["group_specs"]
    _change(request, type_id, lambda old: {**old, **given})
    return request.body


def show_spec(request: Request, type_id: str, key: str) -> Row:
    specs = index_specs(request, type_id)["group_specs"]
    if key not in specs:
        raise errors.GroupTypeSpecNotFound(type_id=type_id, key=key)
    return {key: specs[key]}


def update_spec(request: Request, type_id: str, key: str) -> Row:
    if key not in request.body:
        raise Invalid("Request body and URI mismatch")
    _change(request, type_id, lambda old: {**old, **request.body})
    return request.body


def delete_spec(request: Request, type_id: str, key: str) -> Response:
    def without(old: Row) -> Row:
        if key not in old:
            raise errors.GroupTypeSpecNotFound(type_id=type_id, key=key)
        return {name: value for name, value in old.items() if name != key}

    _change(request, type_id, without)
    return Response(status=202)


def _change(request: Request, type_id: str, new: Any) -> None:
    def unit(tx: Transaction) -> None:
        row = find(request, tx, type_id)
        group_types.change(tx, type_id, group_specs=new(row["group_specs"]), updated_at=clock.now())

    request.service.database.write(unit)
