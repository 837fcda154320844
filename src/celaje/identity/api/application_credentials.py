"""Application credentials: secrets with which a program acts for its user on one project, with some roles."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.tokens import Token
from celaje.common.wsgi import Request
from celaje.identity.api import listing, moments, schemas, views
from celaje.identity.api.access import target
from celaje.identity.db import application_credentials as rows
from celaje.identity.db import effective, logins, roles, users
from celaje.identity.db.tables import APPLICATION_CREDENTIALS
from celaje.identity.delegation import is_delegated, refuse_near_application_credentials
from celaje.identity.errors import (
    ApplicationCredentialNotFound,
    ForbiddenAction,
    Invalid,
    RoleNotFound,
    UserNotFound,
)
from celaje.identity.ids import new_id
from celaje.identity.inference import Inference

Row = dict[str, Any]

ACCESS_RULE = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 64},
        "service": {"type": "string", "maxLength": 64},
        "method": {"type": "string", "pattern": "^(GET|HEAD|POST|PUT|PATCH|DELETE)$"},
        "path": {"type": "string", "maxLength": 128, "pattern": "^/"},
    },
    "anyOf": [{"required": ["id"]}, {"required": ["service", "method", "path"]}],
    "additionalProperties": False,
}
CREATE = schemas.body(
    "application_credential",
    {
        "name": schemas.name(255),
        "description": schemas.TEXT_OR_NULL,
        "expires_at": {"type": ["null", "string"]},
        "secret": {"type": ["null", "string"], "minLength": 1},
        "project_id": {"type": ["null", "string"]},
        "unrestricted": {"type": ["null", "boolean"]},
        "roles": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": {"type": "string"}, "name": {"type": "string"}},
                "oneOf": [{"required": ["id"]}, {"required": ["name"]}],
                "additionalProperties": False,
            },
        },
        "access_rules": {"type": "array", "items": ACCESS_RULE},
    },
    required=("name",),
    extra=False,
)


def _view(
    request: Request, tx: Transaction, row: Row, known: dict[str, Row], secret: str | None = None
) -> Row:
    """`known` are the rows of its roles by their ids."""
    body: Row = {
        "id": row["id"],
        "name": row["name"],
        "description": row["description"],
        "user_id": row["user_id"],
        "project_id": row["project_id"],
        "system": None,
        "expires_at": clock.iso(row["expires_at"], microseconds=True),
        "unrestricted": bool(row["unrestricted"]),
        "roles": [
            {
                "id": role_id,
                "name": known[role_id]["name"],
                "domain_id": known[role_id]["domain_id"] or None,
                "description": known[role_id]["description"],
                "options": known[role_id]["options"],
            }
            for role_id in row["roles"]
            if role_id in known
        ],
    }
    if row["access_rules"]:
        body["access_rules"] = rows.rules_of(tx, row["access_rules"])
    if secret is not None:
        body["secret"] = secret
    return views.linked(request, f"users/{row['user_id']}/application_credentials", body)


def _authorize(request: Request, tx: Transaction, user_id: str) -> None:
    """The owner is the user of the path."""
    user = users.find(tx, user_id)
    request.authorize(target({"user": user}, user_id=user_id))
    refuse_near_application_credentials(request.token)
    if user is None:
        raise UserNotFound(id=user_id)


def refuse_restricted(token: Token, request: Request, tx: Transaction) -> None:
    """A program may not make itself further credentials, unless it was said to be unrestricted."""
    if token.application_credential_id is None:
        return
    row = rows.find(tx, token.application_credential_id, token.user_id)
    if row is None or not row["unrestricted"]:
        raise ForbiddenAction(
            "You are not authorized to perform the requested action: Using method 'application_credential' "
            "is not allowed for managing additional application credentials."
        )


def index(request: Request, user_id: str) -> Row:
    where = listing.conditions(request, {"name": APPLICATION_CREDENTIALS.c.name})
    where.append(APPLICATION_CREDENTIALS.c.user_id == user_id)

    def query(tx: Transaction) -> tuple[listing.Listed, list[Row]]:
        _authorize(request, tx, user_id)
        listed = listing.run(request, tx, APPLICATION_CREDENTIALS, where)
        known = roles.by_ids(tx, {role_id for row in listed.rows for role_id in row["roles"]})
        return listed, [_view(request, tx, row, known) for row in listed.rows]

    listed, items = request.service.database.read(query)
    return views.collection(
        request,
        "application_credentials",
        items,
        next_link=listed.next_link,
        truncated=listed.truncated,
    )


def create(request: Request, user_id: str) -> Row:
    """On the project of the caller's token; the roles are some of the token's."""
    given = request.body["application_credential"]
    service = request.service
    token: Token = request.token
    request.authorize(target(user_id=user_id))
    refuse_near_application_credentials(token)
    if token.project_id is None or given.get("project_id") not in (None, token.project_id):
        raise Invalid("An application credential is made with a token of the project that it is for.")
    secret = given.get("secret") or clock.new_token(64)
    row: Row = {
        "id": new_id(),
        "name": given["name"],
        "user_id": user_id,
        "project_id": token.project_id,
        "secret_hash": service.passwords.hash(secret),
        "description": given.get("description"),
        "expires_at": moments.future(given.get("expires_at")),
        "unrestricted": bool(given.get("unrestricted")),
        "access_rules": None,
    }

    def unit(tx: Transaction) -> Row:
        refuse_restricted(token, request, tx)
        row["roles"] = _roles(request, tx, given.get("roles"))
        if "access_rules" in given:
            row["access_rules"] = [
                rows.find_or_make_rule(tx, user_id, rule) for rule in given["access_rules"]
            ]
        rows.create(tx, row)
        return _view(request, tx, row, roles.by_ids(tx, row["roles"]), secret)

    return {"application_credential": service.database.write(unit)}


def _roles(request: Request, tx: Transaction, wanted: list[Row] | None) -> list[str]:
    """Role ids: all of the token's, or those named, with what they imply, that the user has on the project
    now; of a delegated token only its own. Raises Invalid for one that is not among them, RoleNotFound for
    a name that no role has."""
    token: Token = request.token
    if not wanted:
        return [role_id for role_id, _ in token.roles]
    inference: Inference = request.service.inference.get(tx)
    if token.trust_id or is_delegated(token):
        held = {role_id for role_id, _ in token.roles}
    else:
        project = logins.project(tx, token.project_id or "")
        assert project is not None
        held = inference.closure(
            effective.roles_on_project(tx, token.user_id, project, token.federated_groups)
        )
    found = []
    for role in wanted:
        key = role.get("id") or role.get("name")
        by_name = "id" not in role
        role_id = next((each for each in held if key == (_name(inference, each) if by_name else each)), None)
        if role_id is None and by_name and not roles.named(tx, key or ""):
            raise RoleNotFound(f"Role {key} is not defined")
        if role_id is None:
            raise Invalid(f"Could not find role assignment with role: {key}, for this user and project.")
        found.append(role_id)
    return sorted(inference.closure(found) & held)


def _name(inference: Inference, role_id: str) -> str | None:
    return inference.roles[role_id][0] if role_id in inference.roles else None


def show(request: Request, user_id: str, credential_id: str) -> Row:
    def query(tx: Transaction) -> Row:
        _authorize(request, tx, user_id)
        row = rows.find(tx, credential_id, user_id)
        if row is None:
            raise ApplicationCredentialNotFound(id=credential_id)
        return _view(request, tx, row, roles.by_ids(tx, row["roles"]))

    return {"application_credential": request.service.database.read(query)}


def delete(request: Request, user_id: str, credential_id: str) -> None:
    service = request.service

    def unit(tx: Transaction) -> None:
        _authorize(request, tx, user_id)
        refuse_restricted(request.token, request, tx)
        if rows.find(tx, credential_id, user_id) is None:
            raise ApplicationCredentialNotFound(id=credential_id)
        rows.remove(tx, credential_id)
        service.revoking.revoke(tx, {"user_id": user_id, "application_credential_id": credential_id})

    service.database.write(unit)
