"""Inventories of a provider: all of them at once, or one class."""

from collections.abc import Mapping
from typing import Any

from celaje.common.db import DuplicateRow, Transaction
from celaje.common.errors import Conflict, Invalid, MethodNotAllowed, NotFound
from celaje.common.wsgi import Request, Response
from celaje.placement import errors
from celaje.placement.api.answers import fresh, path
from celaje.placement.api.schemas import GENERATION, LARGEST, NAME_PATTERN, closed, keyed
from celaje.placement.db import inventories, providers, resource_classes

_FIELDS: dict[str, Any] = {
    "resource_provider_generation": GENERATION,
    "total": {"type": "integer", "minimum": 1, "maximum": LARGEST},
    "reserved": {"type": "integer", "minimum": 0, "maximum": LARGEST},
    "min_unit": {"type": "integer", "minimum": 1, "maximum": LARGEST},
    "max_unit": {"type": "integer", "minimum": 1, "maximum": LARGEST},
    "step_size": {"type": "integer", "minimum": 1, "maximum": LARGEST},
    "allocation_ratio": {"type": "number", "maximum": 3.40282e38},
}
RECORD = closed(_FIELDS, ("total",))
UPDATE_ONE = closed(_FIELDS, ("total", "resource_provider_generation"))
CREATE = closed(
    {**_FIELDS, "resource_class": {"type": "string", "pattern": NAME_PATTERN}}, ("total", "resource_class")
)
UPDATE_ALL = closed(
    {"resource_provider_generation": GENERATION, "inventories": keyed(NAME_PATTERN, RECORD)},
    ("resource_provider_generation", "inventories"),
)

_DEFAULTS = {"reserved": 0, "min_unit": 1, "max_unit": LARGEST, "step_size": 1, "allocation_ratio": 1.0}


def complete(
    request: Request, provider_uuid: str, resource_class: str, given: Mapping[str, Any]
) -> dict[str, Any]:
    """The record with its defaults. Raises Invalid when nothing (before 1.26) or less is left of it."""
    record = {**_DEFAULTS, **{name: given[name] for name in inventories.FIELDS if name in given}}
    left = inventories.capacity(record)
    lenient = request.at_least(1, 26)
    if left < 0 or (int(left) <= 0 and not lenient):
        words = "greater than total" if lenient else "greater than or equal to total"
        raise Invalid(
            f"Unable to update inventory for resource provider {provider_uuid}: Invalid inventory for "
            f"'{resource_class}' on resource provider '{provider_uuid}'. The reserved value is {words}."
        )
    return record


def view(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in inventories.FIELDS}


def listing(request: Request, uuid: str) -> Response:
    def find(tx: Transaction) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        provider = providers.get(tx, uuid)
        return provider, inventories.of_provider(tx, provider["id"])

    return _all(request, *request.service.database.read(find))


def show(request: Request, uuid: str, resource_class: str) -> Response:
    def find(tx: Transaction) -> tuple[dict[str, Any], dict[str, Any] | None]:
        provider = providers.get(tx, uuid)
        return provider, inventories.find(tx, provider["id"], resource_class)

    provider, row = request.service.database.read(find)
    if row is None:
        raise NotFound(f"No inventory of class {resource_class} for {uuid}")
    return _one(request, provider, row)


def create(request: Request, uuid: str) -> Response:
    resource_class = request.body["resource_class"]
    record = complete(request, uuid, resource_class, request.body)

    def unit(tx: Transaction) -> tuple[dict[str, Any], dict[str, Any]]:
        provider = providers.change(tx, uuid)
        try:
            resource_classes.check(tx, [resource_class])
        except errors.UnknownClass as error:
            raise Invalid(f"Unable to create inventory for resource provider {uuid}: {error}") from error
        try:
            return provider, inventories.add(tx, provider["id"], resource_class, record)
        except DuplicateRow:
            raise Conflict(
                f"Update conflict: There is an inventory of class {resource_class} already.",
                code=errors.CONCURRENT_UPDATE,
            ) from None

    provider, row = request.service.database.write(unit)
    location = path(request, "resource_providers", uuid, "inventories", resource_class)
    return _one(request, provider, row, status=201, location=location)


def update_all(request: Request, uuid: str) -> Response:
    wanted = request.body["inventories"]

    def unit(tx: Transaction) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        provider = providers.change(tx, uuid, request.body["resource_provider_generation"])
        records = {name: complete(request, uuid, name, given) for name, given in wanted.items()}
        check_classes(tx, uuid, records)
        return provider, inventories.replace(tx, provider, records)

    return _all(request, *request.service.database.write(unit))


def check_classes(tx: Transaction, uuid: str, names: Mapping[str, Any]) -> None:
    try:
        resource_classes.check(tx, names)
    except errors.UnknownClass as error:
        raise Invalid(f"Unknown resource class in inventory for resource provider {uuid}: {error}") from error


def update_one(request: Request, uuid: str, resource_class: str) -> Response:
    def unit(tx: Transaction) -> tuple[dict[str, Any], dict[str, Any]]:
        provider = providers.change(tx, uuid, request.body["resource_provider_generation"])
        record = complete(request, uuid, resource_class, request.body)
        row = inventories.set_one(tx, provider["id"], resource_class, record)
        if row is None:
            raise Invalid(
                f"No inventory record with resource class for resource provider {uuid}: "
                f"No inventory of class {resource_class} found."
            )
        return provider, row

    return _one(request, *request.service.database.write(unit))


def delete_all(request: Request, uuid: str) -> None:
    def unit(tx: Transaction) -> None:
        inventories.replace(tx, providers.change(tx, uuid), {})

    request.service.database.write(unit)


def delete_all_before(request: Request, uuid: str) -> None:
    """Before microversion 1.5 there was no such method here."""
    raise MethodNotAllowed("The method DELETE is not allowed for this resource.", allow="GET, PUT, POST")


def delete_one(request: Request, uuid: str, resource_class: str) -> None:
    def unit(tx: Transaction) -> None:
        provider = providers.change(tx, uuid)
        if inventories.find(tx, provider["id"], resource_class) is None:
            raise NotFound(
                f"No inventory of class {resource_class} found for delete: "
                f"No inventory of class {resource_class} found."
            )
        try:
            inventories.remove(tx, provider, {resource_class})
        except errors.InventoryInUse as error:
            words = error.message.removeprefix("update conflict: ")
            # The real service says "concurrent update" here, and not "in use".
            raise Conflict(
                f"Unable to delete inventory of class {resource_class}: {words}",
                code=errors.CONCURRENT_UPDATE,
            ) from error

    request.service.database.write(unit)


def _all(request: Request, provider: Mapping[str, Any], rows: list[dict[str, Any]]) -> Response:
    body = {
        "resource_provider_generation": provider["generation"],
        "inventories": {row["resource_class"]: view(row) for row in rows},
    }
    return fresh(request, body, max((row["updated_at"] for row in rows), default=None))


def _one(
    request: Request,
    provider: Mapping[str, Any],
    row: Mapping[str, Any],
    status: int | None = None,
    location: str | None = None,
) -> Response:
    body = {**view(row), "resource_provider_generation": provider["generation"]}
    return fresh(request, body, row["updated_at"], status=status, location=location)
