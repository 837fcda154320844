"""Flows attachment.reclaim and volume.reclaim: what was promised to a server and never settled.

Submitted by the conductor's sweep when a term has passed. Compute is asked whether the server still knows
the volume. If it does, or cannot be asked, the row gets another term; otherwise what was promised
is taken back.
"""

import datetime
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.volume.db import attachments, volumes
from celaje.volume.db.tables import ATTACHMENTS, VOLUMES
from celaje.volume.states import VOLUMES as STATES

Row = dict[str, Any]

# Where a state without a flow leads that only a flow could end (an operator's os-reset_status set it).
_UNOWNED = {
    "creating": "error",
    "downloading": "error",
    "deleting": "error_deleting",
    "extending": "error_extending",
    "reverting": "error",
    "managing": "error_managing",
}
# Seconds until a row is looked at again when compute could not be asked.
_AGAIN = 300.0


def not_decided(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    arguments = flow_row["arguments"]
    table, row_id = (
        (ATTACHMENTS, arguments["attachment_id"])
        if "attachment_id" in arguments
        else (VOLUMES, arguments["volume_id"])
    )
    tx.execute(
        table.update()
        .where(table.c.id == row_id, table.c.flow_id == flow_row["id"])
        .values(flow_id=None, expires_at=tx.now() + datetime.timedelta(seconds=_AGAIN))
    )


@flow("attachment.reclaim", deadline="volume_reclaim_deadline", way_out=not_decided)
def reclaim_attachment(run: Run, attachment_id: str) -> None:
    conductor = run.conductor
    found = run.write(look, attachment_id, run.id)
    if found is None:
        run.done()
        return
    if _still_wanted(run, found):
        run.done(another_term, attachment_id, run.id, conductor.conf.reservation_timeout)
        return
    if found["connected"] and not found["shared"]:
        worker = conductor.worker_of(found["volume"])
        run.step(worker.terminate_connection, volume=found["volume"], connector=found["connector"])
    run.done(take_back, attachment_id, run.id)


def _still_wanted(run: Run, found: Row) -> bool:
    if found["server"] is None:
        # Without a server nobody can be asked: what is connected stays, what is only reserved goes.
        return found["connected"]
    compute = run.conductor.clients.compute.as_service()
    known = run.step(compute.volume_attachment, server_id=found["server"], volume_id=found["volume"]["id"])
    return known is not None


def look(tx: Transaction, attachment_id: str, flow_id: str) -> Row | None:
    row = attachments.get(tx, attachment_id)
    if row is None or row["flow_id"] != flow_id:
        return None
    volume = volumes.get(tx, row["volume_id"])
    if volume is None:
        return None
    others = [other for other in attachments.of_volume(tx, volume["id"]) if other["id"] != attachment_id]
    return {
        "server": row["instance_uuid"],
        "connector": row["connector"],
        "connected": row["connection_info"] is not None,
        "shared": any(other["attached_host"] == row["attached_host"] for other in others),
        "volume": volumes.for_driver(volume),
    }


def another_term(tx: Transaction, attachment_id: str, flow_id: str, term: float) -> None:
    tx.execute(
        ATTACHMENTS.update()
        .where(ATTACHMENTS.c.id == attachment_id, ATTACHMENTS.c.flow_id == flow_id)
        .values(flow_id=None, expires_at=tx.now() + datetime.timedelta(seconds=term))
    )


def take_back(tx: Transaction, attachment_id: str, flow_id: str) -> None:
    attachments.hold_volume_of(tx, attachment_id)
    row = attachments.get(tx, attachment_id)
    if row is not None and row["flow_id"] == flow_id:
        attachments.remove(tx, attachment_id)
        attachments.settle_volume(tx, row["volume_id"])


@flow("volume.reclaim", deadline="volume_reclaim_deadline", way_out=not_decided)
def reclaim_volume(run: Run, volume_id: str) -> None:
    run.done(settle, volume_id, run.id)


def settle(tx: Transaction, volume_id: str, flow_id: str) -> None:
    """What its attachments say; a passing state that has no flow ends as a failed one does."""
    row = volumes.get(tx, volume_id)
    if row is None or row["flow_id"] != flow_id:
        return
    goal = _UNOWNED.get(row["status"])
    if goal is not None:
        STATES.move(tx, VOLUMES, volume_id, goal, held_by=flow_id, expires_at=None, updated_at=clock.now())
    else:
        volumes.change(tx, volume_id, flow_id=None)
        attachments.settle_volume(tx, volume_id)
