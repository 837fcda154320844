"""The reshaper: inventories and the allocations on them move between providers in one transaction."""

from collections.abc import Mapping
from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import Invalid
from celaje.common.wsgi import Request
from celaje.placement import errors
from celaje.placement.api import inventories as inventory_api
from celaje.placement.api.allocations import POST_1_28, POST_1_34, POST_1_38, read_claim
from celaje.placement.api.resource_providers import normal
from celaje.placement.api.schemas import UUID_KEY, closed, keyed
from celaje.placement.db import allocations, inventories, providers


def _schema(claims: Mapping[str, Any]) -> dict[str, Any]:
    return closed(
        {
            "inventories": keyed(UUID_KEY, inventory_api.UPDATE_ALL),
            "allocations": {**claims, "minProperties": 0},
        },
        ("inventories", "allocations"),
    )


RESHAPE_1_30 = _schema(POST_1_28)
RESHAPE_1_34 = _schema(POST_1_34)
RESHAPE_1_38 = _schema(POST_1_38)


def reshape(request: Request) -> None:
    body = request.body
    claims = [read_claim(request, consumer, part) for consumer, part in body["allocations"].items()]

    def unit(tx: Transaction) -> None:
        wanted: list[tuple[dict[str, Any], dict[str, dict[str, Any]]]] = []
        for given, part in sorted(body["inventories"].items()):
            provider = _change(tx, normal(given), part["resource_provider_generation"])
            records = {
                name: inventory_api.complete(request, provider["uuid"], name, record)
                for name, record in part["inventories"].items()
            }
            inventory_api.check_classes(tx, provider["uuid"], records)
            wanted.append((provider, records))
        # First everything that comes, then the move, then what goes: so at no moment is an allocation
        # without its inventory, and what is still in use at the end is refused.
        for provider, records in wanted:
            present = {row["resource_class"] for row in inventories.of_provider(tx, provider["id"])}
            for name, record in records.items():
                if name in present:
                    inventories.set_one(tx, provider["id"], name, record)
                else:
                    inventories.add(tx, provider["id"], name, record)
        allocations.replace(tx, claims)
        for provider, records in wanted:
            present = {row["resource_class"] for row in inventories.of_provider(tx, provider["id"])}
            inventories.remove(tx, provider, present - set(records))

    try:
        request.service.database.write(unit)
    except errors.UnknownClass as error:
        raise Invalid(f"malformed reshaper data: {error}") from error


def _change(tx: Transaction, uuid: str, generation: int) -> dict[str, Any]:
    try:
        return providers.change(tx, uuid, generation)
    except errors.ProviderNotFound as error:
        raise Invalid(
            f"Resource provider {uuid} in inventories not found: {error}", code=errors.PROVIDER_NOT_FOUND
        ) from error
    except errors.GenerationConflict:
        actual = providers.get(tx, uuid)["generation"]
        raise errors.GenerationConflict(
            f"resource provider generation conflict for provider {uuid}: actual: {actual}, "
            f"given: {generation}",
            code=errors.CONCURRENT_UPDATE,
        ) from None
