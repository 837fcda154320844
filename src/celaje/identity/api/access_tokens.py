"""OAuth1 access tokens of a user: what they have handed to consumers (`/v3/users/{id}/OS-OAUTH1`)."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.identity import delegation
from celaje.identity.api import listing, views
from celaje.identity.api import roles as role_views
from celaje.identity.db import oauth1, roles
from celaje.identity.db.tables import ACCESS_TOKENS
from celaje.identity.errors import AccessTokenNotFound, RoleNotFound
from celaje.identity.login.issue import stamp

Row = dict[str, Any]


def _view(request: Request, row: Row) -> Row:
    body = {
        "id": row["id"],
        "consumer_id": row["consumer_id"],
        "authorizing_user_id": row["authorizing_user_id"],
        "project_id": row["project_id"],
        "expires_at": stamp(row["expires_at"]),
    }
    body = views.linked(request, f"users/{row['authorizing_user_id']}/OS-OAUTH1/access_tokens", body)
    body["links"]["roles"] = f"{body['links']['self']}/roles"
    return body


def index(request: Request, user_id: str) -> Row:
    delegation.refuse_delegated(request.token, "manage OAuth1 access tokens")
    where = [ACCESS_TOKENS.c.authorizing_user_id == user_id]
    listed = request.service.database.read(
        lambda tx: listing.run(request, tx, ACCESS_TOKENS, where, sort=("id",))
    )
    return listing.answer(request, "access_tokens", listed, _view)


def _get(tx: Transaction, user_id: str, token_id: str) -> Row:
    row = oauth1.access_token(tx, token_id)
    if row is None or row["authorizing_user_id"] != user_id:
        raise AccessTokenNotFound(id=token_id[:64])
    return row


def show(request: Request, user_id: str, token_id: str) -> Row:
    delegation.refuse_delegated(request.token, "manage OAuth1 access tokens")
    return {"access_token": _view(request, request.service.database.read(_get, user_id, token_id))}


def delete(request: Request, user_id: str, token_id: str) -> None:
    delegation.refuse_delegated(request.token, "manage OAuth1 access tokens")
    service = request.service

    def unit(tx: Transaction) -> None:
        _get(tx, user_id, token_id)
        oauth1.remove_access_token(tx, token_id)
        service.revoking.revoke(tx, {"access_token_id": token_id})

    service.database.write(unit)


def _roles(tx: Transaction, user_id: str, token_id: str) -> list[Row]:
    found = (roles.find(tx, role_id) for role_id in _get(tx, user_id, token_id)["roles"])
    return [row for row in found if row is not None]


def list_roles(request: Request, user_id: str, token_id: str) -> Row:
    found = request.service.database.read(_roles, user_id, token_id)
    return views.collection(request, "roles", (role_views.view(request, row) for row in found))


def show_role(request: Request, user_id: str, token_id: str, role_id: str) -> Row:
    found = request.service.database.read(_roles, user_id, token_id)
    row = next((row for row in found if row["id"] == role_id), None)
    if row is None:
        raise RoleNotFound(id=role_id)
    return {"role": role_views.view(request, row)}
