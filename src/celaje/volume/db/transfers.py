"""Queries on transfers: volumes that wait for another project to take them. Called by the API and flows."""

from sqlalchemy import bindparam, delete

from celaje.common.db import Prepared, Transaction
from celaje.volume.db.rows import Rows
from celaje.volume.db.tables import TRANSFERS

_rows = Rows(TRANSFERS)
get, get_of_project = _rows.get, _rows.get_of_project
insert, remove = _rows.insert, _rows.remove

_forget = Prepared(delete(TRANSFERS).where(TRANSFERS.c.volume_id == bindparam("volume")))


def forget(tx: Transaction, volume_id: str) -> None:
    """The volume no longer waits: it is gone, or an operator says so."""
    _forget.run(tx, volume=volume_id)
