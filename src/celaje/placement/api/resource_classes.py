"""Resource classes: standard and custom."""

import re
from typing import Any

from celaje.common.db import DuplicateRow, Transaction
from celaje.common.errors import Conflict, Invalid, NotFound
from celaje.common.wsgi import Request, Response
from celaje.placement.api.answers import fresh, path
from celaje.placement.api.schemas import CUSTOM_PATTERN, closed
from celaje.placement.db import resource_classes

CREATE = closed({"name": {"type": "string", "pattern": CUSTOM_PATTERN, "maxLength": 255}}, ("name",))
_CUSTOM = re.compile(CUSTOM_PATTERN)


def view(request: Request, name: str) -> dict[str, Any]:
    return {"name": name, "links": [{"rel": "self", "href": path(request, "resource_classes", name)}]}


def listing(request: Request) -> Response:
    rows = request.service.database.read(resource_classes.list_all)
    return fresh(request, {"resource_classes": [view(request, row["name"]) for row in rows]})


def show(request: Request, name: str) -> Response:
    row = request.service.database.read(_get, name)
    return fresh(request, view(request, name), row["updated_at"])


def create(request: Request) -> Response:
    name = request.body["name"]
    try:
        request.service.database.write(resource_classes.create, name)
    except DuplicateRow:
        raise Conflict(f"Conflicting resource class already exists: {name}") from None
    return Response(status=201, headers={"Location": path(request, "resource_classes", name)})


def ensure(request: Request, name: str) -> Response:
    """Since 1.7: 201 when the class is new, 204 when it was there."""
    if not _CUSTOM.fullmatch(name) or len(name) > 255:
        raise Invalid(f"JSON does not validate: '{name[:255]}' does not match '{CUSTOM_PATTERN}'")

    def unit(tx: Transaction) -> bool:
        if resource_classes.find(tx, name) is not None:
            return False
        resource_classes.create(tx, name)
        return True

    try:
        new = request.service.database.write(unit)
    except DuplicateRow:  # somebody else made it just now
        new = False
    headers = {"Location": path(request, "resource_classes", name)}
    return Response(status=201 if new else 204, headers=headers)


def rename(request: Request, name: str) -> Response:
    """Microversions 1.2 to 1.6."""
    new = request.body["name"]

    def unit(tx: Transaction) -> None:
        _get(tx, name)
        if resource_classes.is_standard(name):
            raise Invalid(f"Cannot update standard resource class {name}")
        resource_classes.rename(tx, name, new)

    try:
        request.service.database.write(unit)
    except DuplicateRow:
        raise Conflict(f"Resource class already exists: {new}") from None
    return Response(view(request, new))


def delete(request: Request, name: str) -> None:
    def unit(tx: Transaction) -> None:
        _get(tx, name)
        if resource_classes.is_standard(name):
            raise Invalid(f"Error in delete resource class: Cannot delete standard resource class {name}.")
        if resource_classes.in_use(tx, name):
            raise Conflict(
                f"Error in delete resource class: Cannot delete resource class {name}. "
                "Class is in use in inventory."
            )
        resource_classes.delete(tx, name)

    request.service.database.write(unit)


def _get(tx: Transaction, name: str) -> dict[str, Any]:
    row = resource_classes.find(tx, name)
    if row is None:
        raise NotFound(f"No such resource class {name}.")
    return row
