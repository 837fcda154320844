"""The server that a request names: loaded, seen by its owner only, authorised. Used by all its handlers."""

from typing import Any

from celaje.common.wsgi import Request
from celaje.compute.db import servers
from celaje.compute.errors import ServerBusy, ServerLocked, ServerNotFound

Row = dict[str, Any]


def load(request: Request, server_id: str, rule: str | None = None) -> Row:
    """The row, after the route's rule (or `rule`) has been checked against it. Raises ServerNotFound also
    for another project's server."""
    row = request.service.database.read(servers.get, server_id)
    if row is None or row["deleted"]:
        raise ServerNotFound(server=server_id)
    if row["project_id"] != request.context.project_id and not request.context.is_admin:
        raise ServerNotFound(server=server_id)
    request.authorize({"project_id": row["project_id"], "user_id": row["user_id"]}, rule)
    return row


def refuse_locked(request: Request, row: Row) -> None:
    """Nobody but an administrator touches a locked server."""
    if row["locked"] and not request.context.is_admin:
        raise ServerLocked(server=row["id"])


def busy(row: Row, action: str, vm_states: tuple[str, ...] = ()) -> ServerBusy:
    """Why the action cannot be: the vm_state if that is in the way, else the task."""
    by_state = bool(vm_states) and row["vm_state"] not in vm_states
    attribute = "vm_state" if by_state or row["task_state"] is None else "task_state"
    return ServerBusy(action=action, server=row["id"], attribute=attribute, state=row[attribute])


def worker_is_up(service: Any, tx: Any, host: str) -> bool:
    record = service.records.find(tx, "nova-compute", host)
    return record is not None and service.records.is_up(record)
