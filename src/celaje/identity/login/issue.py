"""Making a token of a proof and a scope, and showing a token with its names and catalog."""

import base64
import datetime
import logging
from dataclasses import dataclass
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import Unauthorized
from celaje.common.tokens import Token, moment, seconds
from celaje.common.wsgi import Request
from celaje.identity.db import application_credentials, logins, oauth1, trusts
from celaje.identity.errors import TokenNotFound
from celaje.identity.login import methods, mfa, people, scope
from celaje.identity.login.proof import Proof
from celaje.identity.login.scope import Scope

log = logging.getLogger(__name__)

Row = dict[str, Any]


def login(service: Any, auth: Row, request: Request, *, with_catalog: bool) -> tuple[str, Row]:
    """The sealed token and its view for a request's `auth` object. Raises Unauthorized, Invalid, and
    InsufficientMethods where the user's rules ask for more."""
    begun = now()
    try:
        proof = methods.prove(service, auth["identity"], request)
        keys = service.tokens.keys
        mfa.add_receipt(keys, proof, request.header("Openstack-Auth-Receipt"))
        mfa.check(keys, proof, frozenset(service.conf.auth.methods), service.conf.receipt.expiration)
        return issue(service, proof, auth.get("scope"), begun=begun, with_catalog=with_catalog)
    except Unauthorized as error:
        log.warning("login refused: %s", error.details.get("cause") or error.message)
        raise


def now() -> float:
    return seconds(clock.now())


def issue(service: Any, proof: Proof, asked: Any, *, begun: float, with_catalog: bool) -> tuple[str, Row]:
    """A token for what was proven, in the scope that is asked for. `begun`: before anything of it was read;
    from then on a change that revokes such tokens revokes this one too, though it may not have been seen."""
    people.check_active(proof.user, service.conf.security_compliance.disable_user_account_days_inactive)

    def finish(tx: Transaction) -> tuple[Token, Row, Scope]:
        found = scope.choose(tx, proof, asked, service.inference.get(tx))
        rules = _rules(tx, proof.credential)
        token = make(proof, found, begun, service.conf.token.expiration, rules)
        about = About(found.user or proof.user, found.row, proof.credential, found.trust)
        return token, view(service, tx, token, about, with_catalog), found

    token, body, found = service.database.read(finish)
    if found.trust is not None and found.trust["remaining_uses"] is not None:
        service.database.write(trusts.consume, found.trust["id"])
    if service.conf.security_compliance.disable_user_account_days_inactive:
        service.database.write(people.note_activity, proof.user)
    return service.tokens.seal(token), body


@dataclass(slots=True)
class About:
    """The rows of what a token names: its user, its project or domain, what it was delegated by."""

    user: Row
    row: Row | None = None
    credential: Row | None = None
    trust: Row | None = None


def _rules(tx: Transaction, credential: Row | None) -> tuple[tuple[str, str, str], ...] | None:
    """An application credential without the list is not bound; Keystone treats an empty one alike."""
    if credential is None or not credential["access_rules"]:
        return None
    rules = application_credentials.rules_of(tx, credential["access_rules"])
    return tuple((rule["service"], rule["method"], rule["path"]) for rule in rules)


def make(
    proof: Proof,
    found: Scope,
    begun: float,
    lifetime: int,
    rules: tuple[tuple[str, str, str], ...] | None = None,
) -> Token:
    expires_at = begun + lifetime
    if proof.expires_at is not None:
        expires_at = min(expires_at, proof.expires_at)
    row = found.row
    credential = proof.credential
    trust = found.trust
    if trust is not None and trust["expires_at"] is not None:
        expires_at = min(expires_at, seconds(trust["expires_at"]))
    user = found.user or proof.user
    return Token(
        user_id=user["id"],
        user_domain_id=user["domain_id"],
        methods=proof.methods,
        scope=found.kind,
        scope_id=row["id"] if row else None,
        project_domain_id=row["domain_id"] if row and found.kind == "project" else None,
        roles=found.roles,
        audit_ids=(_audit_id(), *proof.audit_chain),
        issued_at=begun,
        expires_at=expires_at,
        application_credential_id=credential["id"] if credential else None,
        access_rules=rules,
        access_token_id=proof.access["id"] if proof.access else None,
        trust_id=trust["id"] if trust else None,
        trust_user_ids=(trust["trustor_user_id"], trust["trustee_user_id"]) if trust else (),
        identity_provider_id=proof.identity_provider_id,
        protocol_id=proof.protocol_id,
        federated_groups=proof.groups,
        thumbprint=proof.thumbprint,
    )


