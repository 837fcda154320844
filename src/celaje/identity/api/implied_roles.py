"""Role inference: who has the prior role has the implied one too."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.identity.db import roles
from celaje.identity.errors import ForbiddenAction, ImpliedRoleNotFound, Invalid

Row = dict[str, Any]

# Keystone's [assignment] prohibited_implied_role.
PROHIBITED = ("admin",)


def _short(request: Request, row: Row) -> Row:
    return {
        "id": row["id"],
        "name": row["name"],
        "links": {"self": f"{request.base_url}/v3/roles/{row['id']}"},
    }


def index(request: Request, role_id: str) -> Row:
    def query(tx: Transaction) -> tuple[Row, list[Row]]:
        return roles.get(tx, role_id), roles.implied_by(tx, role_id)

    prior, implied = request.service.database.read(query)
    return {
        "role_inference": {
            "prior_role": _short(request, prior),
            "implies": [_short(request, row) for row in implied],
        },
        "links": {"self": request.url},
    }


def list_rules(request: Request) -> Row:
    rules = request.service.database.read(roles.all_rules)
    return {
        "role_inferences": [
            {"prior_role": _short(request, prior), "implies": [_short(request, row) for row in implied]}
            for prior, implied in rules
        ],
        "links": {"self": request.url},
    }


def _rule(request: Request, tx: Transaction, prior_role_id: str, implied_role_id: str) -> Row:
    prior, implied = roles.get(tx, prior_role_id), roles.get(tx, implied_role_id)
    if all(row["id"] != implied_role_id for row in roles.implied_by(tx, prior_role_id)):
        raise ImpliedRoleNotFound(prior_role_id=prior_role_id, implied_role_id=implied_role_id)
    return {
        "role_inference": {"prior_role": _short(request, prior), "implies": _short(request, implied)},
        "links": {"self": request.url},
    }


def show(request: Request, role_id: str, implied_role_id: str) -> Row:
    return request.service.database.read(lambda tx: _rule(request, tx, role_id, implied_role_id))


def check(request: Request, role_id: str, implied_role_id: str) -> None:
    show(request, role_id, implied_role_id)


def create(request: Request, role_id: str, implied_role_id: str) -> Row:
    service = request.service

    def unit(tx: Transaction) -> Row:
        prior = roles.get(tx, role_id)
        implied = roles.get(tx, implied_role_id)
        if implied["name"] in PROHIBITED:
            raise ForbiddenAction(f"{implied_role_id} cannot be an implied roles")
        if role_id == implied_role_id:
            raise Invalid(f"Role {role_id} cannot imply itself.")
        if implied["domain_id"] and not prior["domain_id"]:
            raise ForbiddenAction("Global role cannot imply a domain-specific role")
        roles.add_rule(tx, role_id, implied_role_id)
        service.inference.changed_by(tx)
        return _rule(request, tx, role_id, implied_role_id)

    return service.database.write(unit)


def delete(request: Request, role_id: str, implied_role_id: str) -> None:
    service = request.service

    def unit(tx: Transaction) -> None:
        roles.get(tx, role_id)
        roles.get(tx, implied_role_id)
        if not roles.remove_rule(tx, role_id, implied_role_id):
            raise ImpliedRoleNotFound(prior_role_id=role_id, implied_role_id=implied_role_id)
        service.inference.changed_by(tx)
        # Whose token has the prior role holds the implied one by it.
        service.revoking.revoke(tx, {"role_id": role_id})

    service.database.write(unit)
