"""Queries on which image a key was made for. Called by the conductor (`conductor/reclaim_image_keys.py`)."""

import datetime

from sqlalchemy import select, update

from celaje.common.db import Transaction, fetch_all
from celaje.volume.db.rows import Row, Rows
from celaje.volume.db.tables import IMAGE_KEYS

_rows = Rows(IMAGE_KEYS)
get, insert, change, remove = _rows.get, _rows.insert, _rows.change, _rows.remove

# Of one look; the images are asked for by their ids, in an address.
_AT_ONCE = 50


def due(tx: Transaction, now: datetime.datetime, again: datetime.datetime) -> list[Row]:
    """[{"id", "image_id"}] of keys whose images are to be looked for now; it is done next at `again`."""
    columns = (IMAGE_KEYS.c.id, IMAGE_KEYS.c.image_id)
    chosen = select(*columns).where(IMAGE_KEYS.c.expires_at <= now).order_by(IMAGE_KEYS.c.expires_at)
    found = fetch_all(tx, chosen.limit(_AT_ONCE))
    if found:
        keys = [row["id"] for row in found]
        tx.execute(update(IMAGE_KEYS).where(IMAGE_KEYS.c.id.in_(keys)).values(expires_at=again))
    return found
