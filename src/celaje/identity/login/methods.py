"""The login methods, and how several of one request come together."""

from collections.abc import Callable
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import Unauthorized
from celaje.common.tokens import seconds
from celaje.common.wsgi import Request
from celaje.identity.db import federation, logins
from celaje.identity.delegation import is_delegated
from celaje.identity.errors import (
    ForbiddenAction,
    Invalid,
    LoginFailed,
    MethodNotSupported,
    TokenNotFound,
)
from celaje.identity.login import people, totp
from celaje.identity.login.mapped import by_assertion, check_enabled
from celaje.identity.login.oauth1 import by_access_token
from celaje.identity.login.proof import Proof

Row = dict[str, Any]

# The order in which a token names the methods that led to it.
ORDER = (
    "external",
    "password",
    "token",
    "oauth1",
    "mapped",
    "saml2",
    "openid",
    "application_credential",
    "totp",
)


def prove(service: Any, identity: Row, request: Request) -> Proof:
    """Who the request's `identity` object shows to be. Raises Unauthorized, Invalid for a broken form."""
    names = list(dict.fromkeys(identity["methods"]))
    federated = any(
        METHODS.get(name, by_assertion) in (by_mapping, by_assertion) for name in names if name != "external"
    )
    # There REMOTE_USER is the identity provider's name for somebody, which the mapping reads.
    proof = None if federated else _by_web_server(service, request)
    if not names and proof is None:
        raise LoginFailed(cause="no method")
    for name in names:
        if not isinstance(identity.get(name), dict) and (proof is None or name != "external"):
            raise Invalid(f"Expecting to find {name} in identity.")
        if name == "external":
            if proof is None:
                raise LoginFailed(cause="the web server in front has shown nobody")
            continue
        # A method that only the operator knows is a protocol of federation.
        method = METHODS.get(name, by_assertion) if name in service.conf.auth.methods else None
        if method is None:
            raise MethodNotSupported(
                cause=f"method {name[:64]}", shown={"identity": {"methods": service.conf.auth.methods}}
            )
        found = method(service, identity[name], request)
        proof = found if proof is None else _together(proof, found)
    assert proof is not None
    if len(proof.methods) > 1:
        proof.methods = tuple(name for name in ORDER if name in proof.methods)
    return proof


def _together(one: Proof, other: Proof) -> Proof:
    if one.user["id"] != other.user["id"]:
        raise LoginFailed(cause="the methods name different users")
    return Proof(
        user=one.user,
        methods=one.methods + other.methods,
        token=one.token or other.token,
        credential=one.credential or other.credential,
        access=one.access or other.access,
        expires_at=min((e for e in (one.expires_at, other.expires_at) if e is not None), default=None),
        audit_chain=one.audit_chain or other.audit_chain,
        groups=one.groups or other.groups,
        identity_provider_id=one.identity_provider_id or other.identity_provider_id,
        protocol_id=one.protocol_id or other.protocol_id,
    )


def _by_web_server(service: Any, request: Request) -> Proof | None:
    """Method "external": the web server in front has shown who it is (REMOTE_USER, never a header)."""
    name = request.http.env.get("REMOTE_USER")
    if not name or "external" not in service.conf.auth.methods:
        return None
    domain_id = service.conf.identity.default_domain_id
    user = service.database.read(logins.user_by_name, str(name), domain_id=domain_id)
    if user is None:
        return None
    people.check_usable(user)
    return Proof(user, ("external",))


def by_password(service: Any, shown: Row, _: Request) -> Proof:
    named = shown.get("user")
    if not isinstance(named, dict):
        raise Invalid("Expecting to find user in password.")
    # No password at all is a wrong one, for which the user is looked for like for any other.
    user = prove_password(service, named, named.get("password", ""))
    people.check_password_age(user)
    return Proof(user, ("password",))


def prove_password(service: Any, named: Row, password: str) -> Row:
    """The named user's row if the password is theirs and they may log in at all."""
    user = service.database.read(people.find, named)
    if user is not None:
        people.check_not_locked(user, service.conf.security_compliance)
    if len(password) > service.conf.identity.max_password_length or not service.passwords.verify(
        password, user and user["password_hash"]
    ):
        if user is not None and service.conf.security_compliance.lockout_failure_attempts:
            service.database.write(logins.count_failure, user["id"])
        raise LoginFailed(cause=f"wrong password for {named.get('id') or named.get('name')}")
    assert user is not None
    people.check_usable(user)
    if user["failed_logins"]:
        service.database.write(logins.forget_failures, user["id"])
    return user


