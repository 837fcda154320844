"""Identity providers and their protocols (`/v3/OS-FEDERATION/identity_providers`)."""

from typing import Any

from sqlalchemy import select

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.identity.api import listing, schemas, views
from celaje.identity.db import federation, projects
from celaje.identity.db.tables import IDENTITY_PROVIDERS, NO_DOMAIN, REMOTE_IDS
from celaje.identity.errors import Invalid, MappingNotFound
from celaje.identity.ids import new_id

Row = dict[str, Any]

_UPDATES = {
    "enabled": schemas.BOOLEAN,
    "description": schemas.TEXT_OR_NULL,
    "authorization_ttl": {"type": ["integer", "null"], "minimum": 0, "maximum": 2147483647},
    "remote_ids": {
        "type": ["array", "null"],
        "items": {"type": "string", "maxLength": 255},
        "uniqueItems": True,
    },
}
CREATE = schemas.body("identity_provider", {**_UPDATES, "domain_id": schemas.ID_OR_NULL}, extra=False)
UPDATE = schemas.body("identity_provider", _UPDATES, update=True, extra=False)
_PROTOCOL = {
    "mapping_id": {"type": "string", "minLength": 1, "maxLength": 64},
    "remote_id_attribute": {"type": ["string", "null"], "maxLength": 64},
}
CREATE_PROTOCOL = schemas.body("protocol", _PROTOCOL, required=("mapping_id",), extra=False)
UPDATE_PROTOCOL = schemas.body("protocol", _PROTOCOL, update=True, extra=False)


def _view(request: Request, row: Row) -> Row:
    body = {
        "id": row["id"],
        "enabled": bool(row["enabled"]),
        "description": row["description"],
        "domain_id": row["domain_id"],
        "authorization_ttl": row["authorization_ttl"],
        "remote_ids": row["remote_ids"],
    }
    body = views.linked(request, "OS-FEDERATION/identity_providers", body)
    body["links"]["protocols"] = f"{body['links']['self']}/protocols"
    return body


def index(request: Request) -> Row:
    where = listing.conditions(
        request, {"id": IDENTITY_PROVIDERS.c.id}, {"enabled": IDENTITY_PROVIDERS.c.enabled}
    )

    def query(tx: Transaction) -> listing.Listed:
        listed = listing.run(request, tx, IDENTITY_PROVIDERS, where, sort=("id",))
        remote: dict[str, list[str]] = {}
        for row in tx.execute(select(REMOTE_IDS).order_by(REMOTE_IDS.c.remote_id)):
            remote.setdefault(row.identity_provider_id, []).append(row.remote_id)
        for found in listed.rows:
            found["remote_ids"] = remote.get(found["id"], [])
        return listed

    return listing.answer(request, "identity_providers", request.service.database.read(query), _view)


def show(request: Request, provider_id: str) -> Row:
    row = request.service.database.read(federation.provider, provider_id)
    return {"identity_provider": _view(request, row)}


def create(request: Request, provider_id: str) -> Row:
    given = request.body["identity_provider"]
    if len(provider_id) > 64:
        raise Invalid("Invalid input for field 'id': it is longer than 64 characters")

    def unit(tx: Transaction) -> Row:
        domain_id = given.get("domain_id")
        if domain_id:
            projects.get_domain(tx, domain_id)
        row = {
            "id": provider_id,
            "enabled": given.get("enabled", False),
            "description": given.get("description"),
            "authorization_ttl": given.get("authorization_ttl"),
            "domain_id": domain_id or _new_domain(tx, provider_id),
        }
        federation.create_provider(tx, row, given.get("remote_ids") or [])
        return federation.provider(tx, provider_id)

    return {"identity_provider": _view(request, request.service.database.write(unit))}


def _new_domain(tx: Transaction, provider_id: str) -> str:
    """For the users who come through it."""
    row: Row = {
        "id": new_id(),
        "name": provider_id,
        "domain_id": NO_DOMAIN,
        "parent_id": None,
        "is_domain": True,
        "enabled": True,
        "description": f"Auto generated federated domain for Identity Provider: {provider_id}",
        "options": {},
        "extra": {},
    }
    return str(projects.create(tx, row)["id"])


