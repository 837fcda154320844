"""A port that was deleted, moved or unbound is taken off the host that had it.

Its row has gone or changed already: the arguments hold all that is needed.
"""

from celaje.common.flow import Run, flow
from celaje.network.conductor.bind_port import tell
from celaje.network.conductor.conductor import failed_for_good


@flow("port.unbind", deadline="port_unbind_deadline", way_out=failed_for_good)
def unbind_port(run: Run, port_id: str, generation: int, host: str, server_id: str | None = None) -> None:
    c = run.conductor
    run.step(c.worker.to(host).unplug_port, port_id=port_id, generation=generation)
    if server_id and c.notify_compute:
        tell(run, {"name": "network-vif-deleted", "server_uuid": server_id, "tag": port_id})
