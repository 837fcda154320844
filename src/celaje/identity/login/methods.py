"""The login methods, and how several of one request come together."""

from collections.abc import Callable
from typing import Any

from celaje.common import clock
from celaje.common.tokens import seconds
from celaje.identity.db import logins
from celaje.identity.errors import Invalid, LoginFailed, MethodNotSupported
from celaje.identity.login import people
from celaje.identity.login.proof import Proof

Row = dict[str, Any]

# The order in which a token names the methods that led to it.
ORDER = ("external", "password", "token", "oauth1", "mapped", "application_credential")


def prove(service: Any, identity: Row) -> Proof:
    """Who the request's `identity` object shows to be. Raises Unauthorized, Invalid for a broken form."""
    names = list(dict.fromkeys(identity["methods"]))
    if not names:
        raise Invalid("Invalid input for field identity/methods: at least one method is needed.")
    proof: Proof | None = None
    for name in names:
        method = METHODS.get(name)
        if method is None:
            raise MethodNotSupported(cause=f"method {name[:64]}")
        if not isinstance(identity.get(name), dict):
            raise Invalid(f"Expecting to find {name} in identity.")
        found = method(service, identity[name])
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
        expires_at=min((e for e in (one.expires_at, other.expires_at) if e is not None), default=None),
        audit_chain=one.audit_chain or other.audit_chain,
    )


def by_password(service: Any, shown: Row) -> Proof:
    named = shown.get("user")
    if not isinstance(named, dict) or "password" not in named:
        raise Invalid("Expecting to find password in user.")
    user = prove_password(service, named, named["password"])
    people.check_password_age(user)
    return Proof(user, ("password",))


def prove_password(service: Any, named: Row, password: str) -> Row:
    """The named user's row if the password is theirs and they may log in at all."""
    domain_id = service.conf.identity.default_domain_id
    user = service.database.read(people.find, named, domain_id)
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


def by_token(service: Any, shown: Row) -> Proof:
    text = shown.get("id")
    if not isinstance(text, str):
        raise Invalid("Expecting to find id in token.")
    token = service.tokens.open(text)
    service.revocations.check(token)
    if token.application_credential_id or token.trust_id or token.access_token_id:
        raise LoginFailed(cause="such a token does not get another scope")
    if token.scope and not service.conf.token.allow_rescope_scoped_token:
        raise LoginFailed(cause="a scoped token does not get another scope (allow_rescope_scoped_token)")
    user = service.database.read(logins.user, token.user_id)
    if user is None:
        raise LoginFailed(cause=f"user {token.user_id} is gone")
    people.check_usable(user)
    return Proof(
        user,
        (*token.methods, "token"),
        token=token,
        expires_at=token.expires_at,
        audit_chain=token.audit_ids[-1:],
    )


def by_application_credential(service: Any, shown: Row) -> Proof:
    secret = shown.get("secret")
    if not isinstance(secret, str):
        raise Invalid("Expecting to find secret in application_credential.")
    credential, user = _find_credential(service, shown)
    stored = credential["secret_hash"] if credential else None
    if not service.passwords.verify(secret, stored) or credential is None or user is None:
        raise LoginFailed(cause="wrong application credential")
    if credential["expires_at"] is not None and credential["expires_at"] <= clock.now():
        raise LoginFailed(cause=f"application credential {credential['id']} has expired")
    people.check_usable(user)
    expires_at = seconds(credential["expires_at"]) if credential["expires_at"] else None
    return Proof(user, ("application_credential",), credential=credential, expires_at=expires_at)


def _find_credential(service: Any, shown: Row) -> tuple[Row | None, Row | None]:
    def query(tx):
        if isinstance(shown.get("id"), str):
            credential = logins.application_credential(tx, credential_id=shown["id"])
            return credential, credential and logins.user(tx, credential["user_id"])
        named = shown.get("user")
        if not isinstance(shown.get("name"), str) or not isinstance(named, dict):
            raise Invalid("Expecting to find id, or name and user, in application_credential.")
        user = people.find(tx, named, service.conf.identity.default_domain_id)
        if user is None:
            return None, None
        return logins.application_credential(tx, user_id=user["id"], name=shown["name"]), user

    return service.database.read(query)


METHODS: dict[str, Callable[[Any, Row], Proof]] = {
    "password": by_password,
    "token": by_token,
    "application_credential": by_application_credential,
}
