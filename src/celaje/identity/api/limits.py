"""Limits: what a project or a domain may have of a resource, in place of the registered limit."""

from typing import Any

from sqlalchemy import or_, select

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.identity import limit_models
from celaje.identity.api import listing, schemas, views
from celaje.identity.api.registered_limits import INTEGER, REGION, UUID, check_place, several
from celaje.identity.db import limits, projects
from celaje.identity.db.tables import LIMITS, PROJECTS, REGISTERED_LIMITS
from celaje.identity.errors import ForbiddenAction, Invalid, LimitNotFound, Taken
from celaje.identity.ids import new_id

Row = dict[str, Any]

_OWNER = {"type": ["string", "null"], "maxLength": 64}
CREATE = several(
    "limits",
    {
        "service_id": UUID,
        "region_id": REGION,
        "resource_name": schemas.name(255),
        "resource_limit": INTEGER,
        "description": schemas.TEXT_OR_NULL,
        "project_id": _OWNER,
        "domain_id": _OWNER,
    },
    ["service_id", "resource_name", "resource_limit"],
    oneOf=[
        {"required": ["project_id"], "properties": {"project_id": {"type": "string"}, "domain_id": False}},
        {"required": ["domain_id"], "properties": {"domain_id": {"type": "string"}, "project_id": False}},
    ],
)
UPDATE = schemas.body("limit", {"resource_limit": INTEGER, "description": schemas.TEXT_OR_NULL}, extra=False)


def _view(request: Request, row: Row) -> Row:
    names = (
        "id",
        "service_id",
        "region_id",
        "resource_name",
        "resource_limit",
        "description",
        "project_id",
        "domain_id",
    )
    return views.linked(request, "limits", {name: row[name] for name in names})


def index(request: Request) -> Row:
    columns = {name: REGISTERED_LIMITS.c[name] for name in ("service_id", "region_id", "resource_name")}
    columns |= {name: LIMITS.c[name] for name in ("project_id", "domain_id")}
    where = listing.conditions(request, columns)
    context = request.context
    if not (context.system_scope or {"admin", "service"} & set(context.roles)):
        if context.domain_id:
            inside = select(PROJECTS.c.id).where(PROJECTS.c.domain_id == context.domain_id)
            where.append(or_(LIMITS.c.domain_id == context.domain_id, LIMITS.c.project_id.in_(inside)))
        else:
            where.append(LIMITS.c.project_id == (context.project_id or ""))
    listed = request.service.database.read(
        lambda tx: listing.run(request, tx, LIMITS, where, statement=limits.LIMIT, sort=("id",))
    )
    return listing.answer(request, "limits", listed, _view)


def show_model(request: Request) -> Row:
    name = request.service.conf.unified_limit.enforcement_model
    return {"model": {"name": name, "description": limit_models.MODELS[name]}}


def create(request: Request) -> Row:
    model = request.service.conf.unified_limit.enforcement_model

    def unit(tx: Transaction) -> list[Row]:
        rows = [_new_row(tx, given) for given in request.body["limits"]]
        limit_models.check(tx, model, rows)
        for row in rows:
            owner = {name: row[name] for name in ("project_id", "domain_id")}
            if limits.of_owner(tx, row, **owner) is not None:
                raise Taken(kind="limit", what="Duplicate entry")
            names = ("id", "registered_limit_id", "resource_limit", "description")
            limits.create(tx, {**owner, **{name: row[name] for name in names}})
        return rows

    return {"limits": [_view(request, row) for row in request.service.database.write(unit)]}


def _new_row(tx: Transaction, given: Row) -> Row:
    check_place(tx, given)
    row = {
        "id": new_id(),
        "region_id": None,
        "description": None,
        "project_id": None,
        "domain_id": None,
        **given,
    }
    owner = projects.find(tx, row["project_id"] or row["domain_id"])
    if owner is None or (row["domain_id"] and not owner["is_domain"]):
        kind = "project" if row["project_id"] else "domain"
        raise Invalid(f"Expecting to find {kind}_id in limit: there is no such {kind}.")
    if owner["is_domain"]:
        row["project_id"], row["domain_id"] = None, owner["id"]
    registered = limits.registered_for(tx, row)
    if registered is None:
        raise ForbiddenAction("Unable to create a limit that has no corresponding registered limit.")
    row["registered_limit_id"] = registered["id"]
    return row


def show(request: Request, limit_id: str) -> Row:
    def query(tx: Transaction) -> Row:
        found: Row = {}
        row = None
        try:
            row = limits.get(tx, limit_id)
            found["target.limit.project_id"] = row["project_id"]
            if row["project_id"]:
                owner = projects.get(tx, row["project_id"])
                found["target.limit.project.domain_id"] = owner["domain_id"]
            else:
                found["target.limit.domain.id"] = row["domain_id"]
        except LimitNotFound:
            # Who may see no limits does not learn which there are.
            request.authorize({})
            raise
        request.authorize(found)
        return row

    return {"limit": _view(request, request.service.database.read(query))}


def update(request: Request, limit_id: str) -> Row:
    given = request.body["limit"]
    model = request.service.conf.unified_limit.enforcement_model

    def unit(tx: Transaction) -> Row:
        # A description that is null is no change, as in Keystone.
        changes = {name: value for name, value in given.items() if value is not None}
        row = {**limits.get(tx, limit_id), **changes}
        limit_models.check(tx, model, [row])
        if changes:
            limits.change(tx, limit_id, changes)
        return row

    return {"limit": _view(request, request.service.database.write(unit))}


def delete(request: Request, limit_id: str) -> None:
    def unit(tx: Transaction) -> None:
        limits.get(tx, limit_id)
        limits.remove(tx, limit_id)

    request.service.database.write(unit)
