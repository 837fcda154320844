"""A bound port is wired by the worker of its host, becomes ACTIVE, and compute is told.

Submitted by the ports' API with the binding's generation; a binding that was overtaken ends without a trace.
"""

import contextlib
from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Run, flow
from celaje.network.db import ports
from celaje.network.errors import BindingOvertaken


def bind_failed(tx: Transaction, row: dict[str, Any], error: CelajeError) -> None:
    arguments = row["arguments"]
    ports.fail_binding(tx, arguments["port_id"], arguments["generation"])


@flow("port.bind", deadline="port_bind_deadline", way_out=bind_failed)
def bind_port(run: Run, port_id: str, generation: int, host: str) -> None:
    c = run.conductor
    port = run.write(ports.begin_binding, port_id, generation)
    if port is None:
        return
    tells = c.notify_compute and port["device_owner"].startswith("compute:")
    event = {"name": "network-vif-plugged", "server_uuid": port["device_id"], "tag": port_id}
    run.undo(c.take_off, host, port_id, generation)
    try:
        wiring = run.step(c.worker.to(host).plug_port, port=port["data"])
    except CelajeError:
        if tells:
            tell(run, {**event, "status": "failed"})
        raise
    if not run.write(ports.finish_binding, port_id, generation, wiring):
        raise BindingOvertaken(id=port_id, generation=generation)
    if tells:
        tell(run, {**event, "status": "completed"})


def tell(run: Run, event: dict[str, Any]) -> None:
    """Compute hears of it. That it does not know the server (yet, or any more) is its business: the port is
    what it is, and compute can look. Where compute is down the flow waits and tells later."""
    with contextlib.suppress(CelajeError):
        run.step(run.conductor.clients.compute.as_service().server_external_events, [event])
