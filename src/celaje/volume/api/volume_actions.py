"""POST /volumes/{id}/action: the legacy attach actions, extend, flags, and what administrators may force."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.wsgi import Request, Response
from celaje.volume import errors
from celaje.volume.api import attachments as attachments_api
from celaje.volume.api import lookup, schemas
from celaje.volume.api import volumes as volumes_api
from celaje.volume.conductor.extend_volume import EXTENDED
from celaje.volume.db import attachments, transfers, types, volumes
from celaje.volume.db.tables import VOLUMES
from celaje.volume.states import VOLUMES as STATES

Row = dict[str, Any]

ANYTHING: schemas.Schema = {}
_CONNECTOR: schemas.Schema = {"type": ["object", "string", "null"]}
ATTACH = schemas.record(
    {
        "instance_uuid": schemas.UUID,
        "mountpoint": {"type": "string", "minLength": 1, "maxLength": 255},
        "host_name": {"type": "string", "maxLength": 255},
        "mode": {"type": "string", "enum": ["rw", "ro"]},
    },
    ("mountpoint",),
    anyOf=[{"required": ["instance_uuid"]}, {"required": ["host_name"]}],
)
DETACH = schemas.record({"attachment_id": schemas.OPTIONAL_UUID}) | {"type": ["object", "null"]}
EXTEND = schemas.record({"new_size": schemas.SIZE}, ("new_size",))
SET_BOOTABLE = schemas.record({"bootable": schemas.BOOLEAN}, ("bootable",))
READONLY = schemas.record({"readonly": schemas.BOOLEAN}, ("readonly",))
CONNECT = schemas.record({"connector": {"type": ["object", "string"]}}, ("connector",))
DISCONNECT = schemas.record({"connector": _CONNECTOR}, ("connector",))
FORCE_DETACH = schemas.record({"connector": _CONNECTOR, "attachment_id": {"type": ["string", "null"]}})
EXTEND_COMPLETION = schemas.record({"error": {"type": ["string", "null", "boolean"]}})
_MAY_BE_SET = (
    "creating", "available", "deleting", "error", "error_deleting", "error_extending", "attaching",
    "detaching", "in-use", "maintenance", "reserved", "extending",
)  # fmt: skip
RESET_STATUS = schemas.record(
    {
        "status": {"type": ["string", "null"]},
        "attach_status": {"type": ["string", "null"]},
        "migration_status": {"type": ["string", "null"]},
    },
    minProperties=1,
)


def _write(request: Request, unit: Any) -> Any:
    return request.service.database.write(unit)


def reserve(request: Request, volume_id: str) -> Response:
    def unit(tx: Transaction) -> None:
        row = lookup.volume(request, tx, volume_id)
        sources = ("available", "in-use") if row["multiattach"] else ("available",)
        moved = STATES.move(
            tx,
            VOLUMES,
            volume_id,
            "attaching",
            sources=sources,
            expires_at=attachments_api.term(request),
            updated_at=clock.now(),
        )
        if not moved:
            raise errors.InvalidVolume(
                reason=f"Volume status must be {' or '.join(sources)} to reserve, but the status is "
                f"{row['status']}."
            )

    _write(request, unit)
    return Response(status=202)


def unreserve(request: Request, volume_id: str) -> Response:
    def unit(tx: Transaction) -> None:
        row = lookup.volume(request, tx, volume_id)
        if row["status"] == "attaching":
            attachments.settle_volume(tx, volume_id)

    _write(request, unit)
    return Response(status=202)


def begin_detaching(request: Request, volume_id: str) -> Response:
    def unit(tx: Transaction) -> None:
        lookup.volume(request, tx, volume_id)
        moved = STATES.move(
            tx,
            VOLUMES,
            volume_id,
            "detaching",
            sources=("in-use",),
            expires_at=attachments_api.term(request),
            updated_at=clock.now(),
        )
        if not moved:
            raise errors.InvalidVolume(
                reason="Unable to detach volume. Volume status must be 'in-use' and attach_status must be "
                "'attached' to detach."
            )

    _write(request, unit)
    return Response(status=202)


def roll_detaching(request: Request, volume_id: str) -> Response:
    def unit(tx: Transaction) -> None:
        row = lookup.volume(request, tx, volume_id)
        if row["status"] == "detaching":
            attachments.settle_volume(tx, volume_id)

    _write(request, unit)
    return Response(status=202)


def attach(request: Request, volume_id: str) -> Response:
    """Notes an attachment that its caller has made by os-initialize_connection."""
    asked = request.body["os-attach"]

    def unit(tx: Transaction) -> None:
        row = lookup.volume(request, tx, volume_id)
        mode = asked.get("mode", "rw")
        if row["readonly"] and mode != "ro":
            raise errors.InvalidVolume(reason=f"Volume {volume_id} is read-only, mode {mode} is not allowed.")
        allowed = ("available", "attaching", *(("in-use",) if row["multiattach"] else ()))
        if row["status"] not in allowed:
            raise errors.InvalidVolume(
                reason=f"volume status must be {' or '.join(allowed)} to attach, it is {row['status']}."
            )
        now = clock.now()
        attachments.insert(
            tx,
            {
                "id": clock.new_uuid(),
                "volume_id": volume_id,
                "project_id": row["project_id"],
                "instance_uuid": asked.get("instance_uuid"),
                "attached_host": asked.get("host_name"),
                "mountpoint": asked["mountpoint"],
                "attach_mode": mode,
                "attach_status": "attached",
                "attach_time": now,
                "created_at": now,
            },
        )
        attachments.settle_volume(tx, volume_id)

    _write(request, unit)
    return Response(status=202)


def detach(request: Request, volume_id: str) -> Response:
    """Notes that an attachment is gone; its caller has closed it by os-terminate_connection."""
    wanted = (request.body["os-detach"] or {}).get("attachment_id")
    row = request.service.database.read(_attachment_to_detach, request, volume_id, wanted)
    if row is not None:
        attachments_api.refuse_to_pull_from_a_server(request, row)

    def unit(tx: Transaction) -> None:
        found = _attachment_to_detach(tx, request, volume_id, wanted)
        if found is not None:
            attachments.remove(tx, found["id"])
        attachments.settle_volume(tx, volume_id)

    _write(request, unit)
    return Response(status=202)


def _attachment_to_detach(
    tx: Transaction, request: Request, volume_id: str, wanted: str | None
) -> Row | None:
    lookup.volume(request, tx, volume_id)
    held = attachments.of_volume(tx, volume_id)
    if wanted:
        held = [row for row in held if row["id"] == wanted]
        if not held:
            raise errors.VolumeAttachmentNotFound(filter=f"attachment_id = {wanted}")
    elif len(held) > 1:
        raise errors.InvalidVolume(
            reason="Detach volume failed: More than one attachment, but no attachment_id provided."
        )
    return held[0] if held else None


def initialize_connection(request: Request, volume_id: str) -> Row:
    connector = request.body["os-initialize_connection"]["connector"]
    if not isinstance(connector, dict):
        raise errors.InvalidInput(reason="The connector must be an object.")
    attachments_api.check_connector(connector)

    def unit(tx: Transaction) -> str:
        row = lookup.volume(request, tx, volume_id)
        if row["host"] is None or row["status"] not in ("attaching", "in-use", "available", "reserved"):
            raise errors.InvalidVolume(
                reason=f"Volume {volume_id} cannot be connected in state {row['status']}."
            )
        return request.service.flows.submit(
            tx,
            "volume.initialize_connection",
            resource=("volume", volume_id),
            arguments={
                "volume": volumes.for_driver(row),
                "connector": connector,
                "mode": "ro" if row["readonly"] else "rw",
            },
            project_id=row["project_id"],
        )

    flow_id = _write(request, unit)
    info = request.service.flows.result(flow_id, request.service.conf.attachment_wait_timeout)
    info["enforce_multipath"] = bool(connector.get("enforce_multipath", False))
    return {"connection_info": info}


def terminate_connection(request: Request, volume_id: str) -> Response:
    connector = request.body["os-terminate_connection"]["connector"]
    if connector is not None and not isinstance(connector, dict):
        raise errors.InvalidInput(reason="The connector must be an object.")
    row = request.service.database.read(lambda tx: lookup.volume(request, tx, volume_id))
    held = request.service.database.read(attachments.of_volume, volume_id)
    for attachment in held:
        attachments_api.refuse_to_pull_from_a_server(request, attachment)

    def unit(tx: Transaction) -> str:
        if row["host"] is None:
            raise errors.InvalidVolume(reason=f"Volume {volume_id} is on no back end.")
        return request.service.flows.submit(
            tx,
            "volume.terminate_connection",
            resource=("volume", volume_id),
            arguments={"volume": volumes.for_driver(row), "connector": connector},
            project_id=row["project_id"],
        )

    flow_id = _write(request, unit)
    request.service.flows.result(flow_id, request.service.conf.attachment_wait_timeout)
    return Response(status=202)


def extend(request: Request, volume_id: str) -> Response:
    new_size = int(request.body["os-extend"]["new_size"])
    if new_size > schemas.LARGEST_INTEGER:
        raise errors.InvalidInput(reason=f"Volume size {new_size} is too large.")

    def unit(tx: Transaction) -> None:
        row = lookup.volume(request, tx, volume_id)
        attached = row["status"] == "in-use" and request.at_least(3, 42)
        if attached:
            request.authorize(lookup.target(row), "volume:extend_attached_volume")
        if new_size <= row["size"]:
            raise errors.InvalidInput(
                reason=f"New size for extend must be greater than current size. (current: {row['size']}, "
                f"extended: {new_size})."
            )
        volume_type = types.get(tx, row["volume_type_id"])
        assert volume_type is not None
        service = request.service
        service.quotas.check_volume(tx, row["project_id"], volume_type, new_size, grow=new_size - row["size"])
        expected = "in-use" if attached else "available"
        held = attachments.of_volume(tx, volume_id)
        flow_id = service.flows.submit(
            tx,
            "volume.extend",
            resource=("volume", volume_id),
            arguments={
                "volume": volumes.for_driver(row),
                "new_size": new_size,
                "attached": attached,
                "servers": sorted({each["instance_uuid"] for each in held if each["instance_uuid"]}),
            },
            project_id=row["project_id"],
        )
        moved = STATES.move(
            tx,
            VOLUMES,
            volume_id,
            "extending",
            sources=(expected,),
            flow_id=flow_id,
            pending_size=new_size,
            updated_at=clock.now(),
        )
        if not moved:
            raise errors.InvalidVolume(
                reason=f"Volume {volume_id} status must be '{expected}' to extend, currently {row['status']}."
            )

    _write(request, unit)
    return Response(status=202)


def extend_completion(request: Request, volume_id: str) -> Response:
    """The compute service has made the volume larger, or could not."""
    error = request.body["os-extend_volume_completion"].get("error")
    failed = schemas.flag(error, "error") if isinstance(error, str) else bool(error)

    def unit(tx: Transaction) -> None:
        row = lookup.volume(request, tx, volume_id)
        if row["status"] != "extending" or row["flow_id"] is None:
            raise errors.InvalidVolume(reason="Volume is not being extended.")
        request.service.flows.signal(tx, row["flow_id"], EXTENDED, {"error": failed})

    _write(request, unit)
    return Response(status=202)


def set_bootable(request: Request, volume_id: str) -> Response:
    bootable = schemas.truth(request.body["os-set_bootable"]["bootable"])

    def unit(tx: Transaction) -> None:
        lookup.volume(request, tx, volume_id)
        volumes.change(tx, volume_id, bootable=bootable, updated_at=clock.now())

    _write(request, unit)
    return Response(status=200)


def update_readonly_flag(request: Request, volume_id: str) -> Response:
    readonly = schemas.truth(request.body["os-update_readonly_flag"]["readonly"])

    def unit(tx: Transaction) -> None:
        row = lookup.volume(request, tx, volume_id)
        if row["status"] != "available":
            raise errors.InvalidVolume(
                reason=f"Volume {volume_id} status must be available to update readonly flag, but current "
                f"status is: {row['status']}."
            )
        volumes.change(tx, volume_id, readonly=readonly, updated_at=clock.now())

    _write(request, unit)
    return Response(status=202)


def reset_status(request: Request, volume_id: str) -> Response:
    """What an operator says the state is. A passing state set so has no flow; its term ends it instead."""
    asked = request.body["os-reset_status"]
    values: Row = {key: value for key, value in asked.items() if value is not None}
    if "status" in values and values["status"] not in _MAY_BE_SET:
        raise errors.InvalidInput(
            reason=f"status {values['status']} must be one of {', '.join(_MAY_BE_SET)}."
        )
    if values.get("attach_status", "attached") not in ("attached", "detached"):
        raise errors.InvalidInput(reason="attach_status must be attached or detached.")
    if values.get("migration_status", "none") not in ("none", "error", "success", "migrating", "completing"):
        raise errors.InvalidInput(reason="migration_status is not one that a volume can have.")
    if not values:
        raise errors.InvalidInput(reason="Must specify 'status', 'attach_status' or 'migration_status'.")

    def unit(tx: Transaction) -> None:
        row = lookup.volume(request, tx, volume_id)
        if "status" in values:
            if row["flow_id"] is not None:
                raise errors.InvalidVolume(
                    reason=f"Volume {volume_id} is {row['status']}: an operation under way holds it, and "
                    "will end it by its deadline."
                )
            lasting = (
                values["status"] in ("available", "in-use", "maintenance") or "error" in values["status"]
            )
            values["expires_at"] = None if lasting else attachments_api.term(request)
            transfers.forget(tx, volume_id)
        if values.get("migration_status") == "none":
            values["migration_status"] = None
        volumes.change(tx, volume_id, updated_at=clock.now(), **values)

    _write(request, unit)
    return Response(status=202)


def force_delete(request: Request, volume_id: str) -> Response:
    def unit(tx: Transaction) -> None:
        row = lookup.volume(request, tx, volume_id)
        volumes_api.begin_deletion(request, tx, row, cascade=False, force=True)

    _write(request, unit)
    return Response(status=202)


def force_detach(request: Request, volume_id: str) -> Response:
    """Close and forget an attachment whatever its state; without an id, all of them. One that is just being
    connected or closed is its flow's until then: VolumeBusy."""
    asked = request.body["os-force_detach"]

    def unit(tx: Transaction) -> None:
        lookup.volume(request, tx, volume_id)
        held = attachments.of_volume(tx, volume_id)
        if asked.get("attachment_id"):
            held = [row for row in held if row["id"] == asked["attachment_id"]]
            if not held:
                raise errors.VolumeAttachmentNotFound(filter=f"attachment_id = {asked['attachment_id']}")
        for row in held:
            attachments_api.begin_disconnecting(request, tx, row)
        attachments.settle_volume(tx, volume_id, also=("error",))

    _write(request, unit)
    return Response(status=202)