def update(request: Request, provider_id: str) -> Row:
    given = request.body["identity_provider"]
    service = request.service

    def unit(tx: Transaction) -> Row:
        row = federation.provider(tx, provider_id)
        changes = {name: given[name] for name in _UPDATES if name in given and name != "remote_ids"}
        remote_ids = (given["remote_ids"] or []) if "remote_ids" in given else None
        federation.change_provider(tx, provider_id, changes, remote_ids)
        if row["enabled"] and changes.get("enabled") is False:
            _revoke_users(service, tx, provider_id)
        return federation.provider(tx, provider_id)

    return {"identity_provider": _view(request, service.database.write(unit))}


def _revoke_users(service: Any, tx: Transaction, provider_id: str) -> None:
    users = dict.fromkeys(federation.users_of(tx, provider_id))
    service.revoking.revoke(tx, *({"user_id": user_id} for user_id in users))


def delete(request: Request, provider_id: str) -> None:
    service = request.service

    def unit(tx: Transaction) -> None:
        federation.provider(tx, provider_id)
        _revoke_users(service, tx, provider_id)
        federation.remove_provider(tx, provider_id)

    service.database.write(unit)


def _protocol_view(request: Request, row: Row) -> Row:
    path = f"OS-FEDERATION/identity_providers/{row['identity_provider_id']}"
    body: Row = {"id": row["id"], "mapping_id": row["mapping_id"]}
    if row["remote_id_attribute"]:
        body["remote_id_attribute"] = row["remote_id_attribute"]
    body = views.linked(request, f"{path}/protocols", body)
    body["links"]["identity_provider"] = f"{request.base_url}/v3/{path}"
    return body


def list_protocols(request: Request, provider_id: str) -> Row:
    def query(tx: Transaction) -> list[Row]:
        federation.provider(tx, provider_id)
        return federation.protocols_of(tx, provider_id)

    found = request.service.database.read(query)
    return views.collection(request, "protocols", (_protocol_view(request, row) for row in found))


def show_protocol(request: Request, provider_id: str, protocol_id: str) -> Row:
    row = request.service.database.read(federation.protocol, provider_id, protocol_id)
    return {"protocol": _protocol_view(request, row)}


def _check_mapping(tx: Transaction, mapping_id: str) -> None:
    try:
        federation.mapping(tx, mapping_id)
    except MappingNotFound as error:
        raise Invalid(f"Invalid mapping id: {mapping_id}") from error


def create_protocol(request: Request, provider_id: str, protocol_id: str) -> Row:
    given = request.body["protocol"]
    if len(protocol_id) > 64:
        raise Invalid("Invalid input for field 'id': it is longer than 64 characters")
    row = {
        "id": protocol_id,
        "identity_provider_id": provider_id,
        "mapping_id": given["mapping_id"],
        "remote_id_attribute": given.get("remote_id_attribute"),
    }

    def unit(tx: Transaction) -> None:
        federation.provider(tx, provider_id)
        _check_mapping(tx, row["mapping_id"])
        federation.create_protocol(tx, row)

    request.service.database.write(unit)
    return {"protocol": _protocol_view(request, row)}


def update_protocol(request: Request, provider_id: str, protocol_id: str) -> Row:
    given = request.body["protocol"]

    def unit(tx: Transaction) -> Row:
        row = federation.protocol(tx, provider_id, protocol_id)
        if "mapping_id" in given:
            _check_mapping(tx, given["mapping_id"])
        federation.change_protocol(tx, provider_id, protocol_id, given)
        return {**row, **given}

    return {"protocol": _protocol_view(request, request.service.database.write(unit))}


def delete_protocol(request: Request, provider_id: str, protocol_id: str) -> None:
    def unit(tx: Transaction) -> None:
        federation.protocol(tx, provider_id, protocol_id)
        federation.remove_protocol(tx, provider_id, protocol_id)

    request.service.database.write(unit)
