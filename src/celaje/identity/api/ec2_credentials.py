"""EC2 credentials of a user, each for a project (`/v3/users/{id}/credentials/OS-EC2`)."""

from typing import Any

import msgspec

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.identity.api import views
from celaje.identity.api.access import target
from celaje.identity.api.credentials import check_quota
from celaje.identity.api.ec2_tokens import access_id, blob_of
from celaje.identity.db import credentials, projects, users
from celaje.identity.delegation import refuse_near_credentials
from celaje.identity.errors import CredentialNotFound, UserNotFound
from celaje.identity.ids import new_id

Row = dict[str, Any]

CREATE = {
    "type": "object",
    "properties": {"tenant_id": {"type": "string", "minLength": 1, "maxLength": 64}},
    "required": ["tenant_id"],
}


def _view(request: Request, row: Row) -> Row:
    kept = blob_of(request.service, row)
    access = kept.get("access")
    path = f"users/{row['user_id']}/credentials/OS-EC2/{access}"
    return {
        "user_id": row["user_id"],
        "tenant_id": row["project_id"],
        "access": access,
        "secret": kept.get("secret"),
        "trust_id": kept.get("trust_id"),
        "links": {"self": f"{request.base_url}/v3/{path}"},
    }


def _check_user(tx: Transaction, user_id: str) -> None:
    if users.find(tx, user_id) is None:
        raise UserNotFound(id=user_id)


def index(request: Request, user_id: str) -> Row:
    request.authorize(target({"credential": {"user_id": user_id}}, user_id=user_id))
    refuse_near_credentials(request.token)

    def query(tx: Transaction) -> list[Row]:
        _check_user(tx, user_id)
        return credentials.of_user(tx, user_id, "ec2")

    found = request.service.database.read(query)
    return views.collection(request, "credentials", (_view(request, row) for row in found))


def create(request: Request, user_id: str) -> Row:
    request.authorize(target({"credential": {"user_id": user_id}}, user_id=user_id))
    service = request.service
    refuse_near_credentials(request.token)
    project_id = request.body["tenant_id"]
    access = new_id()
    kept = {"access": access, "secret": clock.new_token(), "trust_id": None}
    row = {
        "id": access_id(access),
        "user_id": user_id,
        "project_id": project_id,
        "type": "ec2",
        "blob": service.vault.seal(msgspec.json.encode(kept).decode()).decode(),
        "extra": {},
    }

    def unit(tx: Transaction) -> None:
        _check_user(tx, user_id)
        projects.get(tx, project_id)
        check_quota(request, tx, user_id)
        credentials.create(tx, row)

    service.database.write(unit)
    return {"credential": _view(request, row)}


def _credential(request: Request, tx: Transaction, user_id: str, access: str) -> Row:
    """The id is a hash of what only its owner knows: not even Keystone hides that there is none."""
    row = credentials.find(tx, access_id(access))
    if row is None:
        raise CredentialNotFound(id=access[:64])
    request.authorize(target({"credential": row}, user_id=user_id))
    refuse_near_credentials(request.token)
    if row["user_id"] != user_id or row["type"] != "ec2":
        raise CredentialNotFound(id=access[:64])
    return row


def show(request: Request, user_id: str, access: str) -> Row:
    row = request.service.database.read(lambda tx: _credential(request, tx, user_id, access))
    return {"credential": _view(request, row)}


def delete(request: Request, user_id: str, access: str) -> None:
    def unit(tx: Transaction) -> None:
        credentials.remove(tx, _credential(request, tx, user_id, access)["id"])

    request.service.database.write(unit)
