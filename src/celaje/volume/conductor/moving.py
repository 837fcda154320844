"""What volume.migrate and volume.retype share: a second claim, a copy under a new id, and the change-over.

Between two back ends the data is carried by an image of the service's own, since that is a road that any two
workers share. What the volume leaves behind is removed by a flow of its own: once the volume's row names the
new place there is no way back, so nothing of the move may be undone any more.
"""

import logging
from typing import Any

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.volume.db import backends, encryptions, volumes
from celaje.volume.db.tables import VOLUMES
from celaje.volume.keys import KeyManager
from celaje.volume.states import VOLUMES as STATES

log = logging.getLogger(__name__)

Row = dict[str, Any]

CARRIED_AS = "qcow2"


def move(run: Run, volume: Row, request: Row, *, change: Row | None = None) -> Row:
    """Copy the volume to the best back end for `request`, which excludes its present pool unless its
    encryption is what changes (`change`, see retype_volume). Returns what its row is to hold when it changes
    over. Raises NoValidBackend."""
    conductor = run.conductor
    excluded = list(request.get("excluded") or [])
    if change is None:
        excluded.append(volume["host"])
    run.undo_write(unclaim, volume["id"], run.id)
    while True:
        decision = run.ask(conductor.scheduler.select_backend, request={**request, "excluded": excluded})
        claim = run.write(claim_destination, volume["id"], run.id, decision)
        if claim["claimed"]:
            break
        excluded.append(decision["backend"])
    target = {**volume, "host": decision["backend"], "name_id": run.new_uuid(), "provider_location": None}
    worker = conductor.worker_of(target)
    image: Row = {"id": _carry(run, volume)}
    key_id = volume["encryption_key_id"]
    if change is not None:
        # Carried as it lies there, opened and encrypted anew where it arrives: nowhere between it is plain.
        if key_id is not None:
            image["encryption"] = {"key_id": key_id}
        key_id = _new_key(run, volume, change)
        target["encryption_key_id"] = key_id
        target["encryption"] = {"key_id": key_id, **change["to"]} if key_id is not None else None
    run.undo(worker.delete_volume, volume=target)
    kept = run.step(worker.create_volume_from_image, volume=target, image=image)
    run.step(conductor.clients.image.as_service().delete, image["id"])
    return {
        "encryption_key_id": key_id,
        "host": target["host"],
        "name_id": target["name_id"],
        "availability_zone": decision["capacity"]["availability_zone"],
        "provider_location": kept.get("provider_location"),
        "provider_id": kept.get("provider_id"),
    }


def _new_key(run: Run, volume: Row, change: Row) -> str | None:
    if change["to"] is None:
        return None
    keys = run.conductor.keys
    key_id: str = run.write(make_key, keys, volume["project_id"], change["to"])
    run.undo_write(keys.delete, key_id)
    return key_id


def make_key(tx: Transaction, keys: KeyManager, project_id: str, way: Row) -> str:
    return encryptions.new_key(tx, keys, way, project_id)


def _carry(run: Run, volume: Row) -> str:
    images = run.conductor.clients.image.as_service()
    image_id = run.new_uuid()
    image = {
        "id": image_id,
        "name": f"volume {volume['id']} on its way",
        "disk_format": CARRIED_AS,
        "container_format": "bare",
        "visibility": "private",
        "os_hidden": True,
    }
    run.undo(images.delete, image_id)
    run.step(images.create, image)
    carried = {"id": image_id, "disk_format": CARRIED_AS}
    run.step(run.conductor.worker_of(volume).upload_volume, volume=volume, image=carried)
    return image_id


def claim_destination(tx: Transaction, volume_id: str, flow_id: str, decision: Row) -> Row:
    volume = volumes.get(tx, volume_id)
    if volume is None:
        return {"claimed": False, "reason": "the volume is gone"}
    return backends.claim_besides(tx, volume, flow_id, decision)


def unclaim(tx: Transaction, volume_id: str, flow_id: str) -> None:
    tx.execute(
        VOLUMES.update()
        .where(VOLUMES.c.id == volume_id, VOLUMES.c.flow_id == flow_id)
        .values(pending_host=None)
    )


def change_over(
    tx: Transaction, conductor: Any, volume: Row, flow_id: str, moved: Row, *, passing: str, **values: Any
) -> None:
    """The volume lies at its new place; what it left behind is removed, its former key too."""
    done = STATES.move(
        tx,
        VOLUMES,
        volume["id"],
        "available",
        sources=(passing,),
        held_by=flow_id,
        pending_host=None,
        service_uuid=backends.service_of(tx, moved["host"]),
        updated_at=clock.now(),
        **moved,
        **values,
    )
    if done:
        former = volume["encryption_key_id"]
        if former is not None and former != moved["encryption_key_id"]:
            conductor.keys.delete(tx, former)
        conductor.flows.submit(
            tx,
            "volume.remove_source",
            resource=("volume", volume["id"]),
            arguments={"volume": volume},
            project_id=volume["project_id"],
        )


def source_left(tx: Transaction, flow_row: Row, error: CelajeError) -> None:
    """Nobody waits for it, and the volume is well: the log names what an operator may remove."""
    volume = flow_row["arguments"]["volume"]
    log.error("the former data of volume %s is left on %s: %s", volume["id"], volume["host"], error.message)


@flow("volume.remove_source", deadline="volume_delete_deadline", way_out=source_left)
def remove_source(run: Run, volume: Row) -> None:
    """`volume` as it was before it moved."""
    run.step(run.conductor.worker_of(volume).delete_volume, volume=volume)
    run.done()
