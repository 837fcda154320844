"""Put another volume in the place of an attached one, with its data: a migration of the volume service.

`server.swap_volume` is submitted by the API, which waits for the checkpoint "reserved". Until the guest has
changed over all can be taken back; `server.complete_swap` follows, with no way back but another swap.
"""

import contextlib
from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import CelajeError, Conflict, Invalid, NotFound
from celaje.common.flow import Run, flow
from celaje.compute.conductor.devices import with_volume_id
from celaje.compute.conductor.outcome import not_being_deleted
from celaje.compute.db import servers
from celaje.compute.errors import ServerTaken

Body = dict[str, Any]


def _failed(tx: Transaction, flow: Body, error: CelajeError) -> None:
    """It keeps the volume that it had; the volume service was told by an undo step."""
    servers.change_device(tx, flow["arguments"]["device"]["id"], state="attached", flow_id=None)


@flow("server.swap_volume", deadline="server_swap_volume_deadline", way_out=_failed)
def swap_volume(
    run: Run,
    *,
    server: Body,
    worker: str,
    connector: Body,
    device: Body,
    new_volume_id: str,
    migrating: bool,
) -> None:
    """`migrating`: the volume keeps its id, and the volume service waits to hear of its data's new place.
    Else the server gets a volume of another id."""
    asked_by = run.conductor.clients.volume
    volumes = asked_by.as_service()
    old_volume_id = device["volume_id"]
    if migrating:
        run.undo(volumes.complete_migration, old_volume_id, new_volume_id, True)
    else:
        run.undo(volumes.roll_detaching, old_volume_id)
        run.step(asked_by.begin_detaching, old_volume_id)
    run.undo(volumes.delete_attachments_of, new_volume_id, server["uuid"])
    attachment = run.step(asked_by.create_attachment, new_volume_id, server["uuid"])
    run.checkpoint("reserved")
    told = {**connector, "mountpoint": device["device_name"]}
    connected = run.step(volumes.update_attachment, attachment["id"], told)
    # The host has it open from now on, for as long as the copy takes: no reservation whose term may pass.
    run.step(volumes.complete_attachment, attachment["id"])
    new = {
        "volume_id": new_volume_id,
        "attachment_id": attachment["id"],
        "connection_info": with_volume_id(connected["connection_info"], new_volume_id),
    }
    there = run.conductor.worker.to(worker)
    both = {"server": server, "block_device": device, "new": new}
    run.undo(there.undo_swap, **both, volume_id=old_volume_id)
    run.step(there.begin_swap, **both, volume_id=old_volume_id if migrating else new_volume_id)
    run.step(there.finish_swap, **both)
    run.done(_changed_over, run.conductor.flows, {**both, "worker": worker, "migrating": migrating})


def _changed_over(tx: Transaction, flows: Any, arguments: Body) -> None:
    server = arguments["server"]
    not_being_deleted(tx, server["uuid"])
    flow_id = flows.submit(
        tx,
        "server.complete_swap",
        resource=("volume_swap", arguments["new"]["volume_id"]),
        arguments=arguments,
        project_id=server.get("project_id"),
    )
    if not servers.take_device(tx, arguments["block_device"]["id"], "swapping", "swapping", flow_id):
        raise ServerTaken(server=server["uuid"])


def _undecided(tx: Transaction, flow: Body, error: CelajeError) -> None:
    """The volume service was away for all the time. The row says what is so at the host."""
    arguments = flow["arguments"]
    _renew(tx, arguments["block_device"], arguments["new"], arguments["migrating"])


@flow("server.complete_swap", deadline="server_complete_swap_deadline", way_out=_undecided)
def complete_swap(
    run: Run, *, server: Body, worker: str, block_device: Body, new: Body, migrating: bool
) -> None:
    """The guest uses the new volume. Should the volume service have given its migration up meanwhile, the
    guest goes back to the old one."""
    volumes = run.conductor.clients.volume.as_service()
    old_volume_id = block_device["volume_id"]
    if not migrating:
        run.step(volumes.delete_attachment, block_device["attachment_id"])
    else:
        try:
            run.step(volumes.complete_migration, old_volume_id, new["volume_id"], False)
        except (Conflict, Invalid, NotFound):
            there = run.conductor.worker.to(worker)
            back = {"server": server, "block_device": block_device, "new": new, "volume_id": old_volume_id}
            with contextlib.suppress(NotFound):  # the server was deleted meanwhile
                run.step(there.undo_swap, **back)
            run.step(volumes.delete_attachment, new["attachment_id"])
            run.step(volumes.complete_migration, old_volume_id, new["volume_id"], True)
            run.done(_as_before, block_device["id"])
            return
    if not run.write(_swapped, server["uuid"], block_device, new, migrating):
        # The server was deleted meanwhile, and knew nothing of this one.
        run.step(volumes.delete_attachment, new["attachment_id"])
    run.done()


def _as_before(tx: Transaction, device_id: str) -> None:
    servers.change_device(tx, device_id, state="attached", flow_id=None)


def _swapped(tx: Transaction, server_id: str, device: Body, new: Body, migrating: bool) -> bool:
    try:
        not_being_deleted(tx, server_id)
    except ServerTaken:
        return False
    return _renew(tx, device, new, migrating)


def _renew(tx: Transaction, device: Body, new: Body, migrating: bool) -> bool:
    volume_id = device["volume_id"] if migrating else new["volume_id"]
    info = new["connection_info"]
    info = {**info, "data": {**info["data"], "volume_id": volume_id}, "serial": volume_id}
    return servers.change_device(
        tx,
        device["id"],
        volume_id=volume_id,
        attachment_id=new["attachment_id"],
        connection_info=info,
        state="attached",
        flow_id=None,
    )
