"""Users, and their own change of password."""

import datetime
from typing import Any

from sqlalchemy import ColumnElement

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.identity import compliance
from celaje.identity.api import federated_users, listing, schemas, views
from celaje.identity.api.access import callers_domain, checked, target
from celaje.identity.api.projects import merged_options
from celaje.identity.db import projects, users
from celaje.identity.db.tables import USERS
from celaje.identity.errors import Invalid, UserNotFound
from celaje.identity.ids import new_id
from celaje.identity.login import methods
from celaje.identity.login.issue import stamp

Row = dict[str, Any]

_FLAG = {"type": ["boolean", "null"]}
_PROPERTIES = {
    "name": schemas.name(255),
    "domain_id": schemas.ID,
    "default_project_id": schemas.TEXT_OR_NULL,
    "description": schemas.TEXT_OR_NULL,
    "enabled": schemas.BOOLEAN,
    "federated": federated_users.SCHEMA,
    "password": schemas.TEXT_OR_NULL,
    "options": {
        "type": "object",
        "properties": {
            "ignore_change_password_upon_first_use": _FLAG,
            "ignore_password_expiry": _FLAG,
            "ignore_lockout_failure_attempts": _FLAG,
            "ignore_user_inactivity": _FLAG,
            "lock_password": _FLAG,
            "multi_factor_auth_enabled": _FLAG,
            "multi_factor_auth_rules": {
                "type": ["array", "null"],
                "items": {
                    "type": "array",
                    "items": {"type": "string"},
                    "minItems": 1,
                    "uniqueItems": True,
                },
                "uniqueItems": True,
            },
        },
        "additionalProperties": False,
    },
}
CREATE = schemas.body("user", _PROPERTIES, required=("name",))
UPDATE = schemas.body("user", _PROPERTIES, update=True)
CHANGE_PASSWORD = schemas.body(
    "user",
    {"password": {"type": "string"}, "original_password": {"type": "string"}},
    required=("password", "original_password"),
    extra=False,
)

# `description` is kept beside the attributes that clients make up, as in Keystone.
_COLUMNS = ("name", "domain_id", "default_project_id", "enabled", "password", "options", "federated")
# What old clients send with a change and what must not be kept, let alone shown.
_SECRETS = ("original_password",)


def view(request: Request, row: Row, federated: list[Row] | None = None) -> Row:
    """`federated` is in the view of one user, not in lists, as in Keystone."""
    body = {
        "id": row["id"],
        "name": row["name"],
        "domain_id": row["domain_id"],
        "enabled": bool(row["enabled"]),
        "password_expires_at": stamp(row["password_expires_at"]),
        "options": row["options"],
    }
    if row["default_project_id"]:
        body["default_project_id"] = row["default_project_id"]
    if federated:
        body["federated"] = federated
    return views.linked(request, "users", views.with_extra(body, row))


def index(request: Request) -> Row:
    own_domain = request.context.domain_id
    request.authorize(target(domain_id=own_domain))
    where = listing.conditions(
        request, {"name": USERS.c.name, "domain_id": USERS.c.domain_id}, {"enabled": USERS.c.enabled}
    )
    where += expiring(request) + federated_users.conditions(request)
    if own_domain:
        where.append(USERS.c.domain_id == own_domain)
    listed = request.service.database.read(lambda tx: listing.run(request, tx, USERS, where))
    return listing.answer(request, "users", listed, view)


def expiring(request: Request) -> list[ColumnElement[bool]]:
    """`password_expires_at=lt:2026-01-01T00:00:00Z`, repeated for a span."""
    found: list[ColumnElement[bool]] = []
    column = USERS.c.password_expires_at
    for value in request.query_all("password_expires_at"):
        operator, colon, text = value.partition(":")
        if not colon or operator not in ("lt", "lte", "gt", "gte", "eq", "neq"):
            raise Invalid("Malformed request: password_expires_at is not of the form operator:timestamp.")
        try:
            moment = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
        except ValueError as error:
            raise Invalid(f"Invalid timestamp {text[:40]} in password_expires_at.") from error
        found.append(
            {
                "lt": column < moment,
                "lte": column <= moment,
                "gt": column > moment,
                "gte": column >= moment,
                "eq": column == moment,
                "neq": column != moment,
            }[operator]
        )
    return found


def create(request: Request) -> Row:
    given = request.body["user"]
    domain_id = given.get("domain_id") or callers_domain(request)
    request.authorize(target({"user": {"domain_id": domain_id}}))
    options = merged_options({}, given.get("options", {}))
    row = {
        "id": new_id(),
        "name": given["name"].strip(),
        "domain_id": domain_id,
        "enabled": given.get("enabled", True),
        "default_project_id": given.get("default_project_id"),
        "created_at": clock.now(),
        "failed_logins": 0,
        "options": options,
        "extra": views.extra_of(given, (*_COLUMNS, *_SECRETS)),
        **password_columns(request.service, given.get("password"), options),
    }

    def unit(tx: Transaction) -> Row:
        projects.get_domain(tx, domain_id)
        _check_default_project(tx, row["default_project_id"])
        created = users.create(tx, row)
        federated_users.replace(tx, created, given.get("federated", []))
        return created

    return {"user": view(request, request.service.database.write(unit), given.get("federated"))}


