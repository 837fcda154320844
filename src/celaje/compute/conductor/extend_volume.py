"""Show a server an attached volume's new size, then tell the volume service that it is done.

Submitted for the external event volume-extended.
"""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.compute.db import servers

Body = dict[str, Any]


def _failed(tx: Transaction, flow: Body, error: CelajeError) -> None:
    """The volume service was told by the undo step; the attachment stays as it was."""
    servers.change_device(tx, flow["arguments"]["device"]["id"], flow_id=None)


@flow("server.extend_volume", deadline="server_attach_deadline", way_out=_failed)
def extend_volume(run: Run, server: Body, worker: str, device: Body, volume_id: str) -> None:
    volumes = run.conductor.clients.volume.as_service()
    run.undo(volumes.complete_extend, volume_id, True)
    new_size = run.step(volumes.size_to_reach, volume_id)
    there = run.conductor.worker.to(worker)
    run.step(there.extend_volume, server=server, block_device=device, new_size=new_size)
    run.step(volumes.complete_extend, volume_id, False)
    run.done(_extended, device["id"], new_size)


def _extended(tx: Transaction, device_id: str, new_size: int) -> None:
    servers.change_device(tx, device_id, volume_size=new_size, flow_id=None)
