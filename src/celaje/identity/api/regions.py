"""Regions, whose ids clients may choose."""

from typing import Any

from sqlalchemy import delete as delete_from
from sqlalchemy import insert, select
from sqlalchemy import update as update_of

from celaje.common.db import DuplicateRow, Transaction, fetch_all, fetch_one
from celaje.common.wsgi import Request
from celaje.identity.api import listing, schemas, views
from celaje.identity.db import policies
from celaje.identity.db.tables import ENDPOINTS, REGIONS
from celaje.identity.errors import ForbiddenAction, Invalid, RegionNotFound, Taken
from celaje.identity.ids import new_id

Row = dict[str, Any]

_PROPERTIES = {
    "id": {"type": ["string", "null"], "maxLength": 255},
    "description": schemas.TEXT_OR_NULL,
    "parent_region_id": {"type": ["string", "null"], "maxLength": 255},
}
CREATE = schemas.body("region", _PROPERTIES)
UPDATE = schemas.body("region", _PROPERTIES, update=True)


def view(request: Request, row: Row) -> Row:
    body = {
        "id": row["id"],
        "description": row["description"],
        "parent_region_id": row["parent_region_id"],
    }
    return views.linked(request, "regions", views.with_extra(body, row))


def index(request: Request) -> Row:
    where = listing.conditions(request, {"parent_region_id": REGIONS.c.parent_region_id})
    listed = request.service.database.read(lambda tx: listing.run(request, tx, REGIONS, where, sort=("id",)))
    return listing.answer(request, "regions", listed, view)


def get(tx: Transaction, region_id: str) -> Row:
    row = fetch_one(tx, select(REGIONS).where(REGIONS.c.id == region_id))
    if row is None:
        raise RegionNotFound(id=region_id)
    return row


def make(tx: Transaction, region_id: str) -> None:
    tx.execute(insert(REGIONS).values(id=region_id, description="", extra={}))


def create(request: Request, region_id: str | None = None) -> Row:
    """POST /regions, or PUT /regions/{id} with the id in the path."""
    given = request.body["region"]
    if region_id is not None and (given.get("id") or region_id) != region_id:
        raise Invalid("Region ID in the URL does not match the one in the body.")
    row = {
        "id": region_id or given.get("id") or new_id(),
        "description": given.get("description") or "",
        "parent_region_id": given.get("parent_region_id"),
        "extra": views.extra_of(given, tuple(_PROPERTIES)),
    }

    def unit(tx: Transaction) -> None:
        if row["parent_region_id"]:
            get(tx, row["parent_region_id"])
        try:
            tx.execute(insert(REGIONS).values(**row))
        except DuplicateRow as error:
            raise Taken(kind="region", what=f"Duplicate ID, {row['id']}.") from error

    request.service.database.write(unit)
    return {"region": view(request, row)}


def show(request: Request, region_id: str) -> Row:
    return {"region": view(request, request.service.database.read(get, region_id))}


def update(request: Request, region_id: str) -> Row:
    given = request.body["region"]

    def unit(tx: Transaction) -> Row:
        row = get(tx, region_id)
        if given.get("id", region_id) != region_id:
            raise Invalid("Cannot change ID")
        values: Row = {}
        if "description" in given:
            values["description"] = given["description"] or ""
        if "parent_region_id" in given:
            _check_no_circle(tx, region_id, given["parent_region_id"])
            values["parent_region_id"] = given["parent_region_id"]
        if extra := views.extra_of(given, tuple(_PROPERTIES)):
            values["extra"] = {**row["extra"], **extra}
        if values:
            tx.execute(update_of(REGIONS).where(REGIONS.c.id == region_id).values(**values))
        return {**row, **values}

    return {"region": view(request, request.service.database.write(unit))}


def _check_no_circle(tx: Transaction, region_id: str, parent_id: str | None) -> None:
    above = parent_id
    while above:
        if above == region_id:
            raise Invalid(f"Region {region_id} cannot be below itself.")
        above = get(tx, above)["parent_region_id"]


def delete(request: Request, region_id: str) -> None:
    """With the regions below it; refused while an endpoint is in one of them."""

    def unit(tx: Transaction) -> None:
        get(tx, region_id)
        ids = [region_id, *_below(tx, region_id)]
        if fetch_one(tx, select(ENDPOINTS.c.id).where(ENDPOINTS.c.region_id.in_(ids)).limit(1)):
            raise ForbiddenAction(
                f"Unable to delete region {region_id} because it or its child regions have associated "
                "endpoints."
            )
        for each in ids:
            policies.forget_places(tx, region_id=each)
        tx.execute(delete_from(REGIONS).where(REGIONS.c.id.in_(ids)))

    request.service.database.write(unit)


def _below(tx: Transaction, region_id: str) -> list[str]:
    found: list[str] = []
    level = [region_id]
    while level:
        children = select(REGIONS.c.id).where(REGIONS.c.parent_region_id.in_(level))
        level = [row["id"] for row in fetch_all(tx, children)]
        found += level
    return found
