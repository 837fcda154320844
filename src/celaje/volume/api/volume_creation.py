"""POST /volumes: from nothing, an image, a snapshot or another volume.

The row, its quota and its flow are one transaction; the answer is made from what it wrote.
"""

import re
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import Invalid
from celaje.common.wsgi import Request
from celaje.volume import errors
from celaje.volume.api import backup_hosts, images, lookup, schemas
from celaje.volume.api.volume_view import VolumeView
from celaje.volume.db import backups, encryptions, groups, snapshots, types, volumes
from celaje.volume.db.tables import BACKUPS
from celaje.volume.states import BACKUPS as BACKUP_STATES

Row = dict[str, Any]

_PROPERTIES: dict[str, schemas.Schema] = {
    "name": schemas.OPTIONAL_NAME,
    "description": schemas.LONG_DESCRIPTION,
    "display_name": schemas.OPTIONAL_NAME,
    "display_description": schemas.LONG_DESCRIPTION,
    "volume_type": schemas.OPTIONAL_NAME,
    "metadata": schemas.OPTIONAL_METADATA,
    "snapshot_id": schemas.OPTIONAL_UUID,
    "source_volid": schemas.OPTIONAL_UUID,
    "consistencygroup_id": schemas.OPTIONAL_UUID,
    "size": schemas.OPTIONAL_SIZE,
    "availability_zone": {"type": ["string", "null"], "minLength": 1, "maxLength": 255},
    "multiattach": schemas.OPTIONAL_BOOLEAN,
    "image_id": schemas.OPTIONAL_NAME,
    "imageRef": schemas.OPTIONAL_NAME,
}
_GROUP = {"group_id": schemas.OPTIONAL_NAME}
_BACKUP = {"backup_id": schemas.OPTIONAL_UUID}
_HINTS: schemas.Schema = {"type": ["object", "null"]}


def _schema(properties: dict[str, schemas.Schema], open_ended: bool) -> schemas.Schema:
    volume = {"type": "object", "properties": properties, "additionalProperties": open_ended}
    return schemas.wrapped("volume", volume, **{"OS-SCH-HNT:scheduler_hints": _HINTS})


SCHEMA = _schema(_PROPERTIES, True)
SCHEMA_3_13 = _schema({**_PROPERTIES, **_GROUP}, True)
SCHEMA_3_47 = _schema({**_PROPERTIES, **_GROUP, **_BACKUP}, True)
SCHEMA_3_53 = _schema({**_PROPERTIES, **_GROUP, **_BACKUP}, False)


def create(request: Request) -> Row:
    asked = request.body["volume"]
    _refuse_what_is_not_there(asked)
    image = images.find(request, asked.get("imageRef") or asked.get("image_id"))
    wish = _Wish(request, asked, image)
    service = request.service

    def unit(tx: Transaction) -> tuple[Row, Row]:
        return wish.write(tx)

    row, volume_type = service.database.write(unit)
    view = VolumeView(request)
    return {"volume": view.brief(row, volume_type["name"], [])}


def new_volume(request: Request, tx: Transaction, asked: Row) -> Row:
    """A volume as `asked`, whose row and flow are written in the caller's transaction."""
    request.authorize(rule="volume:create")
    return _Wish(request, asked, None).write(tx)[0]


