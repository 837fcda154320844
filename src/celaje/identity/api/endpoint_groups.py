"""Endpoint groups: endpoints that have something in common (`/v3/OS-EP-FILTER/endpoint_groups`)."""

from typing import Any

from sqlalchemy import delete as delete_from
from sqlalchemy import insert
from sqlalchemy import update as update_of

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.identity.api import endpoints, listing, projects, schemas, views
from celaje.identity.db import endpoint_filters
from celaje.identity.db.projects import with_tags
from celaje.identity.db.tables import ENDPOINT_GROUPS
from celaje.identity.errors import Invalid
from celaje.identity.ids import new_id

Row = dict[str, Any]

_FILTERS = {
    "type": "object",
    "properties": {
        "interface": {"enum": ["admin", "internal", "public"]},
        "region_id": {"type": ["string", "null"]},
        "service_id": {"type": "string"},
        "enabled": {"type": "boolean"},
    },
    "additionalProperties": False,
}
_PROPERTIES = {"name": schemas.name(255), "description": schemas.TEXT_OR_NULL, "filters": _FILTERS}
# A group is made to tell endpoints apart. Later its filters may be taken away: every endpoint fits then.
_SOME = {**_FILTERS, "anyOf": [{"required": [name]} for name in ("interface", "region_id", "service_id")]}
CREATE = schemas.body(
    "endpoint_group", {**_PROPERTIES, "filters": _SOME}, required=("name", "filters"), extra=False
)
UPDATE = schemas.body("endpoint_group", _PROPERTIES, update=True, extra=False)


def view(request: Request, row: Row) -> Row:
    body = {name: row[name] for name in ("id", "name", "description", "filters")}
    return views.linked(request, "OS-EP-FILTER/endpoint_groups", body)


def index(request: Request) -> Row:
    where = listing.conditions(request, {"name": ENDPOINT_GROUPS.c.name})
    listed = request.service.database.read(lambda tx: listing.run(request, tx, ENDPOINT_GROUPS, where))
    return listing.answer(request, "endpoint_groups", listed, view)


def create(request: Request) -> Row:
    given = request.body["endpoint_group"]
    row = {
        "id": new_id(),
        "name": given["name"],
        "description": given.get("description"),
        "filters": given["filters"],
    }
    request.service.database.write(lambda tx: tx.execute(insert(ENDPOINT_GROUPS).values(**row)))
    return {"endpoint_group": view(request, row)}


def show(request: Request, group_id: str) -> Row:
    return {"endpoint_group": view(request, request.service.database.read(endpoint_filters.group, group_id))}


def update(request: Request, group_id: str) -> Row:
    given = request.body["endpoint_group"]

    def unit(tx: Transaction) -> Row:
        row = endpoint_filters.group(tx, group_id)
        if given.get("id", group_id) != group_id:
            raise Invalid("Cannot change ID")
        values = {name: given[name] for name in _PROPERTIES if name in given}
        if values:
            tx.execute(update_of(ENDPOINT_GROUPS).where(ENDPOINT_GROUPS.c.id == group_id).values(**values))
        request.service.catalog.changed_by(tx)
        return {**row, **values}

    return {"endpoint_group": view(request, request.service.database.write(unit))}


def delete(request: Request, group_id: str) -> None:
    def unit(tx: Transaction) -> None:
        endpoint_filters.group(tx, group_id)
        tx.execute(delete_from(ENDPOINT_GROUPS).where(ENDPOINT_GROUPS.c.id == group_id))
        request.service.catalog.changed_by(tx)

    request.service.database.write(unit)


def list_endpoints(request: Request, group_id: str) -> Row:
    found = request.service.database.read(
        lambda tx: endpoint_filters.endpoints_of_group(tx, endpoint_filters.group(tx, group_id))
    )
    return views.collection(request, "endpoints", (endpoints.view(request, row) for row in found))


def list_projects(request: Request, group_id: str) -> Row:
    def query(tx: Transaction) -> list[Row]:
        endpoint_filters.group(tx, group_id)
        return with_tags(tx, endpoint_filters.projects_of_group(tx, group_id))

    return projects.collection(request, request.service.database.read(query))
