"""Host aggregates, and through them availability zones."""

from collections.abc import Callable
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import Conflict, Invalid, NotFound
from celaje.common.wsgi import Request
from celaje.compute.api.inputs import check_query, closed
from celaje.compute.api.parameters import FQDN, NAME, wrapped
from celaje.compute.db import aggregates

# A colon would part zone, host and node in a server's availability_zone.
_ZONE = {"anyOf": [{**NAME, "not": {"pattern": ":"}}, {"type": "null"}]}
CREATE = wrapped("aggregate", closed({"name": NAME, "availability_zone": _ZONE}, ["name"]))
UPDATE = wrapped("aggregate", closed({"name": NAME, "availability_zone": _ZONE}, minProperties=1))
ADD_HOST = wrapped("add_host", closed({"host": FQDN}, ["host"]))
REMOVE_HOST = wrapped("remove_host", closed({"host": FQDN}, ["host"]))
SET_METADATA = wrapped(
    "set_metadata",
    closed(
        {
            "metadata": {
                "type": "object",
                "patternProperties": {
                    "^[a-zA-Z0-9-_:. ]{1,255}$": {"type": ["string", "null"], "maxLength": 255}
                },
                "additionalProperties": False,
            }
        },
        ["metadata"],
    ),
)

Row = dict[str, Any]


def view(request: Request, row: Row) -> Row:
    shown = {
        "id": row["id"],
        "name": row["name"],
        "hosts": row["hosts"],
        "metadata": row["metadata"],
        "availability_zone": row["metadata"].get(aggregates.ZONE),
        "created_at": clock.iso(row["created_at"], microseconds=True),
        "updated_at": clock.iso(row["updated_at"], microseconds=True),
        "deleted": False,
        "deleted_at": None,
    }
    if request.at_least(2, 41):
        shown["uuid"] = row["uuid"]
    return shown


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 10:
        raise Invalid(f"id must be an integer, not {text[:64]}")
    number = int(text)
    if number > 2147483647:
        raise aggregates.AggregateNotFound(aggregate=number)
    return number


def index(request: Request) -> Row:
    check_query(request, (), (2, 102))
    rows = request.service.database.read(aggregates.list_all)
    return {"aggregates": [view(request, row) for row in rows]}


def show(request: Request, aggregate_id: str) -> Row:
    check_query(request, (), (2, 102))
    row = request.service.database.read(aggregates.get, _number(aggregate_id))
    return {"aggregate": view(request, row)}


def create(request: Request) -> Row:
    given = request.body["aggregate"]
    row = request.service.database.write(aggregates.create, given["name"], given.get("availability_zone"))
    request.service.aggregates_changed()
    shown = view(request, row)
    # As ever: these two come only with what is read or changed later.
    del shown["hosts"], shown["metadata"]
    return {"aggregate": shown}


def _change(request: Request, aggregate_id: str, change: Callable[[Transaction, Row], None]) -> Row:
    """Run `change` on the aggregate's row, tell the schedulers, show what has become of it."""
    number = _number(aggregate_id)

    def unit(tx: Transaction) -> Row:
        aggregates.touch(tx, number)
        change(tx, aggregates.get(tx, number))
        return aggregates.get(tx, number)

    row = request.service.database.write(unit)
    request.service.aggregates_changed()
    return {"aggregate": view(request, row)}


def update(request: Request, aggregate_id: str) -> Row:
    given = request.body["aggregate"]

    def change(tx: Transaction, row: Row) -> None:
        if "name" in given and given["name"] != row["name"]:
            aggregates.rename(tx, row["id"], given["name"])
        if "availability_zone" in given:
            zone = given["availability_zone"]
            _check_zone(tx, row, zone, row["hosts"], "Cannot update aggregate", Conflict)
            aggregates.set_metadata(tx, row["id"], {aggregates.ZONE: zone})

    return _change(request, aggregate_id, change)


def set_metadata(request: Request, aggregate_id: str) -> Row:
    changes = request.body["set_metadata"]["metadata"]

    def change(tx: Transaction, row: Row) -> None:
        if aggregates.ZONE in changes:
            zone = changes[aggregates.ZONE]
            if zone == "":
                raise Invalid(
                    f"Cannot update metadata of aggregate {row['id']}. Reason: Aggregate {row['id']} does "
                    "not support empty named availability zone."
                )
            words = "Cannot update metadata of aggregate"
            _check_zone(tx, row, zone, row["hosts"], words, Invalid)
        aggregates.set_metadata(tx, row["id"], changes)

    return _change(request, aggregate_id, change)


def _check_zone(  # noqa: PLR0917
    tx: Transaction, row: Row, zone: str | None, hosts: list[str], words: str, error: type[Conflict | Invalid]
) -> None:
    """A host is in one zone at most, and does not change it under the feet of its servers."""
    found = aggregates.zones(tx)
    others = set()
    for aggregate in aggregates.list_all(tx):
        other = aggregate["metadata"].get(aggregates.ZONE)
        if aggregate["id"] != row["id"] and other and set(aggregate["hosts"]) & set(hosts):
            others.add(other)
    if zone and others - {zone}:
        raise error(
            f"{words} {row['id']}. Reason: One or more hosts already in availability zone(s) "
            f"{sorted(others)}."
        )
    moved = [host for host in hosts if found.get(host) != (zone or next(iter(others), None))]
    if any(aggregates.has_servers(tx, host) for host in moved):
        raise error(f"{words} {row['id']}. Reason: One or more hosts contain instances in this zone.")


def add_host(request: Request, aggregate_id: str) -> Row:
    host = request.body["add_host"]["host"]

    def change(tx: Transaction, row: Row) -> None:
        if request.service.records.find(tx, "nova-compute", host) is None:
            raise NotFound(f"Compute host {host} could not be found.")
        if host in row["hosts"]:
            raise Conflict(f"Aggregate {row['id']} already has host {host}.")
        zone = row["metadata"].get(aggregates.ZONE)
        if zone:
            _check_zone(tx, row, zone, [host], "Cannot add host to aggregate", Conflict)
        aggregates.add_host(tx, row["id"], host)

    return _change(request, aggregate_id, change)


def remove_host(request: Request, aggregate_id: str) -> Row:
    host = request.body["remove_host"]["host"]

    def change(tx: Transaction, row: Row) -> None:
        if host not in row["hosts"]:
            raise NotFound(f"Cannot remove host {host} in aggregate {row['id']}")
        if row["metadata"].get(aggregates.ZONE):
            _check_zone(tx, row, None, [host], "Cannot remove host from aggregate", Conflict)
        aggregates.remove_host(tx, row["id"], host)

    return _change(request, aggregate_id, change)


def delete(request: Request, aggregate_id: str) -> None:
    number = _number(aggregate_id)

    def unit(tx: Transaction) -> None:
        aggregates.touch(tx, number)
        if aggregates.get(tx, number)["hosts"]:
            raise Invalid(f"Cannot remove host from aggregate {number}. Reason: Host aggregate is not empty.")
        aggregates.remove(tx, number)

    request.service.database.write(unit)
    request.service.aggregates_changed()
