"""The attachments API (since 3.27): reserve, connect, complete, delete. The compute service drives it.

Reserving and completing are one transaction each; connecting and disconnecting are flows that the handler
waits for (`attachment_wait_timeout`).
"""

import datetime
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError, Conflict
from celaje.common.wsgi import Request, Response
from celaje.volume import errors
from celaje.volume.api import listing, lookup, schemas
from celaje.volume.api.volume_view import moment
from celaje.volume.db import attachments, volumes
from celaje.volume.db.tables import ATTACHMENTS, VOLUMES
from celaje.volume.states import ATTACHMENTS as STATES
from celaje.volume.states import VOLUMES as VOLUME_STATES

Row = dict[str, Any]

_NEW: dict[str, schemas.Schema] = {
    "instance_uuid": schemas.UUID,
    "connector": {"type": ["object", "null"]},
    "volume_uuid": schemas.UUID,
}
CREATE = schemas.wrapped("attachment", schemas.record(_NEW, ("volume_uuid",)))
CREATE_3_54 = schemas.wrapped(
    "attachment",
    schemas.record({**_NEW, "mode": {"type": "string", "enum": ["rw", "ro"]}}, ("volume_uuid",)),
)
UPDATE = schemas.wrapped(
    "attachment",
    schemas.record({"connector": {"type": "object", "minProperties": 1}}, ("connector",)),
)
COMPLETE = schemas.wrapped("os-complete", {})

LISTING = listing.Listing(
    ATTACHMENTS,
    {key: key for key in ("id", "created_at", "updated_at", "volume_id", "attach_status")},
    {
        "volume_id": listing.equals(ATTACHMENTS.c.volume_id),
        "status": listing.equals(ATTACHMENTS.c.attach_status),
        "attach_status": listing.equals(ATTACHMENTS.c.attach_status),
        "instance_id": listing.equals(ATTACHMENTS.c.instance_uuid),
    },
    {
        "project_id": listing.equals(ATTACHMENTS.c.project_id),
        "instance_uuid": listing.equals(ATTACHMENTS.c.instance_uuid),
        "attached_host": listing.equals(ATTACHMENTS.c.attached_host),
    },
    resource="attachment",
    missing=lambda marker: errors.VolumeAttachmentNotFound(filter=f"attachment_id = {marker}"),
)
_restrict = listing.of_project(ATTACHMENTS)


def summary(row: Row) -> Row:
    return {
        "id": row["id"],
        "status": row["attach_status"],
        "instance": row["instance_uuid"],
        "volume_id": row["volume_id"],
    }


def details(row: Row) -> Row:
    return {
        **summary(row),
        "attached_at": moment(row.get("attach_time")) or "",
        # A detached attachment is gone, so no shown one has a time of it.
        "detached_at": "",
        "attach_mode": row["attach_mode"],
        "connection_info": row.get("connection_info") or {},
    }


def index(request: Request) -> Row:
    rows, beside = request.service.database.read(lambda tx: LISTING.read(request, tx, _restrict))
    return _listed([summary(row) for row in rows], beside)


def detail(request: Request) -> Row:
    rows, beside = request.service.database.read(lambda tx: LISTING.read(request, tx, _restrict))
    return _listed([details(row) for row in rows], beside)


def _listed(shown: list[Row], beside: Row) -> Row:
    return {
        "attachments": shown,
        **({"attachments_links": beside["links"]} if "links" in beside else {}),
    }


def show(request: Request, attachment_id: str) -> Row:
    row = request.service.database.read(lambda tx: lookup.attachment(request, tx, attachment_id))
    return {"attachment": details(row)}


def create(request: Request) -> Row:
    asked = request.body["attachment"]
    connector = asked.get("connector")
    check_connector(connector)

    def unit(tx: Transaction) -> tuple[Row, str | None]:
        volume = lookup.volume(request, tx, asked["volume_uuid"])
        row = reserve(request, tx, volume, asked.get("instance_uuid"), asked.get("mode", "null"))
        return row, begin_connecting(request, tx, volume, row, connector) if connector else None

    row, flow_id = request.service.database.write(unit)
    if flow_id is not None:
        try:
            _await(request, flow_id)
        except CelajeError as error:
            # Nobody has seen its id yet, so nobody could delete it.
            request.service.database.write(_drop, row["id"])
            raise _unable("create", error) from error
        row = _reload(request, row["id"])
    return {"attachment": details(row)}


