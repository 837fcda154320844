"""Registered limits: what every project may have of a service's resource unless a limit says otherwise."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.identity.api import listing, regions, schemas, services, views
from celaje.identity.db import limits
from celaje.identity.db.tables import REGISTERED_LIMITS
from celaje.identity.errors import (
    ForbiddenAction,
    Invalid,
    RegionNotFound,
    ServiceNotFound,
    Taken,
)
from celaje.identity.ids import new_id

Row = dict[str, Any]

INTEGER = {"type": "integer", "minimum": -1, "maximum": 0x7FFFFFFF}
UUID = {"type": "string", "pattern": "^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$"}
REGION = {"type": ["string", "null"], "maxLength": 255}
_PROPERTIES = {
    "service_id": UUID,
    "region_id": REGION,
    "resource_name": schemas.name(255),
    "default_limit": INTEGER,
    "description": schemas.TEXT_OR_NULL,
}


def several(member: str, properties: Row, required: list[str], **more: Any) -> Row:
    item = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
        **more,
    }
    return {
        "type": "object",
        "properties": {member: {"type": "array", "items": item, "minItems": 1}},
        "required": [member],
        "additionalProperties": False,
    }


CREATE = several("registered_limits", _PROPERTIES, ["service_id", "resource_name", "default_limit"])
UPDATE = schemas.body("registered_limit", _PROPERTIES, extra=False)


def _view(request: Request, row: Row) -> Row:
    body = {name: row[name] for name in ("id", *_PROPERTIES)}
    return views.linked(request, "registered_limits", body)


def index(request: Request) -> Row:
    columns = ("service_id", "region_id", "resource_name")
    where = listing.conditions(request, {name: REGISTERED_LIMITS.c[name] for name in columns})
    listed = request.service.database.read(
        lambda tx: listing.run(request, tx, REGISTERED_LIMITS, where, sort=("id",))
    )
    return listing.answer(request, "registered_limits", listed, _view)


def check_place(tx: Transaction, what: Row) -> None:
    """Raises Invalid for a service or region that is not there."""
    try:
        if what.get("service_id") is not None:
            services.get(tx, what["service_id"])
        if what.get("region_id") is not None:
            regions.get(tx, what["region_id"])
    except (ServiceNotFound, RegionNotFound) as error:
        raise Invalid(error.message) from error


def create(request: Request) -> Row:
    def unit(tx: Transaction) -> list[Row]:
        made = []
        for given in request.body["registered_limits"]:
            check_place(tx, given)
            _check_new(tx, given)
            row = {"id": new_id(), **{name: given.get(name) for name in _PROPERTIES}}
            limits.create_registered(tx, row)
            made.append(row)
        return made

    made = request.service.database.write(unit)
    return {"registered_limits": [_view(request, row) for row in made]}


def _check_new(tx: Transaction, what: Row) -> None:
    if limits.registered_for(tx, what) is not None:
        raise Taken(kind="registered_limit", what="Duplicate entry")


def show(request: Request, limit_id: str) -> Row:
    return {"registered_limit": _view(request, request.service.database.read(limits.registered, limit_id))}


def update(request: Request, limit_id: str) -> Row:
    given = request.body["registered_limit"]

    def unit(tx: Transaction) -> Row:
        row = limits.registered(tx, limit_id)
        check_place(tx, given)
        changed = {**row, **given}
        moved = any(changed[name] != row[name] for name in ("service_id", "region_id", "resource_name"))
        if moved:
            _check_unused(tx, limit_id)
            _check_new(tx, changed)
        if given:
            limits.change_registered(tx, limit_id, given)
        return changed

    return {"registered_limit": _view(request, request.service.database.write(unit))}


def _check_unused(tx: Transaction, limit_id: str) -> None:
    if limits.in_use(tx, limit_id):
        raise ForbiddenAction(
            f"Unable to update or delete registered limit {limit_id} because there are project limits "
            "associated with it."
        )


def delete(request: Request, limit_id: str) -> None:
    def unit(tx: Transaction) -> None:
        limits.registered(tx, limit_id)
        _check_unused(tx, limit_id)
        limits.remove_registered(tx, limit_id)

    request.service.database.write(unit)
