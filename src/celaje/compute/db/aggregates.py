"""Host aggregates, their hosts and metadata; availability zones are one key of that. Called by the handlers
of aggregates, zones, services and hypervisors."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, delete, select, update

from celaje.common import clock
from celaje.common.db import DuplicateRow, Transaction, fetch_all
from celaje.common.errors import Conflict, NotFound
from celaje.compute.db.tables import AGGREGATE_HOSTS, AGGREGATE_METADATA, AGGREGATES, SERVERS

Row = dict[str, Any]

ZONE = "availability_zone"

_ONE = select(AGGREGATES).where(AGGREGATES.c.id == bindparam("id"))
_ZONES = (
    select(AGGREGATE_HOSTS.c.host, AGGREGATE_METADATA.c.value)
    .join(AGGREGATE_METADATA, AGGREGATE_METADATA.c.aggregate_id == AGGREGATE_HOSTS.c.aggregate_id)
    .where(AGGREGATE_METADATA.c.key == ZONE)
)
_SOME_SERVER = select(SERVERS.c.id).where(SERVERS.c.host == bindparam("host"), SERVERS.c.deleted.is_(False))


class AggregateNotFound(NotFound):
    text = "Aggregate {aggregate} could not be found."


def _complete(tx: Transaction, rows: list[Row]) -> list[Row]:
    """With "hosts" and "metadata"."""
    found = {row["id"]: {**row, "hosts": [], "metadata": {}} for row in rows}
    ids = list(found)
    hosts = select(AGGREGATE_HOSTS).where(AGGREGATE_HOSTS.c.aggregate_id.in_(ids))
    for row in fetch_all(tx, hosts.order_by(AGGREGATE_HOSTS.c.host)):
        found[row["aggregate_id"]]["hosts"].append(row["host"])
    metadata = select(AGGREGATE_METADATA).where(AGGREGATE_METADATA.c.aggregate_id.in_(ids))
    for row in fetch_all(tx, metadata.order_by(AGGREGATE_METADATA.c.key)):
        found[row["aggregate_id"]]["metadata"][row["key"]] = row["value"]
    return list(found.values())


def list_all(tx: Transaction) -> list[Row]:
    rows = fetch_all(tx, select(AGGREGATES).order_by(AGGREGATES.c.id))
    return _complete(tx, rows) if rows else []


def get(tx: Transaction, aggregate_id: int) -> Row:
    """Raises AggregateNotFound."""
    row = tx.execute(_ONE, {"id": aggregate_id}).mappings().first()
    if row is None:
        raise AggregateNotFound(aggregate=aggregate_id)
    return _complete(tx, [dict(row)])[0]


def create(tx: Transaction, name: str, zone: str | None) -> Row:
    """Raises Conflict."""
    values = {"uuid": clock.new_uuid(), "name": name, "created_at": clock.now()}
    try:
        key = tx.execute(AGGREGATES.insert(), values).inserted_primary_key
    except DuplicateRow:
        raise Conflict(f"Aggregate {name} already exists.") from None
    assert key is not None
    if zone:
        set_metadata(tx, key[0], {ZONE: zone})
    return get(tx, key[0])


def rename(tx: Transaction, aggregate_id: int, name: str) -> None:
    statement = update(AGGREGATES).where(AGGREGATES.c.id == aggregate_id)
    try:
        tx.execute(statement.values(name=name, updated_at=clock.now()))
    except DuplicateRow:
        raise Conflict(f"Aggregate {name} already exists.") from None


def touch(tx: Transaction, aggregate_id: int) -> None:
    """Note the change, and hold the row: of two changes of one aggregate the second sees the first."""
    tx.execute(update(AGGREGATES).where(AGGREGATES.c.id == aggregate_id).values(updated_at=clock.now()))


def remove(tx: Transaction, aggregate_id: int) -> None:
    tx.execute(delete(AGGREGATE_METADATA).where(AGGREGATE_METADATA.c.aggregate_id == aggregate_id))
    tx.execute(delete(AGGREGATES).where(AGGREGATES.c.id == aggregate_id))


def set_metadata(tx: Transaction, aggregate_id: int, changes: Mapping[str, str | None]) -> None:
    """Add, replace, and remove where the value is None."""
    table = AGGREGATE_METADATA
    tx.execute(delete(table).where(table.c.aggregate_id == aggregate_id, table.c.key.in_(list(changes))))
    rows = [
        {"aggregate_id": aggregate_id, "key": key, "value": value}
        for key, value in changes.items()
        if value is not None
    ]
    if rows:
        tx.execute(table.insert(), rows)


def add_host(tx: Transaction, aggregate_id: int, host: str) -> None:
    """Raises Conflict."""
    try:
        tx.execute(AGGREGATE_HOSTS.insert(), {"aggregate_id": aggregate_id, "host": host})
    except DuplicateRow:
        raise Conflict(f"Aggregate {aggregate_id} already has host {host}.") from None


def remove_host(tx: Transaction, aggregate_id: int, host: str) -> bool:
    table = AGGREGATE_HOSTS
    statement = delete(table).where(table.c.aggregate_id == aggregate_id, table.c.host == host)
    return tx.execute(statement).rowcount == 1


def forget_host(tx: Transaction, host: str) -> None:
    """The host is gone from the cloud, and so from every aggregate."""
    tx.execute(delete(AGGREGATE_HOSTS).where(AGGREGATE_HOSTS.c.host == host))


def zones(tx: Transaction) -> dict[str, str]:
    """Host -> availability zone, of the hosts that are in one by an aggregate."""
    return {row.host: row.value for row in tx.execute(_ZONES)}


def has_servers(tx: Transaction, host: str) -> bool:
    return tx.execute(_SOME_SERVER, {"host": host}).first() is not None
