"""Flow volume.migrate: a volume moves to another back end."""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.volume.conductor.moving import change_over, move
from celaje.volume.conductor.moving_attached import change_places, move_attached
from celaje.volume.db import attachments, messages

Row = dict[str, Any]


def migration_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    """It stays where it was; a server goes on with it there."""
    volume_id = flow_row["arguments"]["volume"]["id"]
    given = {"migration_status": "error", "pending_host": None}
    if attachments.give_back(tx, volume_id, flow_row["id"], "migrating", **given):
        detail = "003" if type(error).__name__ == "NoValidBackend" else "001"
        messages.from_failure(
            tx, flow_row, error, resource=("VOLUME", volume_id), action="102", detail=detail
        )


@flow("volume.migrate", deadline="volume_migrate_deadline", way_out=migration_failed)
def migrate_volume(run: Run, volume: Row, request: Row, server: str | None = None) -> None:
    """`request` is the scheduler's; its `pinned` is where the volume is to go. `server`: who uses it."""
    if server is not None:
        target = move_attached(run, volume, request, server, volume["volume_type_id"])
        run.done(migrated_attached, run.conductor, volume["id"], run.id, target)
        return
    moved = move(run, volume, request)
    run.done(migrated, run.conductor, volume, run.id, moved)


def migrated(tx: Transaction, conductor: Any, volume: Row, flow_id: str, moved: Row) -> None:
    change_over(tx, conductor, volume, flow_id, moved, passing="migrating", migration_status="success")


def migrated_attached(tx: Transaction, conductor: Any, volume_id: str, flow_id: str, target_id: str) -> None:
    change_places(tx, conductor, volume_id, flow_id, target_id, passing="migrating")
