"""Flow volume.extend: by the worker, or, while a server holds the volume open, through the compute service.

Compute is told by its external event volume-extended and answers with the volume's action
os-extend_volume_completion, which signals `extend_completed` to this flow.
"""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.volume.db import attachments, backends, messages
from celaje.volume.db.tables import VOLUMES
from celaje.volume.drivers.base import VolumeInUse
from celaje.volume.errors import ExtendFailed, NoValidBackend
from celaje.volume.states import VOLUMES as STATES

Row = dict[str, Any]

EXTENDED = "extend_completed"


def extension_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    """Without room nothing has happened, and the volume is as before; otherwise its size at the back end is
    unknown: error_extending."""
    arguments = flow_row["arguments"]
    volume_id = arguments["volume"]["id"]
    # Or it is open, and the back end grows nothing that is.
    untouched = isinstance(error, NoValidBackend | VolumeInUse)
    if untouched:
        moved = attachments.give_back(tx, volume_id, flow_row["id"], "extending", pending_size=None)
    else:
        moved = STATES.move(
            tx,
            VOLUMES,
            volume_id,
            "error_extending",
            held_by=flow_row["id"],
            pending_size=None,
            updated_at=clock.now(),
        )
    if moved:
        detail = "003" if untouched else "009" if isinstance(error, ExtendFailed) else "010"
        messages.from_failure(
            tx, flow_row, error, resource=("VOLUME", volume_id), action="007", detail=detail
        )


@flow("volume.extend", deadline="volume_extend_deadline", way_out=extension_failed)
def extend_volume(run: Run, volume: Row, new_size: int, attached: bool, servers: list[str]) -> None:
    """`servers` are those that have the volume attached."""
    conductor = run.conductor
    run.write(check_room, volume["host"])
    done = run.step(
        conductor.worker_of(volume).extend_volume,
        volume=volume,
        new_size=new_size,
        attached=attached,
    )
    compute = conductor.clients.compute.as_service()
    if servers:
        run.step(compute.volume_extended, server_ids=servers, volume_id=volume["id"])
    if done["extended_by"] == "host":
        answer = run.wait(EXTENDED)
        if answer["error"]:
            raise ExtendFailed(volume_id=volume["id"])
    run.done(volume_extended, volume["id"], run.id, new_size)


def check_room(tx: Transaction, pool: str) -> None:
    """The row holds the new size already, so the claim is there; it must fit."""
    refusal = backends.claim_more(tx, pool, 0)
    if refusal:
        raise NoValidBackend(reason=refusal, filters=[])


def volume_extended(tx: Transaction, volume_id: str, flow_id: str, new_size: int) -> None:
    attachments.give_back(tx, volume_id, flow_id, "extending", size=new_size, pending_size=None)
