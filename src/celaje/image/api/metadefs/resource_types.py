"""Resource types, and which namespaces' definitions are for them."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import NotFound
from celaje.common.wsgi import Request
from celaje.image.api import access
from celaje.image.api.metadefs.namespaces import association_view, load
from celaje.image.db import metadefs
from celaje.image.errors import NotAllowed

Row = dict[str, Any]


def index(request: Request) -> Row:
    found = request.service.database.read(metadefs.resource_types)
    shown = [
        {
            "name": row["name"],
            "created_at": clock.iso(row["created_at"], zulu=True),
            "updated_at": clock.iso(row["updated_at"], zulu=True),
        }
        for row in found
    ]
    return {"resource_types": shown}


def of_namespace(request: Request, namespace: str) -> Row:
    def run(tx: Transaction) -> list[Row]:
        load(tx, request, namespace, "get_metadef_resource_type")
        return metadefs.associations(tx, [namespace])[namespace]

    found = request.service.database.read(run)
    return {"resource_type_associations": [association_view(row) for row in found]}


def associate(request: Request, namespace: str) -> Row:
    access.refuse_nul(request.body["name"], "A resource type's name")

    def unit(tx: Transaction) -> Row:
        load(tx, request, namespace, "add_metadef_resource_type_association", lock=True)
        metadefs.associate(tx, namespace, request.body)
        found = metadefs.associations(tx, [namespace])[namespace]
        return next(row for row in found if row["name"] == request.body["name"])

    return association_view(request.service.database.write(unit))


def dissociate(request: Request, namespace: str, resource_type: str) -> None:
    def unit(tx: Transaction) -> None:
        row = load(tx, request, namespace, "remove_metadef_resource_type_association", lock=True)
        if row["protected"]:
            raise NotAllowed(f"Namespace {namespace} is protected, its resource types cannot be taken off.")
        if not metadefs.dissociate(tx, namespace, resource_type):
            raise NotFound(
                f"The resource type {resource_type[:80]} is not associated with the namespace {namespace}."
            )

    request.service.database.write(unit)
