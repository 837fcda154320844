"""Detach a volume: tell the volume service, unplug, delete the attachment.

Submitted by the API, which waits for the checkpoint "detaching", so that a refusal is its answer.
"""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.compute.db import servers

Body = dict[str, Any]


def _failed(tx: Transaction, flow: Body, error: CelajeError) -> None:
    servers.change_device(tx, flow["arguments"]["device"]["id"], state="attached", flow_id=None)


@flow("server.detach_volume", deadline="server_attach_deadline", way_out=_failed)
def detach_volume(run: Run, server: Body, worker: str | None, device: Body) -> None:
    volumes = run.conductor.clients.volume
    run.undo(volumes.roll_detaching, device["volume_id"])
    run.step(volumes.begin_detaching, device["volume_id"], device["attachment_id"])
    run.checkpoint("detaching")
    if worker:
        there = run.conductor.worker.to(worker)
        run.step(there.detach_volume, server=server, block_device=device)
    if not run.step(volumes.delete_attachment, device["attachment_id"]):
        # Taken from us (os-force_detach), and perhaps attached to another server since: that goes on.
        run.step(volumes.roll_detaching, device["volume_id"])
    run.done(servers.remove_device, device["id"])
