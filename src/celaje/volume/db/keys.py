"""Queries on the sealed keys of encrypted volumes. Called by the key manager (`keys/sealed.py`)."""

from celaje.volume.db.rows import Rows
from celaje.volume.db.tables import KEYS

_rows = Rows(KEYS)
get, insert, change, remove = _rows.get, _rows.insert, _rows.change, _rows.remove
