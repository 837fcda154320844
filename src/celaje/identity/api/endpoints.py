"""Endpoints of the catalog."""

from typing import Any

from sqlalchemy import delete as delete_from
from sqlalchemy import insert, select
from sqlalchemy import update as update_of

from celaje.common.db import Transaction, fetch_one
from celaje.common.wsgi import Request
from celaje.identity.api import listing, regions, schemas, services, views
from celaje.identity.catalog import is_broken, unknown_places
from celaje.identity.db import policies
from celaje.identity.db.tables import ENDPOINTS
from celaje.identity.errors import EndpointNotFound, Invalid, RegionNotFound, ServiceNotFound
from celaje.identity.ids import new_id

Row = dict[str, Any]

_PROPERTIES = {
    "service_id": schemas.ID,
    "interface": {"type": "string", "enum": ["admin", "internal", "public"]},
    "url": {**schemas.URL, "maxLength": 225},
    "name": {"type": "string"},
    "description": {"type": "string"},
    "region_id": {"type": ["string", "null"], "maxLength": 255},
    # The old name of region_id.
    "region": {"type": "string", "maxLength": 255},
    "enabled": schemas.BOOLEAN,
}
_COLUMNS = ("service_id", "interface", "url", "region_id", "enabled")
# Kept nowhere: the second is a name of Keystone's second API.
_NOT_KEPT = (*_COLUMNS, "region", "legacy_endpoint_id")
CREATE = schemas.body("endpoint", _PROPERTIES, required=("service_id", "interface", "url"))
UPDATE = schemas.body("endpoint", _PROPERTIES, update=True)


def view(request: Request, row: Row) -> Row:
    body = {
        "id": row["id"],
        "service_id": row["service_id"],
        "interface": row["interface"],
        "region_id": row["region_id"],
        "region": row["region_id"],
        "url": row["url"],
        "enabled": bool(row["enabled"]),
    }
    return views.linked(request, "endpoints", views.with_extra(body, row))


def index(request: Request) -> Row:
    texts = {
        "service_id": ENDPOINTS.c.service_id,
        "interface": ENDPOINTS.c.interface,
        "region_id": ENDPOINTS.c.region_id,
        "region": ENDPOINTS.c.region_id,
    }
    where = listing.conditions(request, texts, {"enabled": ENDPOINTS.c.enabled})
    listed = request.service.database.read(
        lambda tx: listing.run(request, tx, ENDPOINTS, where, sort=("service_id", "interface"))
    )
    return listing.answer(request, "endpoints", listed, view)


def get(tx: Transaction, endpoint_id: str) -> Row:
    row = fetch_one(tx, select(ENDPOINTS).where(ENDPOINTS.c.id == endpoint_id))
    if row is None:
        raise EndpointNotFound(id=endpoint_id)
    return row


def _check(tx: Transaction, values: Row, *, make_region: bool) -> None:
    """Raises Invalid where an endpoint refers to what is not there, or its URL cannot be filled in."""
    if "url" in values and is_broken(values["url"]):
        raise Invalid(f"Cannot create an endpoint with an invalid URL: {values['url'][:256]}.")
    if "url" in values and (places := unknown_places(values["url"])):
        raise Invalid(f"Invalid input for field 'url': no token has a {places[0]} to put into it")
    try:
        if "service_id" in values:
            services.get(tx, values["service_id"])
        if values.get("region_id"):
            regions.get(tx, values["region_id"])
    except ServiceNotFound as error:
        raise Invalid(error.message) from error
    except RegionNotFound as error:
        if not make_region:
            raise Invalid(error.message) from error
        regions.make(tx, values["region_id"])


def create(request: Request) -> Row:
    given = request.body["endpoint"]
    row = {
        "id": new_id(),
        "service_id": given["service_id"],
        "interface": given["interface"],
        "region_id": given.get("region_id") or given.get("region"),
        "url": given["url"],
        "enabled": given.get("enabled", True),
        "extra": views.extra_of(given, _NOT_KEPT),
    }

    def unit(tx: Transaction) -> None:
        # Clients of the old `region` count on it being made.
        _check(tx, row, make_region="region_id" not in given)
        tx.execute(insert(ENDPOINTS).values(**row))
        request.service.catalog.changed_by(tx)

    request.service.database.write(unit)
    return {"endpoint": view(request, row)}


def show(request: Request, endpoint_id: str) -> Row:
    return {"endpoint": view(request, request.service.database.read(get, endpoint_id))}


def update(request: Request, endpoint_id: str) -> Row:
    given = request.body["endpoint"]

    def unit(tx: Transaction) -> Row:
        row = get(tx, endpoint_id)
        if given.get("id", endpoint_id) != endpoint_id:
            raise Invalid("Cannot change ID")
        values = {name: given[name] for name in _COLUMNS if name in given}
        if "region" in given and "region_id" not in given:
            values["region_id"] = given["region"]
        if extra := views.extra_of(given, _NOT_KEPT):
            values["extra"] = {**row["extra"], **extra}
        _check(tx, values, make_region="region_id" not in given)
        if values:
            tx.execute(update_of(ENDPOINTS).where(ENDPOINTS.c.id == endpoint_id).values(**values))
        request.service.catalog.changed_by(tx)
        return {**row, **values}

    return {"endpoint": view(request, request.service.database.write(unit))}


def delete(request: Request, endpoint_id: str) -> None:
    def unit(tx: Transaction) -> None:
        get(tx, endpoint_id)
        policies.forget_places(tx, endpoint_id=endpoint_id)
        tx.execute(delete_from(ENDPOINTS).where(ENDPOINTS.c.id == endpoint_id))
        request.service.catalog.changed_by(tx)

    request.service.database.write(unit)
