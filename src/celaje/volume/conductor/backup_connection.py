"""A volume connected to the host of a backup worker for the step between. Called by the flows of backups."""

from typing import Any

from celaje.common.flow import Run

Row = dict[str, Any]


def connect(run: Run, volume: Row, connector: Row) -> Row:
    """The connection, as the volume's worker answers it. Should the flow fail, an undo step takes it back."""
    worker = run.conductor.worker_of(volume)
    run.undo(worker.terminate_connection, volume=volume, connector=connector)
    answer = run.step(worker.initialize_connection, volume=volume, connector=connector)
    return {**answer, "data": {"volume_id": volume["id"], **answer["data"]}}


def disconnect(run: Run, volume: Row, connector: Row) -> None:
    run.step(run.conductor.worker_of(volume).terminate_connection, volume=volume, connector=connector)


def connector_of(backup: Row) -> Row:
    """Of the host whose worker has the backup in hand."""
    host = backup["host"]
    return {"host": host, "initiator": f"iqn.2026-01.org.celaje:{host}", "multipath": False}


def restore(run: Run, backup: Row, volume: Row) -> None:
    """The backup's data into a volume that nobody has open."""
    there = run.conductor.backup.to(backup["host"])
    connector = connector_of(backup)
    connection = connect(run, volume, connector)
    run.step(there.restore_backup, connection=connection, size=volume["size"], backup=backup)
    disconnect(run, volume, connector)