class _Wish:
    """What was asked for, resolved step by step inside the unit."""

    def __init__(self, request: Request, asked: Row, image: Row | None):
        self.request = request
        self.asked = asked
        self.image = image
        # GiB of the backup that it is made from.
        self.least: int | None = None
        self.hints = request.body.get("OS-SCH-HNT:scheduler_hints") or {}
        # Asked of compute here, before the transaction begins.
        self.instance_host = _instance_host(request, self.hints.get("local_to_instance"))

    def write(self, tx: Transaction) -> tuple[Row, Row]:
        request, service = self.request, self.request.service
        source, origin = self._source(tx)
        size = self._size(source, origin)
        volume_type = self._type(tx, origin)
        way = self._encryption(tx, volume_type, source, origin)
        specs = volume_type["extra_specs"]
        multiattach = _is_spec(specs.get("multiattach"))
        if multiattach:
            if way is not None:
                raise errors.InvalidVolume(reason="Multiattach cannot be used with encrypted volumes.")
            request.authorize(rule="volume:multiattach")
        _check_size_of_type(specs, size)
        zone = self._zone(tx, origin)
        group = self._group(tx, volume_type)
        service.quotas.check_volume(tx, request.context.project_id, volume_type, size)
        now = clock.now()
        row: Row = {
            "id": clock.new_uuid(),
            "project_id": request.context.project_id,
            "user_id": request.context.user_id,
            "name": _name(self.asked, "name"),
            "description": _name(self.asked, "description"),
            "size": size,
            "status": "creating",
            "attach_status": "detached",
            "bootable": self.image is not None or bool(origin and origin.get("bootable")),
            "multiattach": multiattach,
            "availability_zone": zone,
            "volume_type_id": volume_type["id"],
            "snapshot_id": origin["id"] if source["kind"] == "snapshot" and origin else None,
            "source_volid": origin["id"] if source["kind"] == "volume" and origin else None,
            "consumes_quota": True,
            "metadata": self.asked.get("metadata") or {},
            "image_metadata": self._image_metadata(origin),
            "encryption_key_id": self._key(tx, way, source, origin) if way is not None else None,
            "group_id": group["id"] if group else None,
            "created_at": now,
        }
        row["flow_id"] = service.flows.submit(
            tx,
            "volume.create",
            resource=("volume", row["id"]),
            arguments={
                "volume_id": row["id"],
                "request": {
                    "size": size,
                    "availability_zone": zone if self.asked.get("availability_zone") else None,
                    "extra_specs": specs,
                    "hints": self._hints(tx),
                    "pinned": _pinned(origin, group),
                },
                "source": source,
            },
        )
        volumes.insert(tx, row)
        if source["kind"] == "backup":
            held = BACKUP_STATES.move(
                tx,
                BACKUPS,
                source["backup"]["id"],
                "restoring",
                flow_id=row["flow_id"],
                updated_at=clock.now(),
            )
            if not held:
                raise errors.InvalidBackup(reason="Backup status must be available")
        return row, volume_type

    def _source(self, tx: Transaction) -> tuple[Row, Row | None]:
        """What the flow needs of the source, and the source's row with `host` and `bootable`."""
        snapshot_id, volume_id = self.asked.get("snapshot_id"), self.asked.get("source_volid")
        backup_id = self.asked.get("backup_id")
        given = [what for what in (snapshot_id, volume_id, self.image, backup_id) if what]
        if len(given) > 1:
            raise errors.InvalidInput(
                reason="only one of image, snapshot, backup and source volume can be what a volume is made "
                "from."
            )
        if backup_id:
            backup = backups.get_of_project(tx, backup_id, lookup.scope_of(self.request))
            if backup is None:
                raise errors.BackupNotFound(backup_id=backup_id)
            self.request.authorize(lookup.target(backup), "backup:get")
            if backup["status"] != "available":
                raise errors.InvalidBackup(reason="Backup status must be available")
            self.least = backup["size"]
            there = {"host": backup_hosts.of_backup(self.request, tx, backup)}
            described = {"kind": "backup", "backup": {**backups.for_worker(backup), **there}}
            key = {"backup_key": backup["encryption_key_id"], "backup_owner": backup["project_id"]}
            return {**described, **key}, None
        if snapshot_id:
            snapshot = lookup.snapshot(self.request, tx, snapshot_id, "volume:get_snapshot")
            if snapshot["status"] != "available":
                raise errors.InvalidSnapshot(
                    reason=f"Originating snapshot status must be one of 'available' values, it is "
                    f"'{snapshot['status']}'."
                )
            parent = volumes.get(tx, snapshot["volume_id"])
            assert parent is not None
            source = {"kind": "snapshot", "snapshot": snapshots.for_driver(snapshot, parent)}
            return source, {**parent, **snapshot, "size": snapshot["volume_size"], "host": parent["host"]}
        if volume_id:
            volume = lookup.volume(self.request, tx, volume_id, "volume:get")
            if volume["status"] not in ("available", "in-use"):
                raise errors.InvalidVolume(
                    reason="Originating volume status must be one of 'available', 'in-use' values, it is "
                    f"'{volume['status']}'."
                )
            attached = volume["status"] == "in-use"
            return {"kind": "volume", "volume": volumes.for_driver(volume), "attached": attached}, volume
        if self.image:
            # The image of an encrypted volume is encrypted as well, and becomes a volume as it is.
            encrypted = bool(self.image.get(images.KEY_PROPERTY))
            return {"kind": "image", "image": {"id": self.image["id"], "encrypted": encrypted}}, None
        return {"kind": "empty"}, None

    def _size(self, source: Row, origin: Row | None) -> int:
        given = self.asked.get("size")
        size = int(given) if given is not None else origin["size"] if origin else self.least
        if size is None or size < 1:
            raise errors.InvalidInput(
                reason=f"Invalid volume size provided for create request: {given} (size argument must be an "
                "integer (or string representation of an integer) and greater than zero)."
            )
        if size > schemas.LARGEST_INTEGER:
            raise errors.InvalidInput(reason=f"Volume size {size} is too large.")
        if self.least and size < self.least:
            raise errors.InvalidInput(
                reason=f"Volume size {size}GB cannot be smaller than the backup size {self.least}GB."
            )
        if origin and size < origin["size"]:
            what = "snapshot" if source["kind"] == "snapshot" else "original volume"
            raise errors.InvalidInput(
                reason=f"Volume size '{size}'GB cannot be smaller than the {what} size {origin['size']}GB. "
                f"They must be >= {what} size."
            )
        if self.image:
            images.check_size(self.image, size)
        return size

    def _type(self, tx: Transaction, origin: Row | None) -> Row:
        wanted = self.asked.get("volume_type")
        if wanted:
            return lookup.volume_type_by_name_or_id(self.request, tx, wanted)
        if origin:
            found = types.get(tx, origin["volume_type_id"])
            if found is not None:
                return found
        if self.image and self.image.get("cinder_img_volume_type"):
            return lookup.volume_type_by_name_or_id(self.request, tx, self.image["cinder_img_volume_type"])
        return lookup.default_type(self.request, tx)

    def _encryption(self, tx: Transaction, volume_type: Row, source: Row, origin: Row | None) -> Row | None:
        """How the type encrypts; refused where that is not how what it is made from is encrypted."""
        way = encryptions.of_type(tx, volume_type["id"])
        if origin and origin["volume_type_id"] != volume_type["id"]:
            before = encryptions.of_type(tx, origin["volume_type_id"])
            if not encryptions.alike(way, before):
                advice = (
                    "recommend omitting the type argument"
                    if source["kind"] == "snapshot"
                    else "either match source volume, or omit type argument"
                )
                raise errors.InvalidInput(
                    reason=f"Invalid volume_type provided: {volume_type['id']} (requested type is not "
                    f"compatible; {advice})."
                )
        if source["kind"] == "image" and source["image"]["encrypted"] and way is None:
            raise errors.InvalidInput(
                reason="An encrypted image can only become a volume of an encrypted type."
            )
        if source["kind"] == "backup" and (way is None) != (source["backup_key"] is None):
            raise errors.InvalidInput(
                reason="A backup can only be restored to a volume that is encrypted as the backup is."
            )
        return way

    def _key(self, tx: Transaction, way: Row, source: Row, origin: Row | None) -> str:
        """A key of the volume's own: equal to that of what it is made from, or a new one."""
        keys, project_id = self.request.service.keys, self.request.context.project_id
        known, owner = None, project_id
        if origin is not None:
            known, owner = origin["encryption_key_id"], origin["project_id"]
        elif source["kind"] == "backup":
            known, owner = source["backup_key"], source["backup_owner"]
        elif self.image is not None:
            # Whoever registers an image may name any key in it: it must be their own.
            known = self.image.get(images.KEY_PROPERTY)
        if known:
            return keys.copy(tx, known, owner=owner, project_id=project_id)
        return encryptions.new_key(tx, keys, way, project_id)

    def _zone(self, tx: Transaction, origin: Row | None) -> str:
        asked = self.asked.get("availability_zone")
        if not asked:
            return origin["availability_zone"] if origin else lookup.default_zone(self.request)
        return lookup.zone(self.request, tx, asked)

    def _group(self, tx: Transaction, volume_type: Row) -> Row | None:
        """The group that it is to belong to: one of its own project's that takes its type."""
        group_id = self.asked.get("group_id") or self.asked.get("consistencygroup_id")
        if not group_id:
            return None
        row = groups.get_of_project(tx, group_id, lookup.scope_of(self.request))
        if row is None:
            raise errors.GroupNotFound(group_id=group_id)
        if row["status"] != "available":
            raise errors.InvalidGroup(
                reason=f"Group {group_id} must be available to get a volume, it is {row['status']}."
            )
        if volume_type["id"] not in row["volume_types"]:
            raise errors.InvalidInput(
                reason=f"volume_types {volume_type['name']} is not one that group {group_id} takes."
            )
        return row

    def _hints(self, tx: Transaction) -> Row:
        """The volumes of different_host and same_host as the back ends that they lie on."""
        found: Row = {}
        for hint, name in (("different_host", "different_backends"), ("same_host", "same_backends")):
            ids = self.hints.get(hint) or []
            ids = [ids] if isinstance(ids, str) else ids
            if not isinstance(ids, list) or not all(map(_is_uuid, ids)):
                raise errors.InvalidInput(reason=f"The scheduler hint {hint} must name volumes.")
            rows = [volumes.get_of_project(tx, each, lookup.scope_of(self.request)) for each in ids]
            found[name] = [row["host"].partition("#")[0] for row in rows if row and row["host"]]
        query = self.hints.get("query")
        if query is not None:
            if not isinstance(query, str):
                raise errors.InvalidInput(reason="The scheduler hint query must be a string of JSON.")
            found["query"] = query
        if self.instance_host:
            found["instance_host"] = self.instance_host
        return found

    def _image_metadata(self, origin: Row | None) -> Row | None:
        if self.image is None:
            return origin.get("image_metadata") if origin else None
        return images.metadata(self.image)