def update(request: Request, attachment_id: str) -> Row:
    connector = request.body["attachment"]["connector"]
    check_connector(connector)

    def unit(tx: Transaction) -> str:
        row = lookup.attachment(request, tx, attachment_id)
        volume = volumes.get(tx, row["volume_id"])
        assert volume is not None
        if "error" in volume["status"]:
            raise Conflict(
                "Volume attachments can not be updated if the volume is in an error state. "
                f"The Volume {volume['id']} currently has a status of: {volume['status']} "
            )
        if row["flow_id"] and row["attach_status"] != "detaching" and row["connector"] == connector:
            # The same request again, of a caller that died or lost the answer: it gets the one answer.
            return row["flow_id"]
        return begin_connecting(request, tx, volume, row, connector)

    flow_id = request.service.database.write(unit)
    try:
        _await(request, flow_id)
    except CelajeError as error:
        raise _unable("update", error) from error
    return {"attachment": details(_reload(request, attachment_id))}


def complete(request: Request, attachment_id: str) -> Response:
    def unit(tx: Transaction) -> None:
        row = lookup.attachment(request, tx, attachment_id)
        moved = STATES.move(
            tx, ATTACHMENTS, attachment_id, "attached", expires_at=None, updated_at=clock.now()
        )
        if not moved:
            raise Conflict(f"Attachment {attachment_id} is {row['attach_status']} and cannot be completed.")
        attachments.settle_volume(tx, row["volume_id"])

    request.service.database.write(unit)
    return Response(status=204)


def delete(request: Request, attachment_id: str) -> Row:
    """Returns what attachments the volume has left."""
    row = _after_its_flow(request, attachment_id)
    refuse_to_pull_from_a_server(request, row)

    def unit(tx: Transaction) -> tuple[bool, str | None]:
        row = lookup.attachment(request, tx, attachment_id)
        if row["flow_id"] is not None:
            return False, row["flow_id"]
        return True, begin_disconnecting(request, tx, row)

    begun, flow_id = request.service.database.write(unit)
    while not begun:
        # Another request was first, perhaps with the same in mind: then there is nothing left to delete.
        assert flow_id is not None
        request.service.flows.wait(flow_id, request.service.conf.attachment_wait_timeout)
        begun, flow_id = request.service.database.write(unit)
    if flow_id is not None:
        _await(request, flow_id)
    left = request.service.database.read(attachments.of_volume, row["volume_id"])
    return {"attachments": [summary(each) for each in left]}


# Used by the legacy actions too.


def reserve(request: Request, tx: Transaction, volume: Row, server: str | None, mode: str) -> Row:
    """A new reserved attachment, and the volume reserved with it."""
    if "error" in volume["status"]:
        raise errors.InvalidVolume(
            reason="Volume attachments can not be created if the volume is in an error state. "
            f"The Volume {volume['id']} currently has a status of: {volume['status']} "
        )
    multiattach = volume["multiattach"]
    if multiattach and volume["status"] == "in-use" and volume["bootable"]:
        request.authorize(lookup.target(volume), "volume:multiattach_bootable_volume")
    sources = ("available", "in-use") if multiattach else ("available",)
    now = clock.now()
    moved = VOLUME_STATES.move(
        tx, VOLUMES, volume["id"], "reserved", sources=sources, expires_at=None, updated_at=now
    )
    if not moved and not _moves_with_its_server(tx, volume, server):
        raise errors.InvalidVolume(
            reason=f"Volume {volume['id']} status must be {' or '.join(sources)} to reserve, but the current "
            f"status is {volume['status']}."
        )
    row: Row = {
        "id": clock.new_uuid(),
        "volume_id": volume["id"],
        "project_id": volume["project_id"],
        "instance_uuid": server,
        "attach_mode": "ro" if volume["readonly"] else mode,
        "attach_status": "reserved",
        "expires_at": term(request),
        "created_at": now,
    }
    attachments.insert(tx, row)
    return row


def _moves_with_its_server(tx: Transaction, volume: Row, server: str | None) -> bool:
    """A server that migrates holds its volume twice for a while."""
    if server is None or volume["status"] not in ("in-use", "reserved"):
        return False
    return any(row["instance_uuid"] == server for row in attachments.of_volume(tx, volume["id"]))


def term(request: Request) -> datetime.datetime:
    service = request.service
    return service.database.now() + datetime.timedelta(seconds=service.conf.reservation_timeout)


