"""Manage and unmanage: what lies at a back end becomes ours, or is left there and forgotten.

The lists are direct calls to the back end's worker. A reference is {"source-name": "volume-<uuid>"} (of
a snapshot `_snapshot-<uuid>`) or {"source-id": "<uuid>"}: data lies under UUIDs here.
"""

import re
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import Invalid
from celaje.common.wsgi import Request, Response
from celaje.common.wsgi.paging import read_limit, read_offset, read_sort
from celaje.volume import errors
from celaje.volume.api import clusters, lookup, schemas
from celaje.volume.api import snapshots as snapshots_api
from celaje.volume.api.services import HOST
from celaje.volume.api.volume_view import VolumeView
from celaje.volume.db import attachments, backends, snapshots, transfers, volumes

Row = dict[str, Any]

_NEW_VOLUME: dict[str, schemas.Schema] = {
    "description": schemas.DESCRIPTION,
    "availability_zone": schemas.OPTIONAL_NAME,
    "bootable": schemas.BOOLEAN,
    "volume_type": schemas.OPTIONAL_NAME,
    "name": schemas.OPTIONAL_NAME,
    "host": HOST,
    "ref": {"type": ["object", "string"]},
    "metadata": schemas.OPTIONAL_METADATA,
}
MANAGE = schemas.wrapped("volume", schemas.record(_NEW_VOLUME, ("ref",)))
MANAGE_3_16 = schemas.wrapped(
    "volume", schemas.record({**_NEW_VOLUME, "cluster": schemas.OPTIONAL_NAME}, ("ref",))
)
MANAGE_SNAPSHOT = schemas.wrapped(
    "snapshot",
    schemas.record(
        {
            "description": schemas.DESCRIPTION,
            "metadata": schemas.OPTIONAL_METADATA,
            "name": schemas.OPTIONAL_NAME,
            "volume_id": schemas.UUID,
            "ref": {"type": ["object", "null", "string"]},
        },
        ("ref", "volume_id"),
    ),
)
_REFERENCE = re.compile(rf"(?:volume-|_?snapshot-)?({schemas.UUID_PATTERN[1:-1]})")
_UNMANAGED_FROM = ("available", "error", "error_extending", "error_deleting", "error_managing")


def data_id(reference: Any) -> str:
    """The id that a reference names."""
    if isinstance(reference, dict):
        name = reference.get("source-name") or reference.get("source-id")
        found = _REFERENCE.fullmatch(name) if isinstance(name, str) else None
        if found:
            return found.group(1).lower()
    raise errors.InvalidReference(
        reference=str(reference)[:255], reason="it must hold source-name or source-id, which end with a UUID"
    )


def _host(request: Request, host: str | None, cluster: str | None, *, since: int = 17) -> str:
    """The back end that was asked for, up and enabled. `since` 3.that it may be a cluster's."""
    if not request.at_least(3, since):
        cluster = None
        if not host:
            raise errors.InvalidInput(reason="Host field is missing.")
    if bool(host) == bool(cluster):
        raise errors.InvalidInput(reason="One and only one of cluster and host must be set.")
    host = str(host or cluster)
    driver = request.service.database.read(lambda tx: clusters.driver_of(request, tx, backends.host_of(host)))
    if driver is None:
        raise Invalid(f"Host '{host}' not found")
    if driver["disabled"] or not driver["is_up"]:
        raise Invalid(f"Service is unavailable at this time: cinder-volume on {host} is down or disabled.")
    return host


def _pool(request: Request, host: str) -> str:
    """The pool of `name@backend`, where only that is named: a volume lies on a pool."""
    if "#" in host:
        return host
    pools = [row["name"] for row in request.service.scheduler.list_pools()]
    mine = [name for name in pools if backends.host_of(name) == host]
    if len(mine) != 1:
        raise errors.InvalidInput(reason=f"{host} has pools {', '.join(mine) or 'none'}: name one of them.")
    return mine[0]


def manage(request: Request) -> Row:
    asked = request.body["volume"]
    source = data_id(asked["ref"])
    pool = _pool(request, _host(request, asked.get("host"), asked.get("cluster"), since=16))
    name = asked.get("name")

    def unit(tx: Transaction) -> tuple[Row, Row]:
        if asked.get("volume_type"):
            volume_type = lookup.volume_type_by_name_or_id(request, tx, asked["volume_type"])
        else:
            volume_type = lookup.default_type(request, tx)
        # It counts as a volume from now on; its size is known when it is found.
        request.service.quotas.check_volume(tx, request.context.project_id, volume_type, 0)
        row: Row = {
            "id": clock.new_uuid(),
            "project_id": request.context.project_id,
            "user_id": request.context.user_id,
            "name": name.strip() if name else name,
            "description": asked.get("description"),
            "size": 0,
            "status": "managing",
            "attach_status": "detached",
            "bootable": schemas.truth(asked.get("bootable", False)),
            "multiattach": False,
            "availability_zone": asked.get("availability_zone")
            or request.service.conf.storage_availability_zone,
            "volume_type_id": volume_type["id"],
            "snapshot_id": None,
            "source_volid": None,
            "host": pool,
            "consumes_quota": True,
            "metadata": asked.get("metadata") or {},
            "encryption_key_id": None,
            "created_at": clock.now(),
        }
        row["flow_id"] = request.service.flows.submit(
            tx,
            "volume.manage",
            resource=("volume", row["id"]),
            arguments={"volume_id": row["id"], "host": pool, "data_id": source},
        )
        volumes.insert(tx, row)
        return row, volume_type

    row, volume_type = request.service.database.write(unit)
    return {"volume": VolumeView(request).brief(row, volume_type["name"], [])}


