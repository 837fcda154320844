"""Flow volume.retype: a volume gets another type, and another back end where its own does not do for it."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.volume.conductor.moving import change_over, move
from celaje.volume.conductor.moving_attached import change_places, move_attached
from celaje.volume.db import attachments, messages, volumes
from celaje.volume.errors import NoValidBackend, RetypeNeedsMigration

Row = dict[str, Any]


def retype_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    arguments = flow_row["arguments"]
    volume_id = arguments["volume"]["id"]
    volume = volumes.get(tx, volume_id)
    given: Row = {"pending_host": None, "pending_type_id": None}
    if volume is not None and volume["migration_status"] == "migrating":
        given["migration_status"] = "error"
    if attachments.give_back(tx, volume_id, flow_row["id"], "retyping", **given):
        detail = "003" if isinstance(error, NoValidBackend) else "001"
        messages.from_failure(
            tx, flow_row, error, resource=("VOLUME", volume_id), action="101", detail=detail
        )


@flow("volume.retype", deadline="volume_migrate_deadline", way_out=retype_failed)
def retype_volume(
    run: Run,
    *,
    volume: Row,
    request: Row,
    becomes: Row,
    change: Row | None,
    may_move: bool,
    server: str | None = None,
) -> None:
    """`becomes`: what the row holds afterwards (volume_type_id, multiattach). `change`: {"to": how its data
    is to be encrypted}, if that changes: then it is written anew, if only to the same back end. `may_move`:
    the policy allows it, and nothing hangs on the volume's place. `server`: who uses it."""
    if change is not None:
        if not may_move:
            raise RetypeNeedsMigration(volume_id=volume["id"], reason="Its encryption changes.")
        moved = move(run, volume, request, change=change)
        run.done(retyped_and_moved, run.conductor, volume, run.id, {**moved, **becomes})
        return
    try:
        # It has its room there already: what is asked is whether the back end does for the new type.
        here = {**request, "size": 0, "pinned": volume["host"]}
        run.ask(run.conductor.scheduler.select_backend, request=here)
    except NoValidBackend as refusal:
        if not may_move:
            raise RetypeNeedsMigration(volume_id=volume["id"], reason=refusal.message) from refusal
    else:
        run.done(retyped, volume["id"], run.id, becomes)
        return
    if server is not None:
        target = move_attached(run, volume, request, server, becomes["volume_type_id"])
        run.done(retyped_and_moved_attached, run.conductor, volume["id"], run.id, target)
        return
    moved = move(run, volume, request)
    run.done(retyped_and_moved, run.conductor, volume, run.id, {**moved, **becomes})


def retyped(tx: Transaction, volume_id: str, flow_id: str, becomes: Row) -> None:
    attachments.give_back(tx, volume_id, flow_id, "retyping", **becomes)


def retyped_and_moved(tx: Transaction, conductor: Any, volume: Row, flow_id: str, becomes: Row) -> None:
    change_over(tx, conductor, volume, flow_id, becomes, passing="retyping", migration_status="success")


def retyped_and_moved_attached(
    tx: Transaction, conductor: Any, volume_id: str, flow_id: str, target_id: str
) -> None:
    change_places(tx, conductor, volume_id, flow_id, target_id, passing="retyping")
