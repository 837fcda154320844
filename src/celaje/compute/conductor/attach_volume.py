"""Attach a volume: reserve it at the volume service, connect, plug, complete.

Submitted by the API with the attachment's row; the API waits for the checkpoint "reserved", so that a
volume that cannot be attached is refused in the answer.
"""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.compute.conductor.devices import with_volume_id
from celaje.compute.conductor.outcome import not_being_deleted
from celaje.compute.db import servers
from celaje.compute.errors import ServerTaken

Body = dict[str, Any]


def _failed(tx: Transaction, flow: Body, error: CelajeError) -> None:
    servers.remove_device(tx, flow["arguments"]["device"]["id"])


@flow("server.attach_volume", deadline="server_attach_deadline", way_out=_failed)
def attach_volume(run: Run, server: Body, worker: str, connector: Body, device: Body) -> None:
    volumes = run.conductor.clients.volume
    volume_id = device["volume_id"]
    run.undo(volumes.delete_attachments_of, volume_id, server["uuid"])
    attachment = run.step(volumes.create_attachment, volume_id, server["uuid"])
    run.checkpoint("reserved")
    told = {**connector, "mountpoint": device["device_name"]}
    connected = run.step(volumes.update_attachment, attachment["id"], told)
    plug = {
        "volume_id": volume_id,
        "connection_info": with_volume_id(connected["connection_info"], volume_id),
        "device_name": device["device_name"],
        "boot_index": None,
    }
    there = run.conductor.worker.to(worker)
    run.undo(there.detach_volume, server=server, block_device=plug)
    found = run.step(there.attach_volume, server=server, block_device=plug)
    run.step(volumes.complete_attachment, attachment["id"])
    plug["device_name"] = found or device["device_name"]
    run.done(_attached, server["uuid"], device["id"], attachment["id"], plug)


def _attached(tx: Transaction, server_id: str, device_id: str, attachment_id: str, plug: Body) -> None:
    not_being_deleted(tx, server_id)
    there = servers.change_device(
        tx,
        device_id,
        state="attached",
        flow_id=None,
        device_name=plug["device_name"],
        attachment_id=attachment_id,
        connection_info=plug["connection_info"],
    )
    if not there:
        # The server was deleted meanwhile, with its rows: everything is taken back.
        raise ServerTaken(server=server_id)
