"""OAuth1: consumers, and the way from a request token to an access token (`/v3/OS-OAUTH1`)."""

import datetime
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.wsgi import Request, Response
from celaje.identity import delegation
from celaje.identity.api import listing, schemas, views
from celaje.identity.api.trusts import role_id_of
from celaje.identity.db import effective, logins, oauth1, projects
from celaje.identity.db.tables import CONSUMERS
from celaje.identity.errors import (
    ConsumerNotFound,
    ForbiddenAction,
    Invalid,
    LoginFailed,
    ProjectNotFound,
    RequestTokenNotFound,
)
from celaje.identity.ids import new_id
from celaje.identity.login import signature
from celaje.identity.login.issue import stamp

Row = dict[str, Any]

_PROPERTIES = {"description": schemas.TEXT_OR_NULL}
CREATE = schemas.body("consumer", _PROPERTIES)
UPDATE = schemas.body("consumer", {**_PROPERTIES, "secret": False}, update=True)
AUTHORIZE = {
    "type": "object",
    "properties": {
        "roles": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {"id": schemas.ID, "name": schemas.name(255)},
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": False,
            },
        }
    },
    "required": ["roles"],
}
_VERIFIER_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def _view(request: Request, row: Row, secret: str | None = None) -> Row:
    body = {"id": row["id"], "description": row["description"]}
    if secret is not None:
        body["secret"] = secret
    return views.linked(request, "OS-OAUTH1/consumers", views.with_extra(body, row))


def index(request: Request) -> Row:
    listed = request.service.database.read(lambda tx: listing.run(request, tx, CONSUMERS, [], sort=("id",)))
    return listing.answer(request, "consumers", listed, _view)


def _consumer(tx: Transaction, consumer_id: str) -> Row:
    row = oauth1.consumer(tx, consumer_id)
    if row is None:
        raise ConsumerNotFound(id=consumer_id[:64])
    return row


def create(request: Request) -> Row:
    given = request.body["consumer"]
    secret = clock.new_token()
    row = {
        "id": new_id(),
        "secret": request.service.vault.seal(secret).decode(),
        "description": given.get("description"),
        "extra": views.extra_of(given, (*_PROPERTIES, "secret")),
    }
    request.service.database.write(oauth1.create_consumer, row)
    return {"consumer": _view(request, row, secret)}


def show(request: Request, consumer_id: str) -> Row:
    return {"consumer": _view(request, request.service.database.read(_consumer, consumer_id))}


def update(request: Request, consumer_id: str) -> Row:
    given = request.body["consumer"]

    def unit(tx: Transaction) -> Row:
        row = _consumer(tx, consumer_id)
        if given.get("id", consumer_id) != consumer_id:
            raise Invalid("Cannot change ID")
        values: Row = {}
        if "description" in given:
            values["description"] = given["description"]
        if extra := views.extra_of(given, tuple(_PROPERTIES)):
            values["extra"] = {**row["extra"], **extra}
        if values:
            oauth1.change_consumer(tx, consumer_id, values)
        return {**row, **values}

    return {"consumer": _view(request, request.service.database.write(unit))}


def delete(request: Request, consumer_id: str) -> None:
    service = request.service

    def unit(tx: Transaction) -> None:
        _consumer(tx, consumer_id)
        gone = oauth1.remove_consumer(tx, consumer_id)
        service.revoking.revoke(tx, *({"access_token_id": each} for each in gone))

    service.database.write(unit)


def _required(shown: dict[str, str], *names: str) -> list[str]:
    for name in names:
        if not shown.get(name):
            raise Invalid(f"Expecting to find {name} in request.")
    return [shown[name] for name in names]


def _until(lifetime: int) -> datetime.datetime | None:
    return clock.now() + datetime.timedelta(seconds=lifetime) if lifetime else None


def _token_answer(token_id: str, secret: str, expires_at: datetime.datetime | None) -> Response:
    text = f"oauth_token={token_id}&oauth_token_secret={secret}"
    if expires_at is not None:
        text += f"&oauth_expires_at={stamp(expires_at)}"
    return Response(text=text.encode(), content_type="application/x-www-form-urlencoded", status=201)