def _audit_id() -> str:
    return base64.urlsafe_b64encode(clock.random_bytes(16)).rstrip(b"=").decode()


def show(service: Any, tx: Transaction, token: Token, *, with_catalog: bool) -> Row:
    """The view of a token that was opened. Raises TokenNotFound when what it names is gone."""
    user = logins.user(tx, token.user_id)
    row = None
    credential = None
    trust = None
    if token.scope == "project":
        row = logins.project(tx, token.scope_id or "")
    elif token.scope == "domain":
        row = logins.domain(tx, domain_id=token.scope_id)
    if token.application_credential_id:
        credential = logins.application_credential(tx, credential_id=token.application_credential_id)
    if token.trust_id:
        trust = trusts.even_if_used_up(tx, token.trust_id)
    lost = (
        user is None
        or (token.scope in ("project", "domain") and row is None)
        or (token.application_credential_id and credential is None)
        or (token.trust_id and trust is None)
    )
    if lost or user is None:
        raise TokenNotFound(id="what it names is gone")
    return view(service, tx, token, About(user, row, credential, trust), with_catalog)


def view(service: Any, tx: Transaction, token: Token, about: About, with_catalog: bool) -> Row:
    """The token object of the API reference (v3, "Password authentication with scoped authorization")."""
    user, row, credential = about.user, about.row, about.credential
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
    if token.identity_provider_id:
        body["user"]["OS-FEDERATION"] = {
            "groups": [{"id": group_id} for group_id in token.federated_groups],
            "identity_provider": {"id": token.identity_provider_id},
            "protocol": {"id": token.protocol_id},
        }
    if token.thumbprint:
        body["oauth2_credential"] = {"x5t#S256": token.thumbprint}
    if about.trust is not None:
        body["OS-TRUST:trust"] = _trust_view(about.trust)
    if token.access_token_id:
        body["OS-OAUTH1"] = {"access_token_id": token.access_token_id}
        access = oauth1.access_token(tx, token.access_token_id)
        if access is not None:
            body["OS-OAUTH1"]["consumer_id"] = access["consumer_id"]
    if not token.scope:
        return body
    if token.scope == "project":
        assert row is not None
        body["project"] = {
            "domain": {"id": row["domain_id"], "name": row["domain_name"]},
            "id": row["id"],
            "name": row["name"],
        }
        if about.trust is None:
            body["is_domain"] = bool(row["is_domain"])
    elif token.scope == "domain":
        assert row is not None
        body["domain"] = {"id": row["id"], "name": row["name"]}
    else:
        body["system"] = {"all": True}
    body["roles"] = [{"id": role_id, "name": name} for role_id, name in token.roles]
    if with_catalog:
        body["catalog"] = service.catalog.get(tx).written_for(token.user_id, token.project_id)
        if token.project_id and (providers := service.providers.get(tx)):
            body["service_providers"] = providers
    if credential is not None:
        body["application_credential"] = _credential_view(service, tx, credential)
    return body


def _trust_view(trust: Row) -> Row:
    return {
        "id": trust["id"],
        "trustor_user": {"id": trust["trustor_user_id"]},
        "trustee_user": {"id": trust["trustee_user_id"]},
        "impersonation": bool(trust["impersonation"]),
    }


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
