"""Services of the catalog."""

from typing import Any

from sqlalchemy import delete as delete_from
from sqlalchemy import insert, select
from sqlalchemy import update as update_of

from celaje.common.db import Transaction, fetch_all, fetch_one
from celaje.common.wsgi import Request
from celaje.identity.api import listing, schemas, views
from celaje.identity.db import policies
from celaje.identity.db.tables import ENDPOINTS, SERVICES
from celaje.identity.errors import Invalid, ServiceNotFound
from celaje.identity.ids import new_id

Row = dict[str, Any]

_PROPERTIES = {
    "type": {"type": "string", "minLength": 1, "maxLength": 255},
    "name": {"type": "string", "maxLength": 255},
    "description": schemas.TEXT_OR_NULL,
    "enabled": schemas.BOOLEAN,
}
CREATE = schemas.body("service", _PROPERTIES, required=("type",))
UPDATE = schemas.body("service", _PROPERTIES, update=True)


def view(request: Request, row: Row) -> Row:
    body = {"id": row["id"], "type": row["type"], "enabled": bool(row["enabled"])}
    body |= {name: row[name] for name in ("name", "description") if row[name] is not None}
    return views.linked(request, "services", views.with_extra(body, row))


def index(request: Request) -> Row:
    where = listing.conditions(request, {"type": SERVICES.c.type, "name": SERVICES.c.name})
    listed = request.service.database.read(
        lambda tx: listing.run(request, tx, SERVICES, where, sort=("type",))
    )
    return listing.answer(request, "services", listed, view)


def get(tx: Transaction, service_id: str) -> Row:
    row = fetch_one(tx, select(SERVICES).where(SERVICES.c.id == service_id))
    if row is None:
        raise ServiceNotFound(id=service_id)
    return row


def create(request: Request) -> Row:
    given = request.body["service"]
    row = {
        "id": new_id(),
        "type": given["type"],
        "name": given.get("name", ""),
        "description": given.get("description"),
        "enabled": given.get("enabled", True),
        "extra": views.extra_of(given, tuple(_PROPERTIES)),
    }

    def unit(tx: Transaction) -> None:
        tx.execute(insert(SERVICES).values(**row))
        request.service.catalog.changed_by(tx)

    request.service.database.write(unit)
    return {"service": view(request, row)}


def show(request: Request, service_id: str) -> Row:
    return {"service": view(request, request.service.database.read(get, service_id))}


def update(request: Request, service_id: str) -> Row:
    given = request.body["service"]

    def unit(tx: Transaction) -> Row:
        row = get(tx, service_id)
        if given.get("id", service_id) != service_id:
            raise Invalid("Cannot change ID")
        values = {name: given[name] for name in _PROPERTIES if name in given}
        if extra := views.extra_of(given, tuple(_PROPERTIES)):
            values["extra"] = {**row["extra"], **extra}
        if values:
            tx.execute(update_of(SERVICES).where(SERVICES.c.id == service_id).values(**values))
        request.service.catalog.changed_by(tx)
        return {**row, **values}

    return {"service": view(request, request.service.database.write(unit))}


def delete(request: Request, service_id: str) -> None:
    """With its endpoints."""

    def unit(tx: Transaction) -> None:
        get(tx, service_id)
        policies.forget_places(tx, service_id=service_id)
        for endpoint in fetch_all(tx, select(ENDPOINTS.c.id).where(ENDPOINTS.c.service_id == service_id)):
            policies.forget_places(tx, endpoint_id=endpoint["id"])
        tx.execute(delete_from(SERVICES).where(SERVICES.c.id == service_id))
        request.service.catalog.changed_by(tx)

    request.service.database.write(unit)
