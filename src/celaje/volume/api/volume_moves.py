"""POST /volumes/{id}/action: what moves a volume's data: retype, migrate, revert, reimage, upload.

Each hands the volume to a flow of that name in `conductor/`.
"""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError, Conflict, Invalid
from celaje.common.wsgi import Request, Response
from celaje.volume import errors
from celaje.volume.api import clusters, images, lookup, schemas
from celaje.volume.api.services import HOST
from celaje.volume.api.volume_view import moment
from celaje.volume.conductor.moving_attached import SWAPPED, drop_target
from celaje.volume.conductor.reclaim_image_keys import KEY_POLICY, KEY_PROPERTY, ON_IMAGE_DELETION
from celaje.volume.conductor.upload_volume import REGISTERED
from celaje.volume.db import attachments, encryptions, qos, snapshots, types, volumes
from celaje.volume.db.tables import SNAPSHOTS, VOLUMES
from celaje.volume.scheduler import extra_specs
from celaje.volume.states import SNAPSHOTS as SNAPSHOT_STATES
from celaje.volume.states import VOLUMES as STATES

Row = dict[str, Any]

_POLICY = {"type": ["string", "null"], "enum": ["on-demand", "never", None]}
RETYPE = schemas.record({"new_type": {"type": "string"}, "migration_policy": _POLICY}, ("new_type",))
_MIGRATE: dict[str, schemas.Schema] = {
    "host": HOST,
    "force_host_copy": schemas.BOOLEAN,
    "lock_volume": schemas.BOOLEAN,
}
MIGRATE = schemas.record(_MIGRATE, ("host",))
MIGRATE_3_16 = schemas.record({**_MIGRATE, "cluster": schemas.OPTIONAL_NAME})
MIGRATE_COMPLETION = schemas.record(
    {"new_volume": schemas.UUID, "error": {"type": ["string", "null", "boolean"]}}, ("new_volume",)
)
REVERT = schemas.record({"snapshot_id": schemas.OPTIONAL_UUID})
REIMAGE = schemas.record({"image_id": schemas.UUID, "reimage_reserved": schemas.BOOLEAN}, ("image_id",))
_UPLOAD: dict[str, schemas.Schema] = {
    "image_name": {"type": "string", "minLength": 1, "maxLength": 255},
    "force": schemas.BOOLEAN,
    "disk_format": {"type": "string", "enum": ["raw", "vmdk", "vdi", "qcow2", "vhd", "vhdx", "ploop"]},
    "container_format": {"type": "string", "minLength": 0, "maxLength": 255},
}
UPLOAD = schemas.record(_UPLOAD, ("image_name",))
UPLOAD_3_1 = schemas.record(
    {
        **_UPLOAD,
        "visibility": {"type": "string", "enum": ["community", "public", "private", "shared"]},
        "protected": schemas.BOOLEAN,
    },
    ("image_name",),
)


def _write(request: Request, unit: Any) -> Any:
    return request.service.database.write(unit)


def _hand_over(
    request: Request,
    tx: Transaction,
    row: Row,
    flow: str,
    *,
    goal: str,
    sources: tuple[str, ...],
    arguments: Row,
    **values: Any,
) -> str | None:
    """Give the volume to a flow; None when another request was first, or its state does not allow it."""
    if row["status"] not in sources or row["flow_id"] is not None or volumes.is_target(row):
        return None
    flow_id = request.service.flows.submit(
        tx,
        flow,
        resource=("volume", row["id"]),
        arguments={"volume": volumes.for_driver(row), **arguments},
        project_id=row["project_id"],
    )
    moved = STATES.move(
        tx,
        VOLUMES,
        row["id"],
        goal,
        sources=sources,
        flow_id=flow_id,
        expires_at=None,
        updated_at=clock.now(),
        **values,
    )
    return flow_id if moved else None


def _request(row: Row, volume_type: Row, **more: Any) -> Row:
    """What the scheduler is asked."""
    return {
        "size": row["size"],
        "availability_zone": None,
        "extra_specs": volume_type["extra_specs"],
        "hints": {},
        **more,
    }


