"""Flows of groups: group.create, group.create_from_source, group.delete.

A group is a promise of the service's, not a thing at the back end: its volumes lie on one pool, are copied
together and go together.
"""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.volume.conductor.create_volume import claim_backend, clone
from celaje.volume.conductor.delete_volume import remove_volume
from celaje.volume.db import groups, messages
from celaje.volume.db.tables import GROUPS, VOLUMES
from celaje.volume.errors import NoValidBackend
from celaje.volume.states import GROUPS as GROUP_STATES
from celaje.volume.states import VOLUMES as STATES

Row = dict[str, Any]


def group_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    """The group, and what was being made with it, is in error."""
    group_id, now = flow_row["arguments"]["group_id"], clock.now()
    for volume in groups.volumes_of(tx, group_id):
        STATES.move(
            tx,
            VOLUMES,
            volume["id"],
            "error",
            sources=("creating",),
            held_by=flow_row["id"],
            updated_at=now,
        )
    moved = GROUP_STATES.move(
        tx, GROUPS, group_id, "error", sources=("creating",), held_by=flow_row["id"], updated_at=now
    )
    if moved:
        detail = "003" if isinstance(error, NoValidBackend) else "001"
        messages.from_failure(tx, flow_row, error, resource=("GROUP", group_id), action="106", detail=detail)


@flow("group.create", deadline="group_create_deadline", way_out=group_failed)
def create_group(run: Run, group_id: str, requests: list[Row]) -> None:
    """`requests`: one for the scheduler for each volume type of the group; one pool must do for all."""
    scheduler = run.conductor.scheduler
    first, *others = requests
    excluded: list[str] = []
    while True:
        decision = run.ask(scheduler.select_backend, request={**first, "excluded": excluded})
        pool = decision["backend"]
        try:
            for other in others:
                run.ask(scheduler.select_backend, request={**other, "pinned": pool})
        except NoValidBackend:
            excluded.append(pool)
            continue
        run.done(group_made, group_id, run.id, pool, decision["capacity"]["availability_zone"])
        return


def group_made(tx: Transaction, group_id: str, flow_id: str, pool: str, zone: str | None) -> None:
    values = {"availability_zone": zone} if zone else {}
    GROUP_STATES.move(
        tx,
        GROUPS,
        group_id,
        "available",
        sources=("creating",),
        held_by=flow_id,
        host=pool,
        updated_at=clock.now(),
        **values,
    )


@flow("group.create_from_source", deadline="group_create_deadline", way_out=group_failed)
def create_group_from_source(run: Run, group_id: str, copies: list[Row]) -> None:
    """`copies`: {"volume_id", "request" for the scheduler, "source" as of volume.create}, one a volume."""
    conductor = run.conductor
    made = []
    for copy in copies:
        decision = run.ask(conductor.scheduler.select_backend, request=copy["request"])
        claim = run.write(claim_backend, copy["volume_id"], run.id, decision)
        if not claim["claimed"]:
            raise NoValidBackend(reason=claim["reason"], filters=[])
        volume, source = claim["volume"], copy["source"]
        worker = conductor.worker_of(volume)
        run.undo(worker.delete_volume, volume=volume)
        if source["kind"] == "snapshot":
            kept = run.step(worker.create_volume_from_snapshot, volume=volume, snapshot=source["snapshot"])
        else:
            kept = clone(run, volume, source)
        made.append({"id": volume["id"], "kept": kept})
    run.done(group_copied, group_id, run.id, made)


def group_copied(tx: Transaction, group_id: str, flow_id: str, made: list[Row]) -> None:
    now = clock.now()
    for volume in made:
        kept = volume["kept"]
        STATES.move(
            tx,
            VOLUMES,
            volume["id"],
            "available",
            sources=("creating",),
            held_by=flow_id,
            launched_at=now,
            updated_at=now,
            **{key: kept[key] for key in ("provider_location", "provider_id") if kept.get(key)},
        )
    GROUP_STATES.move(
        tx, GROUPS, group_id, "available", sources=("creating",), held_by=flow_id, updated_at=now
    )


def deletion_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    """What is left of it can be deleted again."""
    group_id, now = flow_row["arguments"]["group_id"], clock.now()
    for volume in flow_row["arguments"]["volumes"]:
        STATES.move(tx, VOLUMES, volume["id"], "error_deleting", held_by=flow_row["id"], updated_at=now)
    moved = GROUP_STATES.move(tx, GROUPS, group_id, "error_deleting", held_by=flow_row["id"], updated_at=now)
    if moved:
        messages.from_failure(tx, flow_row, error, resource=("GROUP", group_id), action="107", detail="001")


@flow("group.delete", deadline="group_delete_deadline", way_out=deletion_failed)
def delete_group(run: Run, group_id: str, volumes: list[Row]) -> None:
    for volume in volumes:
        if volume["host"]:
            run.step(run.conductor.worker_of(volume).delete_volume, volume=volume)
        run.write(remove_volume, volume["id"], run.id, run.conductor.keys)
    run.done(remove_group, group_id, run.id)


def remove_group(tx: Transaction, group_id: str, flow_id: str) -> None:
    row = groups.get(tx, group_id)
    if row is not None and row["flow_id"] == flow_id:
        groups.remove(tx, group_id)
