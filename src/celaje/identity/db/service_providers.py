"""Queries of service providers: clouds that accept this one's users."""

from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from celaje.common.db import DuplicateRow, Transaction
from celaje.identity.db.statements import many, one
from celaje.identity.db.tables import SERVICE_PROVIDERS
from celaje.identity.errors import ServiceProviderNotFound, Taken

Row = dict[str, Any]

_T = SERVICE_PROVIDERS
_BY_ID = select(_T).where(_T.c.id == bindparam("id"))
_ENABLED = select(_T.c.id, _T.c.auth_url, _T.c.sp_url).where(_T.c.enabled.is_(True)).order_by(_T.c.id)


def load_enabled(tx: Transaction) -> list[Row]:
    """As tokens show them."""
    return many(tx, _ENABLED)


def get(tx: Transaction, provider_id: str) -> Row:
    row = one(tx, _BY_ID, id=provider_id)
    if row is None:
        raise ServiceProviderNotFound(id=provider_id)
    return row


def create(tx: Transaction, row: Row) -> None:
    try:
        tx.execute(insert(_T).values(**row))
    except DuplicateRow as error:
        raise Taken(kind="service_provider", what=f"Duplicate ID, {row['id']}.") from error


def change(tx: Transaction, provider_id: str, values: Row) -> None:
    tx.execute(update(_T).where(_T.c.id == provider_id).values(**values))


def remove(tx: Transaction, provider_id: str) -> None:
    tx.execute(delete(_T).where(_T.c.id == provider_id))
