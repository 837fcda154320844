"""Queries on QoS specs and the types that name them. Called by the API and by connect flows."""

from sqlalchemy import bindparam, select, update

from celaje.common.db import Prepared, Transaction, fetch_all
from celaje.volume.db.rows import Row, Rows
from celaje.volume.db.tables import QOS_SPECS, TYPES

_rows = Rows(QOS_SPECS)
get, insert, change, remove = _rows.get, _rows.insert, _rows.change, _rows.remove

_by_name = Prepared(select(QOS_SPECS.c.id).where(QOS_SPECS.c.name == bindparam("wanted")))
_of_type = Prepared(
    select(QOS_SPECS)
    .join(TYPES, TYPES.c.qos_specs_id == QOS_SPECS.c.id)
    .where(TYPES.c.id == bindparam("kind"))
)


def exists(tx: Transaction, name: str) -> bool:
    return _by_name.value(tx, wanted=name) is not None


def of_type(tx: Transaction, type_id: str) -> Row | None:
    """The QoS specs of a volume type, if it names any."""
    return _of_type.one(tx, kind=type_id)


def types_of(tx: Transaction, qos_id: str) -> list[Row]:
    statement = select(TYPES.c.id, TYPES.c.name).where(TYPES.c.qos_specs_id == qos_id).order_by(TYPES.c.name)
    return fetch_all(tx, statement)


def disassociate(tx: Transaction, qos_id: str, type_id: str | None = None) -> int:
    """From one type, or from all; how many there were."""
    statement = update(TYPES).where(TYPES.c.qos_specs_id == qos_id).values(qos_specs_id=None)
    if type_id is not None:
        statement = statement.where(TYPES.c.id == type_id)
    return tx.execute(statement).rowcount