def retype(request: Request, volume_id: str) -> Response:
    asked = request.body["os-retype"]

    def unit(tx: Transaction) -> None:
        row = lookup.volume(request, tx, volume_id)
        old = types.get(tx, row["volume_type_id"])
        new = lookup.volume_type_by_name_or_id(request, tx, asked["new_type"])
        assert old is not None
        multiattach = _check_retype(request, tx, row, new)
        request.service.quotas.check_type(tx, row["project_id"], new, row["size"])
        in_use = row["status"] == "in-use"
        if (
            row["group_id"] is not None
            or new["id"] == old["id"]
            or (in_use and _front_end(tx, old) != _front_end(tx, new))
        ):
            raise _no_retype()
        zones = new["extra_specs"].get("RESKEY:availability_zones")
        on_demand = asked.get("migration_policy") == "on-demand"
        server = _server_of(tx, row)
        flow_id = _hand_over(
            request,
            tx,
            row,
            "volume.retype",
            goal="retyping",
            pending_type_id=new["id"],
            sources=("available", "in-use"),
            arguments={
                "request": _request(row, new, availability_zone=None if zones else row["availability_zone"]),
                "becomes": {
                    "volume_type_id": new["id"],
                    "multiattach": multiattach,
                    "pending_type_id": None,
                },
                "change": _change_of_encryption(tx, old, new),
                "may_move": on_demand
                and (server is not None or not in_use)
                and not snapshots.of_volume(tx, volume_id),
                "server": server,
            },
        )
        if flow_id is None:
            raise _no_retype()

    _write(request, unit)
    return Response(status=202)


def _key_of_image(request: Request, tx: Transaction, row: Row, image: Row) -> Row:
    """What the image of an encrypted volume carries: a key of its own, equal to the volume's, since its
    content is the volume's as it lies there."""
    if image["disk_format"] != "raw" or image["container_format"] != "bare":
        raise Invalid(
            "An encrypted volume uploaded as an image must use 'raw' disk_format and 'bare' "
            "container_format, which are the defaults for these options."
        )
    key_id = request.service.keys.copy(
        tx, row["encryption_key_id"], owner=row["project_id"], project_id=request.context.project_id
    )
    return {KEY_PROPERTY: key_id, KEY_POLICY: ON_IMAGE_DELETION}


def _check_retype(request: Request, tx: Transaction, row: Row, new: Row) -> bool:
    """Whether the volume will be multiattach; raises InvalidInput for what no retype can change."""
    multiattach = extra_specs.matches(True, new["extra_specs"].get("multiattach", "<is> False"))
    if multiattach != row["multiattach"]:
        if row["status"] != "available":
            raise errors.InvalidInput(
                reason="Invalid volume_type passed, retypes affecting multiattach are only allowed on "
                "available volumes, the specified volume however currently has a status of: "
                f"{row['status']}."
            )
        if multiattach:
            request.authorize(lookup.target(row), "volume:multiattach")
    old_way, new_way = encryptions.of_type(tx, row["volume_type_id"]), encryptions.of_type(tx, new["id"])
    if multiattach and new_way is not None:
        raise errors.InvalidInput(
            reason="Retype requested both encryption and multi-attach, which is not supported."
        )
    if not encryptions.alike(old_way, new_way) and row["status"] != "available":
        raise errors.InvalidInput(
            reason="Invalid volume_type passed, retypes affecting encryption are only allowed on available "
            "volumes, the specified volume however currently has a status of: "
            f"{row['status']}."
        )
    return multiattach


def _change_of_encryption(tx: Transaction, old: Row, new: Row) -> Row | None:
    """{"to": how the new type encrypts, or None}; None when the data stays as it is."""
    before, after = encryptions.of_type(tx, old["id"]), encryptions.of_type(tx, new["id"])
    return None if encryptions.alike(before, after) else {"to": encryptions.described(after)}


def _server_of(tx: Transaction, row: Row) -> str | None:
    """The only server that uses the volume: its host can copy it. None: nobody does, or several."""
    held = attachments.of_volume(tx, row["id"])
    return held[0]["instance_uuid"] if len(held) == 1 and held[0]["attach_status"] == "attached" else None


def _front_end(tx: Transaction, volume_type: Row) -> Row | None:
    """What the hypervisor holds a volume of the type to."""
    found = qos.of_type(tx, volume_type["id"])
    return found["specs"] if found is not None and found["consumer"] != "back-end" else None


def _no_retype() -> errors.InvalidVolume:
    return errors.InvalidVolume(
        reason="Retype needs volume to be in available or in-use state, not be part of an active migration "
        "or a consistency group, requested type has to be different that the one from the volume, and for "
        "in-use volumes front-end qos specs cannot change."
    )