def by_totp(service: Any, shown: Row, _: Request) -> Proof:
    named = shown.get("user")
    if not isinstance(named, dict) or not isinstance(named.get("passcode"), str):
        raise Invalid("Expecting to find passcode in user.")

    def query(tx: Transaction) -> tuple[Row | None, list[str]]:
        user = people.find(tx, named)
        return user, totp.seeds_of(tx, user["id"]) if user else []

    user, seeds = service.database.read(query)
    if user is None or not totp.matches(service, seeds, named["passcode"]):
        raise LoginFailed(cause="wrong passcode")
    people.check_usable(user)
    return Proof(user, ("totp",))


def by_mapping(service: Any, shown: Row, request: Request) -> Proof:
    """With the token of an earlier login through an identity provider, or by what the web server says."""
    return by_token(service, shown, request) if "id" in shown else by_assertion(service, shown, request)


def by_token(service: Any, shown: Row, _: Request) -> Proof:
    text = shown.get("id")
    if not isinstance(text, str):
        raise Invalid("Expecting to find id in token.")
    try:
        token = service.tokens.open(text)
        service.revocations.check(token)
    except Unauthorized as error:
        raise TokenNotFound(id="it is none, has expired or was revoked") from error
    if token.access_token_id:
        raise ForbiddenAction(
            action="Using OAuth-scoped token to create another token. Create a new OAuth-scoped token instead"
        )
    if token.trust_id:
        raise ForbiddenAction(
            action="Using trust-scoped token to create another token. Create a new trust-scoped token instead"
        )
    if is_delegated(token):
        raise ForbiddenAction(action="Using a delegated token to create another token is not allowed.")
    if token.scope and not service.conf.token.allow_rescope_scoped_token:
        raise ForbiddenAction(action="rescope a scoped token")
    user = service.database.read(logins.user, token.user_id)
    if user is None:
        raise LoginFailed(cause=f"user {token.user_id} is gone")
    if token.identity_provider_id:
        check_enabled(service.database.read(federation.provider, token.identity_provider_id))
    people.check_usable(user)
    return Proof(
        user,
        (*token.methods, "token"),
        token=token,
        expires_at=token.expires_at,
        audit_chain=token.audit_ids[-1:],
        groups=token.federated_groups,
        identity_provider_id=token.identity_provider_id,
        protocol_id=token.protocol_id,
    )


def by_application_credential(service: Any, shown: Row, _: Request) -> Proof:
    if not {"id", "name"} & shown.keys():
        raise Invalid("Expecting to find id, or name and user, in application_credential.")
    secret = shown.get("secret")
    if not isinstance(secret, str):
        raise LoginFailed(cause="no secret with the application credential")
    credential, user = _find_credential(service, shown)
    stored = credential["secret_hash"] if credential else None
    if not service.passwords.verify(secret, stored) or credential is None or user is None:
        raise LoginFailed(cause="wrong application credential")
    if credential["expires_at"] is not None and credential["expires_at"] <= clock.now():
        raise LoginFailed(cause=f"application credential {credential['id']} has expired")
    people.check_usable(user)
    expires_at = seconds(credential["expires_at"]) if credential["expires_at"] else None
    proof = Proof(user, ("application_credential",), credential=credential, expires_at=expires_at)
    if user["password_hash"] is None:
        # Without a password they may have come through an identity provider, whose groups hold for a while.
        proof.groups = service.database.read(federation.groups_of, user["id"])
    return proof


def _find_credential(service: Any, shown: Row) -> tuple[Row | None, Row | None]:
    def query(tx):
        if isinstance(shown.get("id"), str):
            credential = logins.application_credential(tx, credential_id=shown["id"])
            return credential, credential and logins.user(tx, credential["user_id"])
        named = shown.get("user")
        if not isinstance(shown.get("name"), str) or not isinstance(named, dict):
            raise Invalid("Expecting to find id, or name and user, in application_credential.")
        user = people.find(tx, named)
        if user is None:
            return None, None
        return logins.application_credential(tx, user_id=user["id"], name=shown["name"]), user

    return service.database.read(query)


METHODS: dict[str, Callable[[Any, Row, Request], Proof]] = {
    "password": by_password,
    "token": by_token,
    "application_credential": by_application_credential,
    "totp": by_totp,
    "oauth1": by_access_token,
    "mapped": by_mapping,
    "saml2": by_mapping,
    "openid": by_mapping,
}
