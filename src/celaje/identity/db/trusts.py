"""Queries of trusts. One that has expired or has no use left is not found any more."""

from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.identity.db.statements import many, one
from celaje.identity.db.tables import TRUSTS
from celaje.identity.errors import TrustNotFound, TrustUseLimitReached

Row = dict[str, Any]

_BY_ID = select(TRUSTS).where(TRUSTS.c.id == bindparam("id"))
_REDELEGATED = select(TRUSTS).where(TRUSTS.c.redelegated_trust_id == bindparam("id"))


def find(tx: Transaction, trust_id: str) -> Row | None:
    row = one(tx, _BY_ID, id=trust_id)
    if row is None or (row["remaining_uses"] is not None and row["remaining_uses"] <= 0):
        return None
    if row["expires_at"] is not None and row["expires_at"] <= clock.now():
        return None
    return row


def get(tx: Transaction, trust_id: str) -> Row:
    row = find(tx, trust_id)
    if row is None:
        raise TrustNotFound(id=trust_id)
    return row


def even_if_used_up(tx: Transaction, trust_id: str) -> Row | None:
    """For showing a token that took the last use."""
    return one(tx, _BY_ID, id=trust_id)


def pedigree(tx: Transaction, row: Row) -> list[Row]:
    """The trust and those that it was made from, up to the first. Raises TrustNotFound for a broken chain."""
    chain = [row]
    while parent_id := chain[-1]["redelegated_trust_id"]:
        chain.append(get(tx, parent_id))
    return chain


def create(tx: Transaction, row: Row) -> None:
    tx.execute(insert(TRUSTS).values(**row))


def remove(tx: Transaction, trust_id: str) -> list[str]:
    """With all that was made from it; the ids of them all."""
    gone = [trust_id]
    for row in many(tx, _REDELEGATED, id=trust_id):
        gone += remove(tx, row["id"])
    tx.execute(delete(TRUSTS).where(TRUSTS.c.id == trust_id))
    return gone


def consume(tx: Transaction, trust_id: str) -> None:
    """Take one use. Raises TrustUseLimitReached when somebody else took the last one."""
    taken = tx.execute(
        update(TRUSTS)
        .where(TRUSTS.c.id == trust_id, TRUSTS.c.remaining_uses > 0)
        .values(remaining_uses=TRUSTS.c.remaining_uses - 1)
    )
    if not taken.rowcount:
        raise TrustUseLimitReached(id=trust_id)
