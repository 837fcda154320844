"""Login through an identity provider: a web server in front has checked it and says who it is.

The assertion is that server's environment (REMOTE_USER, the attributes of an authentication module), or,
where it stands apart as a proxy, the headers that it sets; those count only if `assertion_prefix` begins with
HTTP_, since anybody can send headers.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.identity import mappings
from celaje.identity.db import federation
from celaje.identity.errors import ForbiddenAction, Invalid, LoginFailed
from celaje.identity.login import people, shadows
from celaje.identity.login.proof import Proof

Row = dict[str, Any]


def assertion_of(request: Request, prefix: str) -> dict[str, str]:
    found = {}
    for name, value in request.http.env.items():
        if not isinstance(value, str) or not name.startswith(prefix):
            continue
        if name.startswith("HTTP_") and not prefix.startswith("HTTP_"):
            continue
        try:
            found[name] = value.encode("latin-1").decode()
        except (UnicodeDecodeError, UnicodeEncodeError):
            found[name] = value
    return found


@dataclass(slots=True)
class _Agreed:
    """What was agreed with an identity provider for a protocol."""

    provider: Row
    protocol: Row
    mapping: Row


def _agreed(tx: Transaction, provider_id: str, protocol_id: str) -> _Agreed:
    provider = federation.provider(tx, provider_id)
    check_enabled(provider)
    protocol = federation.protocol(tx, provider_id, protocol_id)
    return _Agreed(provider, protocol, federation.mapping(tx, protocol["mapping_id"]))


def by_assertion(service: Any, shown: Row, request: Request) -> Proof:
    """`shown` names the identity provider and the protocol."""
    provider_id, protocol_id = shown.get("identity_provider"), shown.get("protocol")
    if not isinstance(provider_id, str) or not isinstance(protocol_id, str):
        raise Invalid("Expecting to find identity_provider and protocol in mapped.")
    conf = service.conf.federation
    assertion = assertion_of(request, conf.assertion_prefix)
    agreed = service.database.read(_agreed, provider_id, protocol_id)
    attribute = agreed.protocol["remote_id_attribute"] or conf.remote_id_attribute
    _check_remote(agreed.provider, attribute, assertion)
    # Patterns may take their time: not while the database waits.
    mapped = mappings.evaluate(agreed.mapping["rules"], agreed.mapping["schema_version"], assertion)
    if mapped.user["type"] == "local":
        # From here on they are like anybody who has shown a password.
        user = _local(service, mapped.user)
        people.check_usable(user)
        return Proof(user, ("mapped",))
    name_user(mapped.user, request.http.env.get("REMOTE_USER"))
    if agreed.provider["authorization_ttl"] is None:
        agreed.provider["authorization_ttl"] = conf.default_authorization_ttl
    lose = agreed.mapping["schema_version"] == "3.0"
    user, group_ids = service.database.write(
        lambda tx: shadows.bring_in(service, tx, agreed.provider, protocol_id, mapped, lose=lose)
    )
    people.check_usable(user)
    return Proof(
        user,
        (request.parameters.get("protocol_id", "mapped"),),
        groups=tuple(group_ids),
        identity_provider_id=provider_id,
        protocol_id=protocol_id,
    )


def name_user(user: Row, remote_user: str | None) -> None:
    """Set id and name, each from the other where the mapping has but one; the id is safe in URLs."""
    name = user.get("name") or remote_user
    unique_id = user.get("id") or name
    if not unique_id:
        raise LoginFailed(
            cause="the mapping names no user, neither id nor name, and the web server has set no REMOTE_USER"
        )
    user["name"] = (name or unique_id)[:255]
    user["id"] = quote(unique_id)[:255]


def check_enabled(provider: Row) -> None:
    if not provider["enabled"]:
        raise ForbiddenAction(f"Identity Provider {provider['id']} is disabled")


def _check_remote(provider: Row, attribute: str | None, assertion: dict[str, str]) -> None:
    if not attribute or not provider["remote_ids"]:
        return
    if attribute not in assertion:
        raise LoginFailed(cause=f"{attribute}, which tells the identity provider, is not in the environment")
    if assertion[attribute] not in provider["remote_ids"]:
        raise ForbiddenAction(
            "Incoming identity provider identifier not included among the accepted identifiers."
        )


def _local(service: Any, named: Row) -> Row:
    domain = {"id": service.conf.identity.default_domain_id}
    user = service.database.read(people.find, {"domain": domain, **named})
    if user is None:
        raise LoginFailed(cause=f"the mapping names {named.get('id') or named.get('name')}, who is not here")
    found: Row = user
    return found
