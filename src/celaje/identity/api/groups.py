"""Groups and their members."""

import datetime
from typing import Any

from sqlalchemy import or_, select

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.identity.api import listing, schemas, users, views
from celaje.identity.api.access import callers_domain, checked, target
from celaje.identity.db import federation, groups, projects
from celaje.identity.db import users as user_rows
from celaje.identity.db.tables import GROUPS, MEMBERSHIPS, USERS
from celaje.identity.errors import GroupNotFound, Invalid, NotInGroup, UserNotFound
from celaje.identity.ids import new_id
from celaje.identity.login.issue import stamp

Row = dict[str, Any]

_PROPERTIES = {
    "name": schemas.name(64),
    "domain_id": schemas.ID,
    "description": schemas.TEXT_OR_NULL,
}
CREATE = schemas.body("group", _PROPERTIES, required=("name",))
UPDATE = schemas.body("group", _PROPERTIES, update=True)


def view(request: Request, row: Row) -> Row:
    body = {
        "id": row["id"],
        "name": row["name"],
        "domain_id": row["domain_id"],
        "description": row["description"],
    }
    return views.linked(request, "groups", views.with_extra(body, row))


def index(request: Request) -> Row:
    own_domain = request.context.domain_id
    request.authorize(target({"group": {"domain_id": own_domain} if own_domain else None}))
    where = listing.conditions(request, {"name": GROUPS.c.name, "domain_id": GROUPS.c.domain_id})
    if own_domain:
        where.append(GROUPS.c.domain_id == own_domain)
    listed = request.service.database.read(lambda tx: listing.run(request, tx, GROUPS, where))
    return listing.answer(request, "groups", listed, view)


def of_user(request: Request, user_id: str) -> Row:
    """GET /users/{id}/groups."""
    where = listing.conditions(request, {"name": GROUPS.c.name})
    expiring: dict[str, datetime.datetime] = {}

    def query(tx: Transaction) -> listing.Listed:
        user = user_rows.find(tx, user_id)
        request.authorize(target({"user": user}, user_id=user_id))
        if user is None:
            raise UserNotFound(id=user_id)
        mine = select(MEMBERSHIPS.c.group_id).where(MEMBERSHIPS.c.user_id == user_id)
        expiring.update(federation.expiring_groups(tx, user_id))
        either = or_(GROUPS.c.id.in_(mine), GROUPS.c.id.in_(sorted(expiring)))
        return listing.run(request, tx, GROUPS, [*where, either])

    def shown(request: Request, row: Row) -> Row:
        """With the end of what an identity provider vouches for only for a while."""
        return {**view(request, row), "membership_expires_at": stamp(expiring.get(row["id"]))}

    return listing.answer(request, "groups", request.service.database.read(query), shown)


def create(request: Request) -> Row:
    given = request.body["group"]
    domain_id = given.get("domain_id") or callers_domain(request)
    request.authorize(target({"group": {"domain_id": domain_id}}))
    row = {
        "id": new_id(),
        "name": given["name"].strip(),
        "domain_id": domain_id,
        "description": given.get("description", ""),
        "extra": views.extra_of(given, tuple(_PROPERTIES)),
    }

    def unit(tx: Transaction) -> Row:
        projects.get_domain(tx, domain_id)
        return groups.create(tx, row)

    return {"group": view(request, request.service.database.write(unit))}


def _group(request: Request, tx: Transaction, group_id: str) -> Row:
    return checked(request, groups.find(tx, group_id), "group", GroupNotFound(id=group_id))


def show(request: Request, group_id: str) -> Row:
    return {"group": view(request, request.service.database.read(lambda tx: _group(request, tx, group_id)))}


def update(request: Request, group_id: str) -> Row:
    given = request.body["group"]

    def unit(tx: Transaction) -> Row:
        row = _group(request, tx, group_id)
        if given.get("id", group_id) != group_id:
            raise Invalid("Cannot change ID")
        if given.get("domain_id", row["domain_id"]) != row["domain_id"]:
            raise Invalid("Cannot change Domain ID")
        values: Row = {}
        if "name" in given:
            values["name"] = given["name"].strip()
        if "description" in given:
            values["description"] = given["description"]
        if extra := views.extra_of(given, tuple(_PROPERTIES)):
            values["extra"] = {**row["extra"], **extra}
        return groups.change(tx, row, values) if values else row

    return {"group": view(request, request.service.database.write(unit))}


def delete(request: Request, group_id: str) -> None:
    service = request.service

    def unit(tx: Transaction) -> None:
        _group(request, tx, group_id)
        members = groups.member_ids(tx, group_id)
        groups.remove(tx, group_id)
        service.revoking.revoke(tx, *({"user_id": user_id} for user_id in members))

    service.database.write(unit)


def list_members(request: Request, group_id: str) -> Row:
    where = listing.conditions(request, {"name": USERS.c.name}, {"enabled": USERS.c.enabled})
    where += users.expiring(request)

    def query(tx: Transaction) -> listing.Listed:
        _group(request, tx, group_id)
        members = select(MEMBERSHIPS.c.user_id).where(MEMBERSHIPS.c.group_id == group_id)
        return listing.run(request, tx, USERS, [*where, USERS.c.id.in_(members)])

    return listing.answer(request, "users", request.service.database.read(query), users.view)


def _member(request: Request, tx: Transaction, group_id: str, user_id: str) -> None:
    group, user = groups.find(tx, group_id), user_rows.find(tx, user_id)
    request.authorize(target({"group": group, "user": user}))
    if group is None:
        raise GroupNotFound(id=group_id)
    if user is None:
        raise UserNotFound(id=user_id)


def check_member(request: Request, group_id: str, user_id: str) -> None:
    def query(tx: Transaction) -> None:
        _member(request, tx, group_id, user_id)
        if not groups.has_member(tx, group_id, user_id):
            raise NotInGroup(user_id=user_id, group_id=group_id)

    request.service.database.read(query)


def add_member(request: Request, group_id: str, user_id: str) -> None:
    def unit(tx: Transaction) -> None:
        _member(request, tx, group_id, user_id)
        groups.add_member(tx, group_id, user_id)

    request.service.database.write(unit)


def remove_member(request: Request, group_id: str, user_id: str) -> None:
    service = request.service

    def unit(tx: Transaction) -> None:
        _member(request, tx, group_id, user_id)
        if not groups.remove_member(tx, group_id, user_id):
            raise NotInGroup(user_id=user_id, group_id=group_id)
        service.revoking.revoke(tx, {"user_id": user_id})

    service.database.write(unit)
