"""Which projects may use a private flavor."""

from typing import Any

from celaje.common.db import DuplicateRow, Transaction
from celaje.common.errors import Conflict, NotFound
from celaje.common.wsgi import Request
from celaje.compute.api.inputs import closed
from celaje.compute.api.parameters import wrapped
from celaje.compute.db import flavors

_PROJECT = closed({"tenant": {"type": "string", "minLength": 1, "maxLength": 255}}, ["tenant"])
ADD = wrapped("addTenantAccess", _PROJECT)
REMOVE = wrapped("removeTenantAccess", _PROJECT)


def _view(flavorid: str, projects: list[str]) -> dict[str, Any]:
    return {"flavor_access": [{"flavor_id": flavorid, "tenant_id": project} for project in projects]}


def index(request: Request, flavor_id: str) -> dict[str, Any]:
    def find(tx: Transaction) -> list[str]:
        row = flavors.get(tx, flavor_id, None)
        if row["is_public"]:
            raise NotFound("Access list not available for public flavors.")
        return flavors.access(tx, row["id"])

    return _view(flavor_id, request.service.database.read(find))


def add(request: Request, flavor_id: str) -> dict[str, Any]:
    project = request.body["addTenantAccess"]["tenant"]

    def unit(tx: Transaction) -> list[str]:
        row = flavors.get(tx, flavor_id, None)
        if row["is_public"] and request.at_least(2, 7):
            raise Conflict("Can not add access to a public flavor.")
        try:
            flavors.allow(tx, row["id"], project)
        except DuplicateRow:
            raise Conflict(
                f"Flavor access already exists for flavor {flavor_id} and project {project} combination."
            ) from None
        return flavors.access(tx, row["id"])

    return _view(flavor_id, request.service.database.write(unit))


def remove(request: Request, flavor_id: str) -> dict[str, Any]:
    project = request.body["removeTenantAccess"]["tenant"]

    def unit(tx: Transaction) -> list[str]:
        row = flavors.get(tx, flavor_id, None)
        if not flavors.disallow(tx, row["id"], project):
            raise NotFound(f"Flavor access not found for {flavor_id} / {project} combination.")
        return flavors.access(tx, row["id"])

    return _view(flavor_id, request.service.database.write(unit))
