"""Tokens: login, validation, revocation, and what one may log in to (`/v3/auth/...`)."""

from typing import Any

from celaje.common.errors import Unauthorized
from celaje.common.tokens import Token, moment
from celaje.common.wsgi import Request, Response
from celaje.identity.api import listing, views
from celaje.identity.db import effective, projects
from celaje.identity.errors import ForbiddenAction, TokenNotFound
from celaje.identity.login import issue
from celaje.identity.login.mfa import InsufficientMethods

_REFERENCE = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "name": {"type": "string"}},
}
_NAMED_USER = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "name": {"type": "string"},
        "password": {"type": "string"},
        "passcode": {"type": "string"},
        "domain": _REFERENCE,
    },
}
LOGIN = {
    "type": "object",
    "properties": {
        "auth": {
            "type": "object",
            "properties": {
                "identity": {
                    "type": "object",
                    "properties": {
                        "methods": {"type": "array", "items": {"type": "string"}},
                        "password": {"type": "object", "properties": {"user": _NAMED_USER}},
                        "totp": {"type": "object", "properties": {"user": _NAMED_USER}},
                        "token": {
                            "type": "object",
                            "properties": {"id": {"type": "string"}},
                            "required": ["id"],
                        },
                        "application_credential": {
                            "type": "object",
                            "properties": {
                                "id": {"type": "string"},
                                "name": {"type": "string"},
                                "secret": {"type": "string"},
                                "user": _NAMED_USER,
                            },
                        },
                    },
                    "required": ["methods"],
                },
                "scope": {
                    "type": ["object", "string"],
                    "properties": {
                        "project": {
                            "type": "object",
                            "properties": {
                                "id": {"type": "string"},
                                "name": {"type": "string"},
                                "domain": _REFERENCE,
                            },
                        },
                        "domain": _REFERENCE,
                        "system": {"type": "object", "properties": {"all": {"type": "boolean"}}},
                        "OS-TRUST:trust": {"type": "object", "properties": {"id": {"type": "string"}}},
                    },
                },
            },
            "required": ["identity"],
        }
    },
    "required": ["auth"],
}


def create(request: Request) -> Response:
    with_catalog = "nocatalog" not in request.query
    try:
        text, body = issue.login(request.service, request.body["auth"], request, with_catalog=with_catalog)
    except InsufficientMethods as error:
        return _receipt(error)
    return Response({"token": body}, headers={"X-Subject-Token": text, "Vary": "X-Auth-Token"})


def _receipt(error: InsufficientMethods) -> Response:
    user = error.user
    body = {
        "receipt": {
            "methods": list(error.receipt.methods),
            "user": {
                "domain": {"id": user["domain_id"], "name": user["domain_name"]},
                "id": user["id"],
                "name": user["name"],
            },
            "expires_at": issue.stamp(moment(error.receipt.expires_at)),
            "issued_at": issue.stamp(moment(error.receipt.issued_at)),
        },
        "required_auth_methods": error.missing,
    }
    return Response(body, status=401, headers={"Openstack-Auth-Receipt": error.sealed})


def show(request: Request) -> Response:
    token, text = _subject(request)
    service = request.service
    body = service.database.read(
        lambda tx: issue.show(service, tx, token, with_catalog="nocatalog" not in request.query)
    )
    return Response({"token": body}, headers={"X-Subject-Token": text, "Vary": "X-Auth-Token"})


def delete(request: Request) -> Response:
    """The first token of a chain goes with those that were made from it, unless the query says
    `cascade=false`; of another only itself, since a token names its chain's first."""
    token, _ = _subject(request)
    service = request.service
    cascade = len(token.audit_ids) == 1 and listing.boolean("cascade", request.query.get("cascade", "true"))
    field = "audit_chain_id" if cascade else "audit_id"
    service.database.write(lambda tx: service.revoking.revoke(tx, {field: token.audit_ids[0]}))
    return Response(headers={"Vary": "X-Auth-Token"})


def _subject(request: Request) -> tuple[Token, str]:
    """The token of X-Subject-Token, if the caller may see it. An unusable one is not found."""
    text = request.header("X-Subject-Token")
    if not text:
        # A rule about the subject cannot hold without one.
        request.authorize({})
        raise TokenNotFound(id="None")
    expired_for = 0.0
    if listing.flag(request, "allow_expired") and request.http.method in ("GET", "HEAD"):
        expired_for = request.service.allow_expired_window
    try:
        token = request.service.tokens.open(text, expired_for)
        request.service.revocations.check(token)
    except Unauthorized as error:
        # Who holds the text of a token may know that it is none: it cannot be guessed.
        request.authorized = True
        raise TokenNotFound(id=text[:255]) from error
    request.authorize({"target.token.user_id": token.user_id})
    return token, text


def catalog(request: Request) -> dict[str, Any]:
    token: Token = request.token
    if not token.project_id:
        raise ForbiddenAction("A project-scoped token is required to produce a service catalog.")
    service = request.service
    found = service.database.read(service.catalog.get).for_token(token.user_id, token.project_id)
    return {"catalog": found, "links": {"self": views.address(request)}}


def list_projects(request: Request) -> dict[str, Any]:
    """Projects on which the caller has a role; those that are disabled too, as in Keystone."""
    from celaje.identity.api import projects as view

    user_id = request.context.user_id or ""

    def query(tx):
        ids, _, _ = effective.targets_of(tx, user_id, request.token.federated_groups)
        return projects.list_by_ids(tx, ids, is_domain=False)

    rows = request.service.database.read(query)
    return view.collection(request, rows)


def list_domains(request: Request) -> dict[str, Any]:
    from celaje.identity.api import domains as view

    user_id = request.context.user_id or ""

    def query(tx):
        _, ids, _ = effective.targets_of(tx, user_id, request.token.federated_groups)
        return projects.list_by_ids(tx, ids, is_domain=True)

    rows = request.service.database.read(query)
    return view.collection(request, rows)


def list_systems(request: Request) -> dict[str, Any]:
    _, _, system = request.service.database.read(
        effective.targets_of, request.context.user_id or "", request.token.federated_groups
    )
    return {
        "system": [{"all": True}] if system else [],
        "links": {"self": views.address(request)},
    }
