"""Service providers: clouds that this one's users may go on to (`/v3/OS-FEDERATION/service_providers`)."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.identity.api import listing, schemas, views
from celaje.identity.db import service_providers
from celaje.identity.db.tables import SERVICE_PROVIDERS
from celaje.identity.errors import Invalid

Row = dict[str, Any]

_URL = {"type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[a-zA-Z0-9+.-]+:.+"}
_PROPERTIES = {
    "auth_url": _URL,
    "sp_url": _URL,
    "description": schemas.TEXT_OR_NULL,
    "enabled": schemas.BOOLEAN,
    "relay_state_prefix": {"type": ["string", "null"], "maxLength": 255},
}
CREATE = schemas.body("service_provider", _PROPERTIES, required=("auth_url", "sp_url"), extra=False)
UPDATE = schemas.body("service_provider", _PROPERTIES, update=True, extra=False)


def _view(request: Request, row: Row) -> Row:
    body = {name: row[name] for name in ("id", "auth_url", "sp_url", "description", "relay_state_prefix")}
    body["enabled"] = bool(row["enabled"])
    return views.linked(request, "OS-FEDERATION/service_providers", body)


def index(request: Request) -> Row:
    where = listing.conditions(
        request, {"id": SERVICE_PROVIDERS.c.id}, {"enabled": SERVICE_PROVIDERS.c.enabled}
    )
    listed = request.service.database.read(
        lambda tx: listing.run(request, tx, SERVICE_PROVIDERS, where, sort=("id",))
    )
    return listing.answer(request, "service_providers", listed, _view)


def show(request: Request, provider_id: str) -> Row:
    row = request.service.database.read(service_providers.get, provider_id)
    return {"service_provider": _view(request, row)}


def create(request: Request, provider_id: str) -> Row:
    given = request.body["service_provider"]
    if len(provider_id) > 64:
        raise Invalid("Invalid input for field 'id': it is longer than 64 characters")
    row = {
        "id": provider_id,
        "auth_url": given["auth_url"],
        "sp_url": given["sp_url"],
        "description": given.get("description"),
        "enabled": given.get("enabled", False),
        "relay_state_prefix": given.get("relay_state_prefix") or request.service.conf.saml.relay_state_prefix,
    }

    def unit(tx: Transaction) -> None:
        service_providers.create(tx, row)
        request.service.providers.changed_by(tx)

    request.service.database.write(unit)
    return {"service_provider": _view(request, row)}


def update(request: Request, provider_id: str) -> Row:
    given = request.body["service_provider"]

    def unit(tx: Transaction) -> Row:
        row = service_providers.get(tx, provider_id)
        changes = dict(given)
        if "relay_state_prefix" in changes and changes["relay_state_prefix"] is None:
            changes["relay_state_prefix"] = request.service.conf.saml.relay_state_prefix
        service_providers.change(tx, provider_id, changes)
        request.service.providers.changed_by(tx)
        return {**row, **changes}

    return {"service_provider": _view(request, request.service.database.write(unit))}


def delete(request: Request, provider_id: str) -> None:
    def unit(tx: Transaction) -> None:
        service_providers.get(tx, provider_id)
        service_providers.remove(tx, provider_id)
        request.service.providers.changed_by(tx)

    request.service.database.write(unit)
