"""Flows attachment.connect and volume.initialize_connection: the back end opens the volume to a host.

The API waits for both. If the first fails the attachment is `reserved` as before, with a new term.
"""

import datetime
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.volume.db import attachments, messages
from celaje.volume.db.tables import ATTACHMENTS
from celaje.volume.states import ATTACHMENTS as STATES

Row = dict[str, Any]


def connecting_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    arguments = flow_row["arguments"]
    tx.execute(
        ATTACHMENTS.update()
        .where(ATTACHMENTS.c.id == arguments["attachment_id"], ATTACHMENTS.c.flow_id == flow_row["id"])
        .values(flow_id=None, connector=None, updated_at=clock.now())
    )
    messages.from_failure(
        tx, flow_row, error, resource=("VOLUME", arguments["volume"]["id"]), action="004", detail="021"
    )


@flow("attachment.connect", deadline="volume_connect_deadline", way_out=connecting_failed)
def connect_attachment(
    run: Run, *, attachment_id: str, volume: Row, connector: Row, facts: Row, shared: bool
) -> None:
    """`facts` is what the row says of mode and term; `shared`: another attachment has the volume open on
    the same host, so the connection may not be taken back."""
    worker = run.conductor.worker_of(volume)
    if not shared:
        run.undo(worker.terminate_connection, volume=volume, connector=connector)
    answer = run.step(worker.initialize_connection, volume=volume, connector=connector)
    info = connection_info(answer, volume, attachment_id, facts["mode"])
    info["enforce_multipath"] = bool(connector.get("enforce_multipath", False))
    opened = {"connector": connector, "info": info}
    run.done(attachment_connected, attachment_id, run.id, opened, run.conductor.conf.reservation_timeout)


def connection_info(answer: Row, volume: Row, attachment_id: str | None, mode: str) -> Row:
    """The flat form of the attachments API: the driver's data with what Cinder adds."""
    encrypted = volume.get("encryption_key_id") is not None
    defaults: Row = {"qos_specs": None, "access_mode": mode, "encrypted": encrypted, "cacheable": False}
    info = {**defaults, **answer.get("data", {}), "driver_volume_type": answer["driver_volume_type"]}
    if mode == "ro":
        info["access_mode"] = "ro"
    info["volume_id"] = volume["id"]
    if attachment_id is not None:
        info["attachment_id"] = attachment_id
    return info


def attachment_connected(tx: Transaction, attachment_id: str, flow_id: str, opened: Row, term: float) -> None:
    connector, info = opened["connector"], opened["info"]
    now = clock.now()
    attachments.hold_volume_of(tx, attachment_id)
    row = attachments.get(tx, attachment_id)
    if row is None or row["flow_id"] != flow_id:
        return
    # An attached volume that a server moves with (a new connector) stays attached.
    goal = "attached" if row["attach_status"] == "attached" else "attaching"
    STATES.move(
        tx,
        ATTACHMENTS,
        attachment_id,
        goal,
        held_by=flow_id,
        connection_info=info,
        connector=connector,
        attached_host=connector.get("host"),
        mountpoint=connector.get("mountpoint") or "na",
        attach_mode=info["access_mode"],
        attach_time=row["attach_time"] or now,
        expires_at=tx.now() + datetime.timedelta(seconds=term) if goal == "attaching" else None,
        updated_at=now,
    )
    attachments.settle_volume(tx, row["volume_id"])


def nothing_to_settle(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    """The legacy connection calls change no row; their caller gets the error."""


@flow("volume.initialize_connection", deadline="volume_connect_deadline", way_out=nothing_to_settle)
def initialize_connection(run: Run, volume: Row, connector: Row, mode: str) -> Row:
    worker = run.conductor.worker_of(volume)
    run.undo(worker.terminate_connection, volume=volume, connector=connector)
    answer = run.step(worker.initialize_connection, volume=volume, connector=connector)
    data = connection_info(answer, volume, None, mode)
    kind = data.pop("driver_volume_type")
    return {"driver_volume_type": kind, "data": data}


@flow("volume.terminate_connection", deadline="volume_disconnect_deadline", way_out=nothing_to_settle)
def terminate_connection(run: Run, volume: Row, connector: Row | None) -> None:
    run.step(run.conductor.worker_of(volume).terminate_connection, volume=volume, connector=connector)
