"""Credentials: secrets that are kept for users and given back to them (EC2 keys, TOTP seeds, certificates).

They are sealed in the database; EC2 credentials have the hash of their access key as id, so that it is
found by that key.
"""

import hashlib
from typing import Any

import msgspec
from sqlalchemy import delete as delete_from
from sqlalchemy import insert, select
from sqlalchemy import update as update_of

from celaje.common.db import DuplicateRow, Transaction, fetch_one
from celaje.common.errors import Unavailable
from celaje.common.wsgi import Request
from celaje.identity.api import listing, schemas, views
from celaje.identity.api.access import checked, target
from celaje.identity.db import projects, users
from celaje.identity.db.tables import CREDENTIALS
from celaje.identity.errors import CredentialNotFound, Invalid, Taken
from celaje.identity.ids import new_id

Row = dict[str, Any]

_PROPERTIES = {
    "blob": {"type": "string"},
    "project_id": schemas.ID_OR_NULL,
    "type": {"type": "string", "minLength": 1, "maxLength": 255},
    "user_id": {"type": "string", "minLength": 1, "maxLength": 64},
}
CREATE = schemas.body("credential", _PROPERTIES, required=("blob", "type"))
UPDATE = schemas.body("credential", _PROPERTIES, update=True)


def _view(request: Request, row: Row) -> Row:
    blob = request.service.vault.unseal(row["blob"].encode())
    if blob is None:
        raise Unavailable("This credential was sealed with a key that is not here.")
    body = {
        "id": row["id"],
        "user_id": row["user_id"],
        "project_id": row["project_id"],
        "type": row["type"],
        "blob": blob,
    }
    return views.linked(request, "credentials", views.with_extra(body, row))


def index(request: Request) -> Row:
    """Those that the rule lets the caller see: all of them for an admin, else the own ones."""
    rule = "identity:list_credentials"
    request.authorized = True
    where = listing.conditions(request, {"user_id": CREDENTIALS.c.user_id, "type": CREDENTIALS.c.type})
    if not request.allows(rule, {}):
        own = request.context.user_id
        request.authorize(target({"credential": {"user_id": own}}), rule=rule)
        where.append(CREDENTIALS.c.user_id == own)
    listed = request.service.database.read(
        lambda tx: listing.run(request, tx, CREDENTIALS, where, sort=("id",))
    )
    return listing.answer(request, "credentials", listed, _view)


def create(request: Request) -> Row:
    given = request.body["credential"]
    user_id = given.get("user_id") or request.context.user_id or ""
    request.authorize(target({"credential": {"user_id": user_id}}))
    service = request.service
    row = {
        "id": _id(given),
        "user_id": user_id,
        "project_id": given.get("project_id"),
        "type": given["type"],
        "blob": service.vault.seal(given["blob"]).decode(),
        "extra": views.extra_of(given, tuple(_PROPERTIES)),
    }
    if given["type"] == "ec2" and not given.get("project_id"):
        raise Invalid("A project_id is needed for an EC2 credential.")

    def unit(tx: Transaction) -> None:
        if users.find(tx, user_id) is None:
            raise Invalid(f"Could not find user: {user_id}.")
        if given.get("project_id"):
            projects.get(tx, given["project_id"])
        try:
            tx.execute(insert(CREDENTIALS).values(**row))
        except DuplicateRow as error:
            raise Taken(kind="credential", what=f"Duplicate entry found with id {row['id']}") from error

    service.database.write(unit)
    return {"credential": _view(request, row)}


def _id(given: Row) -> str:
    if given["type"] != "ec2":
        return new_id()
    try:
        access = msgspec.json.decode(given["blob"])["access"]
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise Invalid("Invalid blob in credential") from error
    return hashlib.sha256(str(access).encode()).hexdigest()


def _credential(request: Request, tx: Transaction, credential_id: str) -> Row:
    row = fetch_one(tx, select(CREDENTIALS).where(CREDENTIALS.c.id == credential_id))
    return checked(request, row, "credential", CredentialNotFound(id=credential_id))


def show(request: Request, credential_id: str) -> Row:
    row = request.service.database.read(lambda tx: _credential(request, tx, credential_id))
    return {"credential": _view(request, row)}


def update(request: Request, credential_id: str) -> Row:
    given = request.body["credential"]

    def unit(tx: Transaction) -> Row:
        row = _credential(request, tx, credential_id)
        if given.get("id", credential_id) != credential_id:
            raise Invalid("Cannot change ID")
        values = {name: given[name] for name in ("project_id", "type", "user_id") if name in given}
        if values.get("user_id", row["user_id"]) != row["user_id"]:
            # Whoever may give it away must be allowed to have it there, too.
            request.authorize(target({"credential": {"user_id": values["user_id"]}}))
            users.get(tx, values["user_id"])
        if "blob" in given:
            values["blob"] = request.service.vault.seal(given["blob"]).decode()
        if extra := views.extra_of(given, tuple(_PROPERTIES)):
            values["extra"] = {**row["extra"], **extra}
        if values:
            tx.execute(update_of(CREDENTIALS).where(CREDENTIALS.c.id == credential_id).values(**values))
        return {**row, **values}

    return {"credential": _view(request, request.service.database.write(unit))}


def delete(request: Request, credential_id: str) -> None:
    def unit(tx: Transaction) -> None:
        _credential(request, tx, credential_id)
        tx.execute(delete_from(CREDENTIALS).where(CREDENTIALS.c.id == credential_id))

    request.service.database.write(unit)
