"""Clusters (since 3.7): workers that share back ends; see `db/clusters.py`."""

import datetime
from collections.abc import Callable
from typing import Any

from celaje.common.db import Transaction
from celaje.common.wsgi import Request
from celaje.volume import errors
from celaje.volume.api import schemas
from celaje.volume.api.volume_view import moment
from celaje.volume.db import clusters

Row = dict[str, Any]

BINARY = "cinder-volume"
# Why a back end is disabled while it is frozen, in Cinder's word.
FROZEN = "frozen"
_NAME: dict[str, schemas.Schema] = {"name": schemas.NAME, "binary": schemas.OPTIONAL_NAME}
SWITCH = schemas.record(_NAME, ("name",))
SWITCH_WITH_REASON = schemas.record({**_NAME, "disabled_reason": schemas.OPTIONAL_NAME}, ("name",))
_FILTERS = ("name", "binary", "is_up", "disabled", "num_hosts", "num_down_hosts")
_REPLICATION = ("replication_status", "frozen", "active_backend_id")


def find(tx: Transaction, name: str, binary: str | None = BINARY) -> Row:
    row = clusters.get(tx, name) if binary in (BINARY, None) else None
    if row is None:
        raise errors.ClusterNotFound(binary=binary, name=name)
    return row


def with_members(request: Request, tx: Transaction, rows: list[Row]) -> list[Row]:
    """Each with what its workers make of it: is_up, num_hosts, num_down_hosts, last_heartbeat."""
    records = request.service.records
    services = records.list(tx, binary=BINARY)
    found = []
    for row in rows:
        members = clusters.members(services, row["name"])
        down = sum(1 for member in members if not records.is_up(member))
        seen: list[datetime.datetime] = [member["last_seen_at"] for member in members]
        found.append(
            {
                **row,
                "binary": BINARY,
                "is_up": down < len(members),
                "num_hosts": len(members),
                "num_down_hosts": down,
                "last_heartbeat": max(seen) if seen else None,
                "replication_status": "disabled",
                "active_backend_id": None,
                "frozen": is_frozen(row),
            }
        )
    return found


def is_frozen(row: Row) -> bool:
    """Of a cluster or a service."""
    return bool(row["disabled"]) and row["disabled_reason"] == FROZEN


def _summary(request: Request, row: Row) -> Row:
    shown = {
        "name": row["name"],
        "binary": row["binary"],
        "state": "up" if row["is_up"] else "down",
        "status": "disabled" if row["disabled"] else "enabled",
    }
    if request.at_least(3, 26):
        shown["replication_status"] = row["replication_status"]
    return shown


def _detailed(request: Request, row: Row) -> Row:
    shown = {
        **_summary(request, row),
        "num_hosts": row["num_hosts"],
        "num_down_hosts": row["num_down_hosts"],
        "last_heartbeat": moment(row["last_heartbeat"]) or "",
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row["updated_at"]) or "",
        "disabled_reason": row["disabled_reason"],
    }
    if request.at_least(3, 26):
        shown |= {key: row[key] for key in _REPLICATION}
    return shown


def index(request: Request) -> Row:
    return _listed(request, _summary)


def detail(request: Request) -> Row:
    return _listed(request, _detailed)


def _listed(request: Request, view: Callable[[Request, Row], Row]) -> Row:
    allowed = (*_FILTERS, *(_REPLICATION if request.at_least(3, 26) else ()))
    unknown = [key for key in request.query if key not in allowed]
    if unknown:
        raise errors.InvalidInput(reason=f"Invalid filter keys: {', '.join(unknown)[:255]}")
    wanted: Row = dict(request.query)
    for key in ("disabled", "is_up", "frozen"):
        if key in wanted:
            wanted[key] = schemas.flag(wanted[key], key)
    for key in ("num_hosts", "num_down_hosts"):
        if key in wanted:
            wanted[key] = int(wanted[key]) if wanted[key].isdecimal() else wanted[key]
    rows = request.service.database.read(lambda tx: with_members(request, tx, clusters.everyone(tx)))
    fitting = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    return {"clusters": [view(request, row) for row in fitting]}


def show(request: Request, cluster_name: str) -> Row:
    def query(tx: Transaction) -> Row:
        row = find(tx, cluster_name, request.query.get("binary", BINARY))
        return with_members(request, tx, [row])[0]

    return {"cluster": _detailed(request, request.service.database.read(query))}


def enable(request: Request) -> Row:
    return _switch(request, disabled=False, reason=None)


def disable(request: Request) -> Row:
    reason = request.body.get("disabled_reason")
    return _switch(request, disabled=True, reason=reason.strip() if reason else reason)


def _switch(request: Request, *, disabled: bool, reason: str | None) -> Row:
    """Nothing new is placed on a disabled one; what is there stays usable."""

    def unit(tx: Transaction) -> Row:
        row = find(tx, request.body["name"], request.body.get("binary", BINARY))
        clusters.change(tx, row["name"], disabled=disabled, disabled_reason=reason)
        return with_members(request, tx, [{**row, "disabled": disabled, "disabled_reason": reason}])[0]

    row = request.service.database.write(unit)
    return {"cluster": {**_summary(request, row), "disabled_reason": reason}}


def driver_of(request: Request, tx: Transaction, name: str) -> Row | None:
    """Who drives the back end `name`, a service's host or a cluster: {"disabled", "is_up"}."""
    records = request.service.records
    service = records.find(tx, BINARY, name)
    if service is not None:
        return {"disabled": service["disabled"], "is_up": records.is_up(service)}
    cluster = clusters.get(tx, name)
    return with_members(request, tx, [cluster])[0] if cluster is not None else None
