"""Backups of volumes and of snapshots: create, list, show, update, delete, restore, reset."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.wsgi import Request, Response
from celaje.volume import errors
from celaje.volume.api import backup_hosts, links, listing, lookup, schemas, status_reset
from celaje.volume.api.volume_creation import new_volume
from celaje.volume.api.volume_view import moment
from celaje.volume.backups.archive import prefix_of
from celaje.volume.db import backups, encryptions, snapshots, volumes
from celaje.volume.db.tables import BACKUPS, SNAPSHOTS, VOLUMES
from celaje.volume.states import BACKUPS as STATES
from celaje.volume.states import SNAPSHOTS as SNAPSHOT_STATES
from celaje.volume.states import VOLUMES as VOLUME_STATES

Row = dict[str, Any]

DEFAULT_CONTAINER = "volumebackups"
_CONTAINER = {"type": ["string", "null"], "maxLength": 255}
_NEW: dict[str, schemas.Schema] = {
    "volume_id": schemas.UUID,
    "container": _CONTAINER,
    "description": schemas.DESCRIPTION,
    "incremental": schemas.BOOLEAN,
    "force": schemas.BOOLEAN,
    "name": schemas.OPTIONAL_NAME,
    "snapshot_id": schemas.OPTIONAL_UUID,
}
_METADATA = {"metadata": schemas.OPTIONAL_METADATA}
_ZONE = {"availability_zone": {"type": ["string", "null"], "minLength": 1, "maxLength": 255}}


def _create(properties: dict[str, schemas.Schema]) -> schemas.Schema:
    return schemas.wrapped("backup", schemas.record(properties, ("volume_id",)))


CREATE = _create(_NEW)
CREATE_3_43 = _create({**_NEW, **_METADATA})
CREATE_3_51 = _create({**_NEW, **_METADATA, **_ZONE})
_CHANGES: dict[str, schemas.Schema] = {
    "name": schemas.OPTIONAL_NAME,
    "description": schemas.DESCRIPTION,
}
UPDATE = schemas.wrapped("backup", schemas.record(_CHANGES, minProperties=1))
UPDATE_3_43 = schemas.wrapped("backup", schemas.record({**_CHANGES, **_METADATA}, minProperties=1))
RESTORE = schemas.wrapped(
    "restore", schemas.record({"volume_id": schemas.OPTIONAL_UUID, "name": schemas.OPTIONAL_NAME})
)
RESET_STATUS = schemas.wrapped("os-reset_status", schemas.record({"status": {"type": "string"}}, ("status",)))
_MAY_BE_SET = ("available", "error")

LISTING = listing.Listing(
    BACKUPS,
    {
        key: key
        for key in (
            *("id", "status", "volume_id", "snapshot_id", "size", "created_at", "updated_at", "name"),
            "project_id",
        )
    },
    {
        "name": listing.equals(BACKUPS.c.name),
        "status": listing.equals(BACKUPS.c.status),
        "volume_id": listing.equals(BACKUPS.c.volume_id),
        "snapshot_id": listing.equals(BACKUPS.c.snapshot_id),
        "metadata": listing.has_items(BACKUPS.c.metadata),
    },
    {"project_id": listing.equals(BACKUPS.c.project_id), "id": listing.equals(BACKUPS.c.id)},
    resource="backup",
    missing=lambda marker: errors.BackupNotFound(backup_id=marker),
)
_restrict = listing.of_project(BACKUPS)


def summary(request: Request, row: Row) -> Row:
    return {"id": row["id"], "name": row["name"], "links": links.of(request, "backups", row["id"])}


def detailed(request: Request, row: Row, depended_on: bool) -> Row:
    shown = {
        **summary(request, row),
        "status": row["status"],
        "size": row["size"],
        "object_count": row["object_count"],
        "availability_zone": row["availability_zone"],
        "container": row["container"],
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row["updated_at"]),
        "description": row["description"],
        "fail_reason": row["fail_reason"],
        "volume_id": row["volume_id"],
        "is_incremental": row["parent_id"] is not None,
        "has_dependent_backups": depended_on,
        "snapshot_id": row["snapshot_id"],
        "data_timestamp": moment(row["data_timestamp"]),
    }
    if request.at_least(3, 18) and request.allows("backup:backup_project_attribute", lookup.target(row)):
        shown["os-backup-project-attr:project_id"] = row["project_id"]
    if request.at_least(3, 43):
        shown["metadata"] = row["metadata"]
    if request.at_least(3, 56):
        shown["user_id"] = row["user_id"]
    if request.at_least(3, 64) and row["encryption_key_id"]:
        shown["encryption_key_id"] = row["encryption_key_id"]
    return shown


def index(request: Request) -> Row:
    rows, beside = request.service.database.read(lambda tx: LISTING.read(request, tx, _restrict))
    return _listed([summary(request, row) for row in rows], beside)


def detail(request: Request) -> Row:
    def unit(tx: Transaction) -> tuple[list[Row], Row, set[str]]:
        rows, beside = LISTING.read(request, tx, _restrict)
        return rows, beside, backups.with_dependents(tx, [row["id"] for row in rows]) if rows else set()

    rows, beside, depended_on = request.service.database.read(unit)
    return _listed([detailed(request, row, row["id"] in depended_on) for row in rows], beside)


def _listed(shown: list[Row], beside: Row) -> Row:
    body: Row = {"backups": shown}
    if "links" in beside:
        body["backups_links"] = beside["links"]
    if "count" in beside:
        body["count"] = beside["count"]
    return body


def find(request: Request, tx: Transaction, backup_id: str, rule: str | None = None) -> Row:
    row = backups.get_of_project(tx, backup_id, lookup.scope_of(request))
    if row is None:
        raise errors.BackupNotFound(backup_id=backup_id)
    request.authorize(lookup.target(row), rule)
    return row


def show(request: Request, backup_id: str) -> Row:
    def unit(tx: Transaction) -> tuple[Row, bool]:
        row = find(request, tx, backup_id)
        return row, bool(backups.with_dependents(tx, [backup_id]))

    row, depended_on = request.service.database.read(unit)
    return {"backup": detailed(request, row, depended_on)}


def create(request: Request) -> Row:
    asked = request.body["backup"]
    force, incremental = (schemas.truth(asked.get(key, False)) for key in ("force", "incremental"))

    def unit(tx: Transaction) -> Row:
        volume = lookup.volume(request, tx, asked["volume_id"])
        snapshot = _snapshot(request, tx, asked.get("snapshot_id"), volume)
        if snapshot is None:
            _check_volume(volume, force)
        if volume["host"] is None:
            raise errors.InvalidVolume(reason=f"Volume {volume['id']} lies on no back end.")
        size = snapshot["volume_size"] if snapshot else volume["size"]
        request.service.quotas.check_backup(tx, request.context.project_id, size)
        zone = asked.get("availability_zone") or volume["availability_zone"]
        now = clock.now()
        data_of = snapshot["created_at"] if snapshot else now
        parent = (
            backups.newest(tx, volume["id"], request.context.project_id, data_of) if incremental else None
        )
        if incremental and parent is None:
            raise errors.InvalidBackup(reason="No backups available to do an incremental backup.")
        row: Row = {
            "id": clock.new_uuid(),
            "volume_id": volume["id"],
            "snapshot_id": snapshot["id"] if snapshot else None,
            "parent_id": parent["id"] if parent else None,
            "project_id": request.context.project_id,
            "user_id": request.context.user_id,
            "name": _stripped(asked.get("name")),
            "description": asked.get("description"),
            "size": size,
            "status": "creating",
            "fail_reason": None,
            "container": asked.get("container") or DEFAULT_CONTAINER,
            "availability_zone": zone,
            "host": backup_hosts.for_new(request, tx, zone, volume),
            "volume_kept": backups.kept_of(volume),
            "object_count": 0,
            "metadata": asked.get("metadata") or {},
            "encryption_key_id": _own_key(request, tx, volume),
            "volume_type_id": volume["volume_type_id"],
            "data_timestamp": data_of,
            "created_at": now,
        }
        row["location"] = prefix_of(row["container"], row["id"])
        row["flow_id"] = request.service.flows.submit(
            tx,
            "backup.create",
            resource=("backup", row["id"]),
            arguments={
                "backup": backups.for_worker(row),
                "volume": volumes.for_driver(volume),
                "snapshot": snapshots.for_driver(snapshot, volume) if snapshot else None,
                "parent": backups.for_worker(parent) if parent else None,
                "attached": snapshot is None and volume["status"] == "in-use",
            },
        )
        backups.insert(tx, row)
        _hold(tx, volume, snapshot, row["flow_id"])
        return row

    return {"backup": summary(request, request.service.database.write(unit))}


def _own_key(request: Request, tx: Transaction, volume: Row) -> str | None:
    """The data is the volume's as it lies there, and may outlive it: so does its key, under an id of its
    own."""
    key_id = volume["encryption_key_id"]
    if key_id is None:
        return None
    project_id = request.context.project_id
    copied: str = request.service.keys.copy(tx, key_id, owner=volume["project_id"], project_id=project_id)
    return copied


def _snapshot(request: Request, tx: Transaction, snapshot_id: str | None, volume: Row) -> Row | None:
    if not snapshot_id:
        return None
    snapshot = lookup.snapshot(request, tx, snapshot_id, "volume:get_snapshot")
    if snapshot["volume_id"] != volume["id"]:
        raise errors.InvalidVolume(
            reason=f"Volume {volume['id']} does not match with snapshot.volume_id {snapshot['volume_id']}."
        )
    if snapshot["status"] != "available":
        raise errors.InvalidSnapshot(
            reason='Snapshot to be backed up must be available, but the current status is "'
            f'{snapshot["status"]}".'
        )
    return snapshot


def _check_volume(volume: Row, force: bool) -> None:
    if volume["status"] not in ("available", "in-use"):
        raise errors.InvalidVolume(
            reason="Volume to be backed up must be available or in-use, but the current status is "
            f'"{volume["status"]}".'
        )
    if volume["status"] == "in-use" and not force:
        raise errors.InvalidVolume(reason="Backing up an in-use volume must use the force flag.")


def _hold(tx: Transaction, volume: Row, snapshot: Row | None, flow_id: str) -> None:
    now = clock.now()
    if snapshot is not None:
        held = SNAPSHOT_STATES.move(
            tx, SNAPSHOTS, snapshot["id"], "backing-up", flow_id=flow_id, updated_at=now
        )
    else:
        held = VOLUME_STATES.move(
            tx, VOLUMES, volume["id"], "backing-up", flow_id=flow_id, expires_at=None, updated_at=now
        )
    if not held:
        raise errors.InvalidVolume(reason="Another operation was quicker.")


def _stripped(name: str | None) -> str | None:
    return name.strip() if name else name


def update(request: Request, backup_id: str) -> Row:
    asked = request.body["backup"]
    values: Row = {key: asked[key] for key in ("name", "description", "metadata") if key in asked}
    if "name" in values:
        values["name"] = _stripped(values["name"])
    if values.get("metadata", {}) is None:
        values["metadata"] = {}

    def unit(tx: Transaction) -> Row:
        row = find(request, tx, backup_id)
        backups.change(tx, backup_id, **values, updated_at=clock.now())
        return {**row, **values}

    return {"backup": summary(request, request.service.database.write(unit))}


def delete(request: Request, backup_id: str) -> Response:
    return _delete(request, backup_id, force=False)


def force_delete(request: Request, backup_id: str) -> Response:
    return _delete(request, backup_id, force=True)


def _delete(request: Request, backup_id: str, *, force: bool) -> Response:
    def unit(tx: Transaction) -> None:
        row = find(request, tx, backup_id)
        sources = STATES.sources("deleting")
        being_made = force and row["status"] == "creating"
        if (row["flow_id"] is not None and not being_made) or (row["status"] not in sources and not force):
            raise errors.InvalidBackup(reason="Backup status must be available or error")
        if backups.with_dependents(tx, [backup_id]):
            raise errors.InvalidBackup(reason="Incremental backups exist for this backup.")
        if backups.shares_data(tx, row):
            backups.remove(tx, backup_id)
            return
        flow_id = request.service.flows.submit(
            tx,
            "backup.delete",
            resource=("backup", backup_id),
            arguments={"backup": _here(request, tx, row)},
            project_id=row["project_id"],
        )
        if row["status"] not in sources:  # an operator set it, or its worker is told to stop
            backups.change(tx, backup_id, status="error")
        STATES.move(tx, BACKUPS, backup_id, "deleting", flow_id=flow_id, updated_at=clock.now())

    request.service.database.write(unit)
    return Response(status=202)


def restore(request: Request, backup_id: str) -> Row:
    """Into the volume that is named, or into a new one."""
    asked = request.body["restore"]

    def unit(tx: Transaction) -> Row:
        backup = find(request, tx, backup_id)
        if backup["status"] != "available":
            raise errors.InvalidBackup(reason="Backup status must be available")
        if not asked.get("volume_id"):
            name = asked.get("name") or f"{backups.NEW_NAME}{backup_id}"
            wanted = {"backup_id": backup_id, "name": name}
            if backup["encryption_key_id"] is not None:
                wanted["volume_type"] = backup["volume_type_id"]
            return new_volume(request, tx, wanted)
        volume = lookup.volume(request, tx, asked["volume_id"], "volume:get")
        _check_target(volume, backup)
        _check_encryption(tx, volume, backup)
        flow_id = request.service.flows.submit(
            tx,
            "backup.restore",
            resource=("backup", backup_id),
            arguments={"backup": _here(request, tx, backup), "volume": volumes.for_driver(volume)},
            project_id=backup["project_id"],
        )
        now = clock.now()
        VOLUME_STATES.move(tx, VOLUMES, volume["id"], "restoring-backup", flow_id=flow_id, updated_at=now)
        STATES.move(tx, BACKUPS, backup_id, "restoring", flow_id=flow_id, updated_at=now)
        return volume

    volume = request.service.database.write(unit)
    return {"restore": {"backup_id": backup_id, "volume_id": volume["id"], "volume_name": volume["name"]}}


def _here(request: Request, tx: Transaction, row: Row) -> Row:
    """The backup, as the worker that is to take its steps wants it."""
    return {**backups.for_worker(row), "host": backup_hosts.of_backup(request, tx, row)}


def _check_target(volume: Row, backup: Row) -> None:
    if volume["status"] != "available":
        raise errors.InvalidVolume(reason="Volume to be restored to must be available")
    if volume["size"] < backup["size"]:
        raise errors.InvalidVolume(
            reason=f"volume size {volume['size']} is too small to restore backup of size {backup['size']}."
        )


def _check_encryption(tx: Transaction, volume: Row, backup: Row) -> None:
    """What is encrypted goes over what is encrypted in the same way, and plain over plain."""
    one, other = (encryptions.of_type(tx, row["volume_type_id"] or "") for row in (volume, backup))
    encrypted = backup["encryption_key_id"] is not None
    if encrypted != (volume["encryption_key_id"] is not None) or (
        encrypted and other is not None and not encryptions.alike(one, other)
    ):
        raise errors.InvalidVolume(
            reason=f"backup {backup['id']} can only be restored to a volume that is encrypted as it is."
        )


def reset_status(request: Request, backup_id: str) -> Response:
    return status_reset.set_status(
        request,
        request.body["os-reset_status"]["status"],
        _MAY_BE_SET,
        what="Backup",
        find=lambda tx: find(request, tx, backup_id),
        change=backups.change,
        held=errors.InvalidBackup,
    )