def _instance_host(request: Request, server_id: Any) -> str | None:
    """Where the server of the hint local_to_instance runs, if it is the caller's."""
    if server_id is None:
        return None
    if not _is_uuid(server_id):
        raise errors.InvalidInput(reason=f"Expected a uuid but received {str(server_id)[:64]}.")
    server = request.service.ground.clients.compute.as_service().server(server_id)
    scope = lookup.scope_of(request)
    if server is None or scope not in (None, server.get("tenant_id")):
        raise errors.InvalidInput(reason=f"Server {server_id} could not be found.")
    return server.get("OS-EXT-SRV-ATTR:host")


def _is_uuid(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(schemas.UUID_PATTERN, value) is not None


def _pinned(origin: Row | None, group: Row | None) -> str | None:
    """The only place that it may go: its group's pool, or the back end of what it is made from."""
    if group is not None:
        return group["host"]
    return origin["host"].partition("#")[0] if origin and origin.get("host") else None


def _refuse_what_is_not_there(asked: Row) -> None:
    if asked.get("multiattach") is not None and schemas.truth(asked["multiattach"]):
        raise Invalid(
            "multiattach parameter has been removed. Use a volume type whose extra spec multiattach is "
            "'<is> True'."
        )


def _name(asked: Row, field: str) -> str | None:
    value = asked.get(field, asked.get(f"display_{field}"))
    return value.strip() if isinstance(value, str) else None


def _is_spec(value: str | None) -> bool:
    return bool(value) and str(value).split()[-1].lower() == "true" and str(value).startswith("<is>")


def _check_size_of_type(specs: Row, size: int) -> None:
    for key, refuses in (
        ("provisioning:min_vol_size", lambda bound: size < bound),
        ("provisioning:max_vol_size", lambda bound: size > bound),
    ):
        bound = specs.get(key)
        if bound and bound.isdigit() and refuses(int(bound)):
            raise errors.InvalidInput(
                reason=f"Specified volume size of '{size}' does not fit the {key} of its type, {bound}."
            )
