"""Trusts: a user lets another one act with some of their roles on a project (`/v3/OS-TRUST`)."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.identity import delegation
from celaje.identity.api import listing, moments, schemas, views
from celaje.identity.api import roles as role_views
from celaje.identity.db import roles, trusts, users
from celaje.identity.db.tables import TRUSTS
from celaje.identity.errors import ForbiddenAction, Invalid, RoleNotFound, UserNotFound
from celaje.identity.ids import new_id
from celaje.identity.login.issue import stamp

Row = dict[str, Any]

_ROLE = {
    "type": "object",
    "properties": {"id": schemas.ID, "name": schemas.name(255)},
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}
_PROPERTIES = {
    "trustor_user_id": {"type": "string", "maxLength": 64},
    "trustee_user_id": {"type": "string", "maxLength": 64},
    "impersonation": {"type": "boolean"},
    "project_id": {"type": ["string", "null"], "maxLength": 64},
    "remaining_uses": {"type": ["integer", "null"], "minimum": 1, "maximum": 2147483647},
    "expires_at": {"type": ["null", "string"]},
    "allow_redelegation": {"type": ["boolean", "null"]},
    "redelegation_count": {"type": ["integer", "null"], "minimum": 0, "maximum": 2147483647},
    "redelegated_trust_id": {"type": ["string", "null"]},
    "roles": {"type": "array", "items": _ROLE},
}
CREATE = schemas.body("trust", _PROPERTIES, required=("trustor_user_id", "trustee_user_id", "impersonation"))


def _view(request: Request, row: Row, role_rows: list[Row] | None = None) -> Row:
    body = {
        name: row[name]
        for name in (
            "id",
            "trustor_user_id",
            "trustee_user_id",
            "project_id",
            "remaining_uses",
            "redelegated_trust_id",
            "redelegation_count",
        )
    }
    body["impersonation"] = bool(row["impersonation"])
    body["expires_at"] = stamp(row["expires_at"])
    body["deleted_at"] = None
    body = views.with_extra(body, row)
    if role_rows is not None:
        body["roles"] = [role_views.view(request, role) for role in role_rows]
        body["roles_links"] = _role_links(request, row["id"])
    return views.linked(request, "OS-TRUST/trusts", body)


def _role_links(request: Request, trust_id: str) -> Row:
    path = f"{request.base_url}/v3/OS-TRUST/trusts/{trust_id}/roles"
    return {"self": path, "next": None, "previous": None}


def _roles_of(tx: Transaction, row: Row) -> list[Row]:
    """Those that are still there."""
    found = (roles.find(tx, role_id) for role_id in row["roles"])
    return [role for role in found if role is not None]


def index(request: Request) -> Row:
    trustor, trustee = (request.query.get(f"{who}_user_id") for who in ("trustor", "trustee"))
    if trustor:
        about = {"target.trust.trustor_user_id": trustor}
        request.authorize(about, rule="identity:list_trusts_for_trustor")
    elif trustee:
        about = {"target.trust.trustee_user_id": trustee}
        request.authorize(about, rule="identity:list_trusts_for_trustee")
    else:
        request.authorize({})
    delegation.refuse_delegated(request.token, "manage trusts")
    where = listing.conditions(
        request,
        {"trustor_user_id": TRUSTS.c.trustor_user_id, "trustee_user_id": TRUSTS.c.trustee_user_id},
    )
    listed = request.service.database.read(lambda tx: listing.run(request, tx, TRUSTS, where, sort=("id",)))
    return listing.answer(request, "trusts", listed, _view)


def create(request: Request) -> Row:
    given = request.body["trust"]
    service = request.service
    request.authorize({"target.trust.trustor_user_id": given["trustor_user_id"]})
    token = request.token
    delegation.refuse_delegated(token, "manage trusts")
    if given.get("project_id") and not given.get("roles"):
        raise ForbiddenAction(action="At least one role should be specified")
    if token.user_id != given["trustor_user_id"]:
        raise ForbiddenAction(action="The authenticated user should match the trustor")
    deepest = service.conf.trust.max_redelegation_count
    row: Row = {
        "id": new_id(),
        "trustor_user_id": given["trustor_user_id"],
        "trustee_user_id": given["trustee_user_id"],
        "project_id": given.get("project_id") or None,
        "impersonation": given["impersonation"],
        "expires_at": moments.future(given.get("expires_at")),
        "remaining_uses": given.get("remaining_uses"),
        "redelegated_trust_id": None,
        "redelegation_count": given.get("redelegation_count"),
        "extra": views.extra_of(given, (*_PROPERTIES, "deleted_at", "roles_links")),
    }

    def unit(tx: Transaction) -> tuple[Row, list[Row]]:
        if users.find(tx, row["trustee_user_id"]) is None:
            raise UserNotFound(id=row["trustee_user_id"])
        row["roles"] = [role_id_of(tx, role) for role in given.get("roles", [])]
        delegation.prepare(row, redelegatable=bool(given.get("allow_redelegation")), deepest=deepest)
        source = trusts.get(tx, token.trust_id) if token.trust_id else None
        if source is not None:
            delegation.redelegate(tx, row, source, deepest)
        elif row["redelegation_count"] is None:
            row["redelegation_count"] = deepest
        delegation.check_roles(row, delegation.trustor_roles(tx, row, service.inference.get(tx)))
        trusts.create(tx, row)
        return row, _roles_of(tx, row)

    made, role_rows = service.database.write(unit)
    return {"trust": _view(request, made, role_rows)}


def role_id_of(tx: Transaction, named: Row) -> str:
    """The id of a role that a body names by id or, if that is enough, by name."""
    if "id" in named:
        return roles.get(tx, named["id"])["id"]
    found = roles.named(tx, named["name"])
    if not found:
        raise RoleNotFound(id=named["name"])
    if len(found) > 1:
        raise Invalid(f"More than one role is named {named['name']}: give its id.")
    return found[0]["id"]


def _trust(request: Request, tx: Transaction, trust_id: str) -> Row:
    """One that is not there reads as such for everybody: an unguessable id tells nothing."""
    row = trusts.find(tx, trust_id)
    found = {}
    if row is not None:
        found = {f"target.trust.{who}_user_id": row[f"{who}_user_id"] for who in ("trustor", "trustee")}
    else:
        request.authorized = True
        trusts.get(tx, trust_id)
    request.authorize(found)
    assert row is not None
    delegation.refuse_delegated(request.token, "manage trusts")
    return row


def show(request: Request, trust_id: str) -> Row:
    def query(tx: Transaction) -> Row:
        row = _trust(request, tx, trust_id)
        delegation.check_chain(tx, row)
        return _view(request, row, _roles_of(tx, row))

    return {"trust": request.service.database.read(query)}


def delete(request: Request, trust_id: str) -> None:
    service = request.service

    def unit(tx: Transaction) -> None:
        _trust(request, tx, trust_id)
        gone = trusts.remove(tx, trust_id)
        service.revoking.revoke(tx, *({"trust_id": each} for each in gone))

    service.database.write(unit)


def list_roles(request: Request, trust_id: str) -> Row:
    found = request.service.database.read(lambda tx: _roles_of(tx, _trust(request, tx, trust_id)))
    return {
        "roles": [role_views.view(request, role) for role in found],
        "links": _role_links(request, trust_id),
    }


def show_role(request: Request, trust_id: str, role_id: str) -> Row:
    found = request.service.database.read(lambda tx: _roles_of(tx, _trust(request, tx, trust_id)))
    role = next((role for role in found if role["id"] == role_id), None)
    if role is None:
        raise RoleNotFound(id=role_id)
    return {"role": role_views.view(request, role)}
