"""Credentials: secrets that are kept for users and given back to them (EC2 keys, TOTP seeds, certificates).

They are sealed in the database; EC2 credentials have the hash of their access key as id, so that it is
found by that key.
"""

from typing import Any

import msgspec
from sqlalchemy import update as update_of

from celaje.common.db import Transaction
from celaje.common.errors import Unavailable
from celaje.common.wsgi import Request
from celaje.identity.api import listing, schemas, views
from celaje.identity.api.access import checked, target
from celaje.identity.api.ec2_tokens import access_id, blob_of
from celaje.identity.db import credentials as rows
from celaje.identity.db import projects, users
from celaje.identity.db.tables import CREDENTIALS
from celaje.identity.delegation import refuse_near_credentials
from celaje.identity.errors import CredentialNotFound, ForbiddenAction, Invalid
from celaje.identity.ids import new_id

Row = dict[str, Any]

_PROPERTIES = {
    "blob": {"type": "string"},
    "project_id": schemas.ID_OR_NULL,
    "type": {"type": "string", "minLength": 1, "maxLength": 255},
    "user_id": {"type": "string", "minLength": 1, "maxLength": 64},
}
CREATE = schemas.body("credential", _PROPERTIES, required=("blob", "type", "user_id"))
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


def check_quota(request: Request, tx: Transaction, user_id: str) -> None:
    most = request.service.conf.credential.user_limit
    if most >= 0 and rows.count(tx, user_id) >= most:
        raise ForbiddenAction(f"Unable to create additional credentials, maximum of {most} already exceeded.")


def index(request: Request) -> Row:
    """Those that the rule lets the caller see: all of them for an admin, else the own ones."""
    refuse_near_credentials(request.token)
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
    user_id = given["user_id"]
    request.authorize(target({"credential": {"user_id": user_id}}))
    refuse_near_credentials(request.token)
    service = request.service
    row = {
        "id": _id(given),
        "user_id": user_id,
        "project_id": given.get("project_id"),
        "type": given["type"],
        "blob": service.vault.seal(_text(given["blob"])).decode(),
        "extra": views.extra_of(given, tuple(_PROPERTIES)),
    }
    if given["type"] == "ec2" and not given.get("project_id"):
        raise Invalid("A project_id is needed for an EC2 credential.")

    def unit(tx: Transaction) -> None:
        if users.find(tx, user_id) is None:
            raise Invalid(f"Could not find user: {user_id}.")
        if given.get("project_id"):
            projects.get(tx, given["project_id"])
        check_quota(request, tx, user_id)
        rows.create(tx, row)

    service.database.write(unit)
    return {"credential": _view(request, row)}


def _id(given: Row) -> str:
    return access_id(str(_ec2_blob(given["blob"])["access"])) if given["type"].lower() == "ec2" else new_id()


def _text(blob: Any) -> str:
    """As it is stored and shown: an object becomes its JSON."""
    return blob if isinstance(blob, str) else msgspec.json.encode(blob).decode()


def _ec2_blob(blob: Any) -> Row:
    """Raises Invalid for one without an access key."""
    try:
        found = msgspec.json.decode(_text(blob))
    except msgspec.DecodeError as error:
        raise Invalid("Invalid blob in credential") from error
    if not isinstance(found, dict) or found.get("access") is None:
        raise Invalid("Expecting to find access in credential.")
    return found


def _check_ec2_change(service: Any, row: Row, given: Row) -> None:
    """What an EC2 credential was delegated by stays: changing it would be a way to more rights."""
    if row["type"].lower() != "ec2" or "blob" not in given:
        return
    before, after = blob_of(service, row), _ec2_blob(given["blob"])
    for key in ("trust_id", "app_cred_id", "access_token_id", "access_id"):
        if before.get(key) != after.get(key):
            raise Invalid(f"{key} can not be updated for credential")


def _credential(request: Request, tx: Transaction, credential_id: str) -> Row:
    row = rows.find(tx, credential_id)
    found = checked(request, row, "credential", CredentialNotFound(id=credential_id))
    refuse_near_credentials(request.token)
    return found


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
            _check_ec2_change(request.service, row, given)
            values["blob"] = request.service.vault.seal(_text(given["blob"])).decode()
        if extra := views.extra_of(given, tuple(_PROPERTIES)):
            values["extra"] = {**row["extra"], **extra}
        if values:
            tx.execute(update_of(CREDENTIALS).where(CREDENTIALS.c.id == credential_id).values(**values))
        return {**row, **values}

    return {"credential": _view(request, request.service.database.write(unit))}


def delete(request: Request, credential_id: str) -> None:
    def unit(tx: Transaction) -> None:
        rows.remove(tx, _credential(request, tx, credential_id)["id"])

    request.service.database.write(unit)
