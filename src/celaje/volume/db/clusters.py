"""Clusters: workers that share the work of one back end. Called by API and conductor.

A worker that has a `cluster` reports under its own host and takes the steps of `cluster@backend`, under which
the back end's pools and volumes are known. Its service record names the cluster in `details`.
"""

from typing import Any

from sqlalchemy import bindparam, insert, select, update

from celaje.common import clock
from celaje.common.db import DuplicateRow, Prepared, Transaction
from celaje.volume.db.tables import CLUSTERS

Row = dict[str, Any]

_get = Prepared(select(CLUSTERS).where(CLUSTERS.c.name == bindparam("cluster")))
_all = Prepared(select(CLUSTERS).order_by(CLUSTERS.c.created_at, CLUSTERS.c.name))
_names = Prepared(select(CLUSTERS.c.name))
_insert = Prepared(insert(CLUSTERS))
_change = Prepared(update(CLUSTERS).where(CLUSTERS.c.name == bindparam("cluster")))


def get(tx: Transaction, name: str) -> Row | None:
    return _get.one(tx, cluster=name)


def everyone(tx: Transaction) -> list[Row]:
    return _all.all(tx)


def names(tx: Transaction) -> set[str]:
    return {row["name"] for row in _names.all(tx)}


def note(tx: Transaction, name: str) -> None:
    """A worker of the cluster has reported."""
    if get(tx, name) is not None:
        return
    try:
        with tx.attempt():
            _insert.run(tx, name=name, disabled=False, disabled_reason=None, created_at=clock.now())
    except DuplicateRow:  # two conductors heard of it at once
        return


def change(tx: Transaction, name: str, **values: Any) -> None:
    """`disabled`, `disabled_reason`."""
    _change.run(tx, cluster=name, updated_at=clock.now(), **values)


def of(service: Row) -> str | None:
    """The cluster that a service's record names."""
    return (service["details"] or {}).get("cluster")


def members(services: list[Row], name: str) -> list[Row]:
    return [row for row in services if of(row) == name]
