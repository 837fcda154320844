"""Queries on data that is on its way into a store. Called by `uploads.py`, the flows and reconciliation."""

import datetime
from collections.abc import Collection
from typing import Any

from sqlalchemy import select, update

from celaje.common.db import Transaction, fetch_all, fetch_one
from celaje.image.db.tables import UPLOADS

Row = dict[str, Any]


def insert(tx: Transaction, **values: Any) -> None:
    tx.execute(UPLOADS.insert().values(**values))


def get(tx: Transaction, upload_id: str) -> Row | None:
    return fetch_one(tx, select(UPLOADS).where(UPLOADS.c.id == upload_id))


def of_image(tx: Transaction, image_id: str) -> list[Row]:
    return fetch_all(tx, select(UPLOADS).where(UPLOADS.c.image_id == image_id))


def complete(tx: Transaction, upload_id: str, *, url: str, size: int) -> None:
    """The data is all there and waits: nobody's lease is on it any more."""
    values = {"url": url, "size": size, "lease_until": None}
    tx.execute(update(UPLOADS).where(UPLOADS.c.id == upload_id).values(**values))


def progress(tx: Transaction, upload_id: str, size: int) -> bool:
    """Note how much has come; False: nobody waits for it any more."""
    return tx.execute(update(UPLOADS).where(UPLOADS.c.id == upload_id).values(size=size)).rowcount == 1


def of_flows(tx: Transaction, flow_ids: Collection[str]) -> list[Row]:
    return fetch_all(tx, select(UPLOADS).where(UPLOADS.c.flow_id.in_(flow_ids)))


def renew(tx: Transaction, ids: Collection[str], until: datetime.datetime) -> None:
    alive = update(UPLOADS).where(UPLOADS.c.id.in_(ids), UPLOADS.c.lease_until.is_not(None))
    tx.execute(alive.values(lease_until=until))


def lost(tx: Transaction, now: datetime.datetime) -> list[Row]:
    """Those whose receiver is silent."""
    return fetch_all(tx, select(UPLOADS).where(UPLOADS.c.lease_until < now))


def of_others(tx: Transaction, owner: str) -> list[Row]:
    """Leased ones of other processes: when no other process can live, they are lost."""
    leased = select(UPLOADS).where(UPLOADS.c.lease_until.is_not(None))
    return fetch_all(tx, leased.where(UPLOADS.c.owner != owner))


def delete(tx: Transaction, *ids: str) -> None:
    tx.execute(UPLOADS.delete().where(UPLOADS.c.id.in_(ids)))


def delete_of_flow(tx: Transaction, flow_id: str) -> None:
    tx.execute(UPLOADS.delete().where(UPLOADS.c.flow_id == flow_id))


def hand_over(tx: Transaction, upload_id: str, flow_id: str) -> None:
    """Another flow answers for the data from now on."""
    tx.execute(update(UPLOADS).where(UPLOADS.c.id == upload_id).values(flow_id=flow_id))


def known_ids(tx: Transaction) -> set[str]:
    return {upload_id for (upload_id,) in tx.execute(select(UPLOADS.c.id))}
