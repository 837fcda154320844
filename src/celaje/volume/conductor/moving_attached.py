"""How volume.migrate and volume.retype move a volume that a server uses: the server's host copies it.

A second volume, hidden and outside the quota, is made at the new place; compute is asked to swap the one for
the other (its update of a volume attachment) and says by os-migrate_volume_completion what came of it. Then
both rows change places in one transaction, attachments too: the volume keeps its id and has the new data, the
hidden one has the old and is deleted. As Cinder does it.
"""

from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.flow import Flows, Run
from celaje.volume.db import attachments, backends, encryptions, volumes
from celaje.volume.db.tables import VOLUMES
from celaje.volume.errors import MigrationFailed
from celaje.volume.keys import KeyManager
from celaje.volume.states import VOLUMES as STATES

Row = dict[str, Any]

# The signal of os-migrate_volume_completion: {"error": bool}.
SWAPPED = "swapped"
# What both have, and is not carried from the one to the other.
_PLACE = (
    *("host", "name_id", "provider_id", "provider_location", "service_uuid", "availability_zone"),
    "encryption_key_id",
)


def move_attached(run: Run, volume: Row, request: Row, server_id: str, volume_type_id: str) -> str:
    """Returns the id of the hidden volume, which the server uses now. NoValidBackend, MigrationFailed."""
    conductor = run.conductor
    target_id = run.new_uuid()
    excluded = [*(request.get("excluded") or []), volume["host"]]
    run.undo_write(drop_target, conductor.flows, volume["id"], target_id)
    while True:
        decision = run.step(conductor.scheduler.select_backend, request={**request, "excluded": excluded})
        facts = {"id": target_id, "volume_type_id": volume_type_id}
        made = run.write(make_target, conductor.keys, run.flow, facts, decision)
        if made["claimed"]:
            break
        excluded.append(decision["backend"])
    target = made["volume"]
    kept = run.step(conductor.worker_of(target).create_volume, volume=target)
    run.write(target_made, target_id, run.id, kept)
    run.step(conductor.clients.compute.as_service().swap_volume, server_id, volume["id"], target_id)
    answer = run.wait(SWAPPED)
    if answer["error"]:
        raise MigrationFailed(volume_id=volume["id"])
    return target_id


def make_target(tx: Transaction, keys: KeyManager, flow_row: Row, facts: Row, decision: Row) -> Row:
    """{"claimed": bool, "reason"?, "volume": the new one as drivers want it}."""
    volume_id, flow_id = flow_row["resource_id"], flow_row["id"]
    volume = volumes.get(tx, volume_id)
    if volume is None or volume["flow_id"] != flow_id:
        raise MigrationFailed(volume_id=volume_id)
    claim = backends.claim_new(tx, volume["size"], decision)
    if not claim["claimed"]:
        return claim
    key_id = volume["encryption_key_id"]
    if key_id is not None:
        key_id = keys.copy(tx, key_id, owner=volume["project_id"], project_id=volume["project_id"])
    now = clock.now()
    target = {
        **volume,
        **facts,
        **dict.fromkeys(
            ("name_id", "provider_id", "provider_location", "pending_host", "pending_type_id", "launched_at")
        ),
        "host": decision["backend"],
        "service_uuid": claim["service_uuid"],
        "availability_zone": decision["capacity"]["availability_zone"] or volume["availability_zone"],
        "encryption_key_id": key_id,
        "status": "creating",
        "attach_status": "detached",
        "migration_status": volumes.target_of(volume_id),
        "consumes_quota": False,
        "flow_id": flow_id,
        "created_at": now,
        "updated_at": None,
    }
    volumes.insert(tx, target)
    volumes.change(tx, volume_id, migration_status="migrating", updated_at=now)
    made = {**volumes.for_driver(target), "encryption": encryptions.for_driver(tx, target)}
    return {"claimed": True, "volume": made}


def target_made(tx: Transaction, target_id: str, flow_id: str, kept: Row) -> None:
    moved = STATES.move(
        tx,
        VOLUMES,
        target_id,
        "available",
        sources=("creating",),
        held_by=flow_id,
        provider_id=kept.get("provider_id"),
        provider_location=kept.get("provider_location"),
        launched_at=clock.now(),
        updated_at=clock.now(),
    )
    if not moved:
        raise MigrationFailed(volume_id=target_id)


def drop_target(tx: Transaction, flows: Flows, volume_id: str, target_id: str) -> None:
    """Delete the hidden volume, unless a server uses it: then compute, which is refused its success, brings
    the server back and reports that."""
    target = volumes.get(tx, target_id)
    if target is None or target["migration_status"] != volumes.target_of(volume_id):
        return
    if not attachments.of_volume(tx, target_id):
        _delete(tx, flows, target)


def change_places(
    tx: Transaction, conductor: Any, volume_id: str, flow_id: str, target_id: str, *, passing: str
) -> None:
    """The volume lies where the hidden one lay, and is attached by that one's attachments."""
    volume, target = volumes.get(tx, volume_id), volumes.get(tx, target_id)
    if volume is None or target is None or volume["flow_id"] != flow_id:
        raise MigrationFailed(volume_id=volume_id)
    was = {**{key: volume[key] for key in _PLACE}, "name_id": volume["name_id"] or volume_id}
    becomes = {**{key: target[key] for key in _PLACE}, "name_id": target["name_id"] or target_id}
    former, present = (attachments.of_volume(tx, each) for each in (volume_id, target_id))
    for row in former:
        attachments.change(tx, row["id"], volume_id=target_id)
    for row in present:
        info = row["connection_info"] and {**row["connection_info"], "volume_id": volume_id}
        attachments.change(tx, row["id"], volume_id=volume_id, connection_info=info)
    status, attached = attachments.state_of(present)
    STATES.move(
        tx,
        VOLUMES,
        volume_id,
        status,
        sources=(passing,),
        held_by=flow_id,
        attach_status=attached,
        migration_status="success",
        pending_type_id=None,
        volume_type_id=target["volume_type_id"],
        updated_at=clock.now(),
        **becomes,
    )
    volumes.change(tx, target_id, **was, description=f"migration src for {volume_id}")
    _delete(tx, conductor.flows, {**target, **was})


def _delete(tx: Transaction, flows: Flows, target: Row) -> None:
    flow_id = flows.submit(
        tx,
        "volume.delete",
        resource=("volume", target["id"]),
        arguments={"volume": volumes.for_driver(target), "snapshots": [], "connected": True},
        project_id=target["project_id"],
    )
    STATES.move(
        tx,
        VOLUMES,
        target["id"],
        "deleting",
        flow_id=flow_id,
        migration_status="deleting",
        expires_at=None,
        updated_at=clock.now(),
    )
