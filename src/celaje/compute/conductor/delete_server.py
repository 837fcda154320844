"""Delete a server: guest, ports, attachments, volumes that go with it, the claim, then the row.

Submitted by the API with what the server had when it was put under this flow.
"""

from typing import Any

from celaje.common import errors
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.compute import states
from celaje.compute.conductor.outcome import fault_of
from celaje.compute.db import servers

Body = dict[str, Any]


def _failed(tx: Transaction, flow: Body, error: CelajeError) -> None:
    states.settle(
        tx, flow["arguments"]["server"]["uuid"], flow["id"], vm_state="error", fault=fault_of(tx, flow, error)
    )


@flow("server.delete", deadline="server_delete_deadline", way_out=_failed)
def delete_server(
    run: Run,
    *,
    server: Body,
    host: str | None,
    worker: str | None,
    worker_is_up: bool,
    interfaces: list[Body],
    devices: list[Body],
) -> None:
    """With its worker down the server goes all the same, as in Nova: what is left of the guest is found
    when the worker comes up and reports it."""
    clients = run.conductor.clients
    if worker and worker_is_up:
        run.step(run.conductor.worker.to(worker).destroy, server=server)
    network = clients.network.as_service()
    brought = [one["port_id"] for one in interfaces if not one["owned"]]
    for port_id in brought:
        run.step(network.unbind_port, port_id)
    # By the device, as Nova: one that was made too late for any row goes with the others.
    run.step(network.delete_ports_of, server["uuid"], brought)
    for device in devices:
        if device["attachment_id"]:
            run.step(clients.volume.delete_attachment, device["attachment_id"])
        if device["volume_id"] and device["delete_on_termination"]:
            try:
                run.step(clients.volume.await_volume, device["volume_id"], "available")
                run.step(clients.volume.delete_volume, device["volume_id"])
            except (errors.Conflict, errors.Invalid, errors.NotFound):
                # Another server has it too, or it has snapshots: it stays, and the journal says why.
                continue
    if worker:
        run.step(clients.placement.as_service().release, server["uuid"])
    run.done(_gone, server, host, run)


def _gone(tx: Transaction, server: Body, host: str | None, run: Run) -> None:
    servers.bury(tx, server["uuid"])
    if host:
        give_back = run.conductor.scheduler.return_resources
        tx.after_commit(
            lambda: give_back(host=host, node=server.get("node") or host, flavor=server["flavor"])
        )