def migrate(request: Request, volume_id: str) -> Response:
    asked = request.body["os-migrate_volume"]
    if not request.at_least(3, 16) and not asked.get("host"):
        raise errors.InvalidInput(reason="Host field is missing.")
    if bool(asked.get("host")) == bool(asked.get("cluster")):
        raise errors.InvalidInput(reason="One and only one of cluster and host must be set.")
    host = asked.get("host") or asked["cluster"]

    def unit(tx: Transaction) -> None:
        row = lookup.volume(request, tx, volume_id)
        driver = clusters.driver_of(request, tx, host.partition("#")[0])
        if driver is None or driver["disabled"] or not driver["is_up"]:
            raise Invalid(f"Invalid host: No available service named '{host}'")
        volume_type = types.get(tx, row["volume_type_id"])
        assert volume_type is not None
        there = host in (row["host"], (row["host"] or "").partition("#")[0])
        flow_id, server = None, _server_of(tx, row)
        may_leave = row["host"] and row["group_id"] is None and not snapshots.of_volume(tx, volume_id)
        if not there and may_leave:
            flow_id = _hand_over(
                request,
                tx,
                row,
                "volume.migrate",
                goal="migrating",
                sources=("available", *(("in-use",) if server is not None else ())),
                arguments={"request": _request(row, volume_type, pinned=host), "server": server},
                migration_status="migrating",
            )
        if flow_id is None:
            raise errors.InvalidVolume(
                reason=f"Volume {volume_id} status must be available or in-use, must not be migrating, have "
                "snapshots, be replicated, be part of a group and destination host/cluster must be different "
                "than the current one"
            )

    _write(request, unit)
    return Response(status=202)


def migrate_completion(request: Request, volume_id: str) -> Row:
    """Compute has swapped the disk of a running server, or could not. The answer names the volume that the
    server is to know its disk by."""
    asked = request.body["os-migrate_volume_completion"]
    new_id, error = asked["new_volume"], asked.get("error")
    failed = schemas.flag(error, "error") if isinstance(error, str) else bool(error)

    def unit(tx: Transaction) -> str | None:
        row, new = lookup.volume(request, tx, volume_id), lookup.volume(request, tx, new_id)
        passing, waits = row["status"] in ("migrating", "retyping"), new["migration_status"]
        if not passing and not volumes.is_target(new):
            return None  # swapped by somebody else: no migration of ours
        if failed and not passing and waits == volumes.target_of(volume_id):
            drop_target(tx, request.service.flows, volume_id, new_id)
            return None
        if not passing or row["flow_id"] is None or row["migration_status"] != "migrating":
            raise errors.InvalidVolume(reason="Source volume not mid-migration.")
        if not volumes.is_target(new):
            raise errors.InvalidVolume(reason="Destination volume not mid-migration.")
        if waits != volumes.target_of(volume_id):
            raise errors.InvalidVolume(
                reason=f"Destination has migration_status {waits}, expected {volumes.target_of(volume_id)}."
            )
        request.service.flows.signal(tx, row["flow_id"], SWAPPED, {"error": failed})
        return str(row["flow_id"])

    flow_id = _write(request, unit)
    if flow_id is None:
        return {"save_volume_id": new_id}
    if not failed:
        try:
            request.service.flows.result(flow_id, request.service.conf.attachment_wait_timeout)
        except CelajeError as error:
            if error.kind == "unavailable":
                raise
            raise errors.InvalidVolume(reason=f"Source volume not mid-migration: {error.message}") from error
    return {"save_volume_id": volume_id}


def revert(request: Request, volume_id: str) -> Response:
    snapshot_id = request.body["revert"].get("snapshot_id")

    def unit(tx: Transaction) -> None:
        row = lookup.volume(request, tx, volume_id)
        kept = snapshots.of_volume(tx, volume_id)
        if not kept:
            raise Invalid(f"Volume {volume_id} doesn't have any snapshots.")
        latest = kept[-1]
        if snapshot_id != latest["id"]:
            raise Invalid(
                f"Specified snapshot {snapshot_id} is None or not the latest one of volume {volume_id}."
            )
        if latest["volume_size"] != row["size"]:
            raise Invalid(
                f"Can't revert volume {volume_id} to its latest snapshot {snapshot_id}. The volume size must "
                "be equal to the snapshot size."
            )
        why = f"Can't revert volume {volume_id} to its latest snapshot {snapshot_id}. "
        flow_id = _hand_over(
            request,
            tx,
            row,
            "volume.revert",
            goal="reverting",
            sources=("available",),
            arguments={"snapshot": snapshots.for_driver(latest, row)},
        )
        if flow_id is None:
            raise Conflict(f"Invalid volume: {why}Volume's status must be 'available'.")
        held = latest["flow_id"] is None and SNAPSHOT_STATES.move(
            tx,
            SNAPSHOTS,
            latest["id"],
            "restoring",
            sources=("available",),
            flow_id=flow_id,
            updated_at=clock.now(),
        )
        if not held:
            raise Conflict(f"Invalid snapshot: {why}Snapshot's status must be 'available'.")

    _write(request, unit)
    return Response(status=202)