def unmanage(request: Request, volume_id: str) -> Response:
    """The volume is forgotten; its data stays at the back end."""

    def unit(tx: Transaction) -> None:
        row = lookup.volume(request, tx, volume_id)
        if row["encryption_key_id"] is not None:
            raise errors.InvalidVolume(reason="Unmanaging encrypted volumes is not supported.")
        free = row["status"] in _UNMANAGED_FROM and row["flow_id"] is None and row["group_id"] is None
        if not free or attachments.of_volume(tx, volume_id) or snapshots.of_volume(tx, volume_id):
            raise errors.InvalidVolume(
                reason=f"Volume status must be {' or '.join(_UNMANAGED_FROM)} and must not be migrating, "
                "attached, belong to a group, have snapshots, awaiting a transfer, or be disassociated from "
                "snapshots after volume transfer."
            )
        transfers.forget(tx, volume_id)
        volumes.remove(tx, volume_id)

    request.service.database.write(unit)
    return Response(status=202)


def index(request: Request) -> Row:
    return {"manageable-volumes": [_summary(row) for row in _volumes(request)]}


def detail(request: Request) -> Row:
    return {"manageable-volumes": _volumes(request)}


def _volumes(request: Request) -> list[Row]:
    host = backends.host_of(_host(request, request.query.get("host"), request.query.get("cluster")))
    known = request.service.database.read(volumes.known_at, host)
    listed = request.service.workers_of(host).list_volumes()
    return _page(request, [_manageable(row, "volume-", known) for row in listed])


def _manageable(row: Row, prefix: str, known: dict[str, str]) -> Row:
    holder = known.get(row["id"])
    return {
        "reference": {"source-name": f"{prefix}{row['id']}"},
        "size": row["size"],
        "safe_to_manage": holder is None,
        "reason_not_safe": "already managed" if holder else None,
        "cinder_id": holder,
        "extra_info": None,
    }


def _summary(row: Row) -> Row:
    kept = ("reference", "size", "safe_to_manage", "source_reference")
    return {key: row[key] for key in kept if key in row}


def _by_size(row: Row) -> Any:
    return row["size"]


def _by_name(row: Row) -> Any:
    return row["reference"]["source-name"]


def _page(request: Request, rows: list[Row]) -> list[Row]:
    """A back end's list is no table, so it is sorted and cut here."""
    limit, _ = read_limit(request, request.service.conf.api.max_limit)
    sort = read_sort(request, {"reference", "size"}, [("reference", "desc")])
    for key, direction in reversed(sort):
        rows.sort(key=_by_size if key == "size" else _by_name, reverse=direction == "desc")
    start = read_offset(request)
    marker = request.query.get("marker")
    if marker:
        names = [row["reference"]["source-name"] for row in rows]
        matching = [place for place, name in enumerate(names) if name in marker]
        if not matching:
            raise Invalid(f"marker not found: {marker[:64]}")
        start += matching[0] + 1
    return rows[start : start + limit]


# Snapshots.


def manage_snapshot(request: Request) -> Row:
    asked = request.body["snapshot"]

    def unit(tx: Transaction) -> Row:
        volume = lookup.volume(request, tx, asked["volume_id"])
        source = data_id(asked["ref"])
        if volume["host"] is None or volume["status"] not in ("available", "in-use"):
            raise errors.InvalidVolume(
                reason=f"Volume {volume['id']} must be available or in-use to have a snapshot managed, it is "
                f"{volume['status']}."
            )
        row = {**snapshots_api.new_row(request, tx, volume, asked), "status": "managing"}
        row["flow_id"] = request.service.flows.submit(
            tx,
            "snapshot.manage",
            resource=("snapshot", row["id"]),
            arguments={
                "snapshot_id": row["id"],
                "volume": volumes.for_driver(volume),
                "data_id": source,
            },
            project_id=volume["project_id"],
        )
        snapshots.insert(tx, row)
        return row

    return {"snapshot": snapshots_api.view(request, request.service.database.write(unit))}


def unmanage_snapshot(request: Request, snapshot_id: str) -> Response:
    def unit(tx: Transaction) -> None:
        row = lookup.snapshot(request, tx, snapshot_id)
        if row["flow_id"] is not None or row["status"] not in ("available", "error", "error_deleting"):
            raise errors.InvalidSnapshot(
                reason=f"Snapshot {snapshot_id} status must be available or error to unmanage, it is "
                f"{row['status']}."
            )
        if row["group_snapshot_id"] is not None:
            raise errors.InvalidSnapshot(reason=f"Snapshot {snapshot_id} belongs to a group snapshot.")
        snapshots.remove(tx, snapshot_id)

    request.service.database.write(unit)
    return Response(status=202)


def index_snapshots(request: Request) -> Row:
    return {"manageable-snapshots": [_summary(row) for row in _snapshots(request)]}


def detail_snapshots(request: Request) -> Row:
    return {"manageable-snapshots": _snapshots(request)}


def _snapshots(request: Request) -> list[Row]:
    host = backends.host_of(_host(request, request.query.get("host"), request.query.get("cluster")))

    def query(tx: Transaction) -> tuple[dict[str, str], dict[str, str]]:
        return snapshots.known_at(tx, host), snapshots.sources_at(tx, host)

    known, sources = request.service.database.read(query)
    listed = request.service.workers_of(host).list_snapshots()
    found = [_manageable(row, "_snapshot-", known) for row in listed]
    for each, row in zip(found, listed, strict=True):
        # Whose snapshot it is, is known of our own only: no back end here tells.
        source = sources.get(row["id"])
        each["source_reference"] = {"source-name": f"volume-{source}"} if source else {}
    return _page(request, found)
