"""Start, stop, reboot, pause, unpause, suspend, resume: one call to the worker between two states.

Submitted by the API's actions, and by the conductor when a guest is found in another state than its row.
"""

from typing import Any

from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.common.flow import Flow, Run, flow
from celaje.compute import states
from celaje.compute.conductor.outcome import fault_of, settle
from celaje.compute.drivers.base import PowerState

Body = dict[str, Any]

# The lasting state by the power state that the worker found after the action.
_AFTER = {
    PowerState.RUNNING: "active",
    PowerState.PAUSED: "paused",
    PowerState.SHUTDOWN: "stopped",
    PowerState.SUSPENDED: "suspended",
}


def _failed(tx: Transaction, flow: Body, error: CelajeError) -> None:
    """As Nova: a failed action leaves the state that was, a failed reboot an error."""
    values: Body = {"fault": fault_of(tx, flow, error)}
    if flow["name"] == "server.reboot":
        values["vm_state"] = "error"
    states.settle(tx, flow["arguments"]["server"]["uuid"], flow["id"], **values)


def _done(tx: Transaction, server_id: str, power_state: int, run: Run) -> None:
    values: Body = {"power_state": power_state}
    lasting = _AFTER.get(PowerState(power_state))
    if lasting:
        values["vm_state"] = lasting
    settle(tx, server_id, run.id, **values)


def _action(name: str, operation: str) -> Flow:
    def act(run: Run, server: Body, worker: str, force: bool = False) -> None:
        worker_side = run.conductor.worker.to(worker)
        timeout = 0 if force else run.conductor.conf.shutdown_timeout
        power_state = run.step(
            worker_side.change_power,
            server=server,
            operation=operation if not (force and operation == "reboot") else "reboot_hard",
            timeout=timeout,
        )
        run.done(_done, server["uuid"], power_state, run)

    act.__doc__ = f"{name}: the worker's {operation}. `force` gives the guest no time to shut down."
    return flow(name, deadline="server_action_deadline", way_out=_failed)(act)


POWER_FLOWS = [
    _action("server.start", "power_on"),
    _action("server.stop", "power_off"),
    _action("server.reboot", "reboot"),
    _action("server.pause", "pause"),
    _action("server.unpause", "unpause"),
    _action("server.suspend", "suspend"),
    _action("server.resume", "resume"),
]
