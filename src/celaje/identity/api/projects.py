"""Projects: create, list, show with their tree, change, delete. Tags are in `project_tags.py`."""

from typing import Any

from sqlalchemy import false, select

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.identity import tree
from celaje.identity.api import listing, schemas, views
from celaje.identity.api.access import callers_domain, checked, target
from celaje.identity.db import effective, projects
from celaje.identity.db.tables import NO_DOMAIN, PROJECT_TAGS, PROJECTS
from celaje.identity.errors import Invalid, ProjectNotFound
from celaje.identity.ids import new_id

Row = dict[str, Any]

MOST_TAGS = 80
TAG = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[^,/]*$"}
TAGS = {"type": "array", "items": TAG, "maxItems": MOST_TAGS, "uniqueItems": True}
_PROPERTIES = {
    "name": schemas.name(64),
    "description": schemas.TEXT_OR_NULL,
    "domain_id": schemas.ID_OR_NULL,
    "parent_id": schemas.ID_OR_NULL,
    "enabled": schemas.BOOLEAN,
    "is_domain": schemas.BOOLEAN,
    "tags": TAGS,
    "options": schemas.OPTIONS,
}
CREATE = schemas.body("project", _PROPERTIES, required=("name",))
# Keystone takes an empty change of a project, though of nothing else.
UPDATE = schemas.body("project", _PROPERTIES)


def view(request: Request, row: Row) -> Row:
    body = {
        "id": row["id"],
        "name": row["name"],
        "domain_id": row["domain_id"] or None,
        "description": row["description"],
        "enabled": bool(row["enabled"]),
        "parent_id": row["parent_id"],
        "is_domain": bool(row["is_domain"]),
        "tags": row["tags"],
        "options": row["options"],
    }
    return views.linked(request, "projects", views.with_extra(body, row))


def collection(request: Request, rows: list[Row]) -> Row:
    return views.collection(request, "projects", (view(request, row) for row in rows))


def index(request: Request) -> Row:
    own_domain = request.context.domain_id
    request.authorize(target(domain_id=own_domain))
    where = listing.conditions(
        request,
        {"name": PROJECTS.c.name, "domain_id": PROJECTS.c.domain_id, "parent_id": PROJECTS.c.parent_id},
        {"enabled": PROJECTS.c.enabled, "is_domain": PROJECTS.c.is_domain},
    )
    if "is_domain" not in request.query:
        where.append(PROJECTS.c.is_domain.is_(False))
    if own_domain:
        where.append(PROJECTS.c.domain_id == own_domain)
    where += tag_conditions(request)

    def query(tx: Transaction) -> listing.Listed:
        listed = listing.run(request, tx, PROJECTS, where)
        projects.with_tags(tx, listed.rows)
        return listed

    return listing.answer(request, "projects", request.service.database.read(query), view)


def tag_conditions(request: Request) -> list[Any]:
    """`tags` (all of them), `tags-any`, and their negations; each a list with commas."""
    found: list[Any] = []
    for name, value in request.query_pairs:
        if name not in ("tags", "tags-any", "not-tags", "not-tags-any"):
            continue
        tags = [tag for tag in value.split(",") if tag]
        having: list[Any] = [
            PROJECTS.c.id.in_(select(PROJECT_TAGS.c.project_id).where(PROJECT_TAGS.c.name == tag))
            for tag in tags
        ]
        if name.endswith("any"):
            any_of = select(PROJECT_TAGS.c.project_id).where(PROJECT_TAGS.c.name.in_(tags))
            condition = PROJECTS.c.id.in_(any_of)
            found.append(condition if name == "tags-any" else ~condition)
        elif name == "tags":
            found += having or [false()]
        elif having:
            every: Any = having[0]
            for one in having[1:]:
                every = every & one
            found.append(~every)
    return found


def of_user(request: Request, user_id: str) -> Row:
    """GET /users/{id}/projects: where that user has any role."""
    from celaje.identity.db import users
    from celaje.identity.errors import UserNotFound

    where = listing.conditions(
        request,
        {"name": PROJECTS.c.name, "domain_id": PROJECTS.c.domain_id},
        {"enabled": PROJECTS.c.enabled},
    )

    def query(tx: Transaction) -> listing.Listed:
        checked(request, users.find(tx, user_id), "user", UserNotFound(id=user_id))
        ids, _, _ = effective.targets_of(tx, user_id)
        own = [PROJECTS.c.id.in_(sorted(ids)), PROJECTS.c.is_domain.is_(False)]
        listed = listing.run(request, tx, PROJECTS, [*where, *own])
        projects.with_tags(tx, listed.rows)
        return listed

    return listing.answer(request, "projects", request.service.database.read(query), view)


