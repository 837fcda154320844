"""Flow attachment.disconnect: the back end closes the volume to a host, then the attachment goes."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.volume.db import attachments, messages
from celaje.volume.db.tables import ATTACHMENTS
from celaje.volume.states import ATTACHMENTS as STATES

Row = dict[str, Any]


def disconnecting_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    arguments = flow_row["arguments"]
    attachments.hold_volume_of(tx, arguments["attachment_id"])
    STATES.move(
        tx,
        ATTACHMENTS,
        arguments["attachment_id"],
        "error_detaching",
        held_by=flow_row["id"],
        updated_at=clock.now(),
    )
    attachments.settle_volume(tx, arguments["volume"]["id"])
    messages.from_failure(
        tx, flow_row, error, resource=("VOLUME", arguments["volume"]["id"]), action="004", detail="022"
    )


@flow("attachment.disconnect", deadline="volume_disconnect_deadline", way_out=disconnecting_failed)
def disconnect_attachment(
    run: Run, attachment_id: str, volume: Row, connector: Row | None, shared: bool
) -> None:
    """`shared`: another attachment has the volume open on the same host, so the connection stays."""
    if not shared:
        worker = run.conductor.worker_of(volume)
        run.step(worker.terminate_connection, volume=volume, connector=connector)
    run.done(attachment_gone, attachment_id, run.id, volume["id"])


def attachment_gone(tx: Transaction, attachment_id: str, flow_id: str, volume_id: str) -> None:
    attachments.hold_volume_of(tx, attachment_id)
    row = attachments.get(tx, attachment_id)
    if row is not None and row["flow_id"] == flow_id:
        attachments.remove(tx, attachment_id)
        attachments.settle_volume(tx, volume_id)
