"""Flow volume.migrate: a volume moves to another back end."""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.volume.conductor.moving import change_over, move
from celaje.volume.db import messages
from celaje.volume.db.tables import VOLUMES
from celaje.volume.states import VOLUMES as STATES

Row = dict[str, Any]


def migration_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    """It stays where it was."""
    volume_id = flow_row["arguments"]["volume"]["id"]
    moved = STATES.move(
        tx,
        VOLUMES,
        volume_id,
        "available",
        sources=("migrating",),
        held_by=flow_row["id"],
        migration_status="error",
        pending_host=None,
        updated_at=clock.now(),
    )
    if moved:
        detail = "003" if type(error).__name__ == "NoValidBackend" else "001"
        messages.from_failure(
            tx, flow_row, error, resource=("VOLUME", volume_id), action="102", detail=detail
        )


@flow("volume.migrate", deadline="volume_migrate_deadline", way_out=migration_failed)
def migrate_volume(run: Run, volume: Row, request: Row) -> None:
    """`request` is the scheduler's; its `pinned` is where the volume is to go."""
    moved = move(run, volume, request)
    run.done(migrated, run.conductor, volume, run.id, moved)


def migrated(tx: Transaction, conductor: Any, volume: Row, flow_id: str, moved: Row) -> None:
    change_over(tx, conductor, volume, flow_id, moved, passing="migrating", migration_status="success")
