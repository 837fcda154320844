"""Copy an attached volume for the volume service, then tell it that the copy is there, or is not.

Submitted by os-assisted-volume-snapshots.
"""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.compute.drivers.base import VolumeCopy

Body = dict[str, Any]


def _failed(tx: Transaction, flow: Body, error: CelajeError) -> None:
    """The volume service was told by the undo step; the server is as it was."""


@flow("server.copy_volume", deadline="server_copy_volume_deadline", way_out=_failed)
def copy_volume(run: Run, server: Body, worker: str, device: Body, copy: VolumeCopy) -> None:
    volumes = run.conductor.clients.volume.as_service()
    run.undo(volumes.report_copy, copy["id"], True)
    there = run.conductor.worker.to(worker)
    run.step(there.copy_volume, server=server, block_device=device, copy=copy)
    run.step(volumes.report_copy, copy["id"], False)
    run.done()
