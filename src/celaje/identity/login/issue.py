"""Making a token of a proof and a scope, and showing a token with its names and catalog."""

import base64
import datetime
import logging
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import Unauthorized
from celaje.common.tokens import Token, moment, seconds
from celaje.identity.db import application_credentials, logins
from celaje.identity.errors import TokenNotFound
from celaje.identity.login import methods, scope
from celaje.identity.login.proof import Proof
from celaje.identity.login.scope import Scope

log = logging.getLogger(__name__)

Row = dict[str, Any]


def login(service: Any, auth: Row, *, with_catalog: bool) -> tuple[str, Row]:
    """The sealed token and its view for a request's `auth` object. Raises Unauthorized, Invalid."""
    try:
        proof = methods.prove(service, auth["identity"])

        def finish(tx: Transaction) -> tuple[Token, Row]:
            found = scope.choose(
                tx,
                proof,
                auth.get("scope"),
                service.inference.get(tx),
                service.conf.identity.default_domain_id,
            )
            token = make(proof, found, service.conf.token.expiration, _rules(tx, proof.credential))
            return token, view(service, tx, token, proof.user, found.row, with_catalog, proof.credential)

        token, body = service.database.read(finish)
    except Unauthorized as error:
        log.warning("login refused: %s", error.details.get("cause") or error.message)
        raise
    return service.tokens.seal(token), body


def _rules(tx: Transaction, credential: Row | None) -> tuple[tuple[str, str, str], ...] | None:
    """An application credential without the list is not bound; Keystone treats an empty one alike."""
    if credential is None or not credential["access_rules"]:
        return None
    rules = application_credentials.rules_of(tx, credential["access_rules"])
    return tuple((rule["service"], rule["method"], rule["path"]) for rule in rules)


def make(
    proof: Proof, found: Scope, lifetime: int, rules: tuple[tuple[str, str, str], ...] | None = None
) -> Token:
    now = seconds(clock.now())
    expires_at = now + lifetime
    if proof.expires_at is not None:
        expires_at = min(expires_at, proof.expires_at)
    row = found.row
    credential = proof.credential
    return Token(
        user_id=proof.user["id"],
        user_domain_id=proof.user["domain_id"],
        methods=proof.methods,
        scope=found.kind,
        scope_id=row["id"] if row else None,
        project_domain_id=row["domain_id"] if row and found.kind == "project" else None,
        roles=found.roles,
        audit_ids=(_audit_id(), *proof.audit_chain),
        issued_at=now,
        expires_at=expires_at,
        application_credential_id=credential["id"] if credential else None,
        access_rules=rules,
    )


def _audit_id() -> str:
    return base64.urlsafe_b64encode(clock.random_bytes(16)).rstrip(b"=").decode()


def show(service: Any, tx: Transaction, token: Token, *, with_catalog: bool) -> Row:
    """The view of a token that was opened. Raises TokenNotFound when what it names is gone."""
    user = logins.user(tx, token.user_id)
    row = None
    credential = None
    if token.scope == "project":
        row = logins.project(tx, token.scope_id or "")
    elif token.scope == "domain":
        row = logins.domain(tx, domain_id=token.scope_id)
    if token.application_credential_id:
        credential = logins.application_credential(tx, credential_id=token.application_credential_id)
    lost = (
        user is None
        or (token.scope in ("project", "domain") and row is None)
        or (token.application_credential_id and credential is None)
    )
    if lost or user is None:
        raise TokenNotFound(id="what it names is gone")
    return view(service, tx, token, user, row, with_catalog, credential)


def view(  # noqa: PLR0917
    service: Any,
    tx: Transaction,
    token: Token,
    user: Row,
    row: Row | None,
    with_catalog: bool,
    credential: Row | None = None,
) -> Row:
    """The token object of the API reference (v3, "Password authentication with scoped authorization")."""
    body: Row = {
        "methods": list(token.methods),
        "user": {
            "domain": {"id": user["domain_id"], "name": user["domain_name"]},
            "id": user["id"],
            "name": user["name"],
            "password_expires_at": stamp(user["password_expires_at"]),
        },
        "audit_ids": list(token.audit_ids),
        "expires_at": stamp(moment(token.expires_at)),
        "issued_at": stamp(moment(token.issued_at)),
    }
    if not token.scope:
        return body
    if token.scope == "project":
        assert row is not None
        body["project"] = {
            "domain": {"id": row["domain_id"], "name": row["domain_name"]},
            "id": row["id"],
            "name": row["name"],
        }
        body["is_domain"] = bool(row["is_domain"])
    elif token.scope == "domain":
        assert row is not None
        body["domain"] = {"id": row["id"], "name": row["name"]}
    else:
        body["system"] = {"all": True}
    body["roles"] = [{"id": role_id, "name": name} for role_id, name in token.roles]
    if with_catalog:
        body["catalog"] = service.catalog.get(tx).for_token(token.user_id, token.project_id)
    if credential is not None:
        body["application_credential"] = _credential_view(service, tx, credential)
    return body


def _credential_view(service: Any, tx: Transaction, credential: Row) -> Row:
    shown: Row = {
        "id": credential["id"],
        "name": credential["name"],
        "restricted": not credential["unrestricted"],
    }
    if credential["access_rules"]:
        shown["access_rules"] = application_credentials.rules_of(tx, credential["access_rules"])
    return shown


def stamp(value: datetime.datetime | None) -> str | None:
    return clock.iso(value, microseconds=True, zulu=True)