def reimage(request: Request, volume_id: str) -> Response:
    asked = request.body["os-reimage"]
    image = images.find(request, asked["image_id"])
    assert image is not None
    if image.get(KEY_PROPERTY):
        raise errors.InvalidInput(reason="A volume cannot be written anew from an encrypted image.")
    reserved = schemas.truth(asked.get("reimage_reserved", False))

    def unit(tx: Transaction) -> None:
        row = lookup.volume(request, tx, volume_id)
        if row["status"] == "reserved":
            request.authorize(lookup.target(row), "volume:reimage_reserved")
        images.check_size(image, row["size"])
        held = attachments.of_volume(tx, volume_id)
        if len(held) > 1:
            raise Conflict("Cannot re-image a volume which is attached to more than one server.")
        sources = ("available", "error", "reserved") if reserved else ("available", "error")
        flow_id = None
        if row["host"]:
            flow_id = _hand_over(
                request,
                tx,
                row,
                "volume.reimage",
                goal="downloading",
                sources=sources,
                arguments={
                    "volume": {
                        **volumes.for_driver(row),
                        "encryption": encryptions.for_driver(tx, row),
                    },
                    "image": {"id": image["id"], "metadata": images.metadata(image)},
                    "servers": sorted({each["instance_uuid"] for each in held if each["instance_uuid"]}),
                },
            )
        if flow_id is None:
            raise errors.InvalidVolume(
                reason=f"Volume {volume_id} status must be {' or '.join(sources)}, but current status is "
                f"{row['status']}."
            )

    _write(request, unit)
    return Response(status=202)


def upload(request: Request, volume_id: str) -> Row:
    """The image is registered when this returns; its data comes afterwards."""
    asked = request.body["os-volume_upload_image"]
    force = schemas.truth(asked.get("force", False)) and request.service.conf.enable_force_upload
    image: Row = {
        "id": clock.new_uuid(),
        "name": asked["image_name"],
        "disk_format": asked.get("disk_format", "raw"),
        "container_format": asked.get("container_format") or "bare",
    }
    protected = False
    if request.at_least(3, 1):
        image["visibility"] = asked.get("visibility", "private")
        protected = schemas.truth(asked.get("protected", False))
        if image["visibility"] == "public":
            request.authorize(rule="volume_extension:volume_actions:upload_public")

    def unit(tx: Transaction) -> tuple[Row, Row, str]:
        row = lookup.volume(request, tx, volume_id)
        if row["encryption_key_id"] is not None:
            image.update(_key_of_image(request, tx, row, image))
        volume_type = types.get(tx, row["volume_type_id"])
        assert volume_type is not None
        sources = ("available", "in-use") if force else ("available",)
        flow_id = _hand_over(
            request,
            tx,
            row,
            "volume.upload_image",
            goal="uploading",
            sources=sources,
            arguments={
                "image": {**images.properties(row["image_metadata"] or {}), **image},
                "protected": protected,
                "attached": row["status"] == "in-use",
            },
        )
        if flow_id is None:
            raise errors.InvalidVolume(reason=f"Volume {volume_id} status must be {' or '.join(sources)}")
        return row, volume_type, flow_id

    row, volume_type, flow_id = _write(request, unit)
    request.service.flows.result(flow_id, request.service.conf.attachment_wait_timeout, REGISTERED)
    shown: Row = {
        "id": volume_id,
        "updated_at": moment(row["updated_at"]),
        "status": "uploading",
        "display_description": row["description"],
        "size": row["size"],
        "volume_type": _upload_type(volume_type),
        "image_id": image["id"],
        "container_format": image["container_format"],
        "disk_format": image["disk_format"],
        "image_name": image["name"],
    }
    if request.at_least(3, 1):
        shown |= {"protected": protected, "visibility": image["visibility"]}
    return {"os-volume_upload_image": shown}


def _upload_type(volume_type: Row) -> Row:
    """The type's own fields, as Cinder puts them into this answer alone."""
    return {
        "id": volume_type["id"],
        "name": volume_type["name"],
        "description": volume_type["description"],
        "is_public": volume_type["is_public"],
        "qos_specs_id": volume_type["qos_specs_id"],
        "extra_specs": volume_type["extra_specs"],
        "created_at": moment(volume_type["created_at"]),
        "updated_at": moment(volume_type["updated_at"]),
        "deleted": False,
        "deleted_at": None,
    }
