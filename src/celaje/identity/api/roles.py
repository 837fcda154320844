"""Roles: those of the whole cloud and those of a domain, which have rules of their own."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.identity.api import listing, schemas, views
from celaje.identity.api.access import checked
from celaje.identity.api.projects import merged_options
from celaje.identity.db import projects, roles
from celaje.identity.db.tables import NO_DOMAIN, ROLES
from celaje.identity.errors import Invalid, RoleNotFound
from celaje.identity.ids import new_id
from celaje.identity.tree import check_immutable

Row = dict[str, Any]

_PROPERTIES = {
    "name": schemas.name(255),
    "description": schemas.TEXT_OR_NULL,
    "domain_id": schemas.ID_OR_NULL,
    "options": schemas.OPTIONS,
}
CREATE = schemas.body("role", _PROPERTIES, required=("name",))
UPDATE = schemas.body("role", _PROPERTIES, update=True)


def view(request: Request, row: Row) -> Row:
    body = {
        "id": row["id"],
        "name": row["name"],
        "domain_id": row["domain_id"] or None,
        "description": row["description"],
        "options": row["options"],
    }
    return views.linked(request, "roles", views.with_extra(body, row))


def index(request: Request) -> Row:
    domain_id = request.query.get("domain_id")
    request.authorize({}, rule="identity:list_domain_roles" if domain_id else "identity:list_roles")
    where = listing.conditions(request, {"name": ROLES.c.name})
    where.append(ROLES.c.domain_id == (domain_id or NO_DOMAIN))
    listed = request.service.database.read(lambda tx: listing.run(request, tx, ROLES, where))
    return listing.answer(request, "roles", listed, view)


def create(request: Request) -> Row:
    given = request.body["role"]
    domain_id = given.get("domain_id") or NO_DOMAIN
    request.authorize({}, rule="identity:create_domain_role" if domain_id else "identity:create_role")
    service = request.service
    row = {
        "id": new_id(),
        "name": given["name"].strip(),
        "domain_id": domain_id,
        "description": given.get("description"),
        "options": merged_options({}, given.get("options", {})),
        "extra": views.extra_of(given, tuple(_PROPERTIES)),
    }

    def unit(tx: Transaction) -> Row:
        if domain_id:
            projects.get_domain(tx, domain_id)
        service.inference.changed_by(tx)
        return roles.create(tx, row)

    return {"role": view(request, service.database.write(unit))}


def _role(request: Request, tx: Transaction, role_id: str, verb: str) -> Row:
    row = roles.find(tx, role_id)
    kind = "domain_role" if row is not None and row["domain_id"] else "role"
    return checked(request, row, "role", RoleNotFound(id=role_id), rule=f"identity:{verb}_{kind}")


def show(request: Request, role_id: str) -> Row:
    row = request.service.database.read(lambda tx: _role(request, tx, role_id, "get"))
    return {"role": view(request, row)}


def update(request: Request, role_id: str) -> Row:
    given = request.body["role"]
    service = request.service

    def unit(tx: Transaction) -> Row:
        row = _role(request, tx, role_id, "update")
        check_immutable(row, given, "role")
        if given.get("id", role_id) != role_id:
            raise Invalid("Cannot change ID")
        if "domain_id" in given and (given["domain_id"] or NO_DOMAIN) != row["domain_id"]:
            raise Invalid("Update of `domain_id` is not allowed.")
        values: Row = {}
        if "name" in given:
            values["name"] = given["name"].strip()
        if "description" in given:
            values["description"] = given["description"]
        if "options" in given:
            values["options"] = merged_options(row["options"], given["options"])
        if extra := views.extra_of(given, tuple(_PROPERTIES)):
            values["extra"] = {**row["extra"], **extra}
        service.inference.changed_by(tx)
        if "name" in values and values["name"] != row["name"]:
            # Tokens carry the name, and the name is what policies read.
            service.revoking.revoke(tx, {"role_id": role_id})
        return roles.change(tx, row, values) if values else row

    return {"role": view(request, service.database.write(unit))}


def delete(request: Request, role_id: str) -> None:
    service = request.service

    def unit(tx: Transaction) -> None:
        row = _role(request, tx, role_id, "delete")
        check_immutable(row, None, "role")
        # A domain's own role is in no token, but what it implied is: those who had it log in again.
        lost = service.inference.get(tx).closure([role_id]) if row["domain_id"] else {role_id}
        roles.remove(tx, role_id)
        service.inference.changed_by(tx)
        service.revoking.revoke(tx, *({"role_id": lost_id} for lost_id in sorted(lost)))

    service.database.write(unit)
