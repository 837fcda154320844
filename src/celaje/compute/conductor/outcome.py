"""How a server's flow ends: the rows that its ways out and last steps write. Used by all flows."""

from typing import Any

from sqlalchemy import bindparam, select

from celaje.common import clock
from celaje.common.db import Transaction
from celaje.common.errors import CelajeError
from celaje.compute import states
from celaje.compute.db import servers
from celaje.compute.db.tables import FLOWS
from celaje.compute.errors import ServerTaken

# The last step that said no; undo steps come after it.
_FAILED_STEP = (
    select(FLOWS.steps.c.name)
    .where(
        FLOWS.steps.c.flow_id == bindparam("flow"),
        FLOWS.steps.c.outcome == "error",
        FLOWS.steps.c.kind != "undo",
    )
    .order_by(FLOWS.steps.c.number.desc())
)


def fault_of(tx: Transaction, flow: dict[str, Any], error: CelajeError) -> dict[str, Any]:
    """What the API shows as `fault`: code, message, details (which name the step), created."""
    step = tx.execute(_FAILED_STEP, {"flow": flow["id"]}).scalar()
    code = {"internal": 500, "conflict": 409, "not_found": 404, "invalid": 400}.get(error.kind, 500)
    return {
        "code": code,
        "message": error.message[:255],
        "details": f"flow {flow['name']}, step {step}: {type(error).__name__}: {error.message}"
        + (f" {error.details['filters']}" if error.details.get("filters") else ""),
        "created": clock.iso(clock.now(), zulu=True),
    }


def settle(tx: Transaction, server_id: str, flow_id: str, **values: Any) -> None:
    """Let go of the server, or raise ServerTaken when another flow has it: then the flow is unwound."""
    if not states.settle(tx, server_id, flow_id, **values):
        raise ServerTaken(server=server_id)


def not_being_deleted(tx: Transaction, server_id: str) -> None:
    """For the end of a flow that gives a server something without holding it. Raises ServerTaken: a deletion
    that has begun takes away what it found then, so what came since must be taken back by who brought it."""
    row = servers.get(tx, server_id)
    if row is None or row["deleted"] or row["task_state"] == "deleting":
        raise ServerTaken(server=server_id)


def progress(tx: Transaction, server_id: str, flow_id: str, task_state: str, **values: Any) -> None:
    if not states.progress(tx, server_id, flow_id, task_state, **values):
        raise ServerTaken(server=server_id)
