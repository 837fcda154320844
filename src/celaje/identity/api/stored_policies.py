"""Policies kept for other services, as text that identity does not read (`/v3/policies`)."""

from collections.abc import Callable
from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import NotFound
from celaje.common.wsgi import Request
from celaje.identity.api import endpoints, listing, regions, schemas, services, views
from celaje.identity.db import policies
from celaje.identity.db.tables import POLICIES
from celaje.identity.errors import Invalid
from celaje.identity.ids import new_id

Row = dict[str, Any]

_PROPERTIES = {"blob": {"type": "string"}, "type": {"type": "string", "maxLength": 255}}
CREATE = schemas.body("policy", _PROPERTIES, required=("blob", "type"))
UPDATE = schemas.body("policy", _PROPERTIES, update=True)


def _view(request: Request, row: Row) -> Row:
    body = {name: row[name] for name in ("id", "type", "blob")}
    return views.linked(request, "policies", views.with_extra(body, row))


def index(request: Request) -> Row:
    where = listing.conditions(request, {"type": POLICIES.c.type})
    listed = request.service.database.read(lambda tx: listing.run(request, tx, POLICIES, where, sort=("id",)))
    return listing.answer(request, "policies", listed, _view)


def create(request: Request) -> Row:
    given = request.body["policy"]
    row = {
        "id": new_id(),
        "type": given["type"],
        "blob": given["blob"],
        "extra": views.extra_of(given, tuple(_PROPERTIES)),
    }
    request.service.database.write(policies.create, row)
    return {"policy": _view(request, row)}


def show(request: Request, policy_id: str) -> Row:
    return {"policy": _view(request, request.service.database.read(policies.get, policy_id))}


def update(request: Request, policy_id: str) -> Row:
    given = request.body["policy"]

    def unit(tx: Transaction) -> Row:
        row = policies.get(tx, policy_id)
        if given.get("id", policy_id) != policy_id:
            raise Invalid("Cannot change ID")
        values = {name: given[name] for name in _PROPERTIES if name in given}
        if extra := views.extra_of(given, tuple(_PROPERTIES)):
            values["extra"] = {**row["extra"], **extra}
        if values:
            policies.change(tx, policy_id, values)
        return {**row, **values}

    return {"policy": _view(request, request.service.database.write(unit))}


def delete(request: Request, policy_id: str) -> None:
    def unit(tx: Transaction) -> None:
        policies.get(tx, policy_id)
        policies.remove(tx, policy_id)

    request.service.database.write(unit)


def list_endpoints(request: Request, policy_id: str) -> Row:
    found = request.service.database.read(
        lambda tx: policies.endpoints_of(tx, policies.get(tx, policy_id)["id"])
    )
    return views.collection(request, "endpoints", (endpoints.view(request, row) for row in found))


def of_endpoint(request: Request, endpoint_id: str) -> Row:
    row = request.service.database.read(lambda tx: policies.of_endpoint(tx, endpoints.get(tx, endpoint_id)))
    if row is None:
        raise NotFound(f"No policy is associated with endpoint {endpoint_id}.")
    return {"policy": _view(request, row)}


def _there(tx: Transaction, policy_id: str, place: dict[str, str]) -> Row:
    policies.get(tx, policy_id)
    if "endpoint_id" in place:
        endpoints.get(tx, place["endpoint_id"])
    if "service_id" in place:
        services.get(tx, place["service_id"])
    if "region_id" in place:
        regions.get(tx, place["region_id"])
    return policies.place(**place)


def _handler(act: Callable[[Transaction, str, Row], None], *, writes: bool) -> Callable[..., None]:
    """One function for all the paths of an association: what they name comes as keywords."""

    def handle(request: Request, policy_id: str, **place: str) -> None:
        database = request.service.database
        run = database.write if writes else database.read
        run(lambda tx: act(tx, policy_id, _there(tx, policy_id, place)))

    return handle


associate = _handler(policies.associate, writes=True)
check = _handler(policies.check_associated, writes=False)
dissociate = _handler(policies.dissociate, writes=True)
