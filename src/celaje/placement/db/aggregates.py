"""Which provider is in which aggregates. Placement knows aggregates only by their uuids."""

from collections.abc import Collection

from sqlalchemy import bindparam, delete, select

from celaje.common.db import Transaction
from celaje.placement.db.tables import PROVIDER_AGGREGATES

_OF_PROVIDER = (
    select(PROVIDER_AGGREGATES.c.aggregate_uuid)
    .where(PROVIDER_AGGREGATES.c.provider_id == bindparam("provider_id"))
    .order_by(PROVIDER_AGGREGATES.c.aggregate_uuid)
)


def of_provider(tx: Transaction, provider_id: int) -> list[str]:
    return [row[0] for row in tx.execute(_OF_PROVIDER, {"provider_id": provider_id})]


def replace(tx: Transaction, provider_id: int, aggregates: Collection[str]) -> None:
    tx.execute(delete(PROVIDER_AGGREGATES).where(PROVIDER_AGGREGATES.c.provider_id == provider_id))
    if aggregates:
        rows = [{"provider_id": provider_id, "aggregate_uuid": uuid} for uuid in sorted(set(aggregates))]
        tx.execute(PROVIDER_AGGREGATES.insert(), rows)