def password_columns(service: Any, password: str | None, options: Row, *, own: bool = False) -> Row:
    """The columns of a new password; `own`: the user sets it. Raises Invalid for one that the operator's
    rules refuse."""
    columns: Row = {
        "password_hash": None,
        "password_set_at": None,
        "password_expires_at": None,
        "password_self_service": own,
    }
    if password is None:
        return columns
    compliance.check_form(password, service.conf)
    return {
        **columns,
        "password_hash": service.passwords.hash(password),
        "password_set_at": clock.now(),
        "password_expires_at": compliance.expiry(service.conf, options, by_others=not own),
        "failed_logins": 0,
    }


def _check_default_project(tx: Transaction, project_id: str | None) -> None:
    """It need not exist, but a domain cannot be one."""
    project = projects.find(tx, project_id) if project_id else None
    if project is not None and project["is_domain"]:
        raise Invalid(f"User's default project ID cannot be a domain: {project_id}")


def show(request: Request, user_id: str) -> Row:
    def query(tx: Transaction) -> tuple[Row, list[Row]]:
        row = checked(request, users.find(tx, user_id), "user", UserNotFound(id=user_id))
        return row, federated_users.view(tx, user_id)

    return {"user": view(request, *request.service.database.read(query))}


def update(request: Request, user_id: str) -> Row:
    given = request.body["user"]
    service = request.service
    # Hashing is slow: before the transaction, and only for those who may.
    found = service.database.read(users.find, user_id)
    found = checked(request, found, "user", UserNotFound(id=user_id))
    new_password: Row = {}
    if "password" in given:
        options = merged_options(found["options"], given.get("options", {}))
        new_password = password_columns(service, given["password"], options)

    def unit(tx: Transaction) -> tuple[Row, list[Row]]:
        row = users.get(tx, user_id)
        if given.get("id", user_id) != user_id:
            raise Invalid("Cannot change ID")
        if given.get("domain_id", row["domain_id"]) != row["domain_id"]:
            raise Invalid("Cannot change Domain ID")
        values = {**new_password}
        if "name" in given:
            values["name"] = given["name"].strip()
        if "enabled" in given:
            values["enabled"] = given["enabled"]
        if "default_project_id" in given:
            _check_default_project(tx, given["default_project_id"])
            values["default_project_id"] = given["default_project_id"]
        if "options" in given:
            values["options"] = merged_options(row["options"], given["options"])
        if extra := views.extra_of(given, (*_COLUMNS, *_SECRETS)):
            values["extra"] = {**row["extra"], **extra}
        if new_password:
            compliance.remember(tx, row, service.conf)
        changed = users.change(tx, row, values) if values else row
        if new_password or (row["enabled"] and not changed["enabled"]):
            service.revoking.revoke(tx, {"user_id": user_id})
        if given.get("federated"):
            federated_users.replace(tx, changed, given["federated"])
        return changed, federated_users.view(tx, user_id)

    row, federated = service.database.write(unit)
    return {"user": views.updated(view(request, row, federated), row)}


def delete(request: Request, user_id: str) -> None:
    service = request.service

    def unit(tx: Transaction) -> None:
        checked(request, users.find(tx, user_id), "user", UserNotFound(id=user_id))
        users.remove(tx, user_id)
        service.revoking.revoke(tx, {"user_id": user_id})

    service.database.write(unit)


def revoke_tokens(request: Request, user_id: str) -> None:
    """All of a user's tokens: for those who cannot change a password, too."""
    service = request.service

    def unit(tx: Transaction) -> None:
        row = users.find(tx, user_id)
        request.authorize(target({"user": row}, user_id=user_id))
        if row is None:
            raise UserNotFound(id=user_id)
        service.revoking.revoke(tx, {"user_id": user_id})

    service.database.write(unit)


def change_password(request: Request, user_id: str) -> None:
    """A user's own change; the old password is the right to it, so an expired one can be changed too."""
    given = request.body["user"]
    service = request.service
    user = methods.prove_password(service, {"id": user_id}, given["original_password"])
    if user["options"].get("lock_password"):
        raise Invalid(
            "You cannot change your password at this time due to password policy disallowing password "
            "changes. Please contact your administrator to reset your password."
        )
    compliance.check_age(user, service.conf)
    earlier = service.database.read(compliance.earlier_hashes, user_id)
    compliance.check_history(service, given["password"], [user["password_hash"], *earlier])
    columns = password_columns(service, given["password"], user["options"], own=True)

    def unit(tx: Transaction) -> None:
        row = users.get(tx, user_id)
        compliance.remember(tx, row, service.conf)
        users.change(tx, row, columns)
        service.revoking.revoke(tx, {"user_id": user_id})

    service.database.write(unit)
