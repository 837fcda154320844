"""Flow volume.create: select a back end, claim its capacity, have its worker make the volume.

A back end whose driver fails is cleaned and excluded, and the next one is tried.
"""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.volume.conductor.backup_connection import restore
from celaje.volume.conductor.still_copy import hold_still, let_go
from celaje.volume.db import backends, backups, encryptions, messages, volumes
from celaje.volume.db.tables import FLOWS, VOLUMES
from celaje.volume.states import VOLUMES as STATES

Row = dict[str, Any]


def creation_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    """Into `error`. The claim ends with it, unless what was made could not be removed: then the volume
    keeps its host, so that deleting it tries again."""
    volume_id = flow_row["arguments"]["volume_id"]
    values: Row = {} if _left_something(tx, flow_row["id"]) else {"host": None, "service_uuid": None}
    source = flow_row["arguments"]["source"]
    if source["kind"] == "backup":
        backups.release(tx, source["backup"]["id"], flow_row["id"])
    moved = STATES.move(
        tx, VOLUMES, volume_id, "error", held_by=flow_row["id"], updated_at=clock.now(), **values
    )
    if moved:
        action, detail = _told_as(flow_row["arguments"], error)
        messages.from_failure(
            tx, flow_row, error, resource=("VOLUME", volume_id), action=action, detail=detail
        )


def _told_as(arguments: Row, error: CelajeError) -> tuple[str, str]:
    if type(error).__name__ == "NoValidBackend":
        return "001", "003"
    if type(error).__name__ == "ImageDoesNotFit":
        return "005", "007"
    return ("005", "001") if arguments["source"]["kind"] == "image" else ("008", "012")


def _left_something(tx: Transaction, flow_id: str) -> bool:
    steps = FLOWS.steps
    failed = (
        steps.select()
        .with_only_columns(steps.c.number)
        .where(steps.c.flow_id == flow_id, steps.c.kind == "undo", steps.c.outcome == "error")
    )
    return tx.execute(failed).first() is not None


@flow("volume.create", deadline="volume_create_deadline", way_out=creation_failed)
def create_volume(run: Run, volume_id: str, request: Row, source: Row) -> None:
    """`request` is the scheduler's; `source` is {"kind": empty, image, snapshot or volume} with the row of
    what the content comes from under its kind's name."""
    conductor = run.conductor
    excluded: list[str] = []
    failure: CelajeError | None = None
    failures = 0
    while True:
        try:
            decision = run.ask(conductor.scheduler.select_backend, request={**request, "excluded": excluded})
        except CelajeError as error:
            raise failure or error from error
        claim = run.write(claim_backend, volume_id, run.id, decision)
        excluded.append(decision["backend"])
        if not claim["claimed"]:
            continue
        volume = claim["volume"]
        worker = conductor.worker_of(volume)
        run.undo(worker.delete_volume, volume=volume)
        try:
            kept = _create(run, worker, volume, source, claim["encryption"])
        except CelajeError as error:
            failures += 1
            # Only a back end's own failure may go better elsewhere: not a wrong image, not a timeout.
            if error.kind != "internal" or failures >= conductor.conf.scheduler_max_attempts:
                raise
            failure = error
            run.step(worker.delete_volume, volume=volume)
            run.write(release_backend, volume_id, run.id)
            continue
        run.done(volume_made, volume_id, run.id, kept, source)
        return


def _create(run: Run, worker: Any, volume: Row, source: Row, encryption: Row | None) -> Row:
    """`encryption` says how a new volume's data is to be encrypted. What is copied from a volume, a snapshot
    or a backup is encrypted already, with an equal key; so may an image be."""
    encrypted = {**volume, "encryption": encryption} if encryption else volume
    match source["kind"]:
        case "image":
            run.note(begin_download, volume["id"], run.id)
            image = source["image"]
            wanted = volume if image.get("encrypted") else encrypted
            return run.step(worker.create_volume_from_image, volume=wanted, image=image)
        case "snapshot":
            return run.step(worker.create_volume_from_snapshot, volume=volume, snapshot=source["snapshot"])
        case "volume":
            return clone(run, volume, source)
        case "backup":
            kept = run.step(worker.create_volume, volume=volume)
            restore(run, source["backup"], {**volume, "provider_location": kept.get("provider_location")})
            return kept
        case _:
            return run.step(worker.create_volume, volume=encrypted)


def clone(run: Run, volume: Row, source: Row) -> Row:
    """`source`: {"volume", "attached"}."""
    origin = source["volume"]
    copy = hold_still(run, origin, volume["id"]) if source["attached"] else None
    worker = run.conductor.worker_of(volume)
    kept = run.step(worker.create_cloned_volume, volume=volume, source={**origin, "copy_id": copy})
    let_go(run, origin, copy)
    return kept


def claim_backend(tx: Transaction, volume_id: str, flow_id: str, decision: Row) -> Row:
    volume = volumes.get(tx, volume_id)
    if volume is None:
        return {"claimed": False, "reason": "the volume is gone"}
    claim = backends.claim(tx, volume, flow_id, decision)
    if claim["claimed"]:
        claim["volume"] = volumes.for_driver({**volume, "host": decision["backend"]})
        claim["encryption"] = encryptions.for_driver(tx, volume)
    return claim


def release_backend(tx: Transaction, volume_id: str, flow_id: str) -> None:
    tx.execute(
        VOLUMES.update()
        .where(VOLUMES.c.id == volume_id, VOLUMES.c.flow_id == flow_id)
        .values(host=None, service_uuid=None, updated_at=clock.now())
    )


def begin_download(tx: Transaction, volume_id: str, flow_id: str) -> None:
    STATES.move(
        tx,
        VOLUMES,
        volume_id,
        "downloading",
        sources=("creating",),
        held_by=flow_id,
        flow_id=flow_id,
        updated_at=clock.now(),
    )


def volume_made(tx: Transaction, volume_id: str, flow_id: str, kept: Row, source: Row) -> None:
    if source["kind"] == "backup":
        backups.release(tx, source["backup"]["id"], flow_id)
        backups.give_back(tx, source["backup"]["id"], volume_id)
    now = clock.now()
    values = {key: kept[key] for key in ("provider_location", "provider_id") if kept.get(key)}
    STATES.move(
        tx,
        VOLUMES,
        volume_id,
        "available",
        sources=("creating", "downloading"),
        held_by=flow_id,
        updated_at=now,
        launched_at=now,
        **values,
    )