def begin_connecting(request: Request, tx: Transaction, volume: Row, row: Row, connector: Row) -> str:
    others = [other for other in attachments.of_volume(tx, volume["id"]) if other["id"] != row["id"]]
    host = connector.get("host")
    same_host = any(other["connection_info"] and other["attached_host"] == host for other in others)
    if same_host and not volume["multiattach"] and row["attach_status"] == "reserved":
        raise errors.InvalidVolume(reason=f"duplicate connectors detected on volume {volume['id']}")
    mode = row["attach_mode"] if row["attach_mode"] != "null" else connector.get("mode") or "rw"
    if mode not in ("rw", "ro"):
        raise errors.InvalidInput(reason=f"Invalid attaching mode '{mode}' for volume {volume['id']}.")
    if volume["host"] is None:
        raise errors.InvalidVolume(reason=f"Volume {volume['id']} is on no back end.")
    flow_id = request.service.flows.submit(
        tx,
        "attachment.connect",
        resource=("attachment", row["id"]),
        arguments={
            "attachment_id": row["id"],
            "volume": volumes.for_driver(volume),
            "connector": connector,
            "facts": {"mode": mode},
            "shared": same_host,
        },
        project_id=row["project_id"],
    )
    if not attachments.hold(tx, row["id"], flow_id, connector):
        raise errors.VolumeBusy(what=f"Attachment {row['id']}", flow=row.get("flow_id"))
    return flow_id


def begin_disconnecting(request: Request, tx: Transaction, row: Row) -> str | None:
    """The flow that closes the connection; None when there was none, and the attachment is gone."""
    if row["flow_id"] is not None:
        raise errors.VolumeBusy(what=f"Attachment {row['id']}", flow=row["flow_id"])
    volume = volumes.get(tx, row["volume_id"])
    if not row["connection_info"] or volume is None or volume["host"] is None:
        attachments.remove(tx, row["id"])
        attachments.settle_volume(tx, row["volume_id"])
        return None
    others = [other for other in attachments.of_volume(tx, volume["id"]) if other["id"] != row["id"]]
    flow_id = request.service.flows.submit(
        tx,
        "attachment.disconnect",
        resource=("attachment", row["id"]),
        arguments={
            "attachment_id": row["id"],
            "volume": volumes.for_driver(volume),
            "connector": row["connector"],
            "shared": any(
                other["connection_info"] and other["attached_host"] == row["attached_host"]
                for other in others
            ),
        },
        project_id=row["project_id"],
    )
    now = clock.now()
    STATES.move(tx, ATTACHMENTS, row["id"], "detaching", flow_id=flow_id, expires_at=None, updated_at=now)
    # Nobody may believe that the volume can be used on while its disk is being taken away.
    if not others:
        VOLUME_STATES.move(
            tx,
            VOLUMES,
            volume["id"],
            "detaching",
            sources=("reserved", "attaching", "in-use", "detaching"),
            updated_at=now,
        )
    return flow_id


def refuse_to_pull_from_a_server(request: Request, row: Row) -> None:
    """A user may not delete the attachment that a running server uses (bug 2004555): the compute service
    has to do it, and shows a service's token."""
    context = request.context
    if "service" in context.roles or "service" in context.service_roles:
        return
    if not row["instance_uuid"] or not row["connection_info"]:
        return
    compute = request.service.ground.clients.compute.as_service()
    used = compute.volume_attachment(server_id=row["instance_uuid"], volume_id=row["volume_id"])
    if used is not None and used.get("attachment_id", row["id"]) == row["id"]:
        raise errors.AttachmentInUse(server_id=row["instance_uuid"])


def check_connector(connector: Row | None) -> None:
    """Every driver finds the host by it; what else they need they say themselves."""
    if connector and not isinstance(connector.get("host"), str):
        raise errors.InvalidInput(reason="Connector doesn't have required information: host")


def _after_its_flow(request: Request, attachment_id: str) -> Row:
    """The attachment, once the connect or disconnect that is under way has ended."""
    row = request.service.database.read(lambda tx: lookup.attachment(request, tx, attachment_id))
    if row["flow_id"] is not None:
        request.service.flows.wait(row["flow_id"], request.service.conf.attachment_wait_timeout)
        row = request.service.database.read(lambda tx: lookup.attachment(request, tx, attachment_id))
    return row


def _await(request: Request, flow_id: str) -> None:
    request.service.flows.result(flow_id, request.service.conf.attachment_wait_timeout)


def _reload(request: Request, attachment_id: str) -> Row:
    row = request.service.database.read(attachments.get, attachment_id)
    if row is None:
        raise errors.VolumeAttachmentNotFound(filter=f"attachment_id = {attachment_id}")
    return row


def _drop(tx: Transaction, attachment_id: str) -> None:
    attachments.hold_volume_of(tx, attachment_id)
    row = attachments.get(tx, attachment_id)
    if row is not None and row["flow_id"] is None:
        attachments.remove(tx, attachment_id)
        attachments.settle_volume(tx, row["volume_id"])


def _unable(verb: str, error: CelajeError) -> CelajeError:
    """A wrong connector or a conflict speaks for itself, and so does what is not done yet: it may be asked
    again. A back end's failure is the service's, 500."""
    if error.kind in ("invalid", "conflict", "not_found", "unavailable"):
        return error
    return errors.AttachmentFailed(verb=verb, cause=error.message)
