"""Access rules: which requests an application credential may make."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.identity.api import views
from celaje.identity.db import application_credentials as rows
from celaje.identity.delegation import refuse_near_application_credentials
from celaje.identity.errors import AccessRuleNotFound, ForbiddenAction

Row = dict[str, Any]


def _view(request: Request, row: Row) -> Row:
    body = {name: row[name] for name in ("id", "service", "method", "path")}
    return views.linked(request, f"users/{row['user_id']}/access_rules", body)


def _authorize(request: Request, user_id: str) -> None:
    request.authorize({"user_id": user_id, "target.user.id": user_id})
    refuse_near_application_credentials(request.token)


def index(request: Request, user_id: str) -> Row:
    _authorize(request, user_id)
    found = request.service.database.read(rows.rules_of_user, user_id)
    wanted = {name: request.query[name] for name in ("service", "method", "path") if name in request.query}
    kept = [row for row in found if all(row[name] == value for name, value in wanted.items())]
    return views.collection(request, "access_rules", (_view(request, row) for row in kept))


def show(request: Request, user_id: str, rule_id: str) -> Row:
    _authorize(request, user_id)
    row = request.service.database.read(rows.rule, rule_id, user_id)
    if row is None:
        raise AccessRuleNotFound(id=rule_id)
    return {"access_rule": _view(request, row)}


def delete(request: Request, user_id: str, rule_id: str) -> None:
    _authorize(request, user_id)

    def unit(tx: Transaction) -> None:
        if rows.rule(tx, rule_id, user_id) is None:
            raise AccessRuleNotFound(id=rule_id)
        if rows.rule_in_use(tx, rule_id, user_id):
            raise ForbiddenAction(f"Access rule {rule_id} is used by an application credential.")
        rows.remove_rule(tx, rule_id)

    request.service.database.write(unit)