def create(request: Request) -> Row:
    given = request.body["project"]

    def unit(tx: Transaction) -> Row:
        row = _new_row(request, tx, given)
        # Who names a domain is judged by that; who names none, by the one that it ends up in.
        request.authorize(target({"project": row}))
        tree.check_place(tx, row, request.service.conf.max_project_tree_depth)
        projects.create(tx, row)
        tags = given.get("tags", [])
        projects.set_tags(tx, row["id"], tags)
        return {**row, "tags": sorted(tags)}

    return {"project": view(request, request.service.database.write(unit))}


def _new_row(request: Request, tx: Transaction, given: Row) -> Row:
    is_domain = given.get("is_domain", False)
    domain_id = given.get("domain_id") or NO_DOMAIN
    parent_id = given.get("parent_id")
    if is_domain:
        if parent_id or domain_id:
            raise Invalid("only root projects are allowed to act as domains.")
    elif not domain_id:
        parent = projects.find(tx, parent_id) if parent_id else None
        domain_id = callers_domain(request)
        if parent is not None:
            domain_id = parent["id"] if parent["is_domain"] else parent["domain_id"]
    return {
        "id": new_id(),
        "name": given["name"].strip(),
        "domain_id": domain_id,
        "parent_id": None if is_domain else parent_id or domain_id,
        "is_domain": is_domain,
        "enabled": given.get("enabled", True),
        "description": given.get("description", ""),
        "options": given.get("options", {}),
        "extra": views.extra_of(given, tuple(_PROPERTIES)),
    }


def show(request: Request, project_id: str) -> Row:
    def query(tx: Transaction) -> Row:
        row = checked(request, projects.find(tx, project_id), "project", ProjectNotFound(id=project_id))
        projects.with_tags(tx, [row])
        return _with_tree(request, tx, row)

    return {"project": request.service.database.read(query)}


def _with_tree(request: Request, tx: Transaction, row: Row) -> Row:
    body = view(request, row)
    for way in ("parents", "subtree"):
        as_list, as_ids = (listing.flag(request, f"{way}_as_{form}") for form in ("list", "ids"))
        if as_list and as_ids:
            raise Invalid(f"Cannot use {way}_as_list and {way}_as_ids query params at the same time.")
        if as_ids:
            body[way] = tree.parents_as_ids(tx, row) if way == "parents" else tree.subtree_as_ids(tx, row)
        elif as_list:
            found = projects.parents(tx, row) if way == "parents" else projects.subtree(tx, row["id"])
            own, _, _ = effective.targets_of(tx, request.context.user_id or "")
            rows = [other for other in found if other["id"] in own]
            body[way] = [{"project": view(request, other)} for other in projects.with_tags(tx, rows)]
    return body


def update(request: Request, project_id: str) -> Row:
    given = request.body["project"]
    service = request.service

    def unit(tx: Transaction) -> Row:
        row = checked(request, projects.find(tx, project_id), "project", ProjectNotFound(id=project_id))
        tree.check_change(tx, row, given)
        values = changes(row, given, _PROPERTIES)
        changed = projects.change(tx, row, values) if values else row
        if "tags" in given:
            projects.set_tags(tx, project_id, given["tags"])
        if row["enabled"] and not changed["enabled"]:
            kind = "domain_id" if row["is_domain"] else "project_id"
            service.revoking.revoke(tx, {kind: project_id})
        return projects.with_tags(tx, [changed])[0]

    row = service.database.write(unit)
    return {"project": views.updated(view(request, row), row)}


def changes(row: Row, given: Row, known: Row) -> Row:
    """The columns that an update sets; attributes that clients made up are kept unless given anew."""
    values: Row = {}
    if "name" in given:
        values["name"] = given["name"].strip()
    if "description" in given:
        values["description"] = given["description"]
    if "enabled" in given:
        values["enabled"] = given["enabled"]
    if "options" in given:
        values["options"] = merged_options(row["options"], given["options"])
    extra = views.extra_of(given, tuple(known))
    if extra:
        values["extra"] = {**row["extra"], **extra}
    return values


def merged_options(before: Row, given: Row) -> Row:
    """Options are changed one by one; null takes one away."""
    return {name: value for name, value in {**before, **given}.items() if value is not None}


def delete(request: Request, project_id: str) -> None:
    def unit(tx: Transaction) -> None:
        row = checked(request, projects.find(tx, project_id), "project", ProjectNotFound(id=project_id))
        tree.delete_project(tx, row, request.service.revoking)

    request.service.database.write(unit)