def create_request_token(request: Request) -> Response:
    """Signed by the consumer; names the project by a header."""
    (consumer_id,) = _required(signature.parameters(request), "oauth_consumer_key")
    project_id = request.header("Requested-Project-Id")
    if not project_id:
        raise Invalid("Expecting to find Requested-Project-Id in request.")
    service = request.service

    def query(tx: Transaction) -> Row:
        if projects.find(tx, project_id) is None:
            raise ProjectNotFound(id=project_id[:64])
        return _consumer(tx, consumer_id)

    signature.check(request, _unsealed(service, service.database.read(query)))
    secret = clock.new_token()
    row = {
        "id": new_id(),
        "consumer_id": consumer_id,
        "requested_project_id": project_id,
        "secret": service.vault.seal(secret).decode(),
        "expires_at": _until(service.conf.oauth1.request_token_duration),
    }
    service.database.write(oauth1.create_request_token, row)
    return _token_answer(row["id"], secret, row["expires_at"])


def _unsealed(service: Any, row: Row) -> str:
    secret = service.vault.unseal(row["secret"].encode())
    if secret is None:
        raise LoginFailed(cause="the secret was sealed with a key that is not here")
    return secret


def _request_token(tx: Transaction, token_id: str) -> Row:
    row = oauth1.request_token(tx, token_id)
    if row is None:
        raise RequestTokenNotFound(id=token_id[:64])
    if row["expires_at"] is not None and row["expires_at"] <= clock.now():
        raise LoginFailed("Request token is expired")
    return row


def authorize(request: Request, request_token_id: str) -> Row:
    """The user hands roles that they have on the project to the consumer."""
    token = request.token
    if token.trust_id or delegation.is_delegated(token):
        raise ForbiddenAction("Cannot authorize a request token with a token issued via delegation.")
    service = request.service

    def unit(tx: Transaction) -> str:
        row = _request_token(tx, request_token_id)
        wanted = [role_id_of(tx, role) for role in request.body["roles"]]
        project = logins.project(tx, row["requested_project_id"])
        if project is None:
            raise ProjectNotFound(id=row["requested_project_id"])
        held = service.inference.get(tx).closure(effective.roles_on_project(tx, token.user_id, project))
        if not held.issuperset(wanted):
            raise LoginFailed("authorizing user does not have role required")
        verifier = "".join(_VERIFIER_LETTERS[byte % len(_VERIFIER_LETTERS)] for byte in clock.random_bytes(8))
        oauth1.authorize(tx, row["id"], verifier=verifier, user_id=token.user_id, role_ids=wanted)
        return verifier

    return {"token": {"oauth_verifier": service.database.write(unit)}}


def create_access_token(request: Request) -> Response:
    """Signed by the consumer with the request token, and with the verifier that the user got."""
    consumer_id, token_id, verifier = _required(
        signature.parameters(request), "oauth_consumer_key", "oauth_token", "oauth_verifier"
    )
    service = request.service

    def query(tx: Transaction) -> tuple[Row, Row]:
        return _request_token(tx, token_id), _consumer(tx, consumer_id)

    asked, consumer = service.database.read(query)
    if asked["consumer_id"] != consumer_id:
        raise LoginFailed("Provided consumer key does not match stored consumer key.")
    signature.check(request, _unsealed(service, consumer), _unsealed(service, asked))
    if not asked["authorizing_user_id"]:
        raise LoginFailed("Request Token does not have an authorizing user id.")
    if asked["verifier"] != verifier:
        raise LoginFailed("Provided verifier does not match stored verifier")
    secret = clock.new_token()
    row = {
        "id": new_id(),
        "consumer_id": consumer_id,
        "authorizing_user_id": asked["authorizing_user_id"],
        "project_id": asked["requested_project_id"],
        "secret": service.vault.seal(secret).decode(),
        "roles": asked["roles"],
        "expires_at": _until(service.conf.oauth1.access_token_duration),
    }
    if not service.database.write(oauth1.exchange, token_id, row):
        raise RequestTokenNotFound(id=token_id[:64])
    return _token_answer(row["id"], secret, row["expires_at"])
