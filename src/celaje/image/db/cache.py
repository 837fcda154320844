"""Queries on what a host's image cache has. Called by `cache.py`."""

from typing import Any

from sqlalchemy import and_, delete, select, update

from celaje.common import clock
from celaje.common.db import DuplicateRow, Transaction, fetch_all, fetch_one
from celaje.image.db.tables import CACHE, IMAGES

Row = dict[str, Any]

_C = CACHE.c


def entries(tx: Transaction, host: str) -> list[Row]:
    """The least recently read first."""
    return fetch_all(tx, select(CACHE).where(_C.host == host).order_by(_C.last_accessed, _C.image_id))


def get(tx: Transaction, host: str, image_id: str) -> Row | None:
    return fetch_one(tx, select(CACHE).where(_one(host, image_id)))


def queue(tx: Transaction, host: str, image_id: str) -> bool:
    """False: it is cached or queued already."""
    now = clock.now()
    row = {"host": host, "image_id": image_id, "cached": False, "size": 0, "hits": 0}
    try:
        with tx.attempt():
            tx.execute(CACHE.insert().values(**row, last_accessed=now, last_modified=now))
    except DuplicateRow:
        return False
    return True


def arrived(tx: Transaction, host: str, image_id: str, size: int) -> bool:
    """False: nobody waits for it any more."""
    now = clock.now()
    values = {"cached": True, "size": size, "last_accessed": now, "last_modified": now}
    return tx.execute(update(CACHE).where(_one(host, image_id)).values(**values)).rowcount == 1


def hit(tx: Transaction, host: str, image_id: str) -> None:
    values = {"hits": _C.hits + 1, "last_accessed": clock.now()}
    tx.execute(update(CACHE).where(_one(host, image_id)).values(values))


def remove(tx: Transaction, host: str, image_id: str) -> None:
    tx.execute(delete(CACHE).where(_one(host, image_id)))


def clear(tx: Transaction, host: str, cached: bool) -> list[str]:
    """The ids of what was cached, or was queued."""
    which = (_C.host == host, _C.cached.is_(cached))
    found = [row["image_id"] for row in fetch_all(tx, select(CACHE).where(*which))]
    tx.execute(delete(CACHE).where(*which))
    return found


def of_lost_images(tx: Transaction, host: str) -> list[str]:
    known = select(IMAGES.c.id)
    lost = select(CACHE).where(_C.host == host, _C.image_id.not_in(known))
    return [row["image_id"] for row in fetch_all(tx, lost)]


def _one(host: str, image_id: str) -> Any:
    return and_(_C.host == host, _C.image_id == image_id)
