"""Flows volume.manage and snapshot.manage: what lies at a back end already becomes ours.

It keeps the id that it lies under; the row remembers it as `name_id`. Nothing at the back end changes, so
there is nothing to undo.
"""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.volume.db import backends, messages, snapshots, types, volumes
from celaje.volume.db.tables import SNAPSHOTS, VOLUMES
from celaje.volume.errors import AlreadyManaged, InvalidReference, NoValidBackend
from celaje.volume.quota import Quotas
from celaje.volume.states import SNAPSHOTS as SNAPSHOT_STATES
from celaje.volume.states import VOLUMES as STATES

Row = dict[str, Any]


def managing_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    """The row stays to tell of it, and lies nowhere."""
    volume_id = flow_row["arguments"]["volume_id"]
    moved = STATES.move(
        tx,
        VOLUMES,
        volume_id,
        "error_managing",
        sources=("managing",),
        held_by=flow_row["id"],
        host=None,
        updated_at=clock.now(),
    )
    if moved:
        messages.from_failure(tx, flow_row, error, resource=("VOLUME", volume_id), action="104", detail="001")


@flow("volume.manage", deadline="volume_manage_deadline", way_out=managing_failed)
def manage_volume(run: Run, volume_id: str, host: str, data_id: str) -> None:
    """`host` is the pool as it was asked for; `data_id` the id that the reference named."""
    conductor = run.conductor
    listed = run.step(conductor.worker.to(backends.host_of(host)).list_volumes)
    found = _among(listed, data_id)
    run.done(adopt_volume, conductor.quotas, volume_id, run.id, found)


def _among(listed: list[Row], data_id: str) -> Row:
    for each in listed:
        if each["id"] == data_id:
            return each
    raise InvalidReference(reference=data_id, reason="the back end has nothing of that name")


def adopt_volume(tx: Transaction, quotas: Quotas, volume_id: str, flow_id: str, found: Row) -> None:
    row = volumes.get(tx, volume_id)
    if row is None or row["flow_id"] != flow_id:
        return
    holder = volumes.known_at(tx, backends.host_of(row["host"])).get(found["id"])
    if holder is not None and holder != volume_id:
        raise AlreadyManaged(reference=found["id"])
    volume_type = types.get(tx, row["volume_type_id"])
    assert volume_type is not None
    # It counts as one volume already; now it has a size.
    quotas.check_volume(tx, row["project_id"], volume_type, found["size"], grow=found["size"])
    refusal = backends.claim_more(tx, row["host"], found["size"])
    if refusal:
        raise NoValidBackend(reason=refusal, filters=[])
    now = clock.now()
    STATES.move(
        tx,
        VOLUMES,
        volume_id,
        "available",
        sources=("managing",),
        held_by=flow_id,
        size=found["size"],
        name_id=found["id"] if found["id"] != volume_id else None,
        service_uuid=backends.service_of(tx, row["host"]),
        launched_at=now,
        updated_at=now,
    )


def managing_snapshot_failed(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    snapshot_id = flow_row["arguments"]["snapshot_id"]
    moved = SNAPSHOT_STATES.move(
        tx,
        SNAPSHOTS,
        snapshot_id,
        "error",
        sources=("managing",),
        held_by=flow_row["id"],
        updated_at=clock.now(),
    )
    if moved:
        messages.from_failure(
            tx, flow_row, error, resource=("VOLUME_SNAPSHOT", snapshot_id), action="105", detail="001"
        )


@flow("snapshot.manage", deadline="volume_manage_deadline", way_out=managing_snapshot_failed)
def manage_snapshot(run: Run, snapshot_id: str, volume: Row, data_id: str) -> None:
    listed = run.step(run.conductor.worker_of(volume).list_snapshots)
    run.done(adopt_snapshot, snapshot_id, run.id, volume["host"], _among(listed, data_id))


def adopt_snapshot(tx: Transaction, snapshot_id: str, flow_id: str, host: str, found: Row) -> None:
    holder = snapshots.known_at(tx, backends.host_of(host)).get(found["id"])
    if holder is not None and holder != snapshot_id:
        raise AlreadyManaged(reference=found["id"])
    SNAPSHOT_STATES.move(
        tx,
        SNAPSHOTS,
        snapshot_id,
        "available",
        sources=("managing",),
        held_by=flow_id,
        volume_size=found["size"],
        name_id=found["id"] if found["id"] != snapshot_id else None,
        progress="100%",
        updated_at=clock.now(),
    )
