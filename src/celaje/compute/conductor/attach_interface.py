"""Plug a port into a running server, and unplug one.

Submitted by the API; it waits for the end of an attachment, since its answer shows the port.
"""

from typing import Any

from celaje.common.clients.network import described
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.compute.conductor.create_server import new_port
from celaje.compute.conductor.outcome import not_being_deleted
from celaje.compute.db import servers

Body = dict[str, Any]


def _nothing_written(tx: Transaction, flow: Body, error: CelajeError) -> None:
    """An attachment writes its row at its end, a detachment removes it at its end: there is none to mend."""


@flow("server.attach_interface", deadline="server_attach_deadline", way_out=_nothing_written)
def attach_interface(run: Run, *, server: Body, host: str, worker: str, asked: Body) -> None:
    """`asked`: {"network": described, "port_id" | "fixed_ip", "security_groups", "tag"}."""
    network = run.conductor.clients.network.as_service()
    owner = {"binding:host_id": host, "device_owner": f"compute:{server['availability_zone']}"}
    if asked.get("port_id"):
        run.undo(network.unbind_port, asked["port_id"])
        changes = {"device_id": server["uuid"], **owner}
        port = run.step(network.update_port, asked["port_id"], changes)
    else:
        wanted = new_port(run, server, asked, owner)
        run.undo(network.delete_made_port, wanted)
        port = run.step(network.create_port, wanted)
    info = described(port, asked["network"])
    there = run.conductor.worker.to(worker)
    run.undo(there.detach_interface, server=server, port=info)
    run.step(there.attach_interface, server=server, port=info)
    made = {"info": info, "owned": not asked.get("port_id"), "tag": asked.get("tag")}
    run.done(_plugged, server["uuid"], made, result=info)


def _plugged(tx: Transaction, server_id: str, made: Body) -> None:
    not_being_deleted(tx, server_id)
    servers.put_interfaces(tx, server_id, [made])


@flow("server.detach_interface", deadline="server_attach_deadline", way_out=_nothing_written)
def detach_interface(run: Run, server: Body, worker: str | None, interface: Body) -> None:
    network = run.conductor.clients.network.as_service()
    if worker:
        there = run.conductor.worker.to(worker)
        run.step(there.detach_interface, server=server, port=interface["info"])
    if interface["owned"]:
        run.step(network.delete_port, interface["port_id"])
    else:
        run.step(network.unbind_port, interface["port_id"])
    run.done(servers.remove_interface, server["uuid"], interface["port_id"])
