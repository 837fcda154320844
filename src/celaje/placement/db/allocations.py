"""The ledger: who has how much of what. A claim checks and writes in one transaction.

Called by the handlers of allocations and of the reshaper. A claim first raises the generation of every
provider it takes from: that row lock lets one claim at a provider through at a time on every database, so
what is summed after it cannot change before the commit.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, func, select, update

from celaje.common import clock
from celaje.common.db import DuplicateRow, Prepared, Transaction
from celaje.common.errors import Conflict, Invalid, NotFound
from celaje.placement import errors
from celaje.placement.db import providers, resource_classes
from celaje.placement.db.inventories import capacity
from celaje.placement.db.tables import ALLOCATIONS, CONSUMERS, INVENTORIES, PROVIDERS

Row = dict[str, Any]

_consumer = Prepared(select(CONSUMERS).where(CONSUMERS.c.uuid == bindparam("row")))
_held = Prepared(
    select(ALLOCATIONS.c.provider_id, ALLOCATIONS.c.resource_class, ALLOCATIONS.c.used).where(
        ALLOCATIONS.c.consumer_uuid == bindparam("row")
    )
)
_USED = (
    select(func.coalesce(func.sum(ALLOCATIONS.c.used), 0))
    .where(
        ALLOCATIONS.c.provider_id == INVENTORIES.c.provider_id,
        ALLOCATIONS.c.resource_class == INVENTORIES.c.resource_class,
    )
    .correlate(INVENTORIES)
    .scalar_subquery()
)
_stock = Prepared(
    select(PROVIDERS.c.uuid, INVENTORIES, _USED.label("used"))
    .join(INVENTORIES, INVENTORIES.c.provider_id == PROVIDERS.c.id)
    .where(PROVIDERS.c.uuid == bindparam("provider"))
)
_drop = Prepared(delete(ALLOCATIONS).where(ALLOCATIONS.c.consumer_uuid == bindparam("row")))
_forget = Prepared(delete(CONSUMERS).where(CONSUMERS.c.uuid == bindparam("row")))
_renew = Prepared(
    update(CONSUMERS)
    .where(CONSUMERS.c.uuid == bindparam("consumer"), CONSUMERS.c.generation == bindparam("seen"))
    .values(
        generation=CONSUMERS.c.generation + 1,
        project_id=bindparam("project"),
        user_id=bindparam("user"),
        consumer_type=bindparam("type"),
        updated_at=bindparam("now"),
    )
)
_new_consumer = Prepared(CONSUMERS.insert())
_new_allocations = Prepared(ALLOCATIONS.insert())
_of_consumer = Prepared(
    select(
        PROVIDERS.c.uuid.label("provider_uuid"),
        PROVIDERS.c.generation.label("provider_generation"),
        ALLOCATIONS.c.resource_class,
        ALLOCATIONS.c.used,
        ALLOCATIONS.c.created_at,
        CONSUMERS.c.project_id,
        CONSUMERS.c.user_id,
        CONSUMERS.c.generation,
        CONSUMERS.c.consumer_type,
    )
    .join(PROVIDERS, PROVIDERS.c.id == ALLOCATIONS.c.provider_id)
    .join(CONSUMERS, CONSUMERS.c.uuid == ALLOCATIONS.c.consumer_uuid)
    .where(ALLOCATIONS.c.consumer_uuid == bindparam("row"))
    .order_by(ALLOCATIONS.c.id)
)
_of_provider = Prepared(
    select(
        ALLOCATIONS.c.consumer_uuid,
        ALLOCATIONS.c.resource_class,
        ALLOCATIONS.c.used,
        ALLOCATIONS.c.created_at,
        CONSUMERS.c.generation,
    )
    .join(CONSUMERS, CONSUMERS.c.uuid == ALLOCATIONS.c.consumer_uuid)
    .where(ALLOCATIONS.c.provider_id == bindparam("provider_id"))
    .order_by(ALLOCATIONS.c.id)
)


@dataclass(slots=True)
class Claim:
    """All that one consumer is to have: provider uuid -> class -> amount; empty: nothing any more.
    `generation` is the consumer's that the caller saw, None for "there is none yet"; without `checked`
    (before microversion 1.28) it does not matter."""

    consumer: str
    allocations: Mapping[str, Mapping[str, int]]
    project_id: str
    user_id: str
    generation: int | None = None
    checked: bool = True
    consumer_type: str | None = None


def of_consumer(tx: Transaction, consumer: str) -> list[Row]:
    return _of_consumer.all(tx, row=consumer)


def of_provider(tx: Transaction, provider_id: int) -> list[Row]:
    return _of_provider.all(tx, provider_id=provider_id)


def release(tx: Transaction, consumer: str) -> None:
    """Raises NotFound when the consumer has nothing."""
    if _drop.run(tx, row=consumer) == 0:
        raise NotFound(f"No allocations for consumer '{consumer}'")
    _forget.run(tx, row=consumer)


def replace(tx: Transaction, claims: Collection[Claim]) -> None:
    """Give each consumer what its claim says, all or nothing. Raises Invalid (no such provider or class),
    ConsumerGenerationConflict, AllocationRefused with the inventory that does not do."""
    _lock(tx, claims)
    consumers = {claim.consumer: _checked_consumer(tx, claim) for claim in claims}
    held: dict[tuple[int, str], int] = {}
    for claim in claims:
        if consumers[claim.consumer] is not None:
            for row in _held.all(tx, row=claim.consumer):
                what = row["provider_id"], row["resource_class"]
                held[what] = held.get(what, 0) + row["used"]
    stock = _check(tx, claims, held)
    now = clock.now()
    rows = []
    for claim in claims:
        _settle_consumer(tx, claim, consumers[claim.consumer], now)
        for provider, resources in claim.allocations.items():
            for resource_class, used in resources.items():
                rows.append(
                    {
                        "consumer_uuid": claim.consumer,
                        "provider_id": stock[provider, resource_class]["provider_id"],
                        "resource_class": resource_class,
                        "used": used,
                        "created_at": now,
                    }
                )
    _new_allocations.run_many(tx, rows)


def _lock(tx: Transaction, claims: Collection[Claim]) -> None:
    # Always in the same order, so that two claims on several providers do not wait for each other.
    for uuid in sorted({uuid for claim in claims for uuid in claim.allocations}):
        if not providers.touch(tx, uuid):
            raise Invalid(f"Allocation for resource provider '{uuid}' that does not exist.")


def _checked_consumer(tx: Transaction, claim: Claim) -> Row | None:
    found = _consumer.one(tx, row=claim.consumer)
    if claim.checked:
        seen = found["generation"] if found else None
        if seen != claim.generation:
            raise errors.ConsumerGenerationConflict(
                expected="null" if seen is None else seen, got=claim.generation, code=errors.CONCURRENT_UPDATE
            )
    return found


def _check(
    tx: Transaction, claims: Collection[Claim], held: Mapping[tuple[int, str], int]
) -> dict[tuple[str, str], Row]:
    """The inventories that the claims take from, each found to do. `held` is what the same consumers have
    there now and give back."""
    wanted = [
        (provider, resource_class, amount)
        for claim in claims
        for provider, resources in claim.allocations.items()
        for resource_class, amount in resources.items()
    ]
    if not wanted:
        return {}
    stock = {
        (provider, row["resource_class"]): row
        for provider in sorted({provider for provider, _, _ in wanted})
        for row in _stock.all(tx, provider=provider)
    }
    needed: dict[tuple[str, str], int] = {}
    for provider, resource_class, amount in wanted:
        row = stock.get((provider, resource_class))
        if row is None:
            resource_classes.check(tx, [resource_class])
            raise errors.NoInventory(resource_class=resource_class, provider=provider)
        if not row["min_unit"] <= amount <= row["max_unit"] or amount % row["step_size"]:
            raise errors.ConstraintsViolated(resource_class=resource_class, provider=provider)
        needed[provider, resource_class] = needed.get((provider, resource_class), 0) + amount
    for (provider, resource_class), amount in needed.items():
        row = stock[provider, resource_class]
        after = row["used"] - held.get((row["provider_id"], resource_class), 0) + amount
        # An inventory that shrank below its use (a host lost memory) may still be given back to, or moved
        # within: what makes it no worse is let through.
        if after > capacity(row) and after > row["used"]:
            raise errors.CapacityExceeded(resource_class=resource_class, provider=provider)
    return stock


def _settle_consumer(tx: Transaction, claim: Claim, found: Row | None, now: Any) -> None:
    """The consumer's row as the claim leaves it, its old allocations gone."""
    if found is not None:
        _drop.run(tx, row=claim.consumer)
    if not claim.allocations:
        if found is not None:
            _forget.run(tx, row=claim.consumer)
        return
    if found is None:
        row = {
            "uuid": claim.consumer,
            "generation": 1,
            "project_id": claim.project_id,
            "user_id": claim.user_id,
            "consumer_type": claim.consumer_type,
            "created_at": now,
            "updated_at": now,
        }
        try:
            _new_consumer.run(tx, **row)
        except DuplicateRow:
            raise _overtaken() from None
        return
    renewed = _renew.run(
        tx,
        consumer=claim.consumer,
        seen=found["generation"],
        project=claim.project_id,
        user=claim.user_id,
        type=claim.consumer_type or found["consumer_type"],
        now=now,
    )
    if renewed == 0:
        raise _overtaken()


def _overtaken() -> Conflict:
    return Conflict(
        "Inventory and/or allocations changed while attempting to allocate: Another thread concurrently "
        "updated the data. Please retry your update",
        code=errors.CONCURRENT_UPDATE,
    )
