"""Domains: projects that act as one, under their own URL."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.identity import tree
from celaje.identity.api import listing, schemas, views
from celaje.identity.api.access import checked, target
from celaje.identity.api.projects import TAGS, changes
from celaje.identity.db import projects
from celaje.identity.db.tables import NO_DOMAIN, PROJECTS
from celaje.identity.errors import DomainNotFound, Taken
from celaje.identity.ids import new_id

Row = dict[str, Any]

_PROPERTIES = {
    "name": schemas.name(64),
    "description": schemas.TEXT_OR_NULL,
    "enabled": schemas.BOOLEAN,
    "tags": TAGS,
    "options": schemas.OPTIONS,
    "explicit_domain_id": {"type": "string", "minLength": 32, "maxLength": 32, "pattern": "^[0-9a-f]+$"},
}
CREATE = schemas.body("domain", _PROPERTIES, required=("name",))
UPDATE = schemas.body("domain", _PROPERTIES, update=True)


def view(request: Request, row: Row) -> Row:
    body = {
        "id": row["id"],
        "name": row["name"],
        "description": row["description"],
        "enabled": bool(row["enabled"]),
        "tags": row["tags"],
        "options": row["options"],
    }
    return views.linked(request, "domains", views.with_extra(body, row))


def collection(request: Request, rows: list[Row]) -> Row:
    return views.collection(request, "domains", (view(request, row) for row in rows))


def index(request: Request) -> Row:
    own_domain = request.context.domain_id
    request.authorize(target({"domain": {"id": own_domain} if own_domain else None}))
    where = listing.conditions(request, {"name": PROJECTS.c.name}, {"enabled": PROJECTS.c.enabled})
    where.append(PROJECTS.c.is_domain.is_(True))
    if own_domain:
        where.append(PROJECTS.c.id == own_domain)

    def query(tx: Transaction) -> listing.Listed:
        listed = listing.run(request, tx, PROJECTS, where)
        projects.with_tags(tx, listed.rows)
        return listed

    return listing.answer(request, "domains", request.service.database.read(query), view)


def create(request: Request) -> Row:
    given = request.body["domain"]
    row = {
        "id": given.get("explicit_domain_id") or new_id(),
        "name": given["name"].strip(),
        "domain_id": NO_DOMAIN,
        "parent_id": None,
        "is_domain": True,
        "enabled": given.get("enabled", True),
        "description": given.get("description", ""),
        "options": given.get("options", {}),
        "extra": views.extra_of(given, tuple(_PROPERTIES)),
    }

    def unit(tx: Transaction) -> Row:
        if projects.find(tx, row["id"]) is not None:
            raise Taken(kind="domain", what=f"Duplicate entry found with domain ID {row['id']}")
        projects.create(tx, row)
        projects.set_tags(tx, row["id"], given.get("tags", []))
        return projects.with_tags(tx, [row])[0]

    return {"domain": view(request, request.service.database.write(unit))}


def _find(tx: Transaction, domain_id: str) -> Row | None:
    row = projects.find(tx, domain_id)
    return row if row is not None and row["is_domain"] else None


def show(request: Request, domain_id: str) -> Row:
    def query(tx: Transaction) -> Row:
        row = checked(request, _find(tx, domain_id), "domain", DomainNotFound(id=domain_id))
        return projects.with_tags(tx, [row])[0]

    return {"domain": view(request, request.service.database.read(query))}


def update(request: Request, domain_id: str) -> Row:
    given = request.body["domain"]
    service = request.service

    def unit(tx: Transaction) -> Row:
        row = projects.get_domain(tx, domain_id)
        # Keystone lets an id in the body go by here, and only here.
        given.pop("id", None)
        tree.check_change(tx, row, given)
        values = changes(row, given, _PROPERTIES)
        changed = projects.change(tx, row, values) if values else row
        if "tags" in given:
            projects.set_tags(tx, domain_id, given["tags"])
        if row["enabled"] and not changed["enabled"]:
            service.revoking.revoke(tx, {"domain_id": domain_id})
        return projects.with_tags(tx, [changed])[0]

    return {"domain": view(request, service.database.write(unit))}


def delete(request: Request, domain_id: str) -> None:
    service = request.service

    def unit(tx: Transaction) -> None:
        tree.delete_domain(tx, projects.get_domain(tx, domain_id), service.revoking)
        service.inference.changed_by(tx)

    service.database.write(unit)
